//! [`Async<T>`](Async): an I/O object and its registration.

mod convert;
mod incoming;
mod io_safe;
mod operations;
mod read_write;
pub(crate) mod registration;
mod tcp;
mod udp;
#[cfg(unix)]
mod unix;
mod would_block;

pub use io_safe::IoSafe;

use crate::core::source::Direction;
use crate::core::source::waiters::WaiterId;
use crate::driver::handle::{Handle, Named};
use crate::reactor::Reactor;
use crate::ready::{Readable, ReadableOwned, Writable, WritableOwned};
use crate::sys::raw::{self, RawSource};
use registration::Registration;
use std::fmt;
use std::io;
use std::mem::ManuallyDrop;
#[cfg(unix)]
use std::os::fd::AsFd;
#[cfg(windows)]
use std::os::windows::io::AsSocket;
use std::sync::Arc;
use std::task::{Context, Poll};

/// An I/O object that tasks can wait for.
///
/// Creating one puts the object into non-blocking mode and registers it with the reactor. There are
/// three ways to use it:
///
/// * The common types of `std` have methods, such as [`accept`](Async#method.accept) for a
///   `TcpListener` or [`recv_from`](Async#method.recv_from) for a `UdpSocket`.
/// * If `T` implements `Read` or `Write`, `Async<T>` implements [`AsyncRead`] or [`AsyncWrite`]. If
///   `&T` implements them, so does `&Async<T>`.
/// * For everything else, [`read_with`](Async::read_with) and [`write_with`](Async::write_with) run
///   a closure, and [`readable`](Async::readable) and [`writable`](Async::writable) only wait.
///
/// # Use by several tasks
///
/// Any number of tasks can use the methods that return futures at the same time. One task can read
/// while another one writes, through shared references. But only one task at a time should use
/// `AsyncRead` or [`poll_readable`](Async::poll_readable), and only one `AsyncWrite` or
/// [`poll_writable`](Async::poll_writable). Two tasks that poll the same direction displace and
/// wake each other in turn. That is correct but wasteful.
///
/// # Closing
///
/// [`poll_close`] flushes the object and does *not* shut a socket down. Shut it down through
/// [`get_ref`](Async::get_ref), or drop the `Async`.
///
/// Dropping an `Async` deregisters the object and then drops it. A waker that a `poll_*` function
/// has stored is dropped and not called.
///
/// # A read after a short read
///
/// A read from a TCP socket that returns fewer bytes than requested has emptied the receive queue.
/// So, on Linux and Android and inside [`block_on`](crate::block_on), the next `poll_read` may
/// return `Pending` once without a system call. If data has just arrived, the task is woken. Code
/// that polls a read only once must not take that `Pending` as proof that there is no data.
///
/// # Cancellation
///
/// If a future that an `Async` returned is dropped before it completes, its operation has had no
/// effect.
///
/// # Panics
///
/// The methods do not panic by themselves. A panic of a closure or of [`Waker::clone`] is
/// propagated, and the object stays usable.
///
/// [`Waker::clone`]: std::task::Waker
///
/// # Platform notes
///
/// * On Unix, `T` can be any type with a descriptor that the system can poll. On Windows it is a
///   socket; `os::windows::Waitable` takes other handles.
/// * Linux and Android refuse to register a regular file. Other systems accept it and report it as
///   ready all the time.
/// * On Linux and Android, set `SO_RCVLOWAT`, or an upper-layer protocol such as kernel TLS, before
///   a TCP socket becomes an `Async`. Otherwise data may be read late. Taking the socket out with
///   [`into_inner`](Async::into_inner) and wrapping it again is sufficient.
///
/// # Examples
///
/// ```
/// use async_io::Async;
/// use futures_lite::{AsyncReadExt, AsyncWriteExt};
/// use std::net::{TcpListener, TcpStream};
///
/// # fn main() -> std::io::Result<()> {
/// async_io::block_on(async {
///     let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
///     let mut client = Async::<TcpStream>::connect(listener.get_ref().local_addr()?).await?;
///     let (mut server, _) = listener.accept().await?;
///
///     client.write_all(b"hello").await?;
///     let mut greeting = [0; 5];
///     server.read_exact(&mut greeting).await?;
///     assert_eq!(&greeting, b"hello");
///     Ok(())
/// })
/// # }
/// ```
///
/// [`AsyncRead`]: https://docs.rs/futures-io/0.3/futures_io/trait.AsyncRead.html
/// [`AsyncWrite`]: https://docs.rs/futures-io/0.3/futures_io/trait.AsyncWrite.html
/// [`poll_close`]: https://docs.rs/futures-io/0.3/futures_io/trait.AsyncWrite.html#tymethod.poll_close
pub struct Async<T> {
    registration: Registration,
    /// Dropped after it is deregistered: the system must not assign its number to another object
    /// while the poller has it.
    io: ManuallyDrop<T>,
}

