//! What belongs to [`Reactor`]: its builder, the guard of `enter`, and the results of its methods.

mod builder;
mod entered;
mod in_use;

pub use builder::Builder;
pub use entered::Entered;
pub use in_use::StillInUse;

use crate::driver::handle::{Handle, Named};
use crate::driver::{Driver, Uses, block_on};
use std::fmt;
use std::future::Future;
use std::io;
#[cfg(unix)]
use std::os::fd::BorrowedFd;
use std::task::Waker;
use std::time::{Duration, Instant};

/// A handle of a reactor: what waits for I/O objects and timers.
///
/// A program has one reactor from the start, the *global* one, and need not know about it. It can
/// create further, *private* ones: one per thread, so that threads share nothing, or one inside
/// another event loop.
///
/// ```text
///         global reactor                    private reactors
///   ┌───────────────────────────┐   ┌──────────────┐  ┌───────────────┐
///   │ sources and timers of all │   │ sources and  │  │ sources and   │
///   │ code that entered nothing │   │ timers of    │  │ timers of     │
///   └─────────────▲─────────────┘   │ one thread   │  │ an event loop │
///                 │                 └──────▲───────┘  └───────▲───────┘
///   one of: any thread inside       that thread,      prepare, wait for fd(),
///   block_on(..), or else the       inside            turn(..), on the thread
///   thread `async-io`               block_on(..)      of the event loop
/// ```
///
/// A `Reactor` is only a handle. Clones refer to the same reactor. A handle can be used on any thread.
///
/// # Which reactor does this object belong to?
///
/// | | reactor |
/// |---|---|
/// | `Async::new`, `bind` and other constructors | the current one of the thread |
/// | `connect`, `accept` and other futures that create an object | the current one when they are polled |
/// | [`Timer`](crate::Timer), [`timeout`](crate::timeout) | the current one of the thread |
/// | `Timer::never()` | the current one when the timer is first set |
/// | [`block_on`](crate::block_on) | the current one of the thread |
/// | an object after [`Async::rebind`](crate::Async::rebind) | the named one |
///
/// The *current* reactor of a thread is the last one that it has entered and not left: through
/// [`enter`](Reactor::enter), or by running [`block_on`](Reactor::block_on). If there is none, it is the
/// global one. An object keeps its reactor, whatever thread uses it later. The output of `Debug` names
/// the reactor.
///
/// # Waiting across reactors
///
/// A task may wait for any object, on any thread and in any executor. If the thread drives the reactor
/// of the object, the wait costs nothing more. Otherwise, another thread has to call the waker, and
/// the reactor starts a thread for that, `async-io/NAME`, as the global one starts `async-io`.
///
/// # Which thread drives
///
/// A thread inside [`block_on`](Reactor::block_on) or [`turn`](Reactor::turn) of a reactor drives it. As
/// long as only such threads wait, the reactor has no thread of its own. It starts one if
///
/// * a task waits on any other thread, or
/// * the last thread leaves `block_on` or `turn` while tasks still wait.
///
/// A thread that is inside but blocked in other code does not drive. If the reactor has a thread
/// `async-io/NAME`, that one takes over after about a millisecond. If not, everything that belongs to the
/// reactor stands still until the thread comes back. So inside `block_on`, do not wait for an object of
/// the same reactor through the `block_on` of another crate, which would never return. Use
/// [`block_on`](crate::block_on) of this crate, or wait on another thread. (With the global reactor, any
/// `block_on` works: each task that waits starts the thread `async-io`.)
///
/// The thread of a reactor stays until the reactor ends, even if nothing needs it any more.
///
/// A reactor that was built with [`fallback_thread(false)`](Builder::fallback_thread) is *manual*: it never
/// starts a thread, and stands still unless the program drives it.
///
/// # Lifetime
///
/// Objects keep their reactor alive. If all handles are dropped, nothing changes for its objects. If the
/// last handle of a manual reactor is dropped while objects remain, it is no longer manual: its own
/// thread starts and drives them. When handles and objects are gone, the thread ends, and the next
/// reactor that is created takes over the descriptors and the memory. It waits up to 100 ms for a thread that
/// is about to end. Three to six descriptors are kept for each of the largest number of reactors that existed
/// at the same time.
///
/// If a thread is needed and cannot be started, dropping the handle or the end of `block_on` wakes the tasks
/// that wait. This happens once. A task that polls outside of `block_on` then gets an error.
///
/// # Services of the process
///
/// Some libraries create an object once, when they are first used, and use it for the whole process. An
/// example is the signal handler by which `async-process` waits for child processes on systems without
/// process descriptors. Such an object belongs to the reactor that was current at that moment. It keeps
/// that reactor alive. If it is used on another thread, or when no thread is inside any more, the thread
/// of the reactor starts. To prevent that, start the service under the global reactor:
///
/// ```
/// use async_io::Reactor;
///
/// # fn start_the_service() {}
/// let global = Reactor::global();
/// let entered = global.enter();
/// start_the_service();
/// drop(entered);
/// ```
///
/// # Forked processes
///
/// In a forked child, `Reactor::global()` is a new reactor. Objects and private reactors of the parent
/// return errors there, and leave the parent alone. [`Async::rebind`](crate::Async::rebind) moves an
/// object of the parent to a reactor of the child. A `block_on` that was running at the fork polls its
/// future every millisecond in the child. Timers of the parent also fire in the child.
///
/// A child that was made by a bare `clone` system call, and not by `fork`, counts as its parent. It must not
/// use or drop objects of this crate before it calls `exec`.
///
/// # Examples
///
/// One reactor per thread. The server and the client share no lock:
///
/// ```
/// use async_io::{Async, Reactor};
/// use futures_lite::{AsyncReadExt, AsyncWriteExt};
/// use std::io;
/// use std::net::{TcpListener, TcpStream};
/// use std::thread;
///
/// # fn main() -> io::Result<()> {
/// let listener = TcpListener::bind(("127.0.0.1", 0))?;
/// let address = listener.local_addr()?;
///
/// let server = thread::spawn(move || {
///     let reactor = Reactor::new()?;
///     reactor.block_on(async {
///         let listener = Async::new(listener)?;
///         let (mut stream, _) = listener.accept().await?;
///         stream.write_all(b"hello").await
///     })
/// });
///
/// let reactor = Reactor::new()?;
/// let greeting = reactor.block_on(async {
///     let mut stream = Async::<TcpStream>::connect(address).await?;
///     let mut greeting = String::new();
///     stream.read_to_string(&mut greeting).await?;
///     io::Result::Ok(greeting)
/// })?;
/// assert_eq!(greeting, "hello");
/// server.join().unwrap()
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Reactor {
    handle: Handle,
}

