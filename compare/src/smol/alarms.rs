//! Timers that fire.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use async_executor::LocalExecutor;
use futures_lite::StreamExt;

use super::async_io::{Timer, block_on};
use crate::harness::Outcome;
use crate::harness::sample::Sample;
use crate::harness::usage::{Moment, Spent};
use crate::work::lateness::{Lateness, Stall, Worst};
use crate::work::shuffle::{self, Random};
use crate::work::threads::Progress;

/// Awaits one timer after the other, with nothing else to do.
pub(crate) fn lone(pause: Duration, count: u64) -> io::Result<(Spent, Lateness)> {
    let mut lateness = Lateness::new();
    block_on(async {
        Timer::after(Duration::from_millis(1)).await;
        let start = Moment::now();
        for _ in 0..count {
            let due = Instant::now() + pause;
            Timer::at(due).await;
            lateness.since(due)?;
        }
        Ok((start.spent(), lateness))
    })
}

/// Awaits the ticks of one interval. The first one is not counted.
pub(crate) fn ticks(period: Duration, count: u64) -> io::Result<Spent> {
    block_on(async {
        let mut interval = Timer::interval(period);
        interval.next().await;
        let start = Moment::now();
        for _ in 0..count {
            interval.next().await;
        }
        Ok(start.spent())
    })
}

/// Awaits short timers one by one on one of many threads, until it is stopped.
pub(crate) fn naps(mut random: Random, progress: &Progress, worst: &Worst) -> Outcome<()> {
    block_on(async {
        while progress.add(1) {
            let due = Instant::now() + Duration::from_millis(5 + random.below(46));
            Timer::at(due).await;
            worst.record(due)?;
        }
        Ok(())
    })
}

/// Sets timers with deadlines that are spread over `span`, and awaits all of them. Fails if the first
/// deadline passes before all timers are set.
pub(crate) fn expire(count: u64, first: Instant, span: Duration) -> Outcome<()> {
    let mut timers = Vec::with_capacity(count as usize);
    block_on(async {
        poll_fn(|context| {
            for index in shuffle::order(count) {
                let mut timer = Timer::at(first + span.mul_f64(index as f64 / count as f64));
                if Pin::new(&mut timer).poll(context).is_ready() {
                    return Poll::Ready(Err("a timer expired before all were set"));
                }
                timers.push(timer);
            }
            Poll::Ready(Ok(()))
        })
        .await?;
        for timer in timers {
            timer.await;
        }
        Ok(())
    })
}

/// Sets and drops timers until `ends`. Returns their number and the longest stalls.
pub(crate) fn longest_stall(ends: &AtomicBool) -> io::Result<(u64, Stall)> {
    block_on(poll_fn(|context| {
        let (mut count, mut stall) = (0, Stall::new()?);
        let mut last = Instant::now();
        while !ends.load(Ordering::Relaxed) {
            let mut timer = Timer::after(Duration::from_secs(10));
            let _ = Pin::new(&mut timer).poll(context);
            drop(timer);
            let now = Instant::now();
            last = stall.record(last, now)?;
            count += 1;
        }
        Poll::Ready(Ok((count, stall)))
    }))
}

/// Runs one task per timer. The deadlines are spread over `span`, and are set in random order.
pub(crate) fn many(count: u64, span: Duration) -> io::Result<Sample> {
    let executor = LocalExecutor::new();
    let lateness = Rc::new(RefCell::new(Lateness::new()));
    let before = Moment::now();
    let first = Instant::now() + Duration::from_secs(2);
    let mut tasks = Vec::with_capacity(count as usize);
    for index in shuffle::order(count) {
        let due = first + span.mul_f64(index as f64 / count as f64);
        let lateness = lateness.clone();
        tasks.push(executor.spawn(async move {
            Timer::at(due).await;
            lateness.borrow_mut().since(due)
        }));
    }
    block_on(executor.run(async {
        // At that time every task has been polled and waits.
        Timer::at(first - Duration::from_millis(100)).await;
        let set = before.spent();
        let start = Moment::now();
        for task in tasks {
            task.await?;
        }
        let fired = start.spent().per(count);
        let late = lateness.borrow().sample("late_us");
        Ok(fired
            .and(late)
            .with("set_cpu_ns", set.cpu_ns / count as f64))
    }))
}
