//! The socket calls of Windows.

#![allow(unsafe_code)]

use super::Progress;
use std::io;
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6, TcpListener, TcpStream};
use std::os::windows::io::{AsRawSocket, AsSocket, FromRawSocket, OwnedSocket};
use std::sync::Once;
use windows_sys::Win32::Foundation::{HANDLE, HANDLE_FLAG_INHERIT, SetHandleInformation};
use windows_sys::Win32::Networking::WinSock::{
    AF_INET, AF_INET6, FIONBIO, IN_ADDR, IN_ADDR_0, IN6_ADDR, IN6_ADDR_0, INVALID_SOCKET,
    IPPROTO_TCP, SOCK_STREAM, SOCKADDR, SOCKADDR_IN, SOCKADDR_IN6, SOCKADDR_IN6_0,
    WSA_FLAG_NO_HANDLE_INHERIT, WSA_FLAG_OVERLAPPED, WSADATA, WSAEINPROGRESS, WSAEWOULDBLOCK,
    WSAGetLastError, WSASocketW, WSAStartup, connect, ioctlsocket,
};

pub(crate) const ACCEPTS_NONBLOCKING: bool = false;

pub(crate) fn set_nonblocking(socket: impl AsSocket) -> io::Result<()> {
    let raw = socket.as_socket().as_raw_socket();
    let mut on = 1;
    // SAFETY: the socket is borrowed, so it is open. The argument of FIONBIO is one number, which
    // outlives the call.
    match unsafe { ioctlsocket(raw as usize, FIONBIO, &mut on) } {
        0 => Ok(()),
        _ => Err(last_error()),
    }
}

/// Accepts a connection, and keeps child processes from inheriting the socket. Whether they would
/// otherwise inherit it depends on the listener.
pub(crate) fn accept_tcp(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    let (stream, peer) = listener.accept()?;
    let handle = stream.as_raw_socket() as HANDLE;
    // SAFETY: the socket is open, and the flags are plain numbers.
    match unsafe { SetHandleInformation(handle, HANDLE_FLAG_INHERIT, 0) } {
        0 => Err(io::Error::last_os_error()),
        _ => Ok((stream, peer)),
    }
}

pub(crate) fn connect_tcp(address: SocketAddr) -> io::Result<(TcpStream, Progress)> {
    let socket = open(match address {
        SocketAddr::V4(_) => AF_INET,
        SocketAddr::V6(_) => AF_INET6,
    })?;
    let raw = socket.as_raw_socket() as usize;
    let failed = match address {
        SocketAddr::V4(address) => {
            let address = ipv4(&address);
            // SAFETY: the socket is open. The structure belongs to its address family, and the size
            // is that of the structure.
            unsafe { connect(raw, (&raw const address).cast::<SOCKADDR>(), size(&address)) }
        }
        SocketAddr::V6(address) => {
            let address = ipv6(&address);
            // SAFETY: as above.
            unsafe { connect(raw, (&raw const address).cast::<SOCKADDR>(), size(&address)) }
        }
    };
    let stream = TcpStream::from(socket);
    if failed == 0 {
        return Ok((stream, Progress::Done));
    }
    // SAFETY: reads the last error of this thread, which the call above has set.
    match unsafe { WSAGetLastError() } {
        WSAEWOULDBLOCK | WSAEINPROGRESS => Ok((stream, Progress::Pending)),
        code => Err(io::Error::from_raw_os_error(code)),
    }
}

/// Creates a TCP socket that is non-blocking and not inherited by child processes.
fn open(family: u16) -> io::Result<OwnedSocket> {
    start_up();
    let flags = WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT;
    // SAFETY: the arguments are plain numbers, and a null pointer for the protocol description,
    // which is optional.
    let raw = unsafe {
        WSASocketW(
            i32::from(family),
            SOCK_STREAM,
            IPPROTO_TCP,
            std::ptr::null(),
            0,
            flags,
        )
    };
    if raw == INVALID_SOCKET {
        return Err(last_error());
    }
    // SAFETY: the socket was just created and has no other owner.
    let socket = unsafe { OwnedSocket::from_raw_socket(raw as _) };
    set_nonblocking(&socket)?;
    Ok(socket)
}

/// Initialises Winsock, which is required before the first socket. std only does so for its own
/// sockets.
fn start_up() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        // SAFETY: `data` is only written to, so it may have any contents. A failure shows again
        // when the socket is created. `WSACleanup` is not called, because sockets may live until
        // the process ends.
        unsafe {
            let mut data: WSADATA = std::mem::zeroed();
            WSAStartup(0x0202, &mut data);
        }
    });
}

fn ipv4(address: &SocketAddrV4) -> SOCKADDR_IN {
    SOCKADDR_IN {
        sin_family: AF_INET,
        sin_port: address.port().to_be(),
        sin_addr: IN_ADDR {
            S_un: IN_ADDR_0 {
                S_addr: u32::from_ne_bytes(address.ip().octets()),
            },
        },
        sin_zero: [0; 8],
    }
}

fn ipv6(address: &SocketAddrV6) -> SOCKADDR_IN6 {
    SOCKADDR_IN6 {
        sin6_family: AF_INET6,
        sin6_port: address.port().to_be(),
        sin6_flowinfo: address.flowinfo(),
        sin6_addr: IN6_ADDR {
            u: IN6_ADDR_0 {
                Byte: address.ip().octets(),
            },
        },
        Anonymous: SOCKADDR_IN6_0 {
            sin6_scope_id: address.scope_id(),
        },
    }
}

fn size<T>(_of: &T) -> i32 {
    size_of::<T>() as i32
}

/// Returns `false`: the check is needed only for the epoll poller.
pub(crate) fn is_tcp(_object: crate::sys::raw::RawSource) -> bool {
    false
}

/// Returns the outcome of a connection attempt whose socket has become writable.
pub(crate) fn connect_outcome(stream: &TcpStream) -> io::Result<()> {
    match stream.take_error()? {
        None => Ok(()),
        Some(error) => Err(error),
    }
}

fn last_error() -> io::Error {
    // SAFETY: reads the last error of this thread.
    io::Error::from_raw_os_error(unsafe { WSAGetLastError() })
}

/// Returns `None`: this platform leaves receiving to std.
#[inline]
pub(crate) fn receive(
    _raw: crate::sys::raw::RawSource,
    _buf: &mut [u8],
) -> Option<io::Result<usize>> {
    None
}

/// Returns `None`: this platform leaves sending to std.
#[inline]
pub(crate) fn send(_raw: crate::sys::raw::RawSource, _buf: &[u8]) -> Option<io::Result<usize>> {
    None
}
