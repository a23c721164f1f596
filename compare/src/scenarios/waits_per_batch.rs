//! The waits of one thread that handles batches of ten events, of 100 sources.
//!
//! The thread makes all ten sources of a batch ready before it waits, so the count does not depend
//! on the speed of the machine: one wait is enough for each batch.

use super::{Scenario, Target::Within, aimed, cost_growth, echo_system_calls};
use crate::harness::Outcome;
use crate::harness::calls::{self, Counter};
use crate::harness::job::Job;
use crate::harness::peer::Peer;
use crate::harness::sample::Sample;
use crate::harness::system::pin;
use crate::work::warm_up::warm_up;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "waits_per_batch",
    title: "waits of one thread per batch of ten events",
    peers: &[Peer::Ours, Peer::Upstream, Peer::Tokio, Peer::Raw],
    rounds: (1, 3),
    take: echo_system_calls::take,
    child,
    figures: &[aimed("waits", "waits/batch", &[Within(1.0, 1.02)])],
};

const SOURCES: u64 = 100;

fn child(job: &Job) -> Outcome<Sample> {
    pin(&[job.near])?;
    let batches = job.count(2000, 10_000);
    let counter = Counter::attach()?;
    cost_growth::events(job.peer, SOURCES, batches)?;
    let waits = calls::waits(&counter.detach()?);
    // The warm-up also handles batches.
    let all_batches = warm_up(batches) + batches;
    Ok(Sample::of("waits", waits as f64 / all_batches as f64))
}
