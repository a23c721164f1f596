//! The methods of TCP listeners and streams.

use super::Async;
use super::incoming::Incoming;
use super::would_block::WouldBlock;
use crate::core::source::Direction;
use crate::sys::socket::{self, Progress};
use futures_core::Stream;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};

impl Async<TcpListener> {
    /// Creates a listener that is bound to an address.
    ///
    /// With port 0 the system chooses a port. [`local_addr`](TcpListener::local_addr), called
    /// through [`get_ref`](Async::get_ref), returns it. This function does not resolve host names.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`TcpListener::bind`] and [`Async::new`].
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
    pub fn bind<A: Into<SocketAddr>>(addr: A) -> io::Result<Async<TcpListener>> {
        Async::new(TcpListener::bind(addr.into())?)
    }

    /// Accepts a connection.
    ///
    /// Waits until there is one, and returns its stream and the address of the peer.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`TcpListener::accept`]. Running out of file descriptors is temporary:
    /// the connection stays queued. Back off briefly, then retry.
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
    /// use std::net::TcpListener;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// async_io::block_on(async {
    ///     let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 8000))?;
    ///     let (stream, peer) = listener.accept().await?;
    ///     println!("accepted {peer}");
    ///     # drop(stream);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub async fn accept(&self) -> io::Result<(Async<TcpStream>, SocketAddr)> {
        let accept = |listener: &TcpListener| socket::accept_tcp(listener);
        let (stream, peer) = self
            .operate(Direction::Read, WouldBlock::Conclusive, accept)
            .await?;
        Ok((self.admit(stream)?, peer))
    }

    /// Registers an accepted connection.
    fn admit(&self, stream: TcpStream) -> io::Result<Async<TcpStream>> {
        let stream = if socket::ACCEPTS_NONBLOCKING {
            Async::new_nonblocking(stream)?
        } else {
            Async::new(stream)?
        };
        if self.registration().is_tcp() {
            stream.registration().set_tcp();
        }
        Ok(stream)
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
    /// use std::net::TcpListener;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// async_io::block_on(async {
    ///     let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 8000))?;
    ///     let incoming = listener.incoming();
    ///     pin!(incoming);
    ///     while let Some(stream) = incoming.next().await {
    ///         println!("accepted {}", stream?.get_ref().peer_addr()?);
    ///     }
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn incoming(&self) -> impl Stream<Item = io::Result<Async<TcpStream>>> + Send + '_ {
        Incoming::new(self, socket::accept_tcp, Async::<TcpListener>::admit)
    }
}

impl Async<TcpStream> {
    /// Connects to an address.
    ///
    /// The time limit is that of the system, usually minutes. For a shorter one, race the future
    /// with a [`Timer`](crate::Timer). No socket options are set. To set some before the connection
    /// is made, create the socket with a crate such as [`socket2`](https://docs.rs/socket2).
    ///
    /// # Errors
    ///
    /// Returns the error of the operating system if the connection cannot be made, for example
    /// [`ConnectionRefused`](io::ErrorKind::ConnectionRefused), and the errors of [`Async::new`]
    /// and [`writable`](Async::writable).
    ///
    /// # Cancellation
    ///
    /// If the future is dropped before it completes, the socket is closed.
    ///
    /// # Platform notes
    ///
    /// On Apple's systems, FreeBSD, NetBSD and DragonFly BSD the socket has `SO_NOSIGPIPE`.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Async;
    /// use std::net::{TcpListener, TcpStream};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// async_io::block_on(async {
    ///     let listener = TcpListener::bind(("127.0.0.1", 0))?;
    ///     let stream = Async::<TcpStream>::connect(listener.local_addr()?).await?;
    ///     # drop(stream);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub async fn connect<A: Into<SocketAddr>>(addr: A) -> io::Result<Async<TcpStream>> {
        let (stream, progress) = socket::connect_tcp(addr.into())?;
        let stream = Async::new_nonblocking(stream)?;
        stream.registration().set_tcp();
        if progress != Progress::Done {
            stream.writable().await?;
            socket::connect_outcome(stream.get_ref())?;
        }
        Ok(stream)
    }

    /// Reads data without removing it from the queue.
    ///
    /// Waits until there is data, and returns the number of bytes read, or 0 at the end of the
    /// stream. The next read or peek returns the same data again.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`TcpStream::peek`] and [`readable`](Async::readable).
    ///
    /// # Cancellation
    ///
    /// If the future is dropped before it completes, no data is lost.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Async;
    /// use std::io::Write;
    /// use std::net::{TcpListener, TcpStream};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// async_io::block_on(async {
    ///     let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
    ///     let stream = Async::<TcpStream>::connect(listener.get_ref().local_addr()?).await?;
    ///     listener.accept().await?.0.get_ref().write_all(b"hi")?;
    ///     let mut buffer = [0; 16];
    ///     assert_eq!(stream.peek(&mut buffer).await?, 2);
    ///     assert_eq!(stream.peek(&mut buffer).await?, 2);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        let peek = |stream: &TcpStream| stream.peek(buf);
        self.operate(Direction::Read, WouldBlock::ConclusiveForPeek, peek)
            .await
    }
}
