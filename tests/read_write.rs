//! Behaviour of `AsyncRead` and `AsyncWrite`.
//!
//! Not tested here: whether a zero-length read makes a system call; and `SIGPIPE` and
//! `SO_NOSIGPIPE`, which concern other systems. `api.rs` checks which types implement the traits.
// `IoSafe` is an unsafe trait.
#![allow(unsafe_code)]

mod support;

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use async_io::{Async, IoSafe};
use futures_io::{AsyncRead, AsyncWrite};
use futures_lite::{AsyncReadExt, AsyncWriteExt, future, io as aio};
use support::*;

/// Owned and shared sources can be read and written. Both try the operation first and wait only if
/// it would block.
#[test]
fn what_is_ready_needs_no_waiting() {
    let (mut source, mut peer) = local_pair();
    peer.write_all(b"abcd").unwrap();
    let mut buf = [0; 2];
    assert_eq!(ready(poll_now(source.read(&mut buf))).unwrap(), 2);
    assert_eq!(ready(poll_now((&source).read(&mut buf))).unwrap(), 2);
    assert_eq!(&buf, b"cd");
    assert_eq!(ready(poll_now(source.write(b"ab"))).unwrap(), 2);
    assert_eq!(ready(poll_now((&source).write(b"cd"))).unwrap(), 2);
    let mut buf = [0; 4];
    peer.read_exact(&mut buf).unwrap();
    assert_eq!(&buf, b"abcd");
}

/// An operation that would block waits with the waker of the poll.
#[test]
fn what_is_not_ready_waits() {
    guarded(|| {
        let (source, mut peer) = local_pair();
        let queued = fill_for_good(source.get_ref());
        let ((read, read_waker), (write, write_waker)) = (Counter::new(), Counter::new());
        let mut reader = &source;
        let mut writer = &source;
        let mut buf = [0; 8];
        let mut reading = reader.read(&mut buf);
        let mut writing = writer.write(b"x");
        assert!(poll(&mut reading, &read_waker).is_pending());
        assert!(poll(&mut writing, &write_waker).is_pending());
        peer.write_all(b"abc").unwrap();
        read.wait_for(1);
        assert_eq!(foreign(reading).unwrap(), 3);
        assert_eq!(write.wakes(), 0);
        peer.read_exact(&mut vec![0; queued]).unwrap();
        write.wait_for(1);
        assert_eq!(foreign(writing).unwrap(), 1);
    });
}

/// The end of file is `Ok(0)` for every following read.
#[test]
fn end_of_file_is_zero() {
    guarded(|| {
        let (mut source, mut peer) = local_pair();
        peer.write_all(b"last").unwrap();
        drop(peer);
        let mut all = Vec::new();
        foreign(source.read_to_end(&mut all)).unwrap();
        assert_eq!(all, b"last");
        assert_eq!(foreign(source.read(&mut [0])).unwrap(), 0);
    });
}

/// Reads try the system call before they wait. The exception is a read after a short TCP read. A
/// thread that polls repeatedly without letting the reactor do a turn still finds the data.
#[cfg(unix)]
#[test]
fn asking_without_waiting_finds_what_is_there() {
    let tcp = tcp_pair();
    let unix = local_pair();
    asked_without_waiting(tcp.0, tcp.1, 4);
    asked_without_waiting(unix.0, unix.1, 1);
}

#[cfg(unix)]
fn asked_without_waiting<T: Read + AsObject + IoSafe>(
    mut source: Async<T>,
    mut peer: impl Write,
    times: usize,
) {
    use rustix::event::{PollFd, PollFlags, poll};
    let moment = std::time::Duration::from_millis(1);
    async_io::block_on(async {
        let mut buf = [0; 8];
        // After a wait the thread is expected to wait again.
        async_io::Timer::after(moment).await;
        for _ in 0..100 {
            assert!(future::poll_once(source.read(&mut buf)).await.is_none());
            peer.write_all(b"x").unwrap();
            // Loopback TCP may deliver with a delay.
            let mut fds = [PollFd::new(&source, PollFlags::IN)];
            poll(&mut fds, None).unwrap();
            let mut polls = 0;
            let count = loop {
                polls += 1;
                assert!(polls <= times, "the byte was not found");
                if let Some(result) = future::poll_once(source.read(&mut buf)).await {
                    break result.unwrap();
                }
            };
            assert_eq!(count, 1);
        }
    });
}

/// A broken pipe is reported as the error of the standard library.
#[cfg(unix)]
#[test]
fn a_broken_pipe_is_the_error_of_std() {
    guarded(|| {
        let (mut source, peer) = local_pair();
        drop(peer);
        let error = foreign(source.write(b"x")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    });
}

/// A reset is reported as the error of the standard library. (Wine reports it as the end of the
/// stream.)
#[cfg(unix)]
#[test]
fn a_reset_is_the_error_of_std() {
    guarded(|| {
        let (mut source, peer) = tcp_pair();
        reset_on_close(&peer);
        drop(peer);
        let error = foreign(source.read(&mut [0])).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    });
}

/// `poll_close` is equivalent to `poll_flush`: the object stays usable, and the peer sees no end of
/// file.
#[test]
fn close_does_not_shut_down() {
    guarded(|| {
        let (mut source, mut peer) = local_pair();
        foreign(source.close()).unwrap();
        foreign((&source).close()).unwrap();
        peer.set_nonblocking(true).unwrap();
        let error = peer.read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);

        foreign(source.write_all(b"still")).unwrap();
        let mut buf = [0; 5];
        peer.read_exact(&mut buf).unwrap();
        assert_eq!(&buf, b"still");
        peer.write_all(b"open").unwrap();
        foreign(source.read_exact(&mut buf[..4])).unwrap();
        assert_eq!(&buf[..4], b"open");
    });
}

