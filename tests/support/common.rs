//! Helpers shared by the test files.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
#[cfg(unix)]
pub(crate) use std::os::unix::net::UnixStream as Local;
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::Duration;

use async_io::{Async, Timer};

pub(crate) use super::descriptors::*;
pub(crate) use super::guards::*;
pub(crate) use super::polls::*;
pub(crate) use super::process::*;
pub(crate) use super::wakers::*;

struct OnWake<F>(F);

impl<F: Fn() + Send + Sync + 'static> Wake for OnWake<F> {
    fn wake(self: Arc<Self>) {
        (self.0)();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        (self.0)();
    }
}

/// Creates a waker that calls `action`.
pub(crate) fn waker_fn(action: impl Fn() + Send + Sync + 'static) -> Waker {
    Waker::from(Arc::new(OnWake(action)))
}

/// Creates a waker that does nothing when woken and calls `action` when its last copy is dropped.
pub(crate) fn waker_with_drop(action: impl FnOnce() + Send + Sync + 'static) -> Waker {
    struct OnDrop<F: FnOnce()>(Option<F>);
    impl<F: FnOnce()> Drop for OnDrop<F> {
        fn drop(&mut self) {
            self.0.take().unwrap()();
        }
    }
    let on_drop = OnDrop(Some(action));
    waker_fn(move || _ = &on_drop)
}

/// Waits until the reactor has done several turns that start after the call. Events that were
/// pending before the call have been delivered when it returns.
pub(crate) fn settle() {
    let (source, mut peer) = local_pair();
    for _ in 0..3 {
        peer.write_all(b"s").unwrap();
        foreign(async {
            source.readable().await.unwrap();
            Timer::after(Duration::from_millis(2)).await;
        });
        source.get_ref().read_exact_here(1);
    }
}

trait ReadExactHere {
    fn read_exact_here(&self, count: usize);
}

impl ReadExactHere for Local {
    fn read_exact_here(&self, count: usize) {
        let mut stream: &Local = self;
        stream.read_exact(&mut vec![0; count]).unwrap();
    }
}

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

/// Creates a registered TCP stream and its blocking peer.
pub(crate) fn tcp_pair() -> (Async<TcpStream>, TcpStream) {
    let (ours, peer) = tcp_streams();
    (Async::new(ours).unwrap(), peer)
}

/// Creates two connected TCP streams.
pub(crate) fn tcp_streams() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (peer, _) = listener.accept().unwrap();
    (ours, peer)
}

/// Implements `AsFd` (`AsSocket` on Windows) for a type that wraps an I/O object.
#[allow(unused_macros)]
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
#[allow(unused_imports)]
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
    // Windows may refuse a large write and accept a small one.
    for size in [4096, 1] {
        loop {
            match writer.write(&[7; 4096][..size]) {
                Ok(count) => total += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => panic!("cannot fill: {error}"),
            }
        }
    }
    total
}

/// Fills a stream until it stays full. TCP keeps moving written data into the peer's window for a
/// while; this function fills both the send buffer and the window.
pub(crate) fn fill_for_good(stream: impl Write + Copy) -> usize {
    let mut total = fill(stream);
    loop {
        settle();
        match fill(stream) {
            0 => return total,
            more => total += more,
        }
    }
}
