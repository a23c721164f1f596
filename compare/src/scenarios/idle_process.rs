//! A server without clients: `block_on` has awaited a timer and waits for a connection. The figure
//! is the voluntary context switches of all its threads in 3 s, which another process reads from
//! /proc.

use std::io::{BufRead, BufReader};
use std::time::Duration;

use super::{Scenario, Target::Within, aimed};
use crate::harness::Outcome;
use crate::harness::job::Job;
use crate::harness::peer::Peer;
use crate::harness::process::start;
use crate::harness::sample::Sample;
use crate::harness::system::voluntary_switches;
use crate::{ours, tokio_side, upstream};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "idle_process",
    title: "context switches of an idle process in 3 s",
    peers: &[Peer::Ours, Peer::Upstream, Peer::Tokio],
    rounds: (1, 3),
    take,
    child,
    figures: &[aimed(
        "voluntary",
        "voluntary switches",
        &[Within(0.0, 1.0)],
    )],
};

fn take(job: &Job) -> Outcome<Sample> {
    let mut child = start(job)?;
    let output = child.0.stdout.take().ok_or("the output is not piped")?;
    BufReader::new(output).read_line(&mut String::new())?;
    // Give the process time to become idle.
    std::thread::sleep(Duration::from_millis(300));
    let before = voluntary_switches(child.0.id())?;
    std::thread::sleep(Duration::from_secs(3));
    let after = voluntary_switches(child.0.id())?;
    Ok(Sample::of("voluntary", (after - before) as f64))
}

fn child(job: &Job) -> Outcome<Sample> {
    let is_idle = || println!("idle");
    match job.peer {
        Peer::Ours => ours::smol::idle::wait_for_ever(&is_idle)?,
        Peer::Upstream => upstream::smol::idle::wait_for_ever(&is_idle)?,
        Peer::Tokio => tokio_side::idle::wait_for_ever(&is_idle)?,
        other => return other.missing(),
    }
    Err("the idle server got a connection".into())
}
