//! Four scenarios of ours with the fallback thread alive, compared with the same scenarios without
//! it. Another thread waits for a byte that never arrives, in an executor that is not ours.
//!
//! They are `echo_64_connections`, `echo_system_calls`, `ping_pong_two_threads` and
//! `interval_ticks`.

use super::{Scenario, Target::AtMost, aimed, told};
use super::{echo_64_connections, echo_system_calls, interval_ticks, ping_pong_two_threads};
use crate::harness::Outcome;
use crate::harness::job::Job;
use crate::harness::peer::Peer;
use crate::harness::process::in_child;
use crate::harness::sample::Sample;

/// The first column, "ours", is the program with the foreign wait, because the first implementation
/// of a scenario has to meet its targets. The targets are ratios to the program without it.
pub(crate) const SCENARIO: Scenario = Scenario {
    name: "foreign_wait_pending",
    title: "echo, system calls, ping-pong and ticks with a foreign wait pending",
    peers: &[Peer::Foreign, Peer::Ours],
    rounds: (1, 5),
    take,
    child,
    figures: &[
        aimed("echo/cpu_ns", "echo: CPU ns/request", LITTLE),
        aimed("calls/calls", "echo: calls/request", LITTLE),
        aimed("threads/cpu_ns", "ping-pong: CPU ns/round", LITTLE),
        aimed("ticks/voluntary", "20 ticks: voluntary switches", LITTLE),
        told("ticks/cpu_ns", "20 ticks: CPU ns"),
    ],
};

const LITTLE: &[super::Target] = &[AtMost(1.1, Peer::Ours)];

fn take(job: &Job) -> Outcome<Sample> {
    let mut sample = Sample::default();
    for part in ["echo", "calls", "threads", "ticks"] {
        let taken = in_child(&job.part(part))?;
        sample = sample.and(taken.prefixed(&format!("{part}/")));
    }
    Ok(sample)
}

fn child(job: &Job) -> Outcome<Sample> {
    match job.part.as_str() {
        "echo" => echo_64_connections::child(job),
        "calls" => echo_system_calls::child(job),
        "threads" => ping_pong_two_threads::child(job),
        "ticks" => interval_ticks::child(job),
        other => Err(format!("{} has no part {other:?}", job.scenario).into()),
    }
}
