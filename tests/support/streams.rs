//! Pairs of connected streams, and what can be done to them; streams that refuse operations.

use std::cell::Cell;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
#[cfg(unix)]
pub(crate) use std::os::unix::net::UnixStream as Local;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_io::Async;

use super::settle;

/// The local stream type. On Windows it is TCP, because std has no Unix sockets there.
#[cfg(windows)]
pub(crate) type Local = TcpStream;

/// Creates two connected local streams.
#[cfg(unix)]
pub(crate) fn pair() -> (Local, Local) {
    Local::pair().unwrap()
}

/// Creates two connected local streams.
#[cfg(windows)]
pub(crate) fn pair() -> (Local, Local) {
    tcp_streams()
}

/// Creates a registered local stream and its blocking peer.
pub(crate) fn local_pair() -> (Async<Local>, Local) {
    let (ours, peer) = pair();
    (Async::new(ours).unwrap(), peer)
}

/// Creates a registered local stream that can be shared, and its blocking peer.
pub(crate) fn shared_pair() -> (Arc<Async<Local>>, Local) {
    let (source, peer) = local_pair();
    (Arc::new(source), peer)
}

/// Creates a registered TCP stream and its blocking peer.
pub(crate) fn tcp_pair() -> (Async<TcpStream>, TcpStream) {
    let (ours, peer) = tcp_streams();
    (Async::new(ours).unwrap(), peer)
}

/// Creates two connected TCP streams. Neither waits for more data before it sends.
pub(crate) fn tcp_streams() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (peer, _) = listener.accept().unwrap();
    for stream in [&ours, &peer] {
        stream.set_nodelay(true).unwrap();
    }
    (ours, peer)
}

/// Implements `AsFd` (`AsSocket` on Windows) for a type that wraps an I/O object.
macro_rules! as_object {
    ($type:ty, |$this:ident| $inner:expr) => {
        #[cfg(unix)]
        impl std::os::fd::AsFd for $type {
            fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
                let $this = self;
                $inner.as_fd()
            }
        }

        #[cfg(windows)]
        impl std::os::windows::io::AsSocket for $type {
            fn as_socket(&self) -> std::os::windows::io::BorrowedSocket<'_> {
                let $this = self;
                $inner.as_socket()
            }
        }
    };
}
pub(crate) use as_object;

/// Makes the close of `stream` reset the connection.
pub(crate) fn reset_on_close(stream: &TcpStream) {
    let socket = socket2::SockRef::from(stream);
    socket.set_linger(Some(Duration::ZERO)).unwrap();
}

/// Sends one byte out of band.
pub(crate) fn send_urgent(stream: &TcpStream) {
    let socket = socket2::SockRef::from(stream);
    assert_eq!(socket.send_out_of_band(b"!").unwrap(), 1);
}

/// Writes until the system accepts no more, and returns how much it accepted.
pub(crate) fn fill(mut writer: impl Write) -> usize {
    let mut total = 0;
    // The last pieces are single bytes: a buffer that refuses a large piece may have room for a
    // small one.
    for size in [4096, 1] {
        loop {
            match writer.write(&[7; 4096][..size]) {
                Ok(count) => total += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("cannot fill: {error}"),
            }
        }
    }
    total
}

/// Fills a stream until it stays full.
///
/// A Unix socket stays full at once. TCP moves data into the peer's window up to 100 ms after the
/// last write on a busy machine, and then accepts more. So for TCP this function returns when the
/// stream has accepted nothing for much longer.
#[cfg(unix)]
pub(crate) fn fill_for_good(stream: impl Write + Copy + std::os::fd::AsFd) -> usize {
    fill_until_quiet(stream, &socket2::SockRef::from(&stream))
}

/// The same for Windows.
#[cfg(windows)]
pub(crate) fn fill_for_good(stream: impl Write + Copy + std::os::windows::io::AsSocket) -> usize {
    fill_until_quiet(stream, &socket2::SockRef::from(&stream))
}

fn fill_until_quiet(stream: impl Write + Copy, socket: &socket2::Socket) -> usize {
    let mut total = fill(stream);
    if socket.local_addr().unwrap().as_socket().is_none() {
        return total;
    }
    let mut accepted = Instant::now();
    while accepted.elapsed() < Duration::from_millis(300) {
        settle();
        let more = fill(stream);
        if more > 0 {
            total += more;
            accepted = Instant::now();
        }
    }
    total
}

/// Reads exactly `count` bytes from a blocking object and discards them.
pub(crate) fn drain(reader: impl Read, count: usize) {
    let copied = io::copy(&mut reader.take(count as u64), &mut io::sink()).unwrap();
    assert_eq!(copied, count as u64);
}

/// Returns the error that an operation returns if it would block.
pub(crate) fn refuse<T>() -> io::Result<T> {
    Err(ErrorKind::WouldBlock.into())
}

/// A stream that refuses every operation, whatever the state of its socket. It counts the attempts.
pub(crate) struct Unwilling {
    socket: Local,
    pub(crate) calls: Cell<usize>,
}

impl Unwilling {
    /// Creates a source that the kernel reports as ready in both directions.
    pub(crate) fn pair() -> (Async<Unwilling>, Local) {
        let (socket, mut peer) = pair();
        peer.write_all(b"data").unwrap();
        let calls = Cell::new(0);
        (Async::new(Unwilling { socket, calls }).unwrap(), peer)
    }

    fn count<T>(&self) -> io::Result<T> {
        self.calls.set(self.calls.get() + 1);
        refuse()
    }
}

as_object!(Unwilling, |this| this.socket);

impl Read for &Unwilling {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.count()
    }
}

impl Write for &Unwilling {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        self.count()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.count()
    }
}
