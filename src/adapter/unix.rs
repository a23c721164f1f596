//! The methods of Unix sockets: listeners, streams and datagram sockets.

use super::Async;
use super::incoming::Incoming;
use super::would_block::WouldBlock;
use crate::Timer;
use crate::core::source::Direction;
use crate::sys::socket::{self, Progress};
use futures_core::Stream;
use std::io;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

/// While the queue of a listener is full, connecting is tried again after a pause. The first pause
/// has this length, and each further one is twice as long, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(10);

impl Async<UnixListener> {
    /// Creates a listener that is bound to a path.
    ///
    /// The socket file remains when the listener is dropped.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`UnixListener::bind`] and [`Async::new`].
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use async_io::Async;
    /// use std::os::unix::net::UnixListener;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let listener = Async::<UnixListener>::bind("/tmp/socket")?;
    /// # drop(listener);
    /// # Ok(())
    /// # }
    /// ```
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<Async<UnixListener>> {
        Async::new(UnixListener::bind(path)?)
    }

    /// Accepts a connection.
    ///
    /// Waits until there is one, and returns its stream and the address of the peer.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`UnixListener::accept`]. Running out of file descriptors is
    /// temporary: the connection stays queued. Back off briefly, then retry.
    ///
    /// If the accepted connection cannot be registered, it is closed and the error of
    /// [`Async::new`] is returned.
    ///
    /// # Cancellation
    ///
    /// If the future is dropped before it completes, no connection is lost.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use async_io::Async;
    /// use std::os::unix::net::UnixListener;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// async_io::block_on(async {
    ///     let listener = Async::<UnixListener>::bind("/tmp/socket")?;
    ///     let (stream, peer) = listener.accept().await?;
    ///     println!("accepted {peer:?}");
    ///     # drop(stream);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub async fn accept(&self) -> io::Result<(Async<UnixStream>, SocketAddr)> {
        let accept = |listener: &UnixListener| listener.accept();
        let (stream, peer) = self
            .operate(Direction::Read, WouldBlock::Conclusive, accept)
            .await?;
        Ok((Async::new(stream)?, peer))
    }

    /// Returns a stream of accepted connections.
    ///
    /// The stream never ends: an error is an item, and the next item is another attempt. It is not
    /// `Unpin`, so pin it before use.
    ///
    /// # Errors
    ///
    /// The items have the errors of [`accept`](Async#method.accept).
    ///
    /// # Cancellation
    ///
    /// If the stream, or a future of its next item, is dropped, no connection is lost.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use async_io::Async;
    /// use futures_lite::{StreamExt, pin};
    /// use std::os::unix::net::UnixListener;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// async_io::block_on(async {
    ///     let listener = Async::<UnixListener>::bind("/tmp/socket")?;
    ///     let incoming = listener.incoming();
    ///     pin!(incoming);
    ///     while let Some(stream) = incoming.next().await {
    ///         println!("accepted {:?}", stream?.get_ref().peer_addr()?);
    ///     }
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn incoming(&self) -> impl Stream<Item = io::Result<Async<UnixStream>>> + Send + '_ {
        Incoming::new(self, UnixListener::accept, |_, stream| Async::new(stream))
    }
}

