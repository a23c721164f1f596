//! Deadlines that are overtaken, rounded or overflow, or that are expensive to schedule.

use std::future::pending;
use std::thread;
use std::time::{Duration, Instant};

use async_io::Timer;
use futures_lite::future::or;

use crate::support::{
    Counter, Noise, Runner, assert_quiet, foreign, guarded, isolated, poll, raw, stress,
};

const FAR_AWAY: Duration = Duration::from_secs(600);

/// Starts a thread in `block_on` with a distant deadline, which runs as long as the sender exists.
fn sleeper() -> (async_channel::Sender<()>, thread::JoinHandle<()>) {
    let (stop, stopped) = async_channel::bounded::<()>(1);
    let thread = thread::spawn(move || {
        let far = async {
            Timer::after(FAR_AWAY).await;
        };
        let end = async {
            // The sender is dropped without sending a value.
            let _ = stopped.recv().await;
        };
        async_io::block_on(or(far, end));
    });
    (stop, thread)
}

/// A new earlier deadline has to interrupt a wait for a later one, whichever threads wait and
/// insert.
#[test]
fn an_earlier_timer_interrupts_the_wait_of_any_thread() {
    for runner in Runner::BOTH {
        guarded(move || {
            let (stop, sleeper) = sleeper();
            let mut noise = Noise::new(2);
            for _ in 0..stress(4_000) {
                let pause = Duration::from_micros(noise.below(60) as u64);
                let start = Instant::now();
                runner.block_on(Timer::after(pause));
                assert!(start.elapsed() >= pause, "early");
            }
            drop(stop);
            sleeper.join().unwrap();
        });
    }
}

/// The same for the wait of the fallback thread.
#[test]
fn an_earlier_timer_interrupts_the_fallback_thread() {
    guarded(|| {
        let (_counter, waker) = Counter::new();
        let mut far = Timer::after(FAR_AWAY);
        assert!(poll(&mut far, &waker).is_pending());
        for round in 0..stress(2_000) as u64 {
            foreign(Timer::after(Duration::from_micros(round % 50)));
        }
    });
}

/// All timers are in one queue, but many threads insert into it concurrently.
#[test]
fn timers_that_many_threads_insert_fire() {
    guarded(|| {
        let insert = |seed| {
            let mut noise = Noise::new(seed);
            for round in 0..stress(3_000) {
                let runner = Runner::BOTH[round % 2];
                let pause = Duration::from_micros(noise.below(100) as u64);
                // A later timer is in the queue at the same time and is cancelled.
                let late = async {
                    Timer::after(FAR_AWAY).await;
                };
                let soon = async {
                    Timer::after(pause).await;
                };
                runner.block_on(or(late, soon));
            }
        };
        let threads = [3, 4, 5, 6].map(|seed| thread::spawn(move || insert(seed)));
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

/// Pauses shorter than the resolution of the system must not be rounded to zero.
#[test]
fn short_pauses_are_not_rounded_to_zero() {
    isolated("timers::short_pauses_are_not_rounded_to_zero", || {
        for runner in Runner::BOTH {
            for pause in [1, 999, 1_000, 900_000].map(Duration::from_nanos) {
                for _ in 0..20 {
                    let start = Instant::now();
                    runner.block_on(Timer::after(pause));
                    assert!(start.elapsed() >= pause, "{pause:?} ended early");
                }
            }
            let worker = thread::spawn(move || {
                let start = Instant::now();
                while start.elapsed() < Duration::from_millis(500) {
                    runner.block_on(Timer::after(Duration::from_micros(900)));
                }
            });
            assert_quiet("one pause of 900 us after the other");
            worker.join().unwrap();
        }
    });
}

/// Pauses longer than the system can represent must not wrap around, spin or panic.
#[test]
fn endless_pauses_neither_end_nor_spin() {
    isolated("timers::endless_pauses_neither_end_nor_spin", || {
        let pauses = [
            Duration::from_millis(i32::MAX as u64 + 1),
            Duration::from_millis(u32::MAX as u64 + 1),
            Duration::from_secs(u32::MAX as u64 + 1),
            Duration::from_secs(i64::MAX as u64),
            Duration::from_nanos(u64::MAX),
            Duration::MAX,
        ];
        let wait = move |runner: Runner| {
            let (stop, stopped) = async_channel::bounded::<()>(1);
            let thread = thread::spawn(move || {
                let mut timers = pauses.map(Timer::after);
                let all = std::future::poll_fn(|cx| {
                    for timer in &mut timers {
                        assert!(poll(timer, cx.waker()).is_pending());
                    }
                    std::task::Poll::<()>::Pending
                });
                let end = async {
                    let _ = stopped.recv().await;
                };
                runner.block_on(or(all, end));
            });
            (stop, thread)
        };
        for runner in Runner::BOTH {
            for pause in pauses {
                // Each of them is the earliest deadline on its own.
                let mut timer = Timer::after(pause);
                runner.block_on(or(
                    async {
                        (&mut timer).await;
                        panic!("{pause:?} is over");
                    },
                    async {
                        Timer::after(Duration::from_millis(1)).await;
                    },
                ));
            }
            let (stop, thread) = wait(runner);
            assert_quiet("timers that never fire");
            drop(stop);
            thread.join().unwrap();
        }
    });
}

/// Signals that interrupt the wait neither restart nor shorten it.
#[test]
fn interrupted_waits_keep_their_deadline() {
    isolated("timers::interrupted_waits_keep_their_deadline", || {
        raw::interrupt_by_sigusr1();
        let target = raw::Target::current();
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let storm = thread::spawn(move || {
            let pause = Duration::from_micros(200);
            while stopped.recv_timeout(pause) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                target.interrupt();
            }
        });
        for runner in Runner::BOTH {
            let start = Instant::now();
            runner.block_on(Timer::after(Duration::from_millis(100)));
            assert!(start.elapsed() >= Duration::from_millis(100));
        }
        let (there, ask) = async_channel::bounded(1);
        let (back, answer) = async_channel::bounded(1);
        let echo = thread::spawn(move || {
            foreign(async {
                while let Ok(number) = ask.recv().await {
                    back.send(number).await.unwrap();
                }
            });
        });
        let far = async {
            Timer::after(FAR_AWAY).await;
            pending().await
        };
        async_io::block_on(or(far, async {
            for number in 0..stress(2_000) {
                there.send(number).await.unwrap();
                assert_eq!(answer.recv().await.unwrap(), number);
            }
        }));
        drop((there, stop));
        echo.join().unwrap();
        storm.join().unwrap();
    });
}
