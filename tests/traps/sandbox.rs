//! System calls that are missing or forbidden, as on old kernels and in sandboxes.

#![cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]

use std::ffi::{c_int, c_long};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use async_io::{Async, Reactor, Timer};
use futures_lite::future::zip;
use futures_lite::{AsyncReadExt, FutureExt};

use crate::support::seccomp::{Filter, Reach, Verdict};
use crate::support::{Counter, Runner, STEP, foreign, isolated, poll, poll_readable, until};

fn refuse(calls: &[c_long], errno: c_int) {
    let filter = calls.iter().fold(Filter::new(), |filter, call| {
        filter.call(*call, Verdict::Fail(errno))
    });
    filter.install(Reach::AllThreads);
}

/// Checks that timers of all durations fire and are not early.
fn timers_work(runner: Runner) {
    for micros in [0, 1, 300, 999, 1_500, 20_000] {
        let pause = Duration::from_micros(micros);
        let start = Instant::now();
        runner.block_on(Timer::after(pause));
        assert!(start.elapsed() >= pause, "{pause:?} ended early");
    }
    // A second timer, earlier than the awaited one.
    let start = Instant::now();
    let far = async {
        Timer::after(Duration::from_secs(600)).await;
    };
    let near = async {
        Timer::after(Duration::from_millis(3)).await;
    };
    runner.block_on(far.or(near));
    assert!(start.elapsed() >= Duration::from_millis(3));
}

/// Checks that a byte is received that is sent while the reader waits. Only one thread is needed.
fn io_works(runner: Runner) {
    let (local, mut peer) = UnixStream::pair().unwrap();
    let mut stream = Async::new(local).unwrap();
    for round in 0..20 {
        let mut byte = [0];
        let send = async {
            Timer::after(Duration::from_millis(1)).await;
            peer.write_all(&[round]).unwrap();
        };
        let (read, ()) = runner.block_on(zip(stream.read_exact(&mut byte), send));
        read.unwrap();
        assert_eq!(byte, [round]);
    }
}

/// Checks that two threads can interrupt each other's waits.
fn notifications_work() {
    let (ask, asked) = async_channel::bounded(1);
    let (answer, answered) = async_channel::bounded(1);
    let other = thread::spawn(move || {
        async_io::block_on(async {
            let echo = async {
                while let Ok(number) = asked.recv().await {
                    answer.send(number).await.unwrap();
                }
            };
            let far = async {
                Timer::after(Duration::from_secs(600)).await;
            };
            echo.or(far).await;
        });
    });
    async_io::block_on(async {
        for number in 0..100 {
            ask.send(number).await.unwrap();
            assert_eq!(answered.recv().await.unwrap(), number);
            Timer::after(Duration::from_micros(10)).await;
        }
    });
    drop(ask);
    other.join().unwrap();
}

/// Checks that a timer fires while the thread that has polled for all threads is busy.
fn busy_threads_are_replaced() {
    let is_done = Arc::new(AtomicBool::new(false));
    let is_done_elsewhere = Arc::clone(&is_done);
    let busy = thread::spawn(move || {
        async_io::block_on(async {
            Timer::after(Duration::from_millis(20)).await;
            until("the other thread is done", || {
                is_done_elsewhere.load(Ordering::Acquire)
            });
        });
    });
    // Gives the other thread time to become the leader.
    thread::sleep(Duration::from_millis(10));
    async_io::block_on(Timer::after(Duration::from_millis(40)));
    is_done.store(true, Ordering::Release);
    busy.join().unwrap();
}

fn all_works() {
    // The first check runs without the fallback thread, which would watch as well.
    busy_threads_are_replaced();
    for runner in Runner::BOTH {
        timers_work(runner);
        io_works(runner);
    }
    notifications_work();
}

#[test]
fn everything_works_without_timerfd() {
    isolated("sandbox::everything_works_without_timerfd", || {
        refuse(&[libc::SYS_timerfd_create], libc::ENOSYS);
        all_works();
    });
}

#[test]
fn everything_works_if_timerfd_is_forbidden() {
    isolated("sandbox::everything_works_if_timerfd_is_forbidden", || {
        refuse(&[libc::SYS_timerfd_create], libc::EPERM);
        all_works();
    });
}