impl Async<UnixStream> {
    /// Connects to a path.
    ///
    /// If the queue of the listener is full, the future retries with pauses of 1 to 10 ms until
    /// there is room.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Async::new`] and [`writable`](Async::writable), and that of the
    /// operating system if the connection cannot be made:
    ///
    /// * [`NotFound`](io::ErrorKind::NotFound) if the path does not exist.
    /// * [`ConnectionRefused`](io::ErrorKind::ConnectionRefused) if no listener is bound to it.
    /// * [`InvalidInput`](io::ErrorKind::InvalidInput) if the path contains a zero byte.
    ///
    /// # Cancellation
    ///
    /// If the future is dropped before it completes, the socket is closed.
    ///
    /// # Platform notes
    ///
    /// On Linux and Android, a path that starts with a zero byte is an abstract name.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use async_io::Async;
    /// use std::os::unix::net::UnixStream;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// async_io::block_on(async {
    ///     let stream = Async::<UnixStream>::connect("/tmp/socket").await?;
    ///     # drop(stream);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub async fn connect<P: AsRef<Path>>(path: P) -> io::Result<Async<UnixStream>> {
        let mut pause = FIRST_PAUSE;
        let path = path.as_ref().to_path_buf();
        loop {
            let (stream, progress) = socket::connect_unix(&path)?;
            match progress {
                Progress::Done => return Async::new_nonblocking(stream),
                Progress::Pending => {
                    let stream = Async::new_nonblocking(stream)?;
                    stream.writable().await?;
                    stream.get_ref().peer_addr()?;
                    return Ok(stream);
                }
                Progress::TryLater => {
                    drop(stream);
                    Timer::after(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// Creates two streams that are connected to each other.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`UnixStream::pair`] and [`Async::new`].
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Async;
    /// use futures_lite::{AsyncReadExt, AsyncWriteExt};
    /// use std::os::unix::net::UnixStream;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// async_io::block_on(async {
    ///     let (mut one, mut two) = Async::<UnixStream>::pair()?;
    ///     one.write_all(b"hi").await?;
    ///     let mut buffer = [0; 2];
    ///     two.read_exact(&mut buffer).await?;
    ///     assert_eq!(&buffer, b"hi");
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn pair() -> io::Result<(Async<UnixStream>, Async<UnixStream>)> {
        let (one, two) = UnixStream::pair()?;
        Ok((Async::new(one)?, Async::new(two)?))
    }
}

impl Async<UnixDatagram> {
    /// Creates a socket that is bound to a path.
    ///
    /// The socket file remains when the socket is dropped.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`UnixDatagram::bind`] and [`Async::new`].
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use async_io::Async;
    /// use std::os::unix::net::UnixDatagram;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let socket = Async::<UnixDatagram>::bind("/tmp/socket")?;
    /// # drop(socket);
    /// # Ok(())
    /// # }
    /// ```
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<Async<UnixDatagram>> {
        Async::new(UnixDatagram::bind(path)?)
    }

    /// Creates a socket that is not bound to a path.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`UnixDatagram::unbound`] and [`Async::new`].
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Async;
    /// use std::os::unix::net::UnixDatagram;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let socket = Async::<UnixDatagram>::unbound()?;
    /// # drop(socket);
    /// # Ok(())
    /// # }
    /// ```
    pub fn unbound() -> io::Result<Async<UnixDatagram>> {
        Async::new(UnixDatagram::unbound()?)
    }

    /// Creates two sockets that are connected to each other.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`UnixDatagram::pair`] and [`Async::new`].
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Async;
    /// use std::os::unix::net::UnixDatagram;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// async_io::block_on(async {
    ///     let (one, two) = Async::<UnixDatagram>::pair()?;
    ///     one.send(b"hi").await?;
    ///     assert_eq!(two.recv(&mut [0; 16]).await?, 2);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn pair() -> io::Result<(Async<UnixDatagram>, Async<UnixDatagram>)> {
        let (one, two) = UnixDatagram::pair()?;
        Ok((Async::new(one)?, Async::new(two)?))
    }

    /// Receives one datagram.
    ///
    /// Waits until there is one, and returns the number of bytes and the address of the sender. The
    /// rest of a datagram that does not fit into the buffer is discarded.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`UnixDatagram::recv_from`] and [`readable`](Async::readable).
    ///
    /// # Cancellation
    ///
    /// If the future is dropped before it completes, no datagram is lost.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Async;
    /// use std::os::unix::net::UnixDatagram;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// async_io::block_on(async {
    ///     let (one, two) = Async::<UnixDatagram>::pair()?;
    ///     one.send(b"hi").await?;
    ///     let (count, sender) = two.recv_from(&mut [0; 16]).await?;
    ///     assert!(count == 2 && sender.is_unnamed());
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let receive = |socket: &UnixDatagram| socket.recv_from(buf);
        self.operate(Direction::Read, WouldBlock::Conclusive, receive)
            .await
    }

    /// Sends one datagram to a path.
    ///
    /// Waits until there is room for it, and returns the number of bytes sent. If the queue of the
    /// receiver is full, the system does not report when there is room again. So the future retries
    /// with pauses that grow to 10 ms.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`UnixDatagram::send_to`] and [`writable`](Async::writable).
    ///
    /// # Cancellation
    ///
    /// If the future is dropped before it completes, nothing was sent.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use async_io::Async;
    /// use std::os::unix::net::UnixDatagram;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// async_io::block_on(async {
    ///     let socket = Async::<UnixDatagram>::unbound()?;
    ///     socket.send_to(b"hi", "/tmp/socket").await?;
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub async fn send_to<P: AsRef<Path>>(&self, buf: &[u8], path: P) -> io::Result<usize> {
        // Inconclusive: `WouldBlock` may mean that the queue of the receiver is full, while
        // "writable" refers to the buffer of this socket.
        let send = |socket: &UnixDatagram| socket.send_to(buf, &path);
        self.operate(Direction::Write, WouldBlock::Inconclusive, send)
            .await
    }

    /// Receives one datagram from the connected peer.
    ///
    /// Waits until there is one, and returns the number of bytes. The rest of a datagram that does
    /// not fit into the buffer is discarded. To connect the socket, call [`UnixDatagram::connect`]
    /// through [`get_ref`](Async::get_ref).
    ///
    /// # Errors
    ///
    /// Returns the errors of [`UnixDatagram::recv`] and [`readable`](Async::readable).
    ///
    /// # Cancellation
    ///
    /// If the future is dropped before it completes, no datagram is lost.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Async;
    /// use std::os::unix::net::UnixDatagram;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// async_io::block_on(async {
    ///     let (one, two) = Async::<UnixDatagram>::pair()?;
    ///     one.send(b"hello").await?;
    ///     let mut start = [0; 2];
    ///     assert_eq!(two.recv(&mut start).await?, 2);
    ///     assert_eq!(start, *b"he");
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub async fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        let receive = |socket: &UnixDatagram| socket.recv(buf);
        self.operate(Direction::Read, WouldBlock::Conclusive, receive)
            .await
    }

    /// Sends one datagram to the connected peer.
    ///
    /// Waits until there is room for it, and returns the number of bytes sent. To connect the
    /// socket, call [`UnixDatagram::connect`] through [`get_ref`](Async::get_ref).
    ///
    /// # Errors
    ///
    /// Returns the errors of [`UnixDatagram::send`] and [`writable`](Async::writable).
    ///
    /// # Cancellation
    ///
    /// If the future is dropped before it completes, nothing was sent.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Async;
    /// use std::os::unix::net::UnixDatagram;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// async_io::block_on(async {
    ///     let (one, _two) = Async::<UnixDatagram>::pair()?;
    ///     assert_eq!(one.send(b"hi").await?, 2);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub async fn send(&self, buf: &[u8]) -> io::Result<usize> {
        // Inconclusive, as in `send_to`. In addition, the question makes the kernel watch the queue
        // of the peer that the socket is connected to at that moment.
        let send = |socket: &UnixDatagram| socket.send(buf);
        self.operate(Direction::Write, WouldBlock::Inconclusive, send)
            .await
    }
}
