//! What the system may refuse: limits, descriptors that the program closed, files that cannot be waited for.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use async_io::{Async, Timer};
use futures_lite::future::{poll_once, zip};

use crate::support::isolated::isolated;
use crate::support::procfs::{descriptors, fallback_thread, highest_descriptor, wait_until_asleep};
use crate::support::seccomp::{Filter, Reach, Verdict};
use crate::support::{Counter, Runner, assert_quiet, foreign_block_on, poll, raw};

/// Takes all descriptors that this process may have.
fn exhaust_descriptors() -> Vec<File> {
    raw::limit_descriptors(highest_descriptor() as u64 + 8);
    let mut taken = Vec::new();
    loop {
        match File::open("/dev/null") {
            Ok(file) => taken.push(file),
            Err(error) => {
                assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
                return taken;
            }
        }
    }
}

/// `accept` without a free descriptor is an error each time, and no reason to forget the connection that waits.
#[test]
fn t30_accept_without_descriptors() {
    isolated("errors::t30_accept_without_descriptors", || {
        let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0)).unwrap();
        let address = listener.get_ref().local_addr().unwrap();
        for runner in Runner::BOTH {
            // One connection is there before the first call, the other comes while the call waits.
            let _early = TcpStream::connect(address).unwrap();
            let late = raw::socket(libc::AF_INET, libc::SOCK_STREAM);
            let mut taken = exhaust_descriptors();
            for _ in 0..10 {
                let error = runner.block_on(listener.accept()).unwrap_err();
                assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
            }
            taken.pop();
            let (_connection, _) = runner.block_on(listener.accept()).unwrap();

            // The system looks for a free descriptor first, and for a connection second.
            taken.pop();
            let (counter, waker) = Counter::new();
            let mut accept = Box::pin(listener.accept());
            assert!(poll(&mut accept, &waker).is_pending());
            taken.push(File::open("/dev/null").unwrap());
            raw::connect(&late, address.port()).unwrap();
            counter.wait_for(1);
            let error = runner.block_on(accept).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
            taken.pop();
            let (_connection, _) = runner.block_on(listener.accept()).unwrap();
        }
    });
}

/// Without a descriptor for the reactor there is an error, and it is not remembered for ever.
#[test]
fn t39_no_descriptor_for_the_reactor() {
    isolated("errors::t39_no_descriptor_for_the_reactor", || {
        let (local, mut peer) = UnixStream::pair().unwrap();
        let copy = local.try_clone().unwrap();
        let taken = exhaust_descriptors();
        let error = Async::new(copy).unwrap_err();
        // The copy is closed with the error, which leaves one descriptor: not enough.
        assert_eq!(error.raw_os_error(), Some(libc::EMFILE), "{error}");
        async_io::block_on(Timer::after(Duration::from_millis(1)));
        drop(taken);
        let source = Async::new(local).unwrap();
        peer.write_all(b"x").unwrap();
        foreign_block_on(source.readable()).unwrap();
    });
}

/// Wherever our descriptors are closed, everybody who waits is served or told so.
fn close_and_go_on(kinds: &[&str], runner: Runner) {
    let (local, peer) = UnixStream::pair().unwrap();
    let source = Async::new(local).unwrap();
    let (other, mut other_peer) = UnixStream::pair().unwrap();
    let other = Async::new(other).unwrap();
    let reader = thread::spawn(move || {
        let mut byte = [0];
        let read = runner.block_on(source.read_with(|mut stream| stream.read(&mut byte)));
        // With the source, so that it lives until the end.
        (source, read)
    });
    let (counter, waker) = Counter::new();
    let mut readable = other.readable();
    assert!(poll(&mut readable, &waker).is_pending());
    wait_until_asleep(fallback_thread());

    for fd in kinds.iter().flat_map(|kind| descriptors(kind)) {
        raw::close(fd);
    }
    // One turn may still be under way in the kernel, on the set that has lost its number.
    for _ in 0..10 {
        other_peer.write_all(b"x").unwrap();
        counter.wait_for(1);
        // Served, or the error: both end it.
        let _ = runner.block_on(other.readable());
        other.get_ref().read_exact(&mut [0]).unwrap();
        let start = Instant::now();
        runner.block_on(Timer::after(Duration::from_millis(2)));
        assert!(start.elapsed() >= Duration::from_millis(2));
    }
    (&peer).write_all(b"x").unwrap();
    let (_source, read) = reader.join().unwrap();
    assert!(read.is_err() || read.is_ok_and(|count| count == 1));
    assert_quiet("after our descriptors were closed");
    if cfg!(any(async_io_portable, polling_test_poll_backend)) {
        // `polling` cannot open its poller again: errors, as before, are all that can be had.
        return;
    }
    // What is made afterwards has no part in it.
    let (local, mut peer) = UnixStream::pair().unwrap();
    let source = Async::new(local).unwrap();
    let read = async {
        let first = poll_once(source.readable()).await;
        assert!(first.is_none());
        peer.write_all(b"x").unwrap();
        source.readable().await
    };
    runner.block_on(read).unwrap();
}