impl<T> Unpin for Async<T> {}

#[cfg(unix)]
impl<T: AsFd> Async<T> {
    /// Puts an object into non-blocking mode and registers it.
    ///
    /// `T` can also be a borrowed descriptor or a reference: `Async<BorrowedFd<'_>>` and
    /// `Async<&T>` leave the object with its owner. Non-blocking mode belongs to the open file
    /// description. It applies to duplicates of the descriptor as well, and remains when the
    /// `Async` is dropped.
    ///
    /// # Errors
    ///
    /// If the object cannot be registered, it is dropped and an error is returned:
    ///
    /// * [`PermissionDenied`](io::ErrorKind::PermissionDenied) for a regular file, a directory or a
    ///   device such as `/dev/null`, on Linux and Android.
    /// * [`AlreadyExists`](io::ErrorKind::AlreadyExists) if this descriptor is registered already.
    ///   A duplicate of it can be registered.
    /// * Any error that the system returns for a bad descriptor or a limit that is reached.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Async;
    /// use std::net::UdpSocket;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let socket = Async::new(UdpSocket::bind(("127.0.0.1", 0))?)?;
    /// # drop(socket);
    /// # Ok(())
    /// # }
    /// ```
    pub fn new(io: T) -> io::Result<Async<T>> {
        crate::sys::socket::set_nonblocking(io.as_fd())?;
        Self::new_nonblocking(io)
    }

    /// Registers an object that is in non-blocking mode already.
    ///
    /// The mode is neither set nor checked. If the object is in blocking mode, an operation that
    /// should wait blocks its thread instead. [`readable`](Async::readable) and
    /// [`writable`](Async::writable) work in both modes.
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`new`](Async::new).
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Async;
    /// use std::net::UdpSocket;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let socket = UdpSocket::bind(("127.0.0.1", 0))?;
    /// socket.set_nonblocking(true)?;
    /// let socket = Async::new_nonblocking(socket)?;
    /// # drop(socket);
    /// # Ok(())
    /// # }
    /// ```
    pub fn new_nonblocking(io: T) -> io::Result<Async<T>> {
        Self::register(raw::of(&io), io)
    }
}

#[cfg(windows)]
impl<T: AsSocket> Async<T> {
    /// Puts a socket into non-blocking mode and registers it.
    ///
    /// `T` can also be a borrowed socket or a reference: `Async<BorrowedSocket<'_>>` and
    /// `Async<&T>` leave the socket with its owner. Non-blocking mode remains when the `Async` is
    /// dropped.
    ///
    /// # Errors
    ///
    /// If the socket cannot be registered, it is dropped and an error is returned:
    ///
    /// * [`AlreadyExists`](io::ErrorKind::AlreadyExists) if this socket is registered already.
    /// * Any error that the system returns for a bad socket or a limit that is reached.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Async;
    /// use std::net::UdpSocket;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let socket = Async::new(UdpSocket::bind(("127.0.0.1", 0))?)?;
    /// # drop(socket);
    /// # Ok(())
    /// # }
    /// ```
    pub fn new(io: T) -> io::Result<Async<T>> {
        crate::sys::socket::set_nonblocking(io.as_socket())?;
        Self::new_nonblocking(io)
    }

