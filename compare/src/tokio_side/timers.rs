//! Timers that are set and dropped, and `block_on` itself.

use std::future::{Future, poll_fn};
use std::hint::black_box;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::task::{spawn_local, yield_now};
use tokio::time::{Sleep, sleep, sleep_until};

use super::{run_local, runtime};
use crate::harness::Outcome;
use crate::harness::usage::{Moment, Spent};
use crate::work::shuffle::Random;
use crate::work::threads::Progress;
use crate::work::warm_up::warm_up;

const FAR: Duration = Duration::from_secs(10);
/// The timers between two looks at whether the thread must stop.
const STEP: u64 = 64;

fn set(timer: Pin<&mut Sleep>, context: &mut Context<'_>) {
    assert!(timer.poll(context).is_pending(), "a far timer fired");
}

/// Creates, polls and drops timers, all within one poll of a task.
pub(crate) fn churn(count: u64) -> io::Result<Spent> {
    run_local(poll_fn(|context| {
        let mut round = |count| {
            for _ in 0..count {
                set(black_box(pin!(sleep(FAR))), context);
            }
        };
        round(warm_up(count));
        let start = Moment::now();
        round(count);
        Poll::Ready(start.spent())
    }))
}

/// Does the same on one of several threads, in `block_on` of a shared pool, until it is stopped. A
/// step is a poll of its own.
pub(crate) fn churn_until_stopped(pool: &Handle, progress: &Progress) -> Outcome<()> {
    pool.block_on(async {
        while progress.add(STEP) {
            let step = poll_fn(|context| {
                for _ in 0..STEP {
                    set(black_box(pin!(sleep(FAR))), context);
                }
                Poll::Ready(())
            });
            tokio::task::coop::unconstrained(step).await;
        }
    });
    Ok(())
}

/// Does the same in a local task, with a yield while the timer is pending.
pub(crate) fn churn_with_yield(count: u64) -> io::Result<Spent> {
    on_executor(count, async || {
        let mut timer = pin!(sleep(FAR));
        poll_fn(|context| {
            set(timer.as_mut(), context);
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

fn on_executor(count: u64, operation: impl AsyncFn() + 'static) -> io::Result<Spent> {
    run_local(async move {
        let task = spawn_local(async move {
            for _ in 0..warm_up(count) {
                operation().await;
            }
            let start = Moment::now();
            for _ in 0..count {
                operation().await;
            }
            start.spent()
        });
        Ok(task.await?)
    })?
}

/// Calls `block_on` with a future that yields once.
pub(crate) fn block_on_yield(count: u64) -> io::Result<Spent> {
    let runtime = runtime()?;
    for _ in 0..warm_up(count) {
        runtime.block_on(yield_now());
    }
    let start = Moment::now();
    for _ in 0..count {
        runtime.block_on(yield_now());
    }
    Ok(start.spent())
}

/// Keeps `pending` timers and repeatedly replaces a random one by one with a random deadline.
/// Returns what was used to fill the queue, and what was used for the replacements.
pub(crate) fn replace_random(pending: u64, count: u64) -> io::Result<(Spent, Spent)> {
    let mut random = Random::new();
    let base = Instant::now() + Duration::from_secs(1000);
    let mut fresh =
        move || sleep_until((base + Duration::from_micros(random.below(1_000_000_000))).into());
    let mut choice = Random::new();
    let mut timers: Vec<Pin<Box<Sleep>>> = Vec::with_capacity(pending as usize);
    let work = poll_fn(|context| {
        let empty = Moment::now();
        for _ in 0..pending {
            let mut timer = Box::pin(fresh());
            set(timer.as_mut(), context);
            timers.push(timer);
        }
        let filled = empty.spent();
        let start = Moment::now();
        for _ in 0..count {
            let timer = &mut timers[choice.below(pending) as usize];
            timer.set(fresh());
            set(timer.as_mut(), context);
        }
        Poll::Ready((filled, start.spent()))
    });
    run_local(tokio::task::coop::unconstrained(work))
}
