//! Timers that are set and dropped, timers that fire, and `block_on` itself.

use std::future::{Future, poll_fn};
use std::hint::black_box;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use async_executor::LocalExecutor;
use futures_lite::future::yield_now;

use super::async_io::{Timer, block_on};
use crate::harness::Outcome;
use crate::harness::usage::{Moment, Spent};
use crate::work::shuffle::Random;
use crate::work::threads::Progress;
use crate::work::warm_up::warm_up;

const FAR: Duration = Duration::from_secs(10);
/// The timers between two looks at whether the thread must stop.
const STEP: u64 = 64;

fn set(timer: &mut Timer, context: &mut Context<'_>) {
    assert!(
        Pin::new(timer).poll(context).is_pending(),
        "a far timer fired"
    );
}

/// Creates, polls and drops timers, all within one poll of a task.
pub(crate) fn churn(count: u64) -> io::Result<Spent> {
    block_on(poll_fn(|context| {
        let mut round = |count| {
            for _ in 0..count {
                set(&mut black_box(Timer::after(FAR)), context);
            }
        };
        round(warm_up(count));
        let start = Moment::now();
        round(count);
        Poll::Ready(Ok(start.spent()))
    }))
}

/// Does the same on one of several threads, until it is stopped. A step is a poll of its own.
pub(crate) fn churn_until_stopped(progress: &Progress) -> Outcome<()> {
    block_on(async {
        while progress.add(STEP) {
            poll_fn(|context| {
                for _ in 0..STEP {
                    set(&mut black_box(Timer::after(FAR)), context);
                }
                Poll::Ready(())
            })
            .await;
        }
    });
    Ok(())
}

/// Does the same in a task of an executor, with a yield while the timer is pending.
pub(crate) fn churn_with_yield(count: u64) -> io::Result<Spent> {
    on_executor(count, async || {
        let mut timer = Timer::after(FAR);
        poll_fn(|context| {
            set(&mut timer, context);
            Poll::Ready(())
        })
        .await;
        yield_now().await;
    })
}

/// Measures the yield alone.
pub(crate) fn yields(count: u64) -> io::Result<Spent> {
    on_executor(count, async || yield_now().await)
}

fn on_executor(count: u64, operation: impl AsyncFn()) -> io::Result<Spent> {
    let executor = LocalExecutor::new();
    block_on(executor.run(executor.spawn(async {
        for _ in 0..warm_up(count) {
            operation().await;
        }
        let start = Moment::now();
        for _ in 0..count {
            operation().await;
        }
        Ok(start.spent())
    })))
}

/// Calls `block_on` with a future that yields once.
pub(crate) fn block_on_yield(count: u64) -> io::Result<Spent> {
    for _ in 0..warm_up(count) {
        block_on(yield_now());
    }
    let start = Moment::now();
    for _ in 0..count {
        block_on(yield_now());
    }
    Ok(start.spent())
}

/// Keeps `pending` timers and repeatedly replaces a random one by one with a random deadline.
/// Returns what was used to fill the queue, and what was used for the replacements.
pub(crate) fn replace_random(pending: u64, count: u64) -> io::Result<(Spent, Spent)> {
    let mut random = Random::new();
    let base = Instant::now() + Duration::from_secs(1000);
    let mut fresh = move || Timer::at(base + Duration::from_micros(random.below(1_000_000_000)));
    let mut choice = Random::new();
    let mut timers = Vec::with_capacity(pending as usize);
    block_on(poll_fn(|context| {
        let empty = Moment::now();
        for _ in 0..pending {
            let mut timer = fresh();
            set(&mut timer, context);
            timers.push(timer);
        }
        let filled = empty.spent();
        let start = Moment::now();
        for _ in 0..count {
            let timer = &mut timers[choice.below(pending) as usize];
            *timer = fresh();
            set(timer, context);
        }
        Poll::Ready(Ok((filled, start.spent())))
    }))
}

/// Awaits timers one by one until each fires.
pub(crate) fn fire(count: u64) -> io::Result<Spent> {
    let soon = || Timer::after(Duration::from_micros(50));
    block_on(async {
        for _ in 0..10 {
            soon().await;
        }
        let start = Moment::now();
        for _ in 0..count {
            let mut timer = pin!(soon());
            timer.as_mut().await;
        }
        Ok(start.spent())
    })
}
