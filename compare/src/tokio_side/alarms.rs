//! Timers that fire.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::task::spawn_local;
use tokio::time::sleep_until;

use super::{run_local, runtime};
use crate::harness::sample::Sample;
use crate::harness::usage::{Moment, Spent};
use crate::work::lateness::Lateness;
use crate::work::shuffle;

/// Awaits one timer after the other, with nothing else to do.
pub(crate) fn lone(pause: Duration, count: u64) -> io::Result<(Spent, Lateness)> {
    let mut lateness = Lateness::new();
    runtime()?.block_on(async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        let start = Moment::now();
        for _ in 0..count {
            let due = Instant::now() + pause;
            sleep_until(due.into()).await;
            lateness.since(due)?;
        }
        Ok((start.spent(), lateness))
    })
}

/// Awaits the ticks of one interval. The first one is not counted.
pub(crate) fn ticks(period: Duration, count: u64) -> io::Result<Spent> {
    runtime()?.block_on(async {
        let mut interval = tokio::time::interval(period);
        // The first tick of a tokio interval completes immediately, the second after one period.
        interval.tick().await;
        interval.tick().await;
        let start = Moment::now();
        for _ in 0..count {
            interval.tick().await;
        }
        Ok(start.spent())
    })
}

/// Runs one task per timer. The deadlines are spread over `span`, and are set in random order.
pub(crate) fn many(count: u64, span: Duration) -> io::Result<Sample> {
    run_local(async {
        let lateness = Rc::new(RefCell::new(Lateness::new()));
        let before = Moment::now();
        let first = Instant::now() + Duration::from_secs(2);
        let mut tasks = Vec::with_capacity(count as usize);
        for index in shuffle::order(count) {
            let due = first + span.mul_f64(index as f64 / count as f64);
            let lateness = lateness.clone();
            tasks.push(spawn_local(async move {
                sleep_until(due.into()).await;
                lateness.borrow_mut().since(due)
            }));
        }
        sleep_until((first - Duration::from_millis(100)).into()).await;
        let set = before.spent();
        let start = Moment::now();
        for task in tasks {
            task.await??;
        }
        let fired = start.spent().per(count);
        let late = lateness.borrow().sample("late_us");
        Ok(fired
            .and(late)
            .with("set_cpu_ns", set.cpu_ns / count as f64))
    })?
}
