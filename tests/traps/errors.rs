//! Refusals by the system: limits, missing system calls, files that cannot be waited for.

use std::fs::File;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use async_io::{Async, Timer};
use futures_lite::future::zip;

use crate::support::procfs::highest_descriptor;
use crate::support::seccomp::{Filter, Reach, Verdict};
use crate::support::{Counter, Runner, foreign, isolated, limit_descriptors, poll, raw};

/// Opens as many descriptors as this process may have.
fn exhaust_descriptors() -> Vec<File> {
    limit_descriptors(Some(highest_descriptor() as u64 + 8));
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

/// Without a free descriptor, each `accept` returns an error, and the pending connection is not
/// lost.
#[test]
fn accept_without_descriptors_loses_no_connection() {
    isolated(
        "errors::accept_without_descriptors_loses_no_connection",
        || {
            let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0)).unwrap();
            let address = listener.get_ref().local_addr().unwrap();
            for runner in Runner::BOTH {
                // One connection exists before the first call, the other one arrives while a call
                // waits.
                let _early = TcpStream::connect(address).unwrap();
                let late = raw::socket(libc::AF_INET, libc::SOCK_STREAM);
                let mut taken = exhaust_descriptors();
                for _ in 0..10 {
                    let error = runner.block_on(listener.accept()).unwrap_err();
                    assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
                }
                taken.pop();
                let (_connection, _) = runner.block_on(listener.accept()).unwrap();

                // The system first allocates a descriptor and then looks for a connection.
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
        },
    );
}

/// Without a descriptor for the reactor, a registration fails. Later registrations succeed once
/// descriptors are available.
#[test]
fn a_lack_of_descriptors_fails_registrations_temporarily() {
    isolated(
        "errors::a_lack_of_descriptors_fails_registrations_temporarily",
        || {
            let (local, mut peer) = UnixStream::pair().unwrap();
            let copy = local.try_clone().unwrap();
            let taken = exhaust_descriptors();
            let error = Async::new(copy).unwrap_err();
            // The copy is closed when the registration fails. The one descriptor that this frees is
            // not enough.
            assert_eq!(error.raw_os_error(), Some(libc::EMFILE), "{error}");
            async_io::block_on(Timer::after(Duration::from_millis(1)));
            drop(taken);
            let source = Async::new(local).unwrap();
            peer.write_all(b"x").unwrap();
            foreign(source.readable()).unwrap();
        },
    );
}

/// async-io 2.6.0 panics without a poller, without threads and without notifications.
#[test]
fn nothing_panics_without_poller_threads_and_notifications() {
    isolated(
        "errors::nothing_panics_without_poller_threads_and_notifications",
        || {
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
                // The poll(2) back end needs only a pipe, and `polling` falls back to an older
                // system call for pipes.
                assert!(Async::new(object).is_err() || cfg!(polling_test_poll_backend));
            }
            for runner in Runner::BOTH {
                let start = Instant::now();
                let pause = Duration::from_millis(10);
                runner.block_on(zip(Timer::after(pause), Timer::after(pause / 2)));
                assert!(start.elapsed() >= pause);
            }
        },
    );
}

/// async-io 2.6.0 refuses a regular file with "Operation not permitted" and no explanation. Not
/// tested with the poll(2) back end, which accepts every file and reports it as always ready.
#[cfg(not(polling_test_poll_backend))]
#[test]
fn the_error_of_a_refused_file_states_the_reason() {
    let refused = |file: File| -> std::io::Error { Async::new(file).unwrap_err() };
    let place = tempfile::tempdir().unwrap();
    let regular = refused(tempfile::tempfile().unwrap());
    let directory = refused(File::open(place.path()).unwrap());
    for error in [regular, directory] {
        assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
        let text = error.to_string();
        assert!(text.contains("file") && text.len() > 50, "{text:?}");
    }
}
