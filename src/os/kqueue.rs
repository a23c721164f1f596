//! What systems with a kqueue have: macOS, iOS and their relatives, FreeBSD, NetBSD, OpenBSD and DragonFly BSD.

use crate::sys::raw::{self, RawSource};
use crate::{Async, Readable};
use std::future::Future;
use std::io;
use std::num::NonZeroI32;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::pin::Pin;
use std::process::Child;
use std::task::{Context, Poll};

/// Something without a descriptor that a kqueue can watch, and that tasks can wait for: a [`Signal`], or the [`Exit`] of a
/// process.
///
/// Each wait is for one event that comes after it began, or has come since the filter was registered or last waited for. One
/// event wakes all that wait.
///
/// # Cancellation
///
/// Dropping the future of [`ready`](Filter::ready) withdraws the wait; an event that comes afterwards is kept for the next
/// one. Events are not counted: any number that nobody waited for end one wait.
///
/// # Platforms
///
/// Systems with a kqueue. Elsewhere see the pidfds and signalfds of Linux, which are descriptors for [`Async`].
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
    /// Registers what is to be watched.
    ///
    /// # Errors
    ///
    /// [`AlreadyExists`](io::ErrorKind::AlreadyExists) if the same signal or process is being watched;
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for a signal that the system does not have; whatever the system says of
    /// a process that does not exist, which macOS also says of one that has ended already.
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

/// Registers a plain descriptor, for which [`Async`] is the better type.
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
    /// What is being watched.
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

    /// What is being watched, for changes: they change nothing of what was registered.
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
        // SAFETY: signals and processes are registered by number; dropping or replacing these values closes nothing. (A
        // descriptor that was registered through `TryFrom<OwnedFd>` could be closed this way. The kernel then removes
        // it, or takes our calls as ones on an unknown number: events are lost, and memory is untouched.)
        unsafe { self.0.get_mut() }
    }

    /// Ends the watch and returns what was watched.
    ///
    /// # Errors
    ///
    /// If the system refuses to end it, what was watched is dropped.
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

    /// Waits for the event. A process that has ended stays ready.
    ///
    /// # Errors
    ///
    /// If the system cannot watch it any more, or if the wait needs the `async-io` thread and it cannot be made.
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

    /// Polls whether the event has come. There is one place for the waker, as for [`Async::poll_readable`].
    ///
    /// # Errors
    ///
    /// As for [`ready`](Filter::ready).
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

/// Waits for the event of a filter; made by [`Filter::ready`].
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Ready<'a, T>(Readable<'a, T>);

impl<T> Future for Ready<'_, T> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}

/// What a [`Filter`] can watch. Only this crate implements it.
pub trait Queueable: __private::QueueableSealed {}

/// The arrival of a signal, by number. It is told besides what the signal does otherwise: one that ends the process still
/// does.
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

/// The end of a process.
///
/// It is told, not collected: the process stays a zombie until somebody waits for it.
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
    /// The end of a child.
    ///
    /// The `Child` is dropped, which neither ends nor collects the process. To collect it afterwards keep its number, or
    /// use [`from_pid`](Exit::from_pid) and keep the `Child`.
    ///
    /// # Panics
    ///
    /// If the child's number is zero or no `i32`, which no system gives.
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

    /// The end of the process with this number.
    ///
    /// # Safety
    ///
    /// The number must be that of a child of this process.
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
