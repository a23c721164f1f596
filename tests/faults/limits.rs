//! No descriptors are left in the whole system (`ENFILE`). `tests/traps.rs` tests the limit of the
//! process (`EMFILE`).

#![cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use async_io::{Async, Timer};

use crate::support::seccomp::{Filter, Reach, Verdict};
use crate::support::{Runner, foreign, isolated};

fn timers_go_on() {
    for runner in Runner::BOTH {
        let (start, span) = (Instant::now(), Duration::from_millis(2));
        runner.block_on(Timer::after(span));
        assert!(start.elapsed() >= span);
    }
}

/// Each attempt returns the error. The connection is accepted afterwards, here by a thread without
/// the refusal.
#[test]
fn enfile_from_accept_loses_no_connection() {
    isolated("limits::enfile_from_accept_loses_no_connection", || {
        let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0)).unwrap();
        let address = listener.get_ref().local_addr().unwrap();
        let (other, mut other_peer) = UnixStream::pair().unwrap();
        let other = Async::new(other).unwrap();
        let _connection = TcpStream::connect(address).unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                Filter::new()
                    .call(libc::SYS_accept4, Verdict::Fail(libc::ENFILE))
                    .install(Reach::ThisThread);
                for runner in Runner::BOTH {
                    let error = runner.block_on(listener.accept()).unwrap_err();
                    assert_eq!(error.raw_os_error(), Some(libc::ENFILE));
                }
            });
        });
        async_io::block_on(listener.accept()).unwrap();
        other_peer.write_all(b"x").unwrap();
        foreign(other.readable()).unwrap();
    });
}

/// One of the calls that create the poller is refused. The registration gets the error; timers and
/// `block_on` continue to work.
#[cfg(not(polling_test_poll_backend))]
fn without_poller(call: libc::c_long) {
    Filter::new()
        .call(call, Verdict::Fail(libc::ENFILE))
        .install(Reach::AllThreads);
    for _ in 0..3 {
        let (local, _peer) = UnixStream::pair().unwrap();
        let error = Async::new(local).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENFILE));
        timers_go_on();
    }
}

#[cfg(not(polling_test_poll_backend))]
#[test]
fn enfile_from_epoll_create_fails_only_registrations() {
    isolated(
        "limits::enfile_from_epoll_create_fails_only_registrations",
        || {
            without_poller(libc::SYS_epoll_create1);
        },
    );
}

/// `polling` uses a pipe in that case.
#[cfg(not(any(async_io_portable, polling_test_poll_backend)))]
#[test]
fn enfile_from_eventfd_fails_only_registrations() {
    isolated(
        "limits::enfile_from_eventfd_fails_only_registrations",
        || {
            without_poller(libc::SYS_eventfd2);
        },
    );
}

/// Without a timerfd, the time-out of the wait itself is used.
#[test]
fn enfile_from_timerfd_has_no_effect() {
    isolated("limits::enfile_from_timerfd_has_no_effect", || {
        Filter::new()
            .call(libc::SYS_timerfd_create, Verdict::Fail(libc::ENFILE))
            .install(Reach::AllThreads);
        timers_go_on();
        let (local, mut peer) = UnixStream::pair().unwrap();
        let source = Async::new(local).unwrap();
        for runner in Runner::BOTH {
            peer.write_all(b"x").unwrap();
            runner.block_on(source.readable()).unwrap();
            timers_go_on();
        }
    });
}