#[test]
fn everything_works_if_programming_a_timerfd_is_forbidden() {
    isolated(
        "sandbox::everything_works_if_programming_a_timerfd_is_forbidden",
        || {
            refuse(&[libc::SYS_timerfd_settime], libc::EPERM);
            all_works();
        },
    );
}

#[test]
fn everything_works_without_eventfd() {
    isolated("sandbox::everything_works_without_eventfd", || {
        refuse(&[libc::SYS_eventfd2], libc::ENOSYS);
        all_works();
    });
}

#[test]
fn everything_works_if_eventfd_is_forbidden() {
    isolated("sandbox::everything_works_if_eventfd_is_forbidden", || {
        refuse(&[libc::SYS_eventfd2], libc::EPERM);
        all_works();
    });
}

/// The wait with a finer clock exists since Linux 5.11. Some sandboxes forbid unknown system calls.
#[test]
fn everything_works_without_epoll_pwait2() {
    isolated("sandbox::everything_works_without_epoll_pwait2", || {
        refuse(&[libc::SYS_epoll_pwait2], libc::ENOSYS);
        all_works();
    });
}

#[test]
fn everything_works_with_the_oldest_calls_only() {
    isolated(
        "sandbox::everything_works_with_the_oldest_calls_only",
        || {
            let calls = [
                libc::SYS_epoll_pwait2,
                libc::SYS_timerfd_create,
                libc::SYS_eventfd2,
            ];
            refuse(&calls, libc::EPERM);
            all_works();
        },
    );
}

/// Without a poller a registration fails. Timers and `block_on` continue to work.
#[cfg(not(polling_test_poll_backend))]
#[test]
fn only_registrations_fail_without_epoll() {
    isolated("sandbox::only_registrations_fail_without_epoll", || {
        refuse(&[libc::SYS_epoll_create1], libc::ENOSYS);
        for _ in 0..3 {
            let (local, _peer) = UnixStream::pair().unwrap();
            let error = Async::new(local).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::ENOSYS));
        }
        assert!(async_io::os::unix::reactor_fd().is_none());
        timers_work(Runner::Ours);
        timers_work(Runner::Foreign);
        notifications_work();
    });
}

/// Without threads no thread drives the reactor for foreign executors. Their waits for I/O get an
/// error, their timers fire nevertheless, and everything inside `block_on` works. async-io 2.6.0
/// panics.
#[test]
fn only_foreign_waits_for_io_fail_without_threads() {
    isolated(
        "sandbox::only_foreign_waits_for_io_fail_without_threads",
        || {
            refuse(&[libc::SYS_clone, libc::SYS_clone3], libc::EAGAIN);
            thread::Builder::new()
                .spawn(|| {})
                .expect_err("threads are refused");
            for _ in 0..3 {
                let (local, mut peer) = UnixStream::pair().unwrap();
                let mut source = Async::new(local).unwrap();
                for error in [
                    foreign(source.readable()).unwrap_err(),
                    foreign(source.read(&mut [0])).unwrap_err(),
                    foreign(std::future::poll_fn(|cx| source.poll_readable(cx))).unwrap_err(),
                ] {
                    // The system returns `EAGAIN`. The caller of a read would interpret that as
                    // "would block".
                    assert_ne!(error.kind(), ErrorKind::WouldBlock, "{error}");
                }
                // An operation that does not wait needs no thread.
                peer.write_all(b"x").unwrap();
                foreign(source.read_with(|mut stream| stream.read(&mut [0]))).unwrap();

                timers_work(Runner::Foreign);
                timers_work(Runner::Ours);
                io_works(Runner::Ours);
            }
        },
    );
}

