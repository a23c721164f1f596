//! Notifications through the descriptor that interrupts waits. The tests find it as an eventfd. If
//! it is a pipe, they are left out, because it cannot be told apart from the pipes of the program.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use async_io::{Async, Timer};
use futures_lite::future::poll_once;

use crate::notify::count_up;
use crate::support::isolated;
use crate::support::procfs::descriptors;
use crate::support::raw;
use crate::support::seccomp::{Filter, Reach, Verdict};

/// A counter at its maximum accepts no further notification. The waiting thread is interrupted
/// nevertheless.
#[test]
fn a_full_notification_counter_still_interrupts_the_wait() {
    isolated(
        "interrupts::a_full_notification_counter_still_interrupts_the_wait",
        || {
            async_io::block_on(Timer::after(Duration::from_millis(100)));
            let files: Vec<_> = descriptors("eventfd")
                .into_iter()
                .map(raw::borrowed_file)
                .collect();
            assert!(!files.is_empty(), "no eventfd found");
            count_up(500, 1, true, |round| {
                if round % 5 == 1 {
                    files.iter().for_each(|file| fill_counter(file));
                }
            });
        },
    );
}

/// Sets an eventfd to its maximum value.
fn fill_counter(mut file: &File) {
    match file.read(&mut [0; 8]) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
    }
    match file.write_all(&(u64::MAX - 1).to_ne_bytes()) {
        Ok(()) => {}
        // A notification came in between. The next round tries again.
        Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
    }
}

/// A timer of the thread that will wait itself causes no notification. A filter kills the process
/// at the first write to the descriptor that interrupts waits. async-io 2.6.0 writes to it for
/// every timer.
#[test]
fn timers_of_the_waiting_thread_cause_no_notification() {
    isolated(
        "interrupts::timers_of_the_waiting_thread_cause_no_notification",
        || {
            // A timer alone might be due at its first poll, and then no wait would be necessary.
            let (source, _peer) = UnixStream::pair().unwrap();
            let _source = Async::new(source).unwrap();
            let mut filter = Filter::new();
            let notifiers = descriptors("eventfd");
            assert!(!notifiers.is_empty(), "no eventfd found");
            for fd in notifiers {
                filter = filter.call_on(libc::SYS_write, fd, Verdict::KillProcess);
            }
            filter.install(Reach::ThisThread);
            for round in 0..200 {
                async_io::block_on(Timer::after(Duration::from_micros(round)));
            }
            async_io::block_on(async {
                // Each timer is earlier than the one before. All but the last are cancelled.
                for millis in (1..100).rev() {
                    assert!(
                        poll_once(Timer::after(Duration::from_millis(millis)))
                            .await
                            .is_none()
                    );
                }
                Timer::after(Duration::from_millis(1)).await;
            });
        },
    );
}