impl Reactor {
    /// Returns the reactor that exists from the start.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Reactor;
    ///
    /// assert_eq!(Reactor::current(), Reactor::global());
    /// ```
    pub fn global() -> Reactor {
        Reactor::with(Handle::new(Driver::global()))
    }

    /// Creates a private reactor.
    ///
    /// # Errors
    ///
    /// The system refuses to create a poller, for example because no file descriptors are left.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::{Reactor, Timer};
    /// use std::time::Duration;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let reactor = Reactor::new()?;
    /// reactor.block_on(async {
    ///     Timer::after(Duration::from_millis(1)).await;
    /// });
    /// # Ok(())
    /// # }
    /// ```
    pub fn new() -> io::Result<Reactor> {
        Reactor::builder().build()
    }

    /// Returns a builder for a private reactor.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Reactor;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let reactor = Reactor::builder().name("db").build()?;
    /// assert!(format!("{reactor:?}").contains("db"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// Returns the current reactor of this thread: the last one that it has entered, or else the global
    /// one.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Reactor;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let reactor = Reactor::new()?;
    /// reactor.block_on(async {
    ///     assert_eq!(Reactor::current(), reactor);
    /// });
    /// # Ok(())
    /// # }
    /// ```
    pub fn current() -> Reactor {
        Reactor::with(Handle::new(Driver::current().0))
    }

