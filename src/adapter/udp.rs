//! UDP: datagrams in and out.

use super::Async;
use super::would_block::WouldBlock;
use crate::core::source::Direction;
use std::io;
use std::net::{SocketAddr, UdpSocket};

impl Async<UdpSocket> {
    /// Makes a socket that is bound to the address. Port 0 lets the system choose one.
    ///
    /// # Errors
    ///
    /// Those of [`UdpSocket::bind`] and [`Async::new`].
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

    /// Receives one datagram; returns its length and the sender.
    ///
    /// What does not fit into the buffer is lost. To connect the socket first, use
    /// [`get_ref`](Async::get_ref).
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses no datagram.
    ///
    /// # Errors
    ///
    /// Those of [`UdpSocket::recv_from`] and [`readable`](Async::readable).
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

    /// Receives one datagram and leaves it in the queue. Otherwise like
    /// [`recv_from`](Async#method.recv_from).
    ///
    /// # Errors
    ///
    /// Those of [`UdpSocket::peek_from`] and [`readable`](Async::readable).
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
        self.operate(Direction::Read, WouldBlock::Conclusive, peek)
            .await
    }

    /// Sends one datagram to the address; returns how many bytes were sent, which is all.
    ///
    /// # Cancellation
    ///
    /// Dropping the future while it waits sends nothing.
    ///
    /// # Errors
    ///
    /// Those of [`UdpSocket::send_to`] and [`writable`](Async::writable).
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

    /// Receives one datagram from the peer that the socket is connected to; returns its length.
    /// What does not fit into the buffer is lost.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses no datagram.
    ///
    /// # Errors
    ///
    /// Those of [`UdpSocket::recv`] and [`readable`](Async::readable).
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

    /// Receives one datagram from the peer that the socket is connected to, and leaves it in the
    /// queue. Otherwise like [`recv`](Async#method.recv).
    ///
    /// # Errors
    ///
    /// Those of [`UdpSocket::peek`] and [`readable`](Async::readable).
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
    ///     // To itself, for once.
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
        self.operate(Direction::Read, WouldBlock::Conclusive, peek)
            .await
    }

    /// Sends one datagram to the peer that the socket is connected to; returns how many bytes were
    /// sent, which is all.
    ///
    /// # Cancellation
    ///
    /// Dropping the future while it waits sends nothing.
    ///
    /// # Errors
    ///
    /// Those of [`UdpSocket::send`] and [`writable`](Async::writable).
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
    ///     // To itself, for once.
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
