//! Like `timer_set_and_dropped`, in a task of an executor (async-executor's `LocalExecutor`,
//! tokio's `LocalSet`).
//!
//! The task yields while the timer is pending, so that the reactor can run a turn. The cost of the
//! yield alone is reported as well.

use super::{Scenario, Target::AtMost, aimed, told};
use crate::harness::Outcome;
use crate::harness::job::Job;
use crate::harness::peer::Peer;
use crate::harness::process::in_child;
use crate::harness::sample::Sample;
use crate::harness::system::pin;
use crate::{ours, tokio_side, upstream};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "timer_set_yield_dropped",
    title: "create, poll and drop a timer, with a yield in between",
    peers: &[Peer::Ours, Peer::Upstream, Peer::Tokio],
    rounds: (2, 9),
    take: in_child,
    child,
    figures: &[
        aimed("cpu_ns", "CPU ns/timer", &[AtMost(0.55, Peer::Tokio)]),
        told("yield_cpu_ns", "CPU ns of the yield alone"),
    ],
};

fn child(job: &Job) -> Outcome<Sample> {
    pin(&[job.near])?;
    let count = job.count(200_000, 1_000_000);
    let (spent, yields) = match job.peer {
        Peer::Ours => {
            use ours::smol::timers::{churn_with_yield, yields};
            (churn_with_yield(count)?, yields(count)?)
        }
        Peer::Upstream => {
            use upstream::smol::timers::{churn_with_yield, yields};
            (churn_with_yield(count)?, yields(count)?)
        }
        Peer::Tokio => {
            use tokio_side::timers::{churn_with_yield, yields};
            (churn_with_yield(count)?, yields(count)?)
        }
        other => return other.missing(),
    };
    Ok(spent
        .per(count)
        .with("yield_cpu_ns", yields.cpu_ns / count as f64))
}
