//! Unix sockets: streams and datagrams.

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

/// While a listener's queue is full, connecting is tried again after pauses of this length, then of
/// twice as much, and so on up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(10);

impl Async<UnixListener> {
    /// Makes a listener that is bound to the path.
    ///
    /// # Errors
    ///
    /// Those of [`UnixListener::bind`] and [`Async::new`].
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

    /// Accepts a connection; returns the stream and the peer's address.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses no connection.
    ///
    /// # Errors
    ///
    /// Those of [`UnixListener::accept`]. After the want of descriptors the connection is still in
    /// the queue.
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

    /// A stream of accepted connections.
    ///
    /// It never ends: errors are items, and the next item tries again. Dropping it, or a future of
    /// its next item, loses no connection.
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
    /// Connects to the path. On Linux and Android a path whose first byte is zero is an abstract
    /// name.
    ///
    /// If the listener's queue is full, the future tries again with short pauses until there is a
    /// place.
    ///
    /// # Cancellation
    ///
    /// Dropping the future closes the socket.
    ///
    /// # Errors
    ///
    /// The operating system's: [`NotFound`](io::ErrorKind::NotFound) if there is no such path,
    /// [`ConnectionRefused`](io::ErrorKind::ConnectionRefused) if nobody listens. A zero byte in
    /// the path is [`InvalidInput`](io::ErrorKind::InvalidInput). And those of [`Async::new`] and
    /// [`writable`](Async::writable).
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

    /// Makes two streams that are connected to each other.
    ///
    /// # Errors
    ///
    /// Those of [`UnixStream::pair`] and [`Async::new`].
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
    /// Makes a socket that is bound to the path.
    ///
    /// # Errors
    ///
    /// Those of [`UnixDatagram::bind`] and [`Async::new`].
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

    /// Makes a socket without a name.
    ///
    /// # Errors
    ///
    /// Those of [`UnixDatagram::unbound`] and [`Async::new`].
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

    /// Makes two sockets that are connected to each other.
    ///
    /// # Errors
    ///
    /// Those of [`UnixDatagram::pair`] and [`Async::new`].
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

    /// Receives one datagram; returns its length and the sender. What does not fit into the buffer
    /// is lost.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses no datagram.
    ///
    /// # Errors
    ///
    /// Those of [`UnixDatagram::recv_from`] and [`readable`](Async::readable).
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

    /// Sends one datagram to the path; returns how many bytes were sent.
    ///
    /// If the receiver's queue is full, the future waits until there is room. The system does not
    /// report that room, so the send is repeated with growing pauses (up to 10 ms).
    ///
    /// # Cancellation
    ///
    /// Dropping the future while it waits sends nothing.
    ///
    /// # Errors
    ///
    /// Those of [`UnixDatagram::send_to`] and [`writable`](Async::writable).
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
        // "Would block" tells of the receiver's queue, "writable" of the own: they may contradict
        // each other.
        let send = |socket: &UnixDatagram| socket.send_to(buf, &path);
        self.operate(Direction::Write, WouldBlock::Inconclusive, send)
            .await
    }

    /// Receives one datagram from the peer that the socket is connected to; returns its length.
    /// What does not fit into the buffer is lost.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses no datagram.
    ///
    /// # Errors
    ///
    /// Those of [`UnixDatagram::recv`] and [`readable`](Async::readable).
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

    /// Sends one datagram to the peer that the socket is connected to; returns how many bytes were
    /// sent.
    ///
    /// # Cancellation
    ///
    /// Dropping the future while it waits sends nothing.
    ///
    /// # Errors
    ///
    /// Those of [`UnixDatagram::send`] and [`writable`](Async::writable).
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
        // As in `send_to`: asking also has the kernel watch the peer that the socket is connected
        // to by now.
        let send = |socket: &UnixDatagram| socket.send(buf);
        self.operate(Direction::Write, WouldBlock::Inconclusive, send)
            .await
    }
}
