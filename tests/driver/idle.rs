//! A process in which all threads wait sleeps: no thread wakes up periodically.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::task::Waker;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use async_io::{Async, Timer};

use crate::support::procfs::sleeps_of_all;
use crate::support::{Runner, foreign, isolated, poll};

/// Starts threads that each wait for a byte, and returns the streams that end their waits.
fn waiting(runners: &[Runner]) -> Vec<(UnixStream, JoinHandle<()>)> {
    let start = |runner: &Runner| {
        let runner = *runner;
        let (local, peer) = UnixStream::pair().unwrap();
        let thread = thread::spawn(move || {
            let source = Async::new(local).unwrap();
            runner.block_on(source.readable()).unwrap();
        });
        (peer, thread)
    };
    runners.iter().map(start).collect()
}

fn assert_nobody_wakes_up() {
    // Time for threads that have not yet gone to sleep.
    thread::sleep(Duration::from_millis(200));
    let before = sleeps_of_all();
    thread::sleep(Duration::from_secs(1));
    let sleeps = sleeps_of_all() - before;
    // One of them is the sleep of this thread.
    assert!(sleeps <= 5, "{sleeps} wake-ups in an idle second");
}

fn end(waiting: Vec<(UnixStream, JoinHandle<()>)>) {
    for (mut peer, thread) in waiting {
        peer.write_all(b"x").unwrap();
        thread.join().unwrap();
    }
}

#[test]
fn sleeping_block_on_threads_cause_no_periodic_wake_ups() {
    isolated(
        "idle::sleeping_block_on_threads_cause_no_periodic_wake_ups",
        || {
            let threads = waiting(&[Runner::Ours, Runner::Ours, Runner::Ours]);
            assert_nobody_wakes_up();
            end(threads);
        },
    );
}

#[test]
fn the_fallback_thread_causes_no_periodic_wake_ups() {
    isolated(
        "idle::the_fallback_thread_causes_no_periodic_wake_ups",
        || {
            let mut far = Timer::after(Duration::from_secs(600));
            assert!(poll(&mut far, Waker::noop()).is_pending());
            let threads = waiting(&[Runner::Foreign, Runner::Foreign]);
            assert_nobody_wakes_up();
            end(threads);
        },
    );
}

/// Threads of all kinds at the same time, after they have been busy.
#[test]
fn threads_sleep_again_after_work() {
    isolated("idle::threads_sleep_again_after_work", || {
        for _ in 0..50 {
            end(waiting(&[Runner::Ours, Runner::Foreign]));
            foreign(Timer::after(Duration::from_micros(100)));
        }
        let threads = waiting(&[Runner::Ours, Runner::Foreign, Runner::Ours]);
        let mut far = Timer::after(Duration::from_secs(600));
        assert!(poll(&mut far, Waker::noop()).is_pending());
        assert_nobody_wakes_up();
        end(threads);
    });
}

/// A thread that is away for long, blocked inside its `block_on`, causes no periodic wake-ups of
/// the watcher.
#[test]
fn a_blocked_thread_causes_no_periodic_wake_ups() {
    isolated("idle::a_blocked_thread_causes_no_periodic_wake_ups", || {
        let (release, released) = mpsc::channel::<()>();
        let (local, mut peer) = UnixStream::pair().unwrap();
        let away = thread::spawn(move || {
            let source = Async::new(local).unwrap();
            async_io::block_on(async {
                source.readable().await.unwrap();
                let _ = released.recv();
            });
        });
        let threads = waiting(&[Runner::Ours, Runner::Foreign]);
        peer.write_all(b"x").unwrap();
        assert_nobody_wakes_up();
        end(threads);
        drop(release);
        away.join().unwrap();
    });
}
