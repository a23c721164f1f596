//! Types for systems with a kqueue: waiting for signals and for the end of a process.
//!
//! These systems are macOS, iOS and their relatives, FreeBSD, NetBSD, OpenBSD and DragonFly BSD.

use crate::sys::raw::{self, RawSource};
use crate::{Async, Readable};
use std::future::Future;
use std::io;
use std::num::NonZeroI32;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::pin::Pin;
use std::process::Child;
use std::task::{Context, Poll};

/// A signal or process that a kqueue watches and that tasks can wait for.
///
/// `T` is [`Signal`] or [`Exit`], which have no descriptor. A filter is watched from its
/// registration on. An event that comes while no task waits is kept for the next wait. Events are
/// not counted: however many come in between, they end one wait. An event that comes during a wait
/// wakes all waiting tasks.
///
/// # Cancellation
///
/// If the future of [`ready`](Filter::ready) is dropped before it completes, the event is kept for
/// the next wait.
///
/// # Platform notes
///
/// Only on systems with a kqueue. On Linux use pidfds and signalfds: they are descriptors, which
/// [`Async`] takes.
///
/// # Examples
///
/// ```no_run
/// use async_io::os::kqueue::{Exit, Filter};
/// use std::process::Command;
///
/// # fn main() -> std::io::Result<()> {
/// async_io::block_on(async {
///     let child = Command::new("sleep").arg("1").spawn()?;
///     Filter::new(Exit::new(child))?.ready().await
/// })
/// # }
/// ```
#[derive(Debug)]
pub struct Filter<T>(Async<T>);

impl<T: Queueable> Filter<T> {
    /// Registers a signal or process.
    ///
    /// # Errors
    ///
    /// * [`AlreadyExists`](io::ErrorKind::AlreadyExists) if another filter watches the same signal
    ///   or process.
    /// * [`InvalidInput`](io::ErrorKind::InvalidInput) if the system does not have the signal.
    /// * The error of the system if the process does not exist. macOS also returns it for a process
    ///   that has ended but was not waited for.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use async_io::os::kqueue::{Filter, Signal};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let interrupt = Filter::new(Signal(2))?;
    /// # drop(interrupt);
    /// # Ok(())
    /// # }
    /// ```
    pub fn new(filter: T) -> io::Result<Self> {
        Async::register(filter.raw(), filter).map(Filter)
    }
}

impl<T: AsRawFd> AsRawFd for Filter<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.get_ref().as_raw_fd()
    }
}

impl<T: AsFd> AsFd for Filter<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.get_ref().as_fd()
    }
}

/// Registers a plain descriptor. [`Async`] is the better type for that.
impl<T: AsFd + From<OwnedFd>> TryFrom<OwnedFd> for Filter<T> {
    type Error = io::Error;

    fn try_from(fd: OwnedFd) -> Result<Self, Self::Error> {
        let object = T::from(fd);
        Async::register(raw::of(&object), object).map(Filter)
    }
}

impl<T: Into<OwnedFd>> TryFrom<Filter<T>> for OwnedFd {
    type Error = io::Error;

    fn try_from(filter: Filter<T>) -> Result<Self, Self::Error> {
        filter.into_inner().map(Into::into)
    }
}

impl<T> Filter<T> {
    /// Returns a reference to the signal or process.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use async_io::os::kqueue::{Filter, Signal};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// assert_eq!(*Filter::new(Signal(2))?.get_ref(), Signal(2));
    /// # Ok(())
    /// # }
    /// ```
    pub fn get_ref(&self) -> &T {
        self.0.get_ref()
    }

    /// Returns a mutable reference to the signal or process.
    ///
    /// Changing the value does not change what is watched.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use async_io::os::kqueue::{Filter, Signal};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let signal: &mut Signal = Filter::new(Signal(2))?.get_mut();
    /// # let _ = signal;
    /// # Ok(())
    /// # }
    /// ```
    #[allow(unsafe_code)]
    pub fn get_mut(&mut self) -> &mut T {
        // SAFETY: signals and processes are registered by number, and dropping or replacing these
        // values closes nothing. A descriptor that was registered through `TryFrom<OwnedFd>` can be
        // closed this way. Then the kernel removes it, or our calls name an unknown descriptor.
        // Events are lost, but no memory is accessed.
        unsafe { self.0.get_mut() }
    }

    /// Deregisters the signal or process and returns it.
    ///
    /// # Errors
    ///
    /// If the system refuses to deregister it, it is dropped and an error is returned.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use async_io::os::kqueue::{Filter, Signal};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let Signal(number) = Filter::new(Signal(2))?.into_inner()?;
    /// # let _ = number;
    /// # Ok(())
    /// # }
    /// ```
    pub fn into_inner(self) -> io::Result<T> {
        self.0.into_inner()
    }

