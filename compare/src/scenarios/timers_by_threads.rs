//! Timers that 1 to 64 threads create, poll once and drop, as in `timer_set_and_dropped`. Each
//! thread has a `block_on` of its own. The threads of tokio share a pool with as many workers as
//! cores, and each is in `block_on` of its handle.
//!
//! The figures are the timers per second of all threads together. All cores are used. A machine
//! that other programs use scales badly by itself. So threads that only multiply are measured
//! between the threads with timers, and the scaling is the rate with two threads divided by the
//! rate with one, divided by the same ratio of the multiplications. A process of its own counts the
//! futex calls of 16 threads.

use std::time::Duration;

use super::{CALLS, Scenario, Target::AtLeast, Target::Within, aimed, told};
use crate::harness::Outcome;
use crate::harness::calls::{self, Counter};
use crate::harness::job::Job;
use crate::harness::peer::Peer;
use crate::harness::process::in_child;
use crate::harness::sample::Sample;
use crate::harness::stats::Middle;
use crate::work::threads::{self, Progress, Team};
use crate::{ours, tokio_side, upstream};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "timers_by_threads",
    title: "create, poll and drop timers on several threads",
    peers: &[Peer::Ours, Peer::Upstream, Peer::TokioMulti],
    rounds: (1, 4),
    take,
    child,
    figures: &[
        aimed(
            "scaling",
            "2 threads to 1, against arithmetic",
            &[Within(0.9, f64::INFINITY)],
        ),
        told("rate@1", "timers/s, 1 thread"),
        told("rate@2", "timers/s, 2 threads"),
        told("rate@4", "timers/s, 4"),
        told("rate@8", "timers/s, 8"),
        aimed("rate@16", "timers/s, 16", &[AtLeast(2.0, Peer::Upstream)]),
        told("rate@32", "timers/s, 32"),
        told("rate@64", "timers/s, 64"),
        aimed(
            FUTEX,
            "futex calls/million timers, 16 threads",
            &[Within(0.0, 1000.0)],
        ),
    ],
};

const THREADS: [u64; 7] = [1, 2, 4, 8, 16, 32, 64];
const COUNTED_THREADS: u64 = 16;
const WINDOWS: u32 = 3;
const FUTEX: &str = "futex_per_million";
/// The figure of the guard, which must hold on a busy machine.
pub(crate) const LEAST_FUTEX: &str = "least_futex_per_million";

fn take(job: &Job) -> Outcome<Sample> {
    let sample = in_child(job)?;
    if calls::are_counted().is_err() {
        return Ok(sample);
    }
    Ok(sample.and(in_child(&job.part(CALLS))?))
}

fn child(job: &Job) -> Outcome<Sample> {
    let pool = tokio_side::pool(threads::all_cores()?)?;
    let peer = job.peer;
    let work = |_, progress: &Progress| match peer {
        Peer::Ours => ours::smol::timers::churn_until_stopped(progress),
        Peer::Upstream => upstream::smol::timers::churn_until_stopped(progress),
        Peer::TokioMulti => tokio_side::timers::churn_until_stopped(pool.handle(), progress),
        other => other.missing(),
    };
    if job.part == CALLS {
        let window = Duration::from_millis(job.count(60, 120));
        return threads::observe(COUNTED_THREADS, work, |team| count_futex(team, window))?;
    }
    let window = Duration::from_millis(job.count(50, 80));
    let arithmetic = |_, progress: &Progress| threads::multiply(progress);
    let mut few = Vec::new();
    let mut machine = Vec::new();
    // The two pairs are interleaved, so that a disturbance affects both.
    for _ in 0..job.count(1, 3) {
        let idle = threads::rates(&[1], window, arithmetic)?;
        few.push(threads::rates(&[1, 2], window, work)?);
        machine.push(idle.and(threads::rates(&[2], window, arithmetic)?));
    }
    let (few, machine) = (Sample::medians(&few), Sample::medians(&machine));
    let scaling = ratio(&few)? / ratio(&machine)?;
    let counts = threads::and_all_cores(&THREADS)?;
    let many: Vec<u64> = counts.into_iter().filter(|&count| count > 2).collect();
    let many = threads::rates(&many, 2 * window, work)?;
    Ok(few.and(many).with("scaling", scaling))
}

fn ratio(sample: &Sample) -> Outcome<f64> {
    let rate = |name| sample.get(name).ok_or("no rate in a sample");
    Ok(rate("rate@2")? / rate("rate@1")?)
}

/// Returns the median of some windows, and the least. If the system stops a thread that holds a
/// lock, other threads wait for it, so a busy machine has windows with many calls.
fn count_futex(team: &Team<'_>, window: Duration) -> Outcome<Sample> {
    let mut counts = Vec::new();
    for _ in 0..WINDOWS {
        let counter = Counter::attach()?;
        let before = team.done();
        std::thread::sleep(window);
        let timers = (team.done() - before) as f64;
        let calls = counter.detach()?;
        let futex = calls.get("futex").copied().unwrap_or(0) as f64;
        counts.push(futex / timers * 1e6);
    }
    let counts = Middle::of(&counts).ok_or("there is no window")?;
    Ok(Sample::of(FUTEX, counts.median).with(LEAST_FUTEX, counts.least))
}
