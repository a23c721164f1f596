//! One timer after the other in `block_on`, with nothing else to do.
//!
//! The figures are the median lateness at 0.7 ms, 100 ms, 1 s and 5 s, and the CPU time of one
//! sleep of 0.7 ms. Raw is a timerfd in an epoll set, set before each wait. A quick run leaves out
//! 5 s.

use std::time::Duration;

use super::{Scenario, Target::AtMost, aimed};
use crate::harness::Outcome;
use crate::harness::job::Job;
use crate::harness::peer::Peer;
use crate::harness::process::in_child;
use crate::harness::sample::Sample;
use crate::harness::system::pin;
use crate::{ours, raw, tokio_side, upstream};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "lone_timer",
    title: "lateness and cost of a lone timer",
    peers: &[Peer::Ours, Peer::Upstream, Peer::Tokio, Peer::Raw],
    rounds: (1, 3),
    take: in_child,
    child,
    figures: &[
        aimed(
            "700us/late_us@50",
            "late us at 0.7 ms",
            &[AtMost(1.1, Peer::Upstream)],
        ),
        aimed(
            "100ms/late_us@50",
            "late us at 100 ms",
            &[AtMost(1.1, Peer::Upstream)],
        ),
        aimed(
            "1s/late_us@50",
            "late us at 1 s",
            &[AtMost(1.1, Peer::Upstream)],
        ),
        aimed(
            "5s/late_us@50",
            "late us at 5 s",
            &[AtMost(1.1, Peer::Upstream)],
        ),
        aimed(
            "700us/cpu_ns",
            "CPU ns/sleep of 0.7 ms",
            &[AtMost(1.15, Peer::Raw)],
        ),
    ],
};

fn child(job: &Job) -> Outcome<Sample> {
    pin(&[job.near])?;
    let mut lengths = vec![
        ("700us/", Duration::from_micros(700), job.count(600, 2000)),
        ("100ms/", Duration::from_millis(100), job.count(5, 20)),
        ("1s/", Duration::from_secs(1), job.count(1, 3)),
    ];
    if !job.quick {
        lengths.push(("5s/", Duration::from_secs(5), 2));
    }
    let mut sample = Sample::default();
    for (prefix, length, count) in lengths {
        let (spent, lateness) = match job.peer {
            Peer::Ours => ours::smol::alarms::lone(length, count)?,
            Peer::Upstream => upstream::smol::alarms::lone(length, count)?,
            Peer::Tokio => tokio_side::alarms::lone(length, count)?,
            Peer::Raw => raw::alarms::lone(length, count)?,
            other => return other.missing(),
        };
        let figures = spent.per(count).and(lateness.sample("late_us"));
        sample = sample.and(figures.prefixed(prefix));
    }
    Ok(sample)
}
