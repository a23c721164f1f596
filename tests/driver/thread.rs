//! The fallback thread exists if a wait needs it, and otherwise does not. There is at most one.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use async_executor::LocalExecutor;
use async_io::{Async, Timer};
use futures_lite::AsyncReadExt;
use futures_lite::future::{or, poll_once, zip};

use crate::support::procfs::{fallback_thread, fallback_threads, own_status, status, thread_count};
use crate::support::{Counter, HOUR, foreign, isolated, panicking_waker, poll, raw, until};

/// Waits of every kind with the waker of `block_on` itself.
async fn local_waits() {
    let (local, mut peer) = UnixStream::pair().unwrap();
    let mut stream = Async::new(local).unwrap();
    for _ in 0..20 {
        let mut byte = [0];
        let write = async {
            Timer::after(Duration::from_micros(200)).await;
            peer.write_all(b"x").unwrap();
        };
        let (read, ()) = zip(stream.read_exact(&mut byte), write).await;
        read.unwrap();
        assert!(poll_once(stream.readable()).await.is_none());
        stream.writable().await.unwrap();
        or(
            async { Timer::after(Duration::from_secs(600)).await },
            async { Timer::after(Duration::from_micros(100)).await },
        )
        .await;
    }
}

/// Waits with the waker of a running `block_on` never start a second thread. async-io 2.6.0 always
/// has one.
#[test]
fn local_waits_need_no_thread() {
    isolated("thread::local_waits_need_no_thread", || {
        let before = thread_count();
        for _ in 0..3 {
            async_io::block_on(local_waits());
            async_io::block_on(async { async_io::block_on(local_waits()) });
        }
        assert!(fallback_threads().is_empty());
        assert_eq!(thread_count(), before);
    });
}

/// Waits that are cancelled when `block_on` ends, because they have lost a race, start no thread
/// either.
#[test]
fn losers_of_a_race_need_no_thread() {
    isolated("thread::losers_of_a_race_need_no_thread", || {
        let (local, _peer) = UnixStream::pair().unwrap();
        let stream = Async::new(local).unwrap();
        let late = async { Timer::after(Duration::from_secs(600)).await.elapsed() };
        let soon = async { Timer::after(Duration::from_millis(1)).await.elapsed() };
        let never = async { stream.readable().await.map(|()| Duration::ZERO).unwrap() };
        async_io::block_on(or(or(late, never), soon));
        assert!(fallback_threads().is_empty());
    });
}

/// Objects that are not waited for, and operations that need not wait, start no thread either, on
/// any thread.
#[test]
fn what_does_not_wait_needs_no_thread() {
    isolated("thread::what_does_not_wait_needs_no_thread", || {
        let before = thread_count();
        let (local, mut peer) = UnixStream::pair().unwrap();
        let mut stream = Async::new(local).unwrap();
        peer.write_all(b"x").unwrap();
        foreign(stream.read_exact(&mut [0])).unwrap();
        foreign(Timer::after(Duration::ZERO));
        drop(Timer::after(Duration::from_secs(1)));
        drop(stream);
        assert_eq!(thread_count(), before);
    });
}

/// Two threads with local waits start no third thread, and one that computes does not delay the
/// other.
#[test]
fn two_threads_with_local_waits_need_no_third() {
    isolated("thread::two_threads_with_local_waits_need_no_third", || {
        let stop = Arc::new(AtomicBool::new(false));
        let (local, mut peer) = UnixStream::pair().unwrap();
        let is_computing = Arc::new(AtomicBool::new(false));
        let (told_to_stop, computes) = (stop.clone(), is_computing.clone());
        let computing = thread::spawn(move || {
            let source = Async::new(local).unwrap();
            async_io::block_on(async {
                source.readable().await.unwrap();
                computes.store(true, Ordering::Release);
                while !told_to_stop.load(Ordering::Acquire) {
                    std::hint::spin_loop();
                }
            });
        });
        async_io::block_on(local_waits());
        peer.write_all(b"x").unwrap();
        async_io::block_on(async {
            while !is_computing.load(Ordering::Acquire) {
                Timer::after(Duration::from_micros(100)).await;
            }
            local_waits().await;
        });
        assert!(fallback_threads().is_empty());
        stop.store(true, Ordering::Release);
        computing.join().unwrap();
        async_io::block_on(local_waits());
        assert!(fallback_threads().is_empty());
    });
}

