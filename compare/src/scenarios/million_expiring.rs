//! A million timers (100 000 in a quick run) with deadlines within one millisecond. One thread in
//! `block_on` sets all of them in random order, and awaits them. Another thread in `block_on` sets
//! and drops other timers meanwhile: from 100 ms before the first deadline until all have expired.
//!
//! The figure is the longest time that this thread needs for one of its timers, less the time for
//! which it is runnable without a core, because others may use the machine. All cores are used.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::{Scenario, Target::AtMost, aimed, told};
use crate::harness::Outcome;
use crate::harness::job::Job;
use crate::harness::peer::Peer;
use crate::harness::process::in_child;
use crate::harness::sample::Sample;
use crate::work::lateness::Stall;
use crate::{ours, upstream};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "million_expiring",
    title: "setting timers while a million expire",
    peers: &[Peer::Ours, Peer::Upstream],
    rounds: (1, 5),
    take: in_child,
    child,
    figures: &[
        aimed(
            "stall_us",
            "longest stall us",
            &[AtMost(0.25, Peer::Upstream)],
        ),
        told("whole_stall_us", "the same, with waiting for a core"),
        told("expired_us", "us until all have expired"),
        told("mean_ns", "ns/timer set and dropped meanwhile"),
    ],
};

const SPAN: Duration = Duration::from_millis(1);
const LEAD: Duration = Duration::from_millis(100);

fn child(job: &Job) -> Outcome<Sample> {
    let count = job.count(100_000, 1_000_000);
    // Setting them all takes less than half of this time.
    let first = Instant::now() + Duration::from_millis(job.count(1000, 4000));
    let (expire, longest_stall): Program = match job.peer {
        Peer::Ours => (
            ours::smol::alarms::expire,
            ours::smol::alarms::longest_stall,
        ),
        Peer::Upstream => (
            upstream::smol::alarms::expire,
            upstream::smol::alarms::longest_stall,
        ),
        other => return other.missing(),
    };
    let ends = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let setting = scope.spawn(|| {
            std::thread::sleep(first.saturating_duration_since(Instant::now() + LEAD));
            let start = Instant::now();
            let (count, stall) = longest_stall(&ends)?;
            std::io::Result::Ok((start.elapsed() / (count.max(1) as u32), stall))
        });
        let expired = expire(count, first, SPAN);
        let after = first.elapsed();
        ends.store(true, Ordering::Relaxed);
        let (mean, stall) = setting
            .join()
            .map_err(|_| "the setting thread panicked")??;
        expired?;
        let micros = |time: Duration| time.as_nanos() as f64 / 1000.0;
        Ok(Sample::of("stall_us", micros(stall.own))
            .with("whole_stall_us", micros(stall.whole))
            .with("expired_us", micros(after))
            .with("mean_ns", micros(mean) * 1000.0))
    })
}

type Program = (
    fn(u64, Instant, Duration) -> Outcome<()>,
    fn(&AtomicBool) -> std::io::Result<(u64, Stall)>,
);
