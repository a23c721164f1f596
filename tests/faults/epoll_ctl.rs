//! The set of sources is full or already contains the object.

#![cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]

use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use async_io::{Async, Timer};

use crate::support::seccomp::{Filter, Reach, Verdict};
use crate::support::{Counter, Runner, drain, fill, isolated, poll, shared_pair};

/// Makes every later `epoll_ctl` with this operation fail.
fn refuse(operation: libc::c_int, errno: libc::c_int) {
    Filter::new()
        .call_with(
            libc::SYS_epoll_ctl,
            (1, operation as u32),
            Verdict::Fail(errno),
        )
        .install(Reach::AllThreads);
}

/// Checks that a source that was registered before is still served.
fn still_served(source: &Async<UnixStream>, mut peer: &UnixStream) {
    for runner in Runner::BOTH {
        let (counter, waker) = Counter::new();
        let mut readable = source.readable();
        assert!(poll(&mut readable, &waker).is_pending());
        peer.write_all(b"x").unwrap();
        counter.wait_for(1);
        runner.block_on(readable).unwrap();
        source.get_ref().read_exact(&mut [0]).unwrap();
        runner.block_on(Timer::after(Duration::from_millis(1)));
    }
}

/// `ENOSPC`: the user has as many watches as the system allows (`fs.epoll.max_user_watches`).
#[test]
fn enospc_at_registration_is_an_error_that_names_the_limit() {
    isolated(
        "epoll_ctl::enospc_at_registration_is_an_error_that_names_the_limit",
        || {
            let (source, peer) = shared_pair();
            still_served(&source, &peer);
            refuse(libc::EPOLL_CTL_ADD, libc::ENOSPC);
            for _ in 0..3 {
                let (local, mut other_end) = UnixStream::pair().unwrap();
                let error = Async::new(local).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::StorageFull);
                assert!(error.to_string().contains("max_user_watches"), "{error}");
                // The object that could not be registered is closed and not leaked.
                assert_eq!(other_end.read(&mut [0]).unwrap(), 0);
            }
            still_served(&source, &peer);
        },
    );
}

/// The interest cannot be changed. The operation that needs the change gets the error. Readers of
/// the same source and other sources continue to work.
#[test]
fn enospc_at_rearming_affects_only_the_operation_that_rearms() {
    isolated(
        "epoll_ctl::enospc_at_rearming_affects_only_the_operation_that_rearms",
        || {
            let (source, peer) = shared_pair();
            let (other, other_peer) = shared_pair();
            still_served(&source, &peer);
            let written = fill(source.get_ref());
            refuse(libc::EPOLL_CTL_MOD, libc::ENOSPC);
            for runner in Runner::BOTH {
                let error = runner.block_on(source.writable()).unwrap_err();
                assert_eq!(error.raw_os_error(), Some(libc::ENOSPC));
                let write = source.write_with(|mut stream| stream.write(b"y"));
                let error = runner.block_on(write).unwrap_err();
                assert_eq!(error.raw_os_error(), Some(libc::ENOSPC));
                still_served(&other, &other_peer);
            }
            // An operation that need not wait needs no interest.
            drain(&peer, written);
            let write = source.write_with(|mut stream| stream.write(b"y"));
            assert_eq!(async_io::block_on(write).unwrap(), 1);
        },
    );
}

/// `EEXIST`: the same object is registered twice. The second registration fails, and the first
/// continues to work.
#[test]
fn eexist_at_registration_leaves_the_first_source_working() {
    let (source, peer) = shared_pair();
    for _ in 0..3 {
        let error = Async::new(source.get_ref().as_fd()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        still_served(&source, &peer);
    }
}
