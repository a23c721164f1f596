//! The methods of UDP sockets.

use super::Async;
use super::would_block::WouldBlock;
use crate::core::source::Direction;
use std::io;
use std::net::{SocketAddr, UdpSocket};

impl Async<UdpSocket> {
    /// Creates a socket that is bound to an address.
    ///
    /// With port 0 the system chooses a port. [`local_addr`](UdpSocket::local_addr), called through
    /// [`get_ref`](Async::get_ref), returns it. This function does not resolve host names.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`UdpSocket::bind`] and [`Async::new`].
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Async;
    /// use std::net::UdpSocket;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let socket = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0))?;
    /// println!("bound to {}", socket.get_ref().local_addr()?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn bind<A: Into<SocketAddr>>(addr: A) -> io::Result<Async<UdpSocket>> {
        Async::new(UdpSocket::bind(addr.into())?)
    }

    /// Receives one datagram.
    ///
    /// Waits until there is one, and returns the number of bytes and the address of the sender. The
    /// rest of a datagram that does not fit into the buffer is discarded.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`UdpSocket::recv_from`] and [`readable`](Async::readable).
    ///
    /// # Cancellation
    ///
    /// If the future is dropped before it completes, no datagram is lost.
    ///
    /// # Platform notes
    ///
    /// On Windows, a datagram that does not fit into the buffer is an error (`WSAEMSGSIZE`).
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Async;
    /// use std::net::UdpSocket;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// async_io::block_on(async {
    ///     let one = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0))?;
    ///     let two = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0))?;
    ///     two.send_to(b"hi", one.get_ref().local_addr()?).await?;
    ///     let mut buffer = [0; 16];
    ///     let (count, sender) = one.recv_from(&mut buffer).await?;
    ///     assert_eq!((&buffer[..count], sender), (&b"hi"[..], two.get_ref().local_addr()?));
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let receive = |socket: &UdpSocket| socket.recv_from(buf);
        self.operate(Direction::Read, WouldBlock::Conclusive, receive)
            .await
    }

    /// Receives one datagram without removing it from the queue.
    ///
    /// Otherwise this is like [`recv_from`](Async#method.recv_from).
    ///
    /// # Errors
    ///
    /// Returns the errors of [`UdpSocket::peek_from`] and [`readable`](Async::readable).
    ///
    /// # Cancellation
    ///
    /// If the future is dropped before it completes, no datagram is lost.
    ///
    /// # Platform notes
    ///
    /// On Windows, a datagram that does not fit into the buffer is an error (`WSAEMSGSIZE`).
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
    ///     let address = socket.get_ref().local_addr()?;
    ///     socket.send_to(b"hi", address).await?;
    ///     assert_eq!(socket.peek_from(&mut [0; 16]).await?, (2, address));
    ///     assert_eq!(socket.recv_from(&mut [0; 16]).await?, (2, address));
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub async fn peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let peek = |socket: &UdpSocket| socket.peek_from(buf);
        self.operate(Direction::Read, WouldBlock::ConclusiveForPeek, peek)
            .await
    }

    /// Sends one datagram to an address.
    ///
    /// Waits until there is room for it, and returns the number of bytes sent. That is all of them,
    /// because a datagram is not split.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`UdpSocket::send_to`] and [`writable`](Async::writable).
    ///
    /// # Cancellation
    ///
    /// If the future is dropped before it completes, nothing was sent.
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
    ///     let receiver = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0))?;
    ///     let address = receiver.get_ref().local_addr()?;
    ///     assert_eq!(socket.send_to(b"hi", address).await?, 2);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub async fn send_to<A: Into<SocketAddr>>(&self, buf: &[u8], addr: A) -> io::Result<usize> {
        let addr = addr.into();
        let send = |socket: &UdpSocket| socket.send_to(buf, addr);
        self.operate(Direction::Write, WouldBlock::Conclusive, send)
            .await
    }

    /// Receives one datagram from the connected peer.
    ///
    /// Waits until there is one, and returns the number of bytes. The rest of a datagram that does
    /// not fit into the buffer is discarded. To connect the socket, call [`UdpSocket::connect`]
    /// through [`get_ref`](Async::get_ref).
    ///
    /// # Errors
    ///
    /// Returns the errors of [`UdpSocket::recv`] and [`readable`](Async::readable).
    ///
    /// # Cancellation
    ///
    /// If the future is dropped before it completes, no datagram is lost.
    ///
    /// # Platform notes
    ///
    /// On Windows, a datagram that does not fit into the buffer is an error (`WSAEMSGSIZE`).
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Async;
    /// use std::net::UdpSocket;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// async_io::block_on(async {
    ///     let one = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0))?;
    ///     let two = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0))?;
    ///     one.get_ref().connect(two.get_ref().local_addr()?)?;
    ///     two.get_ref().connect(one.get_ref().local_addr()?)?;
    ///     one.send(b"hi").await?;
    ///     assert_eq!(two.peek(&mut [0; 16]).await?, 2);
    ///     assert_eq!(two.recv(&mut [0; 16]).await?, 2);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub async fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        let receive = |socket: &UdpSocket| socket.recv(buf);
        self.operate(Direction::Read, WouldBlock::Conclusive, receive)
            .await
    }

    /// Receives one datagram from the connected peer without removing it from the queue.
    ///
    /// Otherwise this is like [`recv`](Async#method.recv).
    ///
    /// # Errors
    ///
    /// Returns the errors of [`UdpSocket::peek`] and [`readable`](Async::readable).
    ///
    /// # Cancellation
    ///
    /// If the future is dropped before it completes, no datagram is lost.
    ///
    /// # Platform notes
    ///
    /// On Windows, a datagram that does not fit into the buffer is an error (`WSAEMSGSIZE`).
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
    ///     // The socket is its own peer.
    ///     socket.get_ref().connect(socket.get_ref().local_addr()?)?;
    ///     socket.send(b"hi").await?;
    ///     assert_eq!(socket.peek(&mut [0; 16]).await?, 2);
    ///     assert_eq!(socket.peek(&mut [0; 16]).await?, 2);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        let peek = |socket: &UdpSocket| socket.peek(buf);
        self.operate(Direction::Read, WouldBlock::ConclusiveForPeek, peek)
            .await
    }

    /// Sends one datagram to the connected peer.
    ///
    /// Waits until there is room for it, and returns the number of bytes sent. That is all of them,
    /// because a datagram is not split. To connect the socket, call [`UdpSocket::connect`] through
    /// [`get_ref`](Async::get_ref).
    ///
    /// # Errors
    ///
    /// Returns the errors of [`UdpSocket::send`] and [`writable`](Async::writable).
    ///
    /// # Cancellation
    ///
    /// If the future is dropped before it completes, nothing was sent.
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
    ///     // The socket is its own peer.
    ///     socket.get_ref().connect(socket.get_ref().local_addr()?)?;
    ///     assert_eq!(socket.send(b"hi").await?, 2);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub async fn send(&self, buf: &[u8]) -> io::Result<usize> {
        let send = |socket: &UdpSocket| socket.send(buf);
        self.operate(Direction::Write, WouldBlock::Conclusive, send)
            .await
    }
}
