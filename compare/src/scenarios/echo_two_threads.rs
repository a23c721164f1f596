//! Like `echo_64_connections`, with the executor on two threads: async-executor's `Executor`, run
//! by two threads in `block_on`, and tokio's pool of two threads. Server and client share both
//! cores, because a third one may not exist.

use super::{Scenario, Target::AtLeast, Target::AtMost, aimed, told};
use crate::harness::Outcome;
use crate::harness::job::Job;
use crate::harness::peer::Peer;
use crate::harness::process::in_child;
use crate::harness::sample::Sample;
use crate::work::echo::{self, Echo, Style};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "echo_two_threads",
    title: "TCP echo, 64 connections, two threads",
    peers: &[Peer::Ours, Peer::Upstream, Peer::TokioMulti],
    rounds: (2, 21),
    take: in_child,
    child,
    figures: &[
        aimed("cpu_ns", "CPU ns/request", &[AtMost(1.0, Peer::TokioMulti)]),
        aimed("rate", "requests/s", &[AtLeast(1.0, Peer::TokioMulti)]),
        told("latency_us@99", "latency p99 us"),
        told("voluntary", "voluntary switches/request"),
    ],
};

fn child(job: &Job) -> Outcome<Sample> {
    let requests = job.count(60_000, 100_000);
    echo::measure(
        job,
        Echo {
            style: Style::TwoThreads,
            ..Echo::plain(64, requests)
        },
    )
}