/// A task waits for a private reactor that a thread drives. When the thread leaves, no other thread can
/// take over. The task is woken, and the next poll returns the error.
#[test]
fn tasks_are_woken_if_the_last_thread_leaves_without_a_successor() {
    isolated(
        "sandbox::tasks_are_woken_if_the_last_thread_leaves_without_a_successor",
        || {
            refuse(&[libc::SYS_clone, libc::SYS_clone3], libc::EAGAIN);
            for is_manual in [false, true] {
                let builder = Reactor::builder().name("threadless");
                let reactor = builder.fallback_thread(!is_manual).build().unwrap();
                let (counter, waker) = Counter::new();
                let (timed, timed_waker) = Counter::new();
                let start = Instant::now();
                let (source, mut timer, peer) = reactor.block_on(async {
                    let (local, peer) = UnixStream::pair().unwrap();
                    let source = Async::new(local).unwrap();
                    let mut timer = Timer::after(STEP);
                    assert!(poll_readable(&source, &waker).is_pending());
                    assert!(poll(&mut timer, &timed_waker).is_pending());
                    (source, timer, peer)
                });
                drop(reactor);
                assert_eq!((counter.wakes(), timed.wakes()), (1, 1));
                let again = source.reactor();
                for _ in 0..10 {
                    let waits = || poll_readable(&source, &waker).is_pending();
                    assert!(again.block_on(async { waits() }));
                }
                drop(again);
                assert_eq!(counter.wakes(), 1, "each call wakes the task");
                let Poll::Ready(Err(error)) = poll_readable(&source, &waker) else {
                    panic!("the task waits although no thread drives");
                };
                let text = error.to_string();
                assert!(text.contains("`async-io/threadless`"), "{text}");
                assert!(text.contains("limit on threads"), "{text}");
                // The timer is not early.
                timer.set_after(Duration::from_millis(3));
                foreign(&mut timer);
                assert!(start.elapsed() < STEP);
                drop(peer);
            }
        },
    );
}

/// `block_on` drives the reactor at bounded intervals even if its future always wakes itself. Here
/// no other thread can do so, and the waiting task belongs to a foreign executor.
#[test]
fn a_self_waking_future_does_not_starve_foreign_waits_without_threads() {
    isolated(
        "sandbox::a_self_waking_future_does_not_starve_foreign_waits_without_threads",
        || {
            refuse(&[libc::SYS_clone, libc::SYS_clone3], libc::EAGAIN);
            let (local, mut peer) = UnixStream::pair().unwrap();
            let source = Async::new(local).unwrap();
            let (counter, waker) = Counter::new();
            let mut readable = source.readable();
            let start = Instant::now();
            async_io::block_on(async {
                // The wait may also fail immediately, which ends it as well.
                if poll(&mut readable, &waker).is_ready() {
                    return;
                }
                peer.write_all(b"x").unwrap();
                while counter.wakes() == 0 {
                    assert!(start.elapsed() < STEP, "no thread drives the reactor");
                    futures_lite::future::yield_now().await;
                }
            });
        },
    );
}

/// A future that waits for readiness asks the kernel in each poll, unless a turn of the reactor has
/// begun since its previous poll. Here each such system call fails.
#[test]
fn a_wait_that_is_polled_after_a_turn_costs_no_call() {
    isolated(
        "sandbox::a_wait_that_is_polled_after_a_turn_costs_no_call",
        || {
            let (local, mut peer) = UnixStream::pair().unwrap();
            let source = Async::new(local).unwrap();
            let (counter, waker) = Counter::new();
            let (mut readable, mut waits) = (source.readable(), source.readable());
            for future in [&mut readable, &mut waits] {
                assert!(poll(future, &waker).is_pending());
            }
            let filter = Filter::new().call(libc::SYS_ppoll, Verdict::Fail(libc::EIO));
            // Later architectures have only `ppoll`.
            #[cfg(target_arch = "x86_64")]
            let filter = filter.call(libc::SYS_poll, Verdict::Fail(libc::EIO));
            filter.install(Reach::ThisThread);
            let error = foreign(source.readable()).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EIO));
            for _ in 0..10 {
                // The second timer is set after the turn in which the first one fires.
                for _ in 0..2 {
                    foreign(Timer::after(Duration::from_micros(100)));
                }
                assert!(poll(&mut readable, &waker).is_pending());
            }
            // The fallback thread may begin one more turn, to wait in it. Later polls ask the
            // kernel.
            until("a poll without a turn asks", || {
                match poll(&mut readable, &waker) {
                    Poll::Pending => false,
                    Poll::Ready(result) => {
                        assert_eq!(result.unwrap_err().raw_os_error(), Some(libc::EIO));
                        true
                    }
                }
            });
            // The other future still waits, and the event wakes its task.
            assert_eq!(counter.wakes(), 0);
            peer.write_all(b"x").unwrap();
            counter.wait_for(1);
        },
    );
}