/// A reading task and a writing task may share a source.
#[test]
fn reader_and_writer_may_share() {
    const TOTAL: usize = 1 << 20;
    guarded(|| {
        let (source, peer) = tcp_pair();
        let (mut from, mut to) = (peer.try_clone().unwrap(), peer);
        let echo = std::thread::spawn(move || io::copy(&mut from, &mut to).unwrap());
        let data: Vec<u8> = (0..TOTAL).map(|n| (n * 7 + n / 251) as u8).collect();
        let mut got = vec![0; TOTAL];
        std::thread::scope(|scope| {
            scope.spawn(|| foreign((&source).write_all(&data)).unwrap());
            foreign((&source).read_exact(&mut got)).unwrap();
        });
        assert!(got == data);
        drop(source);
        assert_eq!(echo.join().unwrap(), TOTAL as u64);
    });
}

/// A single task may read and write concurrently.
#[test]
fn one_task_may_read_and_write() {
    guarded(|| {
        let (source, peer) = local_pair();
        let peer = Async::new(peer).unwrap();
        let data = vec![5; 500_000];
        let mut got = Vec::new();
        foreign(future::try_zip(
            async {
                (&source).write_all(&data).await?;
                source.get_ref().shutdown(std::net::Shutdown::Write)
            },
            aio::copy(&peer, &mut got),
        ))
        .unwrap();
        assert!(got == data);
    });
}

/// An object that records which of its methods are called. Its next calls can be made to fail.
#[derive(Default)]
struct Script {
    calls: Vec<&'static str>,
    failures: Vec<io::ErrorKind>,
}

impl Script {
    fn call(&mut self, name: &'static str) -> io::Result<usize> {
        self.calls.push(name);
        match self.failures.pop() {
            Some(kind) => Err(kind.into()),
            None => Ok(1),
        }
    }
}

struct Scripted(Local, Script);

as_object!(Scripted, |this| this.0);

impl Read for Scripted {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.1.call("read")
    }
    fn read_vectored(&mut self, _: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.1.call("read_vectored")
    }
}

impl Write for Scripted {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        self.1.call("write")
    }
    fn write_vectored(&mut self, _: &[IoSlice<'_>]) -> io::Result<usize> {
        self.1.call("write_vectored")
    }
    fn flush(&mut self) -> io::Result<()> {
        self.1.call("flush").map(drop)
    }
}

// SAFETY: the methods do not touch the stream.
unsafe impl IoSafe for Scripted {}

type Call = fn(Pin<&mut Async<Scripted>>, &mut Context<'_>) -> Poll<io::Result<()>>;

/// The six methods, with the name of the method of the object that each must call.
const CALLS: [(&str, Call); 6] = [
    ("read", |io, cx| io.poll_read(cx, &mut [0]).map_ok(drop)),
    ("read_vectored", |io, cx| {
        io.poll_read_vectored(cx, &mut []).map_ok(drop)
    }),
    ("write", |io, cx| io.poll_write(cx, &[0]).map_ok(drop)),
    ("write_vectored", |io, cx| {
        io.poll_write_vectored(cx, &[]).map_ok(drop)
    }),
    ("flush", |io, cx| io.poll_flush(cx)),
    ("flush", |io, cx| io.poll_close(cx)),
];

/// Creates a source over a stream that is both readable and writable.
fn scripted(failures: &[io::ErrorKind]) -> (Async<Scripted>, Local) {
    let (stream, mut peer) = pair();
    peer.write_all(b"x").unwrap();
    let script = Script {
        failures: failures.to_vec(),
        ..Script::default()
    };
    (Async::new(Scripted(stream, script)).unwrap(), peer)
}

/// Each method calls the method of the object with the same name, once, before any wait.
#[test]
fn each_method_calls_its_own() {
    for (name, call) in CALLS {
        let (mut source, _peer) = scripted(&[]);
        let mut cx = Context::from_waker(Waker::noop());
        ready(call(Pin::new(&mut source), &mut cx)).unwrap();
        assert_eq!(source.get_ref().1.calls, [name]);
    }
}

/// `Interrupted` is returned, like every error except `WouldBlock`.
#[test]
fn interrupted_is_returned() {
    for (name, call) in CALLS {
        let (mut source, _peer) = scripted(&[io::ErrorKind::Interrupted]);
        let mut cx = Context::from_waker(Waker::noop());
        let error = ready(call(Pin::new(&mut source), &mut cx)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Interrupted, "{name}");
        assert_eq!(source.get_ref().1.calls, [name]);
    }
}

/// On `WouldBlock` each method waits for its direction and calls the same method again.
#[test]
fn wouldblock_leads_to_another_call() {
    guarded(|| {
        for (name, call) in CALLS {
            let (mut source, _peer) = scripted(&[io::ErrorKind::WouldBlock; 3]);
            foreign(future::poll_fn(|cx| call(Pin::new(&mut source), cx))).unwrap();
            assert_eq!(source.get_ref().1.calls, [name; 4]);
        }
    });
}
