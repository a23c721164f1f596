//! TCP: listening, accepting, connecting, peeking.

use super::Async;
use super::incoming::Incoming;
use super::would_block::WouldBlock;
use crate::core::source::Direction;
use crate::sys::socket::{self, Progress};
use futures_core::Stream;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};

impl Async<TcpListener> {
    /// Makes a listener that is bound to the address.
    ///
    /// Port 0 lets the system choose one; ask [`local_addr`](TcpListener::local_addr) through
    /// [`get_ref`](Async::get_ref). Names are not looked up.
    ///
    /// # Errors
    ///
    /// Those of [`TcpListener::bind`] and [`Async::new`].
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

    /// Accepts a connection; returns the stream and the peer's address.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses no connection.
    ///
    /// # Errors
    ///
    /// Those of [`TcpListener::accept`]; among them the want of descriptors, which goes away by
    /// itself: the connection stays in the queue, and the next call tries again. Pause a moment
    /// before it.
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

    /// Registers what was accepted.
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
    /// Connects to the address.
    ///
    /// No options are set, and there is no time limit besides the system's, which is minutes: race
    /// it with a [`Timer`](crate::Timer).
    ///
    /// # Cancellation
    ///
    /// Dropping the future closes the socket.
    ///
    /// # Errors
    ///
    /// The operating system's, as they are: [`ConnectionRefused`](io::ErrorKind::ConnectionRefused)
    /// and so on; and those of [`Async::new`] and [`writable`](Async::writable).
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

    /// Reads data without taking it: the next read or peek returns it again.
    ///
    /// Returns 0 at the end of the stream.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing.
    ///
    /// # Errors
    ///
    /// Those of [`TcpStream::peek`] and [`readable`](Async::readable).
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
        self.operate(Direction::Read, WouldBlock::Conclusive, peek)
            .await
    }
}
