//! Helpers shared by these tests: guards against hanging, counting wakers, two ways to run a
//! future, and a factor for the load.

use std::future::Future;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use async_io::Async;

pub(crate) use super::guards::*;
pub(crate) use super::polls::*;
pub(crate) use super::process::*;
use super::raw;
pub(crate) use super::wakers::*;

/// Fails if the process uses CPU time although all of its threads should be asleep. Only meaningful
/// in an isolated process.
pub(crate) fn assert_quiet(what: &str) {
    let (start, used) = (Instant::now(), raw::process_cpu());
    thread::sleep(Duration::from_millis(300));
    let (wall, used) = (start.elapsed(), raw::process_cpu() - used);
    assert!(used * 2 < wall, "{what}: {used:?} of CPU in {wall:?}");
}

/// Creates a source and the stream at its other end.
pub(crate) fn pair() -> (Arc<Async<UnixStream>>, UnixStream) {
    let (local, peer) = UnixStream::pair().unwrap();
    (Arc::new(Async::new(local).unwrap()), peer)
}

/// Makes the reactor deliver one event for `source`, by a byte from `peer`.
pub(crate) fn deliver_event(source: &Async<UnixStream>, mut peer: &UnixStream) {
    let (counter, waker) = Counter::new();
    let mut context = Context::from_waker(&waker);
    // Counted before the poll: any wake-up after it, spurious or not, consumes the waker, so no
    // second one can come.
    let mut before = counter.wakes();
    while source.poll_readable(&mut context).is_ready() {
        before = counter.wakes();
    }
    peer.write_all(b"e").unwrap();
    counter.wait_for(before + 1);
}

/// Creates a connected pair of TCP streams on loopback.
pub(crate) fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (server, _) = listener.accept().unwrap();
    client.set_nodelay(true).unwrap();
    server.set_nodelay(true).unwrap();
    (client, server)
}

/// Writes to a non-blocking object until it accepts no more, and returns how much it accepted.
pub(crate) fn fill(mut writer: impl Write) -> usize {
    let mut total = 0;
    // The last pieces are single bytes: a buffer that refuses a large piece may have room for a
    // small one.
    for piece in [4096, 1] {
        loop {
            match writer.write(&[b'f'; 4096][..piece]) {
                Ok(count) => total += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => panic!("cannot fill: {error}"),
            }
        }
    }
    total
}

/// Reads exactly `count` bytes from a blocking object and discards them.
pub(crate) fn drain(reader: impl Read, count: usize) {
    let copied = io::copy(&mut reader.take(count as u64), &mut io::sink()).unwrap();
    assert_eq!(copied, count as u64);
}

/// A generator of small pseudo-random numbers, with the same sequence in every run.
pub(crate) struct Noise(u64);

impl Noise {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// Returns a number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % bound
    }

    /// Spins for nanoseconds to microseconds, so that two threads meet at varying points.
    pub(crate) fn dawdle(&mut self) {
        for _ in 0..self.below(2000) {
            std::hint::spin_loop();
        }
    }
}