/// Waits of foreign executors start the fallback thread, and share it.
#[test]
fn foreign_waits_share_one_thread() {
    isolated("thread::foreign_waits_share_one_thread", || {
        let waits = [(); 4].map(|()| {
            thread::spawn(|| {
                for _ in 0..20 {
                    foreign(Timer::after(Duration::from_micros(100)));
                    foreign(local_waits());
                    async_io::block_on(Timer::after(Duration::from_micros(100)));
                }
            })
        });
        for wait in waits {
            wait.join().unwrap();
        }
        until("the thread has its name", || fallback_threads().len() == 1);
        foreign(local_waits());
        assert_eq!(fallback_threads().len(), 1);
    });
}

/// Waits that remain in an executor that no longer runs are not local. The fallback thread drives
/// them.
#[test]
fn waits_left_behind_by_block_on_use_the_fallback_thread() {
    isolated(
        "thread::waits_left_behind_by_block_on_use_the_fallback_thread",
        || {
            let executor = LocalExecutor::new();
            let (counter, waker) = Counter::new();
            let mut far = Timer::after(Duration::from_secs(600));
            let mut near = Timer::after(Duration::from_millis(5));
            let due = async_io::block_on(executor.run(async {
                assert!(poll(&mut far, &waker).is_pending());
                poll(&mut near, &waker).is_ready()
            }));
            fallback_thread();
            assert_eq!(fallback_threads().len(), 1);
            if !due {
                counter.wait_for(1);
            }
        },
    );
}

/// A caller of `reactor_fd` waits in ways that the crate cannot observe, so the fallback thread
/// must exist.
#[test]
fn reactor_fd_comes_with_the_thread() {
    isolated("thread::reactor_fd_comes_with_the_thread", || {
        let fd = async_io::os::unix::reactor_fd();
        assert_eq!(fd.is_none(), cfg!(polling_test_poll_backend));
        if fd.is_some() {
            fallback_thread();
            assert_eq!(fallback_threads().len(), 1);
        }
    });
}

/// The fallback thread belongs to the library: no signal handler of the program may run on it.
#[test]
fn the_thread_blocks_all_signals() {
    isolated("thread::the_thread_blocks_all_signals", || {
        let own_before = own_status("SigBlk");
        foreign(Timer::after(Duration::from_millis(100)));
        let blocked = status(fallback_thread(), "SigBlk").unwrap();
        let blocked = u64::from_str_radix(&blocked, 16).unwrap();
        // Signals 9 and 19 cannot be blocked; 32 to 34 belong to the C library.
        let signals = (1..=64).filter(|signal| ![9, 19, 32, 33, 34].contains(signal));
        for signal in signals {
            assert!(
                blocked & (1 << (signal - 1)) != 0,
                "signal {signal} is not blocked"
            );
        }
        assert_eq!(
            own_status("SigBlk"),
            own_before,
            "the thread that started it"
        );
    });
}

/// The thread that waits first may be pinned to one processor. The fallback thread is not.
#[test]
fn the_thread_is_not_pinned() {
    isolated("thread::the_thread_is_not_pinned", || {
        let everywhere = own_status("Cpus_allowed");
        raw::pin_to_one_processor();
        foreign(Timer::after(Duration::from_millis(100)));
        let allowed = status(fallback_thread(), "Cpus_allowed").unwrap();
        assert_eq!(allowed, everywhere);
    });
}

/// The fallback thread survives panics of the wakers that it calls, and continues to serve.
#[test]
fn the_thread_survives_panics_of_wakers() {
    isolated("thread::the_thread_survives_panics_of_wakers", || {
        let waker = panicking_waker();
        // Pending even on a slow machine, so that the thread starts.
        let mut timer = Timer::after(HOUR);
        assert!(poll(&mut timer, &waker).is_pending());
        let thread = fallback_thread();
        timer.set_after(Duration::from_millis(1));
        for _ in 0..10 {
            let (local, mut peer) = UnixStream::pair().unwrap();
            let source = Async::new(local).unwrap();
            let mut readable = source.readable();
            assert!(poll(&mut readable, &waker).is_pending());
            peer.write_all(b"x").unwrap();
            foreign(source.readable()).unwrap();
            source.get_ref().read_exact(&mut [0]).unwrap();
        }
        assert_eq!(fallback_threads(), [thread]);
    });
}
