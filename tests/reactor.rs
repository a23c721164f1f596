//! The reactor as part of the process: its thread, its descriptors, its limits. (`wakers.rs` tests
//! what wakers may do.)
//!
//! Not tested here: the order of wake-ups within a turn and the system calls of a turn, which are
//! implementation details. When the fallback thread starts is up to this crate, so only its own
//! promises about that are tested. async-io 2.6 panics if the system refuses a resource; this crate
//! returns errors instead, and those are tested.
#![cfg(target_os = "linux")]
// Signals and fork need unsafe code.
#![allow(unsafe_code)]

mod support;

use std::collections::HashSet;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::thread::JoinHandleExt;
use std::thread;
use std::time::{Duration, Instant};

use async_io::{Async, Timer, block_on};
use support::common::*;

const NAME: &str = "async-io";
const SHORT: Duration = Duration::from_millis(5);

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

/// Exactly one additional thread, named `async-io`, drives I/O and timers under any number of
/// foreign executors. No call of `block_on` is needed.
#[test]
fn one_thread_drives_everything() {
    isolated("one_thread_drives_everything", || {
        assert_eq!(threads_named(NAME), 0);
        let before = threads();
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
        assert_eq!((threads_named(NAME), threads()), (1, before + 1));
        block_on(Timer::after(SHORT));
        assert_eq!((threads_named(NAME), threads()), (1, before + 1));
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
        let before = threads();
        let timer = Timer::after(HOUR);
        assert!(foreign(Timer::after(Duration::ZERO)) <= Instant::now());
        drop((timer, Timer::never(), Timer::interval(SHORT)));
        assert_eq!((threads_named(NAME), threads()), (0, before));
    });
}

/// If all waits of a `block_on` have its own waker, it drives them itself and never starts a second
/// thread.
#[test]
fn block_on_needs_no_thread() {
    isolated("block_on_needs_no_thread", || {
        let before = threads();
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
            assert_eq!((threads_named(NAME), threads()), (0, before));
        }
    });
}

/// Returns the descriptors of this process.
fn descriptors() -> HashSet<String> {
    let entries = std::fs::read_dir("/proc/self/fd").unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

/// The reactor's descriptors are closed on exec.
#[test]
fn no_descriptor_survives_exec() {
    isolated("no_descriptor_survives_exec", || {
        let before = descriptors();
        let (source, _peer) = local_pair();
        foreign(Timer::after(SHORT));
        block_on(Timer::after(SHORT));
        assert!(poll_now(source.readable()).is_pending());
        let after = descriptors();
        // The two descriptors of the pair and at least one of the reactor.
        assert!(after.len() >= before.len() + 3);
        for number in after.difference(&before) {
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
    extern "C" fn ignore(_: libc::c_int) {}
    isolated("signals_do_not_disturb", || {
        // SAFETY: all zeros is a valid value, and the handler does nothing.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = ignore as extern "C" fn(libc::c_int) as usize;
            assert_eq!(
                libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut()),
                0
            );
        }
        let (source, mut peer) = local_pair();
        let deadline = Instant::now() + 6 * SHORT;
        let sleeper = thread::spawn(move || {
            block_on(Timer::at(deadline));
            assert!(Instant::now() >= deadline);
            block_on(source.readable()).unwrap();
        });
        let storm = |until: &dyn Fn() -> bool| {
            while !until() {
                // SAFETY: the thread has not been joined, so its handle is valid.
                unsafe {
                    libc::pthread_kill(sleeper.as_pthread_t() as libc::pthread_t, libc::SIGUSR1)
                };
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
        let (counter, waker) = Counter::new();
        let mut waiter = source.readable();
        assert!(poll(&mut waiter, &waker).is_pending());
        settle();
        // SAFETY: the child uses only what is passed to it here and exits without running other
        // code.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: sets a time limit and exits the process.
            unsafe {
                libc::alarm(LIMIT.as_secs() as u32 / 2);
                drop(waiter);
                drop(source);
                libc::_exit(0);
            }
        }
        let mut status = -1;
        // SAFETY: the status points to a local integer.
        assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
        assert_eq!(status, 0);
        peer.write_all(b"x").unwrap();
        counter.wait_for(1);
        foreign(waiter).unwrap();
        assert_eq!(source.get_ref().take_all(), 1);
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
