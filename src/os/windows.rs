//! Types for Windows: waiting for handles.

use crate::sys::raw;
use crate::{Async, Readable};
use std::future::Future;
use std::io;
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, OwnedHandle, RawHandle};
use std::pin::Pin;
use std::task::{Context, Poll};

/// A handle that tasks can wait for until it is signaled.
///
/// The handle can be that of a process or thread, which are signaled when they end, of an event, a
/// mutex, a semaphore, a waitable timer, or console input. A `Waitable` has no operations for
/// reading and writing. For sockets use [`Async`].
///
/// # Cancellation
///
/// If the future of [`ready`](Waitable::ready) is dropped before it completes, the system may still
/// take the signal of an object that a wait resets, such as an auto-reset event or a semaphore.
/// That signal is kept for the next wait, and is lost only if the `Waitable` is dropped.
///
/// # Platform notes
///
/// Only on Windows. The thread pool of the system waits for the handles that tasks wait for.
///
/// # Examples
///
/// ```no_run
/// use async_io::os::windows::Waitable;
/// use std::process::Command;
///
/// # fn main() -> std::io::Result<()> {
/// async_io::block_on(async {
///     let child = Waitable::new(Command::new("cmd").args(["/C", "echo hello"]).spawn()?)?;
///     child.ready().await?;
///     let status = child.into_inner()?.wait()?;
///     println!("{status}");
///     Ok(())
/// })
/// # }
/// ```
#[derive(Debug)]
pub struct Waitable<T>(Async<T>);

impl<T: AsHandle> Waitable<T> {
    /// Registers a handle.
    ///
    /// # Errors
    ///
    /// Returns [`AlreadyExists`](io::ErrorKind::AlreadyExists) if this handle is registered
    /// already. A duplicate of it can be registered. A handle that cannot be waited for is an error
    /// of [`ready`](Waitable::ready), not of this function.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use async_io::os::windows::Waitable;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let child = Waitable::new(std::process::Command::new("cmd").spawn()?)?;
    /// # drop(child);
    /// # Ok(())
    /// # }
    /// ```
    pub fn new(handle: T) -> io::Result<Self> {
        Async::register(raw::of_handle(&handle), handle).map(Waitable)
    }
}

impl<T> Waitable<T> {
    /// Returns a reference to the inner object.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use async_io::os::windows::Waitable;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let child = Waitable::new(std::process::Command::new("cmd").spawn()?)?;
    /// println!("process {}", child.get_ref().id());
    /// # Ok(())
    /// # }
    /// ```
    pub fn get_ref(&self) -> &T {
        self.0.get_ref()
    }

    /// Returns a mutable reference to the inner object.
    ///
    /// # Safety
    ///
    /// The caller must not drop or replace the object: its handle is registered with the reactor.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use async_io::os::windows::Waitable;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let mut child = Waitable::new(std::process::Command::new("cmd").spawn()?)?;
    /// // SAFETY: the child is neither dropped nor replaced.
    /// unsafe { child.get_mut() }.kill()?;
    /// # Ok(())
    /// # }
    /// ```
    #[allow(unsafe_code)]
    pub unsafe fn get_mut(&mut self) -> &mut T {
        // SAFETY: the caller promises the same as for `Async::get_mut`.
        unsafe { self.0.get_mut() }
    }

    /// Deregisters the object and returns it.
    ///
    /// # Errors
    ///
    /// If the system refuses to deregister the object, it is dropped and an error is returned.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use async_io::os::windows::Waitable;
    /// use std::process::Child;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let child = Waitable::new(std::process::Command::new("cmd").spawn()?)?;
    /// let child: Child = child.into_inner()?;
    /// # drop(child);
    /// # Ok(())
    /// # }
    /// ```
    pub fn into_inner(self) -> io::Result<T> {
        self.0.into_inner()
    }

    /// Waits until the handle is signaled.
    ///
    /// # Errors
    ///
    /// Returns an error if the system cannot wait for this kind of handle, or if the wait needs the
    /// `async-io` thread and that thread cannot be started.
    ///
    /// # Cancellation
    ///
    /// If the future is dropped before it completes, a signal that the system has taken is kept for
    /// the next wait.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use async_io::os::windows::Waitable;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let child = Waitable::new(std::process::Command::new("cmd").spawn()?)?;
    /// async_io::block_on(child.ready())?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn ready(&self) -> Ready<'_, T> {
        Ready(self.0.readable())
    }

    /// Polls whether the handle is signaled.
    ///
    /// A `Waitable` has one waker for this function, as described for [`Async::poll_readable`].
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`ready`](Waitable::ready).
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use async_io::os::windows::Waitable;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let child = Waitable::new(std::process::Command::new("cmd").spawn()?)?;
    /// async_io::block_on(std::future::poll_fn(|cx| child.poll_ready(cx)))?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_readable(cx)
    }
}

impl<T> AsRef<T> for Waitable<T> {
    fn as_ref(&self) -> &T {
        self.get_ref()
    }
}

impl<T: AsRawHandle> AsRawHandle for Waitable<T> {
    fn as_raw_handle(&self) -> RawHandle {
        self.get_ref().as_raw_handle()
    }
}

impl<T: AsHandle> AsHandle for Waitable<T> {
    fn as_handle(&self) -> BorrowedHandle<'_> {
        self.get_ref().as_handle()
    }
}

/// Converts the handle to `T`, and calls [`Waitable::new`].
impl<T: AsHandle + From<OwnedHandle>> TryFrom<OwnedHandle> for Waitable<T> {
    type Error = io::Error;

    fn try_from(handle: OwnedHandle) -> Result<Self, Self::Error> {
        Waitable::new(handle.into())
    }
}

/// Calls [`Waitable::into_inner`].
impl<T: Into<OwnedHandle>> TryFrom<Waitable<T>> for OwnedHandle {
    type Error = io::Error;

    fn try_from(waitable: Waitable<T>) -> Result<Self, Self::Error> {
        waitable.into_inner().map(Into::into)
    }
}

/// Future that waits until a handle is signaled.
///
/// Returned by [`Waitable::ready`].
///
/// # Examples
///
/// ```no_run
/// use async_io::os::windows::{Ready, Waitable};
/// use std::process::{Child, Command};
///
/// # fn main() -> std::io::Result<()> {
/// let child = Waitable::new(Command::new("cmd").spawn()?)?;
/// let ready: Ready<'_, Child> = child.ready();
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
