//! 20 ticks of an interval of 100 ms in `block_on`, after a first tick that is not counted.
//!
//! The figures are the context switches and the CPU time of the whole process. Raw sets a timerfd
//! for each tick.

use std::time::Duration;

use super::{Scenario, Target::Within, aimed, told};
use crate::harness::Outcome;
use crate::harness::job::Job;
use crate::harness::peer::Peer;
use crate::harness::process::in_child;
use crate::harness::sample::Sample;
use crate::harness::system::pin;
use crate::{ours, raw, tokio_side, upstream};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "interval_ticks",
    title: "context switches of 20 ticks of 100 ms",
    peers: &[Peer::Ours, Peer::Upstream, Peer::Tokio, Peer::Raw],
    rounds: (1, 5),
    take: in_child,
    child,
    figures: &[
        aimed("voluntary", "voluntary switches", &[Within(20.0, 22.0)]),
        told("involuntary", "involuntary switches"),
        told("cpu_ns", "CPU ns"),
    ],
};

const PERIOD: Duration = Duration::from_millis(100);
const TICKS: u64 = 20;

pub(super) fn child(job: &Job) -> Outcome<Sample> {
    pin(&[job.near])?;
    let spent = match job.peer {
        Peer::Ours => ours::smol::alarms::ticks(PERIOD, TICKS)?,
        Peer::Foreign => {
            crate::foreign::start()?;
            ours::smol::alarms::ticks(PERIOD, TICKS)?
        }
        Peer::Upstream => upstream::smol::alarms::ticks(PERIOD, TICKS)?,
        Peer::Tokio => tokio_side::alarms::ticks(PERIOD, TICKS)?,
        Peer::Raw => raw::alarms::ticks(PERIOD, TICKS)?,
        other => return other.missing(),
    };
    Ok(spent.per(1))
}