    /// Waits until the signal arrives or the process ends.
    ///
    /// A process that has ended stays ready: further waits complete in their first poll.
    ///
    /// # Errors
    ///
    /// Returns an error if the system cannot watch the signal or process, or if the wait needs the
    /// `async-io` thread and that thread cannot be started.
    ///
    /// # Cancellation
    ///
    /// If the future is dropped before it completes, the event is kept for the next wait.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use async_io::os::kqueue::{Filter, Signal};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let interrupt = Filter::new(Signal(2))?;
    /// async_io::block_on(interrupt.ready())?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn ready(&self) -> Ready<'_, T> {
        Ready(self.0.readable())
    }

    /// Polls whether the signal has arrived or the process has ended.
    ///
    /// A filter has one waker for this function, as described for [`Async::poll_readable`].
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`ready`](Filter::ready).
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use async_io::os::kqueue::{Filter, Signal};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let interrupt = Filter::new(Signal(2))?;
    /// async_io::block_on(std::future::poll_fn(|cx| interrupt.poll_ready(cx)))?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_readable(cx)
    }
}

impl<T> AsRef<T> for Filter<T> {
    fn as_ref(&self) -> &T {
        self.get_ref()
    }
}

impl<T> AsMut<T> for Filter<T> {
    fn as_mut(&mut self) -> &mut T {
        self.get_mut()
    }
}

/// Future that waits for the event of a [`Filter`].
///
/// Returned by [`Filter::ready`].
///
/// # Examples
///
/// ```no_run
/// use async_io::os::kqueue::{Filter, Ready, Signal};
///
/// # fn main() -> std::io::Result<()> {
/// let interrupt = Filter::new(Signal(2))?;
/// let ready: Ready<'_, Signal> = interrupt.ready();
/// async_io::block_on(ready)
/// # }
/// ```
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Ready<'a, T>(Readable<'a, T>);

impl<T> Future for Ready<'_, T> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}

/// Something that a [`Filter`] can watch.
///
/// This trait is sealed: only [`Signal`] and [`Exit`] implement it.
pub trait Queueable: __private::QueueableSealed {}

/// The arrival of a signal, given by its number.
///
/// A filter does not change what the signal does: a signal that terminates the process still does,
/// unless the program ignores or handles it.
///
/// # Examples
///
/// ```no_run
/// use async_io::os::kqueue::{Filter, Signal};
///
/// # fn main() -> std::io::Result<()> {
/// let child_changed = Filter::new(Signal(20))?;
/// # drop(child_changed);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signal(pub i32);

impl Queueable for Signal {}

/// The end of a child process.
///
/// A filter reports the end of the process and does not reap it: the process stays a zombie until
/// the program waits for it, for example by [`Child::wait`].
///
/// # Examples
///
/// ```no_run
/// use async_io::os::kqueue::{Exit, Filter};
///
/// # fn main() -> std::io::Result<()> {
/// let child = std::process::Command::new("true").spawn()?;
/// let end = Filter::new(Exit::new(child))?;
/// # drop(end);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Exit(NonZeroI32);

impl Exit {
    /// Creates a value for the end of a child.
    ///
    /// The `Child` is dropped, which neither kills nor reaps the process. To reap it later, keep
    /// its id, or keep the `Child` and use [`from_pid`](Exit::from_pid).
    ///
    /// # Panics
    ///
    /// Panics if the id of the child is zero or does not fit into an `i32`. No system assigns such
    /// an id.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use async_io::os::kqueue::Exit;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let exit = Exit::new(std::process::Command::new("true").spawn()?);
    /// # drop(exit);
    /// # Ok(())
    /// # }
    /// ```
    #[allow(clippy::panic)] // Documented; the signature has no room for an error.
    pub fn new(child: Child) -> Self {
        let number = i32::try_from(child.id()).ok().and_then(NonZeroI32::new);
        match number {
            Some(number) => Exit(number),
            None => panic!("a process cannot have the number {}", child.id()),
        }
    }

    /// Creates a value for the end of the child with this process id.
    ///
    /// # Safety
    ///
    /// The id must be that of a child of this process that has not been waited for.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use async_io::os::kqueue::{Exit, Filter};
    /// use std::num::NonZeroI32;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let mut child = std::process::Command::new("true").spawn()?;
    /// if let Some(number) = NonZeroI32::new(child.id() as i32) {
    ///     // SAFETY: the child has not been waited for.
    ///     let exit = unsafe { Exit::from_pid(number) };
    ///     async_io::block_on(Filter::new(exit)?.ready())?;
    /// }
    /// println!("{}", child.wait()?);
    /// # Ok(())
    /// # }
    /// ```
    #[allow(unsafe_code)]
    pub unsafe fn from_pid(pid: NonZeroI32) -> Self {
        Exit(pid)
    }
}

impl Queueable for Exit {}

mod __private {
    use super::{Exit, RawSource, Signal};

    #[doc(hidden)]
    pub trait QueueableSealed {
        #[doc(hidden)]
        #[allow(private_interfaces)]
        fn raw(&self) -> RawSource;
    }

    impl QueueableSealed for Signal {
        #[allow(private_interfaces)]
        fn raw(&self) -> RawSource {
            RawSource::Signal(self.0)
        }
    }

    impl QueueableSealed for Exit {
        #[allow(private_interfaces)]
        fn raw(&self) -> RawSource {
            RawSource::Exit(self.0)
        }
    }
}
