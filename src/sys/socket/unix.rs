//! The socket calls of Unix.

use super::Progress;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, ipproto, sockopt};
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

pub(crate) fn set_nonblocking(fd: impl AsFd) -> io::Result<()> {
    // This is one system call, and it leaves the other flags unchanged.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    rustix::io::ioctl_fionbio(fd, true)?;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
        let before = fcntl_getfl(&fd)?;
        let after = before | OFlags::NONBLOCK;
        if after != before {
            fcntl_setfl(&fd, after)?;
        }
    }
    Ok(())
}

/// Whether the streams that [`accept_tcp`] returns are already in non-blocking mode.
pub(crate) const ACCEPTS_NONBLOCKING: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// Accepts a connection. On Linux, the same system call sets the non-blocking mode.
pub(crate) fn accept_tcp(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use rustix::net::{SocketFlags, acceptfrom_with};
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let accept = || acceptfrom_with(listener, flags);
        let (stream, peer) = rustix::io::retry_on_intr(accept)?;
        let peer = peer.map(SocketAddr::try_from).transpose()?;
        let peer = peer.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
        Ok((TcpStream::from(stream), peer))
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    listener.accept()
}

pub(crate) fn connect_tcp(address: SocketAddr) -> io::Result<(TcpStream, Progress)> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let socket = open(family, Some(ipproto::TCP))?;
    let progress = match rustix::net::connect(&socket, &address) {
        Ok(()) => Progress::Done,
        // An interrupted connection attempt continues in the background.
        Err(Errno::INPROGRESS | Errno::AGAIN | Errno::INTR) => Progress::Pending,
        Err(errno) => return Err(errno.into()),
    };
    Ok((TcpStream::from(socket), progress))
}

pub(crate) fn connect_unix(path: &Path) -> io::Result<(UnixStream, Progress)> {
    let address = unix_address(path)?;
    let socket = open(AddressFamily::UNIX, None)?;
    let progress = match rustix::net::connect(&socket, &address) {
        Ok(()) => Progress::Done,
        Err(Errno::INPROGRESS | Errno::INTR) => Progress::Pending,
        Err(Errno::AGAIN) => Progress::TryLater,
        Err(errno) => return Err(errno.into()),
    };
    Ok((UnixStream::from(socket), progress))
}

fn unix_address(path: &Path) -> io::Result<SocketAddrUnix> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Some(name) = path.as_os_str().as_bytes().strip_prefix(b"\0") {
        return Ok(SocketAddrUnix::new_abstract_name(name)?);
    }
    if path.as_os_str().as_bytes().contains(&0) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "a socket path must not contain a zero byte (except a leading one on Linux, for an abstract name)",
        ));
    }
    Ok(SocketAddrUnix::new(path)?)
}

/// Creates a stream socket that is non-blocking and closed on `exec`.
fn open(family: AddressFamily, protocol: Option<rustix::net::Protocol>) -> io::Result<OwnedFd> {
    #[cfg(not(any(
        target_vendor = "apple",
        target_os = "espidf",
        target_os = "haiku",
        target_os = "horizon",
        target_os = "vita"
    )))]
    let socket = {
        use rustix::net::{SocketFlags, socket_with};
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        socket_with(family, SocketType::STREAM, flags, protocol)?
    };
    #[cfg(any(
        target_vendor = "apple",
        target_os = "espidf",
        target_os = "haiku",
        target_os = "horizon",
        target_os = "vita"
    ))]
    let socket = {
        let socket = rustix::net::socket(family, SocketType::STREAM, protocol)?;
        rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
        set_nonblocking(&socket)?;
        socket
    };
    // On these systems, a write to a broken connection raises SIGPIPE unless this option is set.
    #[cfg(any(
        target_vendor = "apple",
        target_os = "freebsd",
        target_os = "netbsd",
        target_os = "dragonfly"
    ))]
    sockopt::set_socket_nosigpipe(&socket, true)?;
    Ok(socket)
}

