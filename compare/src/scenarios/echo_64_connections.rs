//! TCP echo of 64 bytes over 64 connections, with one request in flight on each.
//!
//! The server is one process with one task per connection, on one thread that is pinned to one
//! core. The client process has the other core. The figure is the CPU time of the whole server
//! process (user and system, all its threads) per request. It is taken between two moments at which
//! no request is in flight.

use super::{Scenario, Target::AtMost, aimed, told};
use crate::harness::Outcome;
use crate::harness::job::Job;
use crate::harness::peer::Peer;
use crate::harness::process::in_child;
use crate::harness::sample::Sample;
use crate::work::echo::{self, Echo};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "echo_64_connections",
    title: "TCP echo, 64 connections, one thread",
    peers: Peer::ECHO,
    rounds: (2, 21),
    take: in_child,
    child,
    figures: &[
        aimed(
            "cpu_ns",
            "CPU ns/request",
            &[AtMost(1.03, Peer::Raw), AtMost(1.0, Peer::Tokio)],
        ),
        told("rate", "requests/s"),
        told("latency_us@50", "latency p50 us"),
        told("latency_us@99", "latency p99 us"),
        told("voluntary", "voluntary switches/request"),
        told("allocations", "allocations/request"),
    ],
};

pub(super) fn child(job: &Job) -> Outcome<Sample> {
    echo::measure(job, Echo::plain(64, job.count(60_000, 100_000)))
}
