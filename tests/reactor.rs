//! The reactor as part of the process: its thread, its descriptors, its limits. (`wakers.rs` tests
//! what wakers may do.)
//!
//! Not tested here: the order of wake-ups within a turn and the system calls of a turn, which are
//! implementation details. When the fallback thread starts is up to this crate, so only its own
//! promises about that are tested. async-io 2.6 panics if the system refuses a resource; this crate
//! returns errors instead, and those are tested.
#![cfg(target_os = "linux")]

mod support;

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use async_io::{Async, Timer, block_on};
use support::procfs::{all_descriptors, fallback_threads, thread_count};
use support::raw::{self, Target};
use support::*;

const SHORT: Duration = Duration::from_millis(5);

/// Exactly one additional thread, named `async-io`, drives I/O and timers under any number of
/// foreign executors. No call of `block_on` is needed.
#[test]
fn one_thread_drives_everything() {
    isolated("one_thread_drives_everything", || {
        assert_eq!(fallback_threads().len(), 0);
        let before = thread_count();
        foreign(Timer::after(SHORT));
        let mut pairs: Vec<_> = (0..200).map(|_| local_pair()).collect();
        for (source, peer) in &mut pairs {
            assert!(poll_now(source.readable()).is_pending());
            peer.write_all(b"x").unwrap();
        }
        for (source, _) in &pairs {
            foreign(async {
                Timer::after(Duration::from_micros(10)).await;
                source.readable().await.unwrap();
            });
        }
        assert_eq!((fallback_threads().len(), thread_count()), (1, before + 1));
        block_on(Timer::after(SHORT));
        assert_eq!((fallback_threads().len(), thread_count()), (1, before + 1));
    });
}

/// A wait is driven no matter which thread drove before: under a foreign executor after a
/// `block_on`, and in `block_on` after a foreign executor. This holds on one thread and on several.
#[test]
fn executors_may_take_turns() {
    isolated("executors_may_take_turns", || {
        let turns = || {
            let (source, mut peer) = local_pair();
            for _ in 0..100 {
                foreign(Timer::after(Duration::from_micros(200)));
                block_on(Timer::after(Duration::from_micros(200)));
                foreign(Timer::after(Duration::from_micros(200)));
                peer.write_all(b"x").unwrap();
                block_on(source.readable()).unwrap();
                source.get_ref().take_all();
                assert!(poll_now(source.readable()).is_pending());
                let waiter = source.readable();
                peer.write_all(b"x").unwrap();
                foreign(waiter).unwrap();
                source.get_ref().take_all();
            }
        };
        turns();
        thread::scope(|scope| {
            scope.spawn(turns);
            scope.spawn(turns);
        });
    });
}

/// Creating timers, and polling one that is due, starts no thread.
#[test]
fn due_timers_need_no_thread() {
    isolated("due_timers_need_no_thread", || {
        let before = thread_count();
        let timer = Timer::after(HOUR);
        assert!(foreign(Timer::after(Duration::ZERO)) <= Instant::now());
        drop((timer, Timer::never(), Timer::interval(SHORT)));
        assert_eq!((fallback_threads().len(), thread_count()), (0, before));
    });
}

/// If all waits of a `block_on` have its own waker, it drives them itself and never starts a second
/// thread.
#[test]
fn block_on_needs_no_thread() {
    isolated("block_on_needs_no_thread", || {
        let before = thread_count();
        for _ in 0..20 {
            let (source, mut peer) = local_pair();
            block_on(async {
                Timer::after(Duration::from_millis(1)).await;
                peer.write_all(b"x").unwrap();
                source.readable().await.unwrap();
                source.read_with(|mut io| io.read(&mut [0])).await.unwrap();
                source.writable().await.unwrap();
                let mut interval = Timer::interval(Duration::from_millis(1));
                (&mut interval).await;
                (&mut interval).await;
            });
            assert_eq!((fallback_threads().len(), thread_count()), (0, before));
        }
    });
}

