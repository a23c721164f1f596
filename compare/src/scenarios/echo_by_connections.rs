//! Like `echo_64_connections`, with 1 to 10 000 connections, for the plot. It has no targets.

use super::{Scenario, told};
use crate::harness::Outcome;
use crate::harness::job::Job;
use crate::harness::peer::Peer;
use crate::harness::process::in_child;
use crate::harness::sample::Sample;
use crate::work::echo::{self, Echo};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "echo_by_connections",
    title: "TCP echo by connections, for the plot",
    peers: &[Peer::Ours, Peer::Upstream, Peer::Tokio, Peer::Raw],
    rounds: (1, 3),
    take,
    child,
    figures: &[
        told("cpu_ns@1", "CPU ns/request, 1 connection"),
        told("cpu_ns@10", "CPU ns/request, 10"),
        told("cpu_ns@100", "CPU ns/request, 100"),
        told("cpu_ns@1000", "CPU ns/request, 1000"),
        told("cpu_ns@10000", "CPU ns/request, 10 000"),
    ],
};

pub(crate) const CONNECTIONS: [u64; 5] = [1, 10, 100, 1000, 10_000];

fn take(job: &Job) -> Outcome<Sample> {
    let mut sample = Sample::default();
    for connections in CONNECTIONS {
        let taken = in_child(&job.part(&connections.to_string()))?;
        let cpu = taken.get("cpu_ns").ok_or("no CPU time in a sample")?;
        sample = sample.with(&format!("cpu_ns@{connections}"), cpu);
    }
    Ok(sample)
}

fn child(job: &Job) -> Outcome<Sample> {
    let connections: usize = job.part.parse()?;
    // With one connection, each request pays for two wake-ups of a core. Fewer requests are
    // sufficient then.
    let requests = if connections < 10 {
        job.count(5000, 20_000)
    } else {
        job.count(40_000, 150_000)
    };
    echo::measure(job, Echo::plain(connections, requests))
}
