//! What the descriptor that interrupts waits is written to, and how often. Where it is no eventfd, these cannot tell it from
//! the program's own pipes.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use async_io::{Async, Timer};
use futures_lite::future::poll_once;

use crate::notify::count_up;
use crate::support::isolated::isolated;
use crate::support::procfs::descriptors;
use crate::support::raw;
use crate::support::seccomp::{Filter, Reach, Verdict};

/// A counter at its highest value takes no further notification; the waiting thread is interrupted all the same.
#[test]
fn t28_notifications_to_a_full_counter() {
    isolated("interrupts::t28_notifications_to_a_full_counter", || {
        async_io::block_on(Timer::after(Duration::from_millis(100)));
        let files: Vec<_> = descriptors("eventfd")
            .into_iter()
            .map(raw::borrowed_file)
            .collect();
        assert!(!files.is_empty(), "how are waits interrupted?");
        count_up(500, 1, true, |round| {
            if round % 5 == 1 {
                files.iter().for_each(|file| fill_counter(file));
            }
        });
    });
}

/// Sets an eventfd to the highest value that it can have.
fn fill_counter(mut file: &File) {
    match file.read(&mut [0; 8]) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
    }
    match file.write_all(&(u64::MAX - 1).to_ne_bytes()) {
        Ok(()) => {}
        // A notification came in between; the next round tries again.
        Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
    }
}

/// A timer of the thread that will wait itself notifies nobody: a filter kills the process at the first write to
/// the descriptor that interrupts waits. async-io 2.6.0 writes to it for every timer.
#[test]
fn t23_own_timers_notify_nobody() {
    isolated("interrupts::t23_own_timers_notify_nobody", || {
        // A timer alone might be due when it is looked at first, and then nothing has to wait.
        let (source, _peer) = UnixStream::pair().unwrap();
        let _source = Async::new(source).unwrap();
        let mut filter = Filter::new();
        let notifiers = descriptors("eventfd");
        assert!(!notifiers.is_empty(), "how are waits interrupted?");
        for fd in notifiers {
            filter = filter.call_on(libc::SYS_write, fd, Verdict::KillProcess);
        }
        filter.install(Reach::ThisThread);
        for round in 0..200 {
            async_io::block_on(Timer::after(Duration::from_micros(round)));
        }
        async_io::block_on(async {
            // Each is earlier than the one before; all but the last are cancelled.
            for millis in (1..100).rev() {
                assert!(
                    poll_once(Timer::after(Duration::from_millis(millis)))
                        .await
                        .is_none()
                );
            }
            Timer::after(Duration::from_millis(1)).await;
        });
    });
}
