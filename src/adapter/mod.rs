//! [`Async<T>`]: an I/O object together with its registration.

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
/// It puts the object into non-blocking mode and registers it with the reactor. Operations that would
/// block wait, as futures:
///
/// * The common types of std have methods: [`accept`](Async#method.accept) of a `TcpListener`,
///   [`recv_from`](Async#method.recv_from) of a `UdpSocket`, and so on.
/// * If `T` reads or writes, `Async<T>` implements [`AsyncRead`](futures_io::AsyncRead) or
///   [`AsyncWrite`](futures_io::AsyncWrite). So does `&Async<T>` if `&T` reads or writes.
/// * [`read_with`](Async::read_with) and [`write_with`](Async::write_with) take a closure, and
///   [`readable`](Async::readable) and [`writable`](Async::writable) only wait.
///
/// # Several tasks
///
/// Any number of tasks may use the methods that return futures at the same time. `AsyncRead` and
/// [`poll_readable`](Async::poll_readable) are for one task at a time, and so are `AsyncWrite` and
/// [`poll_writable`](Async::poll_writable): two tasks that poll the same direction displace and wake
/// each other in turn. One task may read while another one writes, through shared references.
///
/// # Closing
///
/// Closing an asynchronous writer ([`poll_close`](futures_io::AsyncWrite::poll_close)) flushes it and
/// does *not* shut a socket down. Shut it down through [`get_ref`](Async::get_ref), or drop the
/// `Async`.
///
/// # Files
///
/// Regular files are always ready, so there is nothing to wait for. Linux and Android refuse to
/// register them ([`PermissionDenied`](io::ErrorKind::PermissionDenied)); a kqueue and `poll()` accept
/// them. Do not wrap standard input and output either: non-blocking mode is a property of the object
/// that they are connected to, which other programs share.
///
/// # A read after a short read
///
/// A read from a TCP socket that returns fewer bytes than requested has emptied the receive queue. So
/// the next `poll_read` may wait without a system call, once, inside [`block_on`](crate::block_on). A
/// read that is polled once right after a short read may therefore return `Pending` although data has
/// just arrived; the task is woken then.
///
/// # Panics
///
/// Panics only if a closure panics.
///
/// # Platforms
///
/// On Unix, any object whose descriptor can be polled. On Windows, sockets; for other handles there is
/// `os::windows::Waitable`.
///
/// On Linux and Android, set `SO_RCVLOWAT` and an upper-layer protocol (kernel TLS) of a TCP socket
/// before it becomes an `Async`. If they are set later, data may be read late. Taking the socket out
/// with [`into_inner`](Async::into_inner) and wrapping it again is sufficient.
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
pub struct Async<T> {
    registration: Registration,
    /// Dropped after it is deregistered: its number must not be used again while the poller knows it.
    io: ManuallyDrop<T>,
}

impl<T> Unpin for Async<T> {}

#[cfg(unix)]
impl<T: AsFd> Async<T> {
    /// Puts an object into non-blocking mode and registers it.
    ///
    /// # Errors
    ///
    /// The object is dropped if it cannot be registered:
    ///
    /// * [`PermissionDenied`](io::ErrorKind::PermissionDenied), on Linux and Android, for a regular file, a directory or a
    ///   device such as `/dev/null`,
    /// * [`AlreadyExists`](io::ErrorKind::AlreadyExists) if this descriptor is registered (a duplicate may be),
    /// * whatever the system says of a bad descriptor, or of limits that are reached.
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
    /// The mode is neither set nor looked at. If the object is in blocking mode, operations that would wait block their
    /// thread instead.
    ///
    /// # Errors
    ///
    /// As for [`new`](Async::new).
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
    /// # Errors
    ///
    /// [`AlreadyExists`](io::ErrorKind::AlreadyExists) if this socket is registered; whatever the system says of a bad
    /// socket. The socket is dropped then.
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

    /// Registers a socket that is in non-blocking mode already. The mode is neither set nor looked at.
    ///
    /// # Errors
    ///
    /// As for [`new`](Async::new).
    pub fn new_nonblocking(io: T) -> io::Result<Async<T>> {
        Self::register(raw::of(&io), io)
    }
}

impl<T> Async<T> {
    /// Registers an object by what the system calls it.
    pub(crate) fn register(raw: RawSource, io: T) -> io::Result<Async<T>> {
        Ok(Async {
            registration: Registration::new(raw)?,
            io: ManuallyDrop::new(io),
        })
    }

