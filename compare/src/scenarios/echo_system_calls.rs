//! The system calls of the server of `echo_64_connections`, between two moments at which no request
//! is in flight.
//!
//! The tracepoints of the kernel count them. Apart from waiting, each request must cost one receive
//! and one send. The number of waits is compared with that of the raw loop. Without permission to
//! use tracepoints, strace counts. It slows the server down, so that more requests share a wait
//! than in reality, for all implementations alike.

use super::{Scenario, TIMEOUT, Target::AtMost, Target::Within, aimed};
use crate::harness::Outcome;
use crate::harness::calls;
use crate::harness::job::Job;
use crate::harness::peer::Peer;
use crate::harness::process::in_child;
use crate::harness::sample::Sample;
use crate::work::echo::{self, Echo, Style};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "echo_system_calls",
    title: "system calls per echo request, 64 connections",
    peers: &[Peer::Ours, Peer::Upstream, Peer::Tokio, Peer::Raw],
    rounds: (1, 3),
    take,
    child,
    figures: &[
        aimed(
            "work_calls",
            "calls/request, not waiting",
            &[Within(2.0, 2.02)],
        ),
        aimed("waits", "waits/request", &[AtMost(1.1, Peer::Raw)]),
        aimed("calls", "all calls/request", &[AtMost(1.02, Peer::Raw)]),
    ],
};

pub(super) fn take(job: &Job) -> Outcome<Sample> {
    calls::are_counted()?;
    in_child(job)
}

pub(super) fn child(job: &Job) -> Outcome<Sample> {
    let requests = job.count(6_400, 19_200);
    let style = if job.part == TIMEOUT {
        Style::Timeout
    } else {
        Style::Plain
    };
    echo::measure(
        job,
        Echo {
            style,
            count_calls: true,
            ..Echo::plain(64, requests)
        },
    )
}
