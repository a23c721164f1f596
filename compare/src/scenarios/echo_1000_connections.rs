//! Like `echo_64_connections`, with 1000 connections.

use super::{Scenario, Target::AtMost, aimed, told};
use crate::harness::Outcome;
use crate::harness::job::Job;
use crate::harness::peer::Peer;
use crate::harness::process::in_child;
use crate::harness::sample::Sample;
use crate::work::echo::{self, Echo};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "echo_1000_connections",
    title: "TCP echo, 1000 connections, one thread",
    peers: Peer::ECHO,
    rounds: (2, 21),
    take: in_child,
    child,
    figures: &[
        aimed(
            "cpu_ns",
            "CPU ns/request",
            &[AtMost(1.05, Peer::Raw), AtMost(1.0, Peer::Tokio)],
        ),
        told("rate", "requests/s"),
        told("latency_us@99", "latency p99 us"),
    ],
};

fn child(job: &Job) -> Outcome<Sample> {
    echo::measure(job, Echo::plain(1000, job.count(60_000, 100_000)))
}