/// The reactor's descriptors are closed on exec.
#[test]
fn no_descriptor_survives_exec() {
    isolated("no_descriptor_survives_exec", || {
        let before = all_descriptors();
        let (source, _peer) = local_pair();
        foreign(Timer::after(SHORT));
        block_on(Timer::after(SHORT));
        assert!(poll_now(source.readable()).is_pending());
        let after = all_descriptors();
        // The two descriptors of the pair and at least one of the reactor.
        assert!(after.len() >= before.len() + 3);
        for number in after.iter().filter(|number| !before.contains(number)) {
            // The descriptor of the listing itself is closed by now.
            let Ok(info) = std::fs::read_to_string(format!("/proc/self/fdinfo/{number}")) else {
                continue;
            };
            let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
            let flags = i32::from_str_radix(flags.unwrap().trim(), 8).unwrap();
            assert!(flags & libc::O_CLOEXEC != 0, "{number}: {info}");
        }
    });
}

/// If the system refuses descriptors to the reactor, fallible functions return an error, infallible
/// ones still work, and nothing panics. Everything works again once descriptors are available.
#[test]
fn a_lack_of_descriptors_is_an_error() {
    isolated("a_lack_of_descriptors_is_an_error", || {
        let (stream, mut peer) = UnixStream::pair().unwrap();
        let usual = limit_descriptors(Some(3));
        let result = Async::new(&stream).map(drop);
        let slept = Instant::now();
        block_on(Timer::after(SHORT));
        foreign(Timer::after(SHORT));
        assert!(slept.elapsed() >= 2 * SHORT);
        limit_descriptors(usual);
        assert_eq!(result.unwrap_err().raw_os_error(), Some(libc::EMFILE));

        let source = Async::new(&stream).unwrap();
        let waiter = source.readable();
        peer.write_all(b"x").unwrap();
        foreign(waiter).unwrap();
        foreign(Timer::after(SHORT));
    });
}

/// A signal that interrupts the wait does no more than cause an empty turn.
#[test]
fn signals_do_not_disturb() {
    isolated("signals_do_not_disturb", || {
        raw::interrupt_by_sigusr1();
        let (source, mut peer) = local_pair();
        let deadline = Instant::now() + 6 * SHORT;
        let (started, has_started) = mpsc::channel();
        let sleeper = thread::spawn(move || {
            started.send(Target::current()).unwrap();
            block_on(Timer::at(deadline));
            assert!(Instant::now() >= deadline);
            block_on(source.readable()).unwrap();
        });
        // The thread is not joined before the last signal.
        let target = has_started.recv().unwrap();
        let storm = |until: &dyn Fn() -> bool| {
            while !until() {
                target.interrupt();
                thread::sleep(Duration::from_micros(500));
            }
        };
        storm(&|| Instant::now() > deadline + SHORT);
        peer.write_all(b"x").unwrap();
        storm(&|| sleeper.is_finished());
        sleeper.join().unwrap();
    });
}

/// Objects that a forked child drops stay intact in its parent.
#[test]
fn a_forked_child_leaves_the_parent_alone() {
    isolated("a_forked_child_leaves_the_parent_alone", || {
        let (source, mut peer) = local_pair();
        let mut source = Some(Arc::new(source));
        let (counter, waker) = Counter::new();
        let mut waiter = source.clone().map(Async::readable_owned);
        assert!(poll(waiter.as_mut().unwrap(), &waker).is_pending());
        settle();
        let status = raw::in_forked_child(|| {
            drop(waiter.take());
            drop(source.take());
        });
        assert_eq!(status, 0);
        peer.write_all(b"x").unwrap();
        counter.wait_for(1);
        foreign(waiter.unwrap()).unwrap();
        assert_eq!(source.unwrap().get_ref().take_all(), 1);
    });
}

trait TakeAll {
    fn take_all(&self) -> usize;
}

impl TakeAll for UnixStream {
    fn take_all(&self) -> usize {
        let mut stream: &UnixStream = self;
        let mut total = 0;
        loop {
            match stream.read(&mut [0; 64]) {
                Ok(count) => total += count,
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                    return total;
                }
            }
        }
    }
}
