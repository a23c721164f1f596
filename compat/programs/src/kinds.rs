//! The kinds of I/O object: how each is created, and how it is read and written without the
//! library.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener, UnixStream};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::Runtime;

/// An I/O object that is read and written through a shared reference, without the library.
pub trait Io: AsFd + 'static {
    /// Reads, receives a datagram, or accepts and drops a connection.
    fn take(&self, buffer: &mut [u8]) -> io::Result<usize>;
    /// Writes, or sends a datagram.
    fn give(&self, bytes: &[u8]) -> io::Result<usize>;
}

/// A future that returns the bytes that were read.
pub(crate) type Receiving = Pin<Box<dyn Future<Output = io::Result<Vec<u8>>>>>;
/// A future that returns how many bytes were written.
pub(crate) type Sending = Pin<Box<dyn Future<Output = io::Result<usize>>>>;

/// The operations that a library has only for some kinds of object. They return `None` for the
/// others.
pub(crate) trait Typed<R: Runtime>: Io + Sized {
    fn receive(_source: Arc<R::Async<Self>>) -> Option<Receiving> {
        None
    }
    fn send(_source: Arc<R::Async<Self>>, _bytes: Vec<u8>) -> Option<Sending> {
        None
    }
    fn poll_read(
        _source: &R::Async<Self>,
        _cx: &mut Context<'_>,
        _buffer: &mut [u8],
    ) -> Option<Poll<io::Result<usize>>> {
        None
    }
    fn poll_write(
        _source: &R::Async<Self>,
        _cx: &mut Context<'_>,
        _bytes: &[u8],
    ) -> Option<Poll<io::Result<usize>>> {
        None
    }
}

macro_rules! stream {
    ($type:ty) => {
        impl Io for $type {
            fn take(&self, buffer: &mut [u8]) -> io::Result<usize> {
                (&mut &*self).read(buffer)
            }
            fn give(&self, bytes: &[u8]) -> io::Result<usize> {
                (&mut &*self).write(bytes)
            }
        }
    };
}

macro_rules! stream_in_library {
    () => {
        fn poll_read(
            source: &R::Async<Self>,
            cx: &mut Context<'_>,
            buffer: &mut [u8],
        ) -> Option<Poll<io::Result<usize>>> {
            Some(R::poll_read(source, cx, buffer))
        }
        fn poll_write(
            source: &R::Async<Self>,
            cx: &mut Context<'_>,
            bytes: &[u8],
        ) -> Option<Poll<io::Result<usize>>> {
            Some(R::poll_write(source, cx, bytes))
        }
    };
}

macro_rules! datagrams {
    ($type:ty, $recv:ident, $send:ident) => {
        impl Io for $type {
            fn take(&self, buffer: &mut [u8]) -> io::Result<usize> {
                self.recv(buffer)
            }
            fn give(&self, bytes: &[u8]) -> io::Result<usize> {
                self.send(bytes)
            }
        }
        impl<R: Runtime> Typed<R> for $type {
            fn receive(source: Arc<R::Async<Self>>) -> Option<Receiving> {
                Some(Box::pin(async move {
                    let mut buffer = [0; 64];
                    let count = R::$recv(&source, &mut buffer).await?;
                    Ok(buffer[..count].to_vec())
                }))
            }
            fn send(source: Arc<R::Async<Self>>, bytes: Vec<u8>) -> Option<Sending> {
                Some(Box::pin(async move { R::$send(&source, &bytes).await }))
            }
        }
    };
}

macro_rules! listener {
    ($type:ty, $accept:ident) => {
        impl Io for $type {
            fn take(&self, _buffer: &mut [u8]) -> io::Result<usize> {
                self.accept().map(|_| 0)
            }
            fn give(&self, _bytes: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::Unsupported.into())
            }
        }
        impl<R: Runtime> Typed<R> for $type {
            fn receive(source: Arc<R::Async<Self>>) -> Option<Receiving> {
                Some(Box::pin(async move {
                    R::$accept(&source).await.map(|()| Vec::new())
                }))
            }
        }
    };
}

stream!(TcpStream);
stream!(UnixStream);
stream!(File);
datagrams!(UdpSocket, udp_recv, udp_send);
datagrams!(UnixDatagram, unix_recv, unix_send);
listener!(TcpListener, tcp_accept);
listener!(UnixListener, unix_accept);

impl<R: Runtime> Typed<R> for TcpStream {
    fn receive(source: Arc<R::Async<Self>>) -> Option<Receiving> {
        Some(Box::pin(async move {
            let mut buffer = [0; 64];
            let count = R::tcp_peek(&source, &mut buffer).await?;
            Ok(buffer[..count].to_vec())
        }))
    }
    stream_in_library!();
}

impl<R: Runtime> Typed<R> for UnixStream {
    stream_in_library!();
}

impl<R: Runtime> Typed<R> for File {
    stream_in_library!();
}