    /// The object inside.
    ///
    /// It is in non-blocking mode. Operations on it that would block fail with
    /// [`WouldBlock`](io::ErrorKind::WouldBlock); combine them with [`readable`](Async::readable) and
    /// [`writable`](Async::writable).
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

    /// The object inside, for changes.
    ///
    /// # Safety
    ///
    /// The object must not be dropped or replaced: its descriptor is registered with the reactor.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Async;
    /// use std::net::TcpListener;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let mut listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
    /// // SAFETY: the listener stays where it is.
    /// let inner: &mut TcpListener = unsafe { listener.get_mut() };
    /// inner.set_ttl(64)?;
    /// # Ok(())
    /// # }
    /// ```
    #[allow(unsafe_code)]
    pub unsafe fn get_mut(&mut self) -> &mut T {
        &mut self.io
    }

    /// Takes the object out of the reactor and returns it. It stays in non-blocking mode.
    ///
    /// # Errors
    ///
    /// If the system refuses to deregister the object (it was closed behind our back), the object is dropped.
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
        // SAFETY: `this` is never dropped as a whole, so the object is moved out exactly once. The other field has no drop.
        let io = unsafe { ManuallyDrop::take(&mut this.io) };
        deregistered.map(|()| io)
    }

    /// Waits until the object can be read without blocking.
    ///
    /// "Can be read" includes the end of the stream, a peer that has closed its side, errors, and
    /// urgent data. Several tasks may wait at once. All of them are woken, and one of them may take the
    /// data. So try the operation, and wait again if it would block.
    ///
    /// The future completes in its first poll if the operating system reports the object as readable.
    /// A task that is answered like this again and again, without an event in between, yields to its
    /// executor from the fifth time on. If the object may be refusing the operation all the same (a
    /// datagram socket after `shutdown(Read)`), the task then pauses for 1 to 10 ms before each answer.
    ///
    /// # Cancellation
    ///
    /// Dropping the future ends the wait at once and releases its waker. Nothing is lost.
    ///
    /// # Errors
    ///
    /// Returns an error if the system cannot report this object any more, or if the wait needs the
    /// `async-io` thread and it cannot be started.
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

    /// Like [`readable`](Async::readable), but owns a reference to the object and so can outlive the borrow.
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
    /// This includes errors and a peer that has hung up, because a write that fails does not block.
    /// Otherwise like [`readable`](Async::readable). An object that may be refusing the operation is an
    /// unconnected Unix datagram socket, which the system reports as writable while the receiver's queue
    /// is full.
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

    /// Like [`writable`](Async::writable), but owns a reference to the object and so can outlive the borrow.
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
    /// `Ready` means that the operating system reports the object as readable now, or has done so since
    /// this task last got `Pending`. So both orders work: try the operation and poll if it would block,
    /// or poll and then try.
    ///
    /// Each direction has one waker for the `poll_*` functions, which
    /// [`AsyncRead`](futures_io::AsyncRead) uses as well: a poll by another task wakes the earlier task
    /// and replaces its waker. A task that does not want to wait any longer need not do anything. Its
    /// waker may be called once, and is dropped with the object.
    ///
    /// Repeated answers without an event in between are slowed down as in
    /// [`readable`](Async::readable).
    ///
    /// # Errors
    ///
    /// As for [`readable`](Async::readable).
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
    pub fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.registration
            .poll_ready(Direction::Read, WaiterId::Shared, cx)
    }

    /// Polls whether the object can be written without blocking. All that is said of
    /// [`poll_readable`](Async::poll_readable) holds here for the other direction.
    ///
    /// # Errors
    ///
    /// As for [`readable`](Async::readable).
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
    pub fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.registration
            .poll_ready(Direction::Write, WaiterId::Shared, cx)
    }

    pub(crate) fn registration(&self) -> &Registration {
        &self.registration
    }
}

impl<T> Drop for Async<T> {
    #[allow(unsafe_code)]
    fn drop(&mut self) {
        // A failure means that the object was closed behind our back; there is nothing left to undo.
        let _ = self.registration.deregister();
        // SAFETY: this is the drop of the whole value, and `into_inner` prevents it when it has taken the object.
        unsafe { ManuallyDrop::drop(&mut self.io) };
    }
}

impl<T: fmt::Debug> fmt::Debug for Async<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Async")
            .field("io", self.get_ref())
            .field("fd", &raw::number(self.registration.raw()))
            .field("read", &self.registration.summary(Direction::Read))
            .field("write", &self.registration.summary(Direction::Write))
            .finish_non_exhaustive()
    }
}

impl<T> AsRef<T> for Async<T> {
    fn as_ref(&self) -> &T {
        self.get_ref()
    }
}
