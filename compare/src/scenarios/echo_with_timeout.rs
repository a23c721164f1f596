//! Like `echo_64_connections`, with a timeout of 10 s around every read. It is set with each read
//! and never expires.

use super::{Scenario, Target::AtMost, aimed, told};
use crate::harness::Outcome;
use crate::harness::job::Job;
use crate::harness::peer::Peer;
use crate::harness::process::in_child;
use crate::harness::sample::Sample;
use crate::work::echo::{self, Echo, Style};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "echo_with_timeout",
    title: "TCP echo, 64 connections, a timeout around every read",
    peers: &[Peer::Ours, Peer::Upstream, Peer::Tokio],
    rounds: (2, 21),
    take: in_child,
    child,
    figures: &[
        aimed("cpu_ns", "CPU ns/request", &[AtMost(0.95, Peer::Tokio)]),
        told("rate", "requests/s"),
        told("allocations", "allocations/request"),
    ],
};

fn child(job: &Job) -> Outcome<Sample> {
    let requests = job.count(60_000, 100_000);
    echo::measure(
        job,
        Echo {
            style: Style::Timeout,
            ..Echo::plain(64, requests)
        },
    )
}