    /// Makes this reactor the current one of this thread, until the guard is dropped.
    ///
    /// Entering a reactor does not drive it. Guards may be dropped in any order: the current reactor is
    /// always the last one that was entered and not left. A guard that is forgotten keeps the reactor
    /// alive and entered until the thread ends.
    ///
    /// Do not hold a guard across an `.await`: it would also apply to the other tasks of the thread.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::{Async, Reactor};
    /// use std::net::UdpSocket;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let reactor = Reactor::new()?;
    /// let entered = reactor.enter();
    /// let socket = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0))?;
    /// drop(entered);
    /// assert_eq!(socket.reactor(), reactor);
    /// # Ok(())
    /// # }
    /// ```
    pub fn enter(&self) -> Entered<'_> {
        Entered::new(self)
    }

    /// Blocks the current thread on a future, and drives this reactor while the future waits.
    ///
    /// This is [`block_on`](crate::block_on) for this reactor, which is also the current one of the
    /// thread meanwhile. What belongs to other reactors is driven by their threads.
    ///
    /// The argument is evaluated before the call, and so before the reactor is entered: the timer in
    /// `reactor.block_on(Timer::after(..))` belongs to the reactor that was current before. In
    /// `reactor.block_on(async { Timer::after(..).await })`, it belongs to this one.
    ///
    /// If an executor outlives the call, and its tasks still wait, the thread of the reactor starts when
    /// the call returns. To prevent that, create the executor inside the future.
    ///
    /// # Cancellation
    ///
    /// The call returns when the future is ready, and cannot be cancelled.
    ///
    /// # Panics
    ///
    /// Panics only if the future panics. The reactor stays usable.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::{Reactor, Timer};
    /// use std::time::Duration;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let reactor = Reactor::new()?;
    /// let value = reactor.block_on(async {
    ///     Timer::after(Duration::from_millis(1)).await;
    ///     7
    /// });
    /// assert_eq!(value, 7);
    /// # Ok(())
    /// # }
    /// ```
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        block_on::run(self.driver(), future)
    }

    /// Runs one pass: waits for events or a timer, fires the timers that are due, and wakes the tasks
    /// that can proceed.
    ///
    /// Waits for at most `limit`, and without a limit if that is `None`. With a limit of zero, the call
    /// does what there is to do and returns. Otherwise it returns when a pass has done something, when
    /// the time is up, or when [`waker`](Reactor::waker) was called since the last turn.
    ///
    /// If another thread drives as well, such as the thread of a reactor that is not manual, that thread
    /// may wake a task without ending the turn. So a loop that waits for tasks lets their wakers call
    /// [`waker`](Reactor::waker).
    ///
    /// Several threads may call this at the same time. One of them polls the system, and the others wait
    /// until they can take its place or their time is up.
    ///
    /// # Errors
    ///
    /// * [`Deadlock`](io::ErrorKind::Deadlock) if the call comes from a waker that a turn of the same
    ///   reactor has called, on the same thread.
    /// * [`Unsupported`](io::ErrorKind::Unsupported) in a forked child, for a reactor of the parent.
    ///
    /// # Examples
    ///
    /// A loop that does some work of its own in each round:
    ///
    /// ```
    /// use async_io::{Reactor, Timer};
    /// use std::future::Future;
    /// use std::pin::pin;
    /// use std::task::Context;
    /// use std::time::Duration;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let reactor = Reactor::builder().fallback_thread(false).build()?;
    /// let waker = reactor.waker();
    /// let mut context = Context::from_waker(&waker);
    /// let entered = reactor.enter();
    /// let mut timer = pin!(Timer::after(Duration::from_millis(5)));
    /// while timer.as_mut().poll(&mut context).is_pending() {
    ///     // Draw a frame here.
    ///     reactor.turn(Some(Duration::from_millis(1)))?;
    /// }
    /// # drop(entered);
    /// # Ok(())
    /// # }
    /// ```
    pub fn turn(&self, limit: Option<Duration>) -> io::Result<Turn> {
        let outcome = self.driver().turn(limit)?;
        Ok(Turn {
            woken: outcome.woken,
            events: outcome.events,
        })
    }

    /// Prepares for a wait of another event loop on [`fd`](Reactor::fd). Call it before every such wait.
    ///
    /// Returns how long the event loop may wait at most, or `None` if there is no limit. If there is
    /// something to do, the descriptor becomes readable and the result is zero. After the wait, call
    /// [`turn`](Reactor::turn) with a limit of zero, and run the tasks that it has woken.
    ///
    /// On Linux and Android, the descriptor also becomes readable when the time is up. So the event loop
    /// need not use the result, and may watch the descriptor for edges or levels. Elsewhere, and in a
    /// sandbox without timer descriptors, it must limit its wait to the result.
    ///
    /// The thread that calls this is the thread of the event loop. If another thread begins to drive the
    /// reactor while the loop waits, that thread handles the events meanwhile. A task that it wakes by
    /// [`waker`](Reactor::waker) ends the wait of the loop, at the latest when the other thread has left
    /// the reactor. The first call may report a wake-up that a turn has seen before.
    ///
    /// # Errors
    ///
    /// * [`Unsupported`](io::ErrorKind::Unsupported) if the reactor is not
    ///   [manual](Builder::fallback_thread), or the system has no such descriptor.
    /// * [`ResourceBusy`](io::ErrorKind::ResourceBusy) while another thread drives the reactor: it would
    ///   take events away from the event loop.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Reactor;
    /// use std::io::ErrorKind;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let reactor = Reactor::builder().fallback_thread(false).build()?;
    /// match reactor.prepare() {
    ///     Ok(limit) => assert_eq!(limit, None),
    ///     Err(error) if error.kind() == ErrorKind::Unsupported => println!("{error}"),
    ///     Err(error) => return Err(error),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn prepare(&self) -> io::Result<Option<Duration>> {
        self.driver().prepare()
    }

    /// Returns a waker that ends a turn.
    ///
    /// Waking it ends the calls of [`turn`](Reactor::turn) in progress. If there are none, the next call
    /// does not wait, and [`fd`](Reactor::fd) becomes readable. All wakers of one reactor are equal for
    /// [`Waker::will_wake`]. The waker does not keep the reactor alive. If it is called after the reactor
    /// has ended, it may end a turn of a later reactor early.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Reactor;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let reactor = Reactor::new()?;
    /// reactor.waker().wake();
    /// reactor.turn(None)?; // Returns at once.
    /// # Ok(())
    /// # }
    /// ```
    pub fn waker(&self) -> Waker {
        self.driver().turn_waker().clone()
    }

    /// Returns the earliest deadline of the timers that tasks wait for.
    ///
    /// If another thread stands by in a [`turn`](Reactor::turn) with a limit, that limit counts as well.
    ///
    /// In a forked child, returns `None` for a reactor of the parent.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Reactor;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// assert_eq!(Reactor::new()?.next_deadline(), None);
    /// # Ok(())
    /// # }
    /// ```
    pub fn next_deadline(&self) -> Option<Instant> {
        self.driver().next_instant()
    }

    /// Returns the descriptor on which another event loop can wait for this reactor.
    ///
    /// It is readable when [`turn`](Reactor::turn) has something to do. Call
    /// [`prepare`](Reactor::prepare) before every wait. Use the descriptor only to wait: reading from it,
    /// writing to it or closing it breaks the reactor.
    ///
    /// The number of the descriptor stays the same for as long as the reactor exists. An event loop with
    /// sources that must not borrow can keep the number, together with a handle of the reactor.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`prepare`](Reactor::prepare).
    ///
    /// # Platform notes
    ///
    /// The descriptor is an epoll instance on Linux and Android, a kqueue on macOS, iOS and the BSDs,
    /// and an event port on illumos and Solaris. Other systems have none.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Reactor;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let reactor = Reactor::builder().fallback_thread(false).build()?;
    /// match reactor.fd() {
    ///     Ok(fd) => println!("watch {fd:?}"),
    ///     Err(error) => println!("{error}"),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(unix)]
    pub fn fd(&self) -> io::Result<BorrowedFd<'_>> {
        self.driver().foreign_descriptor()
    }

    /// Ends a private reactor that nothing uses.
    ///
    /// Dropping the last handle has the same effect. This method also tells whether it was the last
    /// one, and whether objects remain.
    ///
    /// # Errors
    ///
    /// Returns an error that says what still uses the reactor, and holds the handle. The global reactor
    /// is always in use.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::{Reactor, Timer};
    /// use std::time::Duration;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let reactor = Reactor::builder().name("db").build()?;
    /// let timer = reactor.block_on(async { Timer::after(Duration::from_secs(1)) });
    ///
    /// let error = reactor.close().unwrap_err();
    /// assert_eq!(error.to_string(), "the reactor `db` is still in use by 1 timer");
    ///
    /// drop(timer);
    /// assert!(error.into_reactor().close().is_ok());
    /// # Ok(())
    /// # }
    /// ```
    pub fn close(self) -> Result<(), StillInUse> {
        match self.driver().count_uses() {
            Some(uses) if uses == Uses::default() => Ok(()),
            uses => Err(StillInUse::new(self, uses)),
        }
    }

    pub(crate) fn with(handle: Handle) -> Reactor {
        Reactor { handle }
    }

    pub(crate) fn driver(&self) -> &'static Driver {
        self.handle.driver()
    }
}

impl fmt::Debug for Reactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reactor")
            .field("name", &Named(self.driver()))
            .field("manual", &self.driver().is_manual())
            .finish_non_exhaustive()
    }
}

/// What a call of [`Reactor::turn`] has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    woken: usize,
    events: usize,
}

impl Turn {
    /// Returns how many tasks the turn has woken.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Reactor;
    /// use std::time::Duration;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let turn = Reactor::new()?.turn(Some(Duration::ZERO))?;
    /// assert_eq!(turn.woken(), 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn woken(&self) -> usize {
        self.woken
    }

    /// Returns how many events of I/O objects the turn has fetched.
    ///
    /// An event may wake several tasks or none.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Reactor;
    /// use std::time::Duration;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let turn = Reactor::new()?.turn(Some(Duration::ZERO))?;
    /// assert_eq!(turn.events(), 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn events(&self) -> usize {
        self.events
    }
}