    /// Registers a socket that is in non-blocking mode already.
    ///
    /// The mode is neither set nor checked. If the socket is in blocking mode, an operation that
    /// should wait blocks its thread instead.
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`new`](Async::new).
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Async;
    /// use std::net::UdpSocket;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let socket = UdpSocket::bind(("127.0.0.1", 0))?;
    /// socket.set_nonblocking(true)?;
    /// let socket = Async::new_nonblocking(socket)?;
    /// # drop(socket);
    /// # Ok(())
    /// # }
    /// ```
    pub fn new_nonblocking(io: T) -> io::Result<Async<T>> {
        Self::register(raw::of(&io), io)
    }
}

impl<T> Async<T> {
    /// Registers an object under its raw name.
    pub(crate) fn register(raw: RawSource, io: T) -> io::Result<Async<T>> {
        Ok(Async {
            registration: Registration::new(raw)?,
            io: ManuallyDrop::new(io),
        })
    }

    /// Returns a reference to the inner I/O object.
    ///
    /// The object is in non-blocking mode: an operation that would block fails with
    /// [`WouldBlock`](io::ErrorKind::WouldBlock). To wait in that case, use
    /// [`readable`](Async::readable) or [`writable`](Async::writable), or call the operation
    /// through [`read_with`](Async::read_with) or [`write_with`](Async::write_with).
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Async;
    /// use std::net::TcpListener;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
    /// println!("listening on {}", listener.get_ref().local_addr()?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn get_ref(&self) -> &T {
        &self.io
    }

    /// Returns a mutable reference to the inner I/O object.
    ///
    /// # Safety
    ///
    /// The caller must not drop or replace the object: its descriptor is registered with the
    /// reactor.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Async;
    /// use std::net::TcpListener;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let mut listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
    /// // SAFETY: the listener is neither dropped nor replaced.
    /// let inner: &mut TcpListener = unsafe { listener.get_mut() };
    /// inner.set_ttl(64)?;
    /// # Ok(())
    /// # }
    /// ```
    #[allow(unsafe_code)]
    pub unsafe fn get_mut(&mut self) -> &mut T {
        &mut self.io
    }

    /// Deregisters the object and returns it.
    ///
    /// The object stays in non-blocking mode. A waker that a `poll_*` function has stored is
    /// dropped and not called.
    ///
    /// # Errors
    ///
    /// If the system refuses to deregister the object, because the program has closed its
    /// descriptor, the object is dropped and an error is returned.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Async;
    /// use std::net::TcpListener;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
    /// let listener: TcpListener = listener.into_inner()?;
    /// listener.set_nonblocking(false)?;
    /// # Ok(())
    /// # }
    /// ```
    #[allow(unsafe_code)]
    pub fn into_inner(self) -> io::Result<T> {
        let deregistered = self.registration.deregister();
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is never dropped as a whole, so the object is moved out exactly once. The
        // other field has no `Drop`.
        let io = unsafe { ManuallyDrop::take(&mut this.io) };
        deregistered.map(|()| io)
    }

    /// Waits until the object can be read without blocking.
    ///
    /// The end of a stream, a peer that has closed its side, an error and urgent data count as
    /// readable. Several tasks can wait at the same time. All of them are woken, and one of them
    /// may take the data before the others run. So try the operation, and wait again if it would
    /// block.
    ///
    /// If the operating system reports the object as readable now, the future completes in its
    /// first poll. If this happens several times in a row, without a wait in between, the future
    /// lets other tasks run before it completes, from the fifth time on. If the object may be
    /// refusing the operation although it is reported as readable, the future later also waits for
    /// 1 to 10 ms. An example of such an object is a datagram socket after `shutdown(Read)`.
    ///
    /// # Errors
    ///
    /// Returns an error if the system cannot watch this object, or if the wait needs the `async-io`
    /// thread and that thread cannot be started.
    ///
    /// # Cancellation
    ///
    /// Dropping the future ends the wait and releases its waker immediately. No event is lost for
    /// other waits.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Async;
    /// use std::io::ErrorKind;
    /// use std::net::UdpSocket;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// async_io::block_on(async {
    ///     let socket = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0))?;
    ///     socket.get_ref().send_to(b"hi", socket.get_ref().local_addr()?)?;
    ///     let mut buffer = [0; 16];
    ///     let count = loop {
    ///         match socket.get_ref().recv(&mut buffer) {
    ///             Err(error) if error.kind() == ErrorKind::WouldBlock => socket.readable().await?,
    ///             result => break result?,
    ///         }
    ///     };
    ///     assert_eq!(&buffer[..count], b"hi");
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn readable(&self) -> Readable<'_, T> {
        Readable::new(self)
    }

    /// Waits until the object can be read without blocking, and keeps the object alive.
    ///
    /// The future owns a reference to the object, so it can be `'static`. Otherwise this is like
    /// [`readable`](Async::readable).
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`readable`](Async::readable).
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Async;
    /// use std::net::UdpSocket;
    /// use std::sync::Arc;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// async_io::block_on(async {
    ///     let socket = Arc::new(Async::<UdpSocket>::bind(([127, 0, 0, 1], 0))?);
    ///     socket.get_ref().send_to(b"hi", socket.get_ref().local_addr()?)?;
    ///     socket.clone().readable_owned().await?;
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn readable_owned(self: Arc<Self>) -> ReadableOwned<T> {
        ReadableOwned::new(self)
    }

    /// Waits until the object can be written without blocking.
    ///
    /// An error and a peer that has hung up count as writable, because a write that fails does not
    /// block. Otherwise this is like [`readable`](Async::readable). An object that may be refusing
    /// the operation is an unconnected Unix datagram socket: the system reports it as writable even
    /// if the queue of the receiver is full.
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`readable`](Async::readable).
    ///
    /// # Cancellation
    ///
    /// Dropping the future ends the wait and releases its waker immediately.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Async;
    /// use std::net::UdpSocket;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// async_io::block_on(async {
    ///     let socket = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0))?;
    ///     socket.writable().await?;
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn writable(&self) -> Writable<'_, T> {
        Writable::new(self)
    }

    /// Waits until the object can be written without blocking, and keeps the object alive.
    ///
    /// The future owns a reference to the object, so it can be `'static`. Otherwise this is like
    /// [`writable`](Async::writable).
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`readable`](Async::readable).
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Async;
    /// use std::net::UdpSocket;
    /// use std::sync::Arc;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// async_io::block_on(async {
    ///     let socket = Arc::new(Async::<UdpSocket>::bind(([127, 0, 0, 1], 0))?);
    ///     socket.writable_owned().await?;
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn writable_owned(self: Arc<Self>) -> WritableOwned<T> {
        WritableOwned::new(self)
    }

    /// Polls whether the object can be read without blocking.
    ///
    /// `Ready` means that the operating system reports the object as readable now, or has reported
    /// it since this task last got `Pending`. So a task can try the operation first and poll if it
    /// would block, or poll first and then try.
    ///
    /// The `poll_*` functions and [`AsyncRead`] share one waker per direction. A poll by another
    /// task replaces the waker and wakes the earlier task. If `Ready` is returned several times in
    /// a row, without a wait in between, the task is slowed down as in
    /// [`readable`](Async::readable).
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`readable`](Async::readable).
    ///
    /// # Cancellation
    ///
    /// A task that no longer wants to wait need not do anything. Its waker is kept until the next
    /// event or poll, which may wake the task once more, or until the object is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Async;
    /// use std::net::UdpSocket;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// async_io::block_on(async {
    ///     let socket = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0))?;
    ///     socket.get_ref().send_to(b"hi", socket.get_ref().local_addr()?)?;
    ///     std::future::poll_fn(|cx| socket.poll_readable(cx)).await?;
    ///     Ok(())
    /// })
    /// # }
    /// ```
    ///
    /// [`AsyncRead`]: https://docs.rs/futures-io/0.3/futures_io/trait.AsyncRead.html
    pub fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.registration
            .poll_ready(Direction::Read, WaiterId::Shared, cx)
    }

    /// Polls whether the object can be written without blocking.
    ///
    /// This is like [`poll_readable`](Async::poll_readable) for the other direction: the waker is
    /// shared with [`AsyncWrite`].
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`readable`](Async::readable).
    ///
    /// # Cancellation
    ///
    /// As for [`poll_readable`](Async::poll_readable), the waker is kept until the next event or
    /// poll.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Async;
    /// use std::net::UdpSocket;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// async_io::block_on(async {
    ///     let socket = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0))?;
    ///     std::future::poll_fn(|cx| socket.poll_writable(cx)).await?;
    ///     Ok(())
    /// })
    /// # }
    /// ```
    ///
    /// [`AsyncWrite`]: https://docs.rs/futures-io/0.3/futures_io/trait.AsyncWrite.html
    pub fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.registration
            .poll_ready(Direction::Write, WaiterId::Shared, cx)
    }

    /// Returns the reactor that the object is registered with.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::{Async, Reactor};
    /// use std::net::UdpSocket;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let socket = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0))?;
    /// assert_eq!(socket.reactor(), Reactor::global());
    /// # Ok(())
    /// # }
    /// ```
    pub fn reactor(&self) -> Reactor {
        Reactor::with(Handle::new(self.registration.driver()))
    }

    /// Moves the object to another reactor.
    ///
    /// The object is registered with the new reactor, and then deregistered from the former one. Tasks
    /// that wait for it through a `poll_*` function are woken, and wait again when they are polled. No
    /// event is lost: the new reactor reports what is ready already.
    ///
    /// A server that accepts connections on one thread can hand each of them to the reactor of another
    /// thread in this way.
    ///
    /// # Errors
    ///
    /// If the object cannot be registered with the new reactor, an error is returned and nothing has
    /// changed. The errors are those of [`new`](Async::new).
    ///
    /// # Forked processes
    ///
    /// In a forked child, an object of the parent can be moved to a reactor of the child.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::{Async, Reactor};
    /// use std::net::UdpSocket;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let reactor = Reactor::new()?;
    /// let mut socket = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0))?;
    /// socket.rebind(&reactor)?;
    /// assert_eq!(socket.reactor(), reactor);
    /// # Ok(())
    /// # }
    /// ```
    pub fn rebind(&mut self, to: &Reactor) -> io::Result<()> {
        self.registration.rebind(to.driver())
    }

    pub(crate) fn registration(&self) -> &Registration {
        &self.registration
    }
}

impl<T> Drop for Async<T> {
    #[allow(unsafe_code)]
    fn drop(&mut self) {
        // An error means that the program has closed the descriptor. Then nothing is registered.
        let _ = self.registration.deregister();
        // SAFETY: the value is dropped as a whole. `into_inner`, which moves the object out,
        // prevents that.
        unsafe { ManuallyDrop::drop(&mut self.io) };
    }
}

impl<T: fmt::Debug> fmt::Debug for Async<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut output = f.debug_struct("Async");
        output
            .field("io", self.get_ref())
            .field("fd", &raw::number(self.registration.raw()))
            .field("reactor", &Named(self.registration.driver()));
        for (name, direction) in [("read", Direction::Read), ("write", Direction::Write)] {
            if let Some(summary) = self.registration.summary(direction) {
                output.field(name, &summary);
            }
        }
        output.finish_non_exhaustive()
    }
}

impl<T> AsRef<T> for Async<T> {
    fn as_ref(&self) -> &T {
        self.get_ref()
    }
}