/// Receives from a socket, as the `Read` of `TcpStream` does. Returns `None` if the platform leaves
/// this to std.
///
/// A direct system call takes 60 fewer instructions than `recv` of the C library, which is a
/// cancellation point.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[allow(unsafe_code)]
#[inline]
pub(crate) fn receive(raw: std::os::fd::RawFd, buf: &mut [u8]) -> Option<io::Result<usize>> {
    // SAFETY: the number is only passed to the kernel. The caller holds a registration, so it is
    // open.
    let fd = unsafe { std::os::fd::BorrowedFd::borrow_raw(raw) };
    let received = rustix::net::recv(fd, buf, rustix::net::RecvFlags::empty());
    Some(received.map(|(_, count)| count).map_err(io::Error::from))
}

/// Sends to a socket, as the `Write` of `TcpStream` does. Otherwise like [`receive`].
#[cfg(any(target_os = "linux", target_os = "android"))]
#[allow(unsafe_code)]
#[inline]
pub(crate) fn send(raw: std::os::fd::RawFd, buf: &[u8]) -> Option<io::Result<usize>> {
    // SAFETY: as in `receive`.
    let fd = unsafe { std::os::fd::BorrowedFd::borrow_raw(raw) };
    Some(rustix::net::send(fd, buf, rustix::net::SendFlags::NOSIGNAL).map_err(io::Error::from))
}

/// Returns `None`: this platform leaves receiving to std.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[inline]
pub(crate) fn receive(
    _raw: crate::sys::raw::RawSource,
    _buf: &mut [u8],
) -> Option<io::Result<usize>> {
    None
}

/// Returns `None`: this platform leaves sending to std.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[inline]
pub(crate) fn send(_raw: crate::sys::raw::RawSource, _buf: &[u8]) -> Option<io::Result<usize>> {
    None
}

/// Returns whether this is a plain TCP socket that reports every byte. Its type does not say so: a
/// `TcpStream` can be made from any other socket, and a TCP socket may have an upper-layer protocol
/// (kernel TLS).
#[cfg(any(target_os = "linux", target_os = "android"))]
#[allow(unsafe_code)]
pub(crate) fn is_tcp(raw: std::os::fd::RawFd) -> bool {
    // SAFETY: the number is only passed to the kernel. The caller holds a registration, so it is
    // open.
    let fd = unsafe { std::os::fd::BorrowedFd::borrow_raw(raw) };
    sockopt::socket_type(fd) == Ok(SocketType::STREAM)
        && sockopt::socket_protocol(fd) == Ok(Some(ipproto::TCP))
        && low_water_mark(raw) == Some(1)
        && !has_upper_layer_protocol(raw)
}

/// Returns whether the kernel runs a protocol such as TLS on top of TCP. With such a protocol, a
/// control record behind data ends a read early, and raises no edge of its own.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[allow(unsafe_code)]
fn has_upper_layer_protocol(raw: std::os::fd::RawFd) -> bool {
    let mut name = [0u8; 16];
    let mut size = name.len() as libc::socklen_t;
    // SAFETY: the pointer is to a buffer of this size, which the kernel writes to.
    let status = unsafe {
        libc::getsockopt(
            raw,
            libc::IPPROTO_TCP,
            libc::TCP_ULP,
            name.as_mut_ptr().cast(),
            &mut size,
        )
    };
    // Without such a protocol, the kernel returns success and an empty name. An older kernel, which
    // has no such protocols, returns an error.
    status == 0 && size > 0 && name[0] != 0
}

/// Returns the minimum number of bytes for which a socket is reported as readable. A read also
/// takes fewer bytes.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[allow(unsafe_code)]
fn low_water_mark(raw: std::os::fd::RawFd) -> Option<libc::c_int> {
    let mut mark: libc::c_int = 0;
    let mut size = size_of_val(&mark) as libc::socklen_t;
    // SAFETY: the pointer is to a number of this size, which the kernel writes to.
    let status = unsafe {
        libc::getsockopt(
            raw,
            libc::SOL_SOCKET,
            libc::SO_RCVLOWAT,
            (&raw mut mark).cast(),
            &mut size,
        )
    };
    (status == 0).then_some(mark)
}

/// Returns `false`: the check has no portable form, and is needed only for the epoll poller.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn is_tcp(_object: crate::sys::raw::RawSource) -> bool {
    false
}

/// Returns the outcome of a connection attempt whose socket has become writable.
pub(crate) fn connect_outcome(fd: impl AsFd) -> io::Result<()> {
    match sockopt::socket_error(fd)? {
        Ok(()) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}