/// Our set of sources is closed by the program. async-io 2.6.0 spins for ever.
#[test]
fn t51_set_of_sources_closed() {
    isolated("errors::t51_set_of_sources_closed", || {
        close_and_go_on(&["eventpoll"], Runner::Foreign);
    });
}

#[test]
fn t51_set_of_sources_closed_ours() {
    isolated("errors::t51_set_of_sources_closed_ours", || {
        close_and_go_on(&["eventpoll"], Runner::Ours);
    });
}

/// All that we have is closed, as daemons do that close whatever they do not know.
#[test]
fn t51_all_our_descriptors_closed() {
    isolated("errors::t51_all_our_descriptors_closed", || {
        close_and_go_on(&["eventpoll", "eventfd", "timerfd"], Runner::Foreign);
    });
}

/// Met in async-io 2.6.0: without a poller, without threads and without notifications the process ends in a panic.
#[test]
fn up4_nothing_ends_the_process() {
    isolated("errors::up4_nothing_ends_the_process", || {
        let (local, _peer) = UnixStream::pair().unwrap();
        let local_too = local.try_clone().unwrap();
        Filter::new()
            .call(libc::SYS_epoll_create1, Verdict::Fail(libc::EMFILE))
            .call(libc::SYS_eventfd2, Verdict::Fail(libc::EMFILE))
            .call(libc::SYS_pipe2, Verdict::Fail(libc::EMFILE))
            .call(libc::SYS_clone, Verdict::Fail(libc::EAGAIN))
            .call(libc::SYS_clone3, Verdict::Fail(libc::EAGAIN))
            .install(Reach::AllThreads);
        for object in [local, local_too] {
            assert!(Async::new(object).is_err());
        }
        for runner in Runner::BOTH {
            let start = Instant::now();
            let pause = Duration::from_millis(10);
            runner.block_on(zip(Timer::after(pause), Timer::after(pause / 2)));
            assert!(start.elapsed() >= pause);
        }
    });
}

/// Notifications that fail are no reason to end either: the wait ends by itself.
#[test]
fn up4_failing_notifications_end_nothing() {
    isolated("errors::up4_failing_notifications_end_nothing", || {
        async_io::block_on(Timer::after(Duration::from_millis(1)));
        let mut filter = Filter::new();
        for fd in descriptors("eventfd") {
            filter = filter.call_on(libc::SYS_write, fd, Verdict::Fail(libc::EBADF));
        }
        filter.install(Reach::AllThreads);
        let (send_waker, waker) = std::sync::mpsc::channel();
        let waking = thread::spawn(move || {
            let waker: std::task::Waker = waker.recv().unwrap();
            for _ in 0..1_000 {
                waker.wake_by_ref();
            }
            foreign_block_on(Timer::after(Duration::from_millis(5)));
        });
        async_io::block_on(async {
            let mut pause = Timer::after(Duration::from_millis(100));
            std::future::poll_fn(|cx| {
                let _ = send_waker.send(cx.waker().clone());
                poll(&mut pause, cx.waker())
            })
            .await;
        });
        waking.join().unwrap();
    });
}

/// Met in async-io 2.6.0: a regular file is refused with "Operation not permitted" and not a word more.
#[test]
fn up5_refused_files_are_told_why() {
    let refused = |file: File| -> io::Error { Async::new(file).unwrap_err() };
    let place = tempfile::tempdir().unwrap();
    let regular = refused(tempfile::tempfile().unwrap());
    let directory = refused(File::open(place.path()).unwrap());
    for error in [regular, directory] {
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        let text = error.to_string();
        assert!(text.contains("file") && text.len() > 50, "{text:?}");
    }
}