/// The kinds of object that programs open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Kind {
    Tcp,
    UnixStream,
    Udp,
    UnixDatagram,
    /// Our side reads.
    PipeReader,
    /// Our side writes.
    PipeWriter,
    TcpListener,
    UnixListener,
}

impl Kind {
    pub(crate) fn of(byte: u8) -> Self {
        match byte % 16 {
            0..4 => Kind::Tcp,
            4..8 => Kind::UnixStream,
            8 | 9 => Kind::Udp,
            10 | 11 => Kind::UnixDatagram,
            12 => Kind::PipeReader,
            13 => Kind::PipeWriter,
            14 => Kind::TcpListener,
            _ => Kind::UnixListener,
        }
    }

    pub(crate) fn reads(self) -> bool {
        self != Kind::PipeWriter
    }

    pub(crate) fn writes(self) -> bool {
        !matches!(
            self,
            Kind::PipeReader | Kind::TcpListener | Kind::UnixListener
        )
    }

    pub(crate) fn listens(self) -> bool {
        matches!(self, Kind::TcpListener | Kind::UnixListener)
    }

    pub(crate) fn is_datagram(self) -> bool {
        matches!(self, Kind::Udp | Kind::UnixDatagram)
    }

    pub(crate) fn is_stream(self) -> bool {
        !self.listens() && !self.is_datagram()
    }
}

fn loopback() -> SocketAddrV4 {
    thread_local!(static COUNT: Cell<u32> = const { Cell::new(0) });
    let count = COUNT.get();
    COUNT.set(count.wrapping_add(1));
    // A connection that was closed normally keeps its port for a minute. Each address has its own
    // ports, so the address changes every 4096 calls.
    let [_, a, b, c] = (std::process::id() ^ (count / 4096) << 12).to_be_bytes();
    SocketAddrV4::new(Ipv4Addr::new(127, a, b, c | 1), 0)
}

/// Creates two connected TCP streams.
pub(crate) fn tcp() -> io::Result<(TcpStream, TcpStream)> {
    thread_local!(static LISTENER: Cell<Option<(u32, TcpListener)>> = const { Cell::new(None) });
    let (uses, listener) = match LISTENER.take() {
        Some((uses, listener)) if uses < 4096 => (uses, listener),
        _ => (0, TcpListener::bind(loopback())?),
    };
    let ours = TcpStream::connect(listener.local_addr()?)?;
    let (peer, _) = listener.accept()?;
    // Our side fills up soon when it writes, and has room for everything that the peer writes.
    rustix::net::sockopt::set_socket_send_buffer_size(&ours, 16 * 1024)?;
    rustix::net::sockopt::set_socket_recv_buffer_size(&peer, 16 * 1024)?;
    // Without Nagle's algorithm, data has arrived when the call that writes it returns.
    ours.set_nodelay(true)?;
    peer.set_nodelay(true)?;
    LISTENER.set(Some((uses + 1, listener)));
    Ok((ours, peer))
}

/// Makes the buffers of a socket so small that a few writes fill them.
fn small<T: AsFd>(socket: T) -> io::Result<T> {
    rustix::net::sockopt::set_socket_send_buffer_size(&socket, 4096)?;
    rustix::net::sockopt::set_socket_recv_buffer_size(&socket, 4096)?;
    Ok(socket)
}

pub(crate) fn unix() -> io::Result<(UnixStream, UnixStream)> {
    let (ours, peer) = UnixStream::pair()?;
    Ok((small(ours)?, small(peer)?))
}

pub(crate) fn udp() -> io::Result<(UdpSocket, UdpSocket)> {
    let ours = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let peer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    ours.connect(peer.local_addr()?)?;
    peer.connect(ours.local_addr()?)?;
    Ok((ours, peer))
}

pub(crate) fn pipe() -> io::Result<(File, File)> {
    let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    rustix::pipe::fcntl_setpipe_size(&writer, 4096)?;
    Ok((reader.into(), writer.into()))
}

/// Creates a listener with an abstract name, which needs no file. Also returns its address.
pub(crate) fn unix_listener() -> io::Result<(UnixListener, SocketAddr)> {
    // An empty name makes the kernel choose a free one.
    let socket = rustix::net::socket_with(
        rustix::net::AddressFamily::UNIX,
        rustix::net::SocketType::STREAM,
        rustix::net::SocketFlags::CLOEXEC,
        None,
    )?;
    rustix::net::bind(&socket, &rustix::net::SocketAddrUnix::new_unnamed())?;
    rustix::net::listen(&socket, 64)?;
    let listener = UnixListener::from(socket);
    let address = listener.local_addr()?;
    debug_assert!(address.as_abstract_name().is_some());
    Ok((listener, address))
}

/// Creates a client that is connected to the listener.
pub(crate) fn unix_client(address: &SocketAddr) -> io::Result<OwnedFd> {
    UnixStream::connect_addr(address).map(OwnedFd::from)
}

pub(crate) fn tcp_listener() -> io::Result<TcpListener> {
    TcpListener::bind(loopback())
}
