//! What Windows has.

use crate::sys::raw;
use crate::{Async, Readable};
use std::future::Future;
use std::io;
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, OwnedHandle, RawHandle};
use std::pin::Pin;
use std::task::{Context, Poll};

/// A handle that tasks can wait for until it is signalled: a process that ends, an event, a mutex, a semaphore, a thread, a
/// waitable timer, console input.
///
/// It is to handles what [`Async`] is to sockets, without reading and writing: there is only the wait.
///
/// # Cancellation
///
/// Dropping the future of [`ready`](Waitable::ready) withdraws the wait. An object that is reset by a successful wait (an
/// auto-reset event, a semaphore) may be signalled all the same; this signal is kept for the next wait, and lost only with the
/// `Waitable`.
///
/// # Platforms
///
/// Windows only. A thread of the system's pool waits for each handle that tasks are waiting for.
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
    /// [`AlreadyExists`](io::ErrorKind::AlreadyExists) if this handle is registered (a duplicate may be). Whether a handle
    /// can be waited for at all shows when [`ready`](Waitable::ready) is polled.
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
    /// The object inside.
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

    /// The object inside, for changes.
    ///
    /// # Safety
    ///
    /// The object must not be dropped or replaced: its handle is registered with the reactor.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use async_io::os::windows::Waitable;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let mut child = Waitable::new(std::process::Command::new("cmd").spawn()?)?;
    /// // SAFETY: the child stays where it is.
    /// unsafe { child.get_mut() }.kill()?;
    /// # Ok(())
    /// # }
    /// ```
    #[allow(unsafe_code)]
    pub unsafe fn get_mut(&mut self) -> &mut T {
        // SAFETY: the caller's promise is that of `Async::get_mut`.
        unsafe { self.0.get_mut() }
    }

    /// Takes the object out of the reactor and returns it.
    ///
    /// # Errors
    ///
    /// If the system refuses to deregister it, the object is dropped.
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

    /// Waits until the handle is signalled.
    ///
    /// # Errors
    ///
    /// If the system cannot wait for this kind of handle, or if the wait needs the `async-io` thread and it cannot be made.
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

    /// Polls whether the handle is signalled. There is one place for the waker, as for
    /// [`Async::poll_readable`].
    ///
    /// # Errors
    ///
    /// As for [`ready`](Waitable::ready).
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

impl<T: AsHandle + From<OwnedHandle>> TryFrom<OwnedHandle> for Waitable<T> {
    type Error = io::Error;

    fn try_from(handle: OwnedHandle) -> Result<Self, Self::Error> {
        Waitable::new(handle.into())
    }
}

impl<T: Into<OwnedHandle>> TryFrom<Waitable<T>> for OwnedHandle {
    type Error = io::Error;

    fn try_from(waitable: Waitable<T>) -> Result<Self, Self::Error> {
        waitable.into_inner().map(Into::into)
    }
}

/// Waits until a handle is signalled; made by [`Waitable::ready`].
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Ready<'a, T>(Readable<'a, T>);

impl<T> Future for Ready<'_, T> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}
