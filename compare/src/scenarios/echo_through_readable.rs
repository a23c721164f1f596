//! Like `echo_64_connections`, with reads as async-net makes them.
//!
//! The read is tried on `get_ref()`. If it would block, a `readable_owned()` future is kept until
//! it is ready. The program spells this pattern out, because one build cannot link async-net
//! against two libraries of the same name. The re-checks are calls of `poll(2)`.

use super::{CALLS, Scenario, Target::AtMost, Target::Within, aimed, told};
use crate::harness::Outcome;
use crate::harness::calls;
use crate::harness::job::Job;
use crate::harness::peer::Peer;
use crate::harness::process::in_child;
use crate::harness::sample::Sample;
use crate::work::echo::{self, Echo, Style};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "echo_through_readable",
    title: "TCP echo, 64 connections, in the way of async-net",
    peers: &[Peer::Ours, Peer::Upstream],
    rounds: (2, 21),
    take,
    child,
    figures: &[
        aimed("cpu_ns", "CPU ns/request", &[AtMost(0.75, Peer::Upstream)]),
        // Each request has one wait, and thus at most one re-check.
        aimed("rechecks", "re-checks/request", &[Within(0.0, 1.0)]),
        told("calls", "calls/request"),
    ],
};

fn take(job: &Job) -> Outcome<Sample> {
    let sample = in_child(job)?;
    calls::are_counted()?;
    let counted = in_child(&job.part(CALLS))?;
    // The times of this run mean nothing, so only its counts are used.
    let counts = ["calls", "rechecks", "waits"].into_iter();
    let counts = counts.filter_map(|name| Some((name.to_owned(), counted.get(name)?)));
    Ok(sample.and(Sample(counts.collect())))
}

fn child(job: &Job) -> Outcome<Sample> {
    let count_calls = job.part == CALLS;
    let requests = if count_calls {
        6400
    } else {
        job.count(60_000, 100_000)
    };
    let style = Style::Readable;
    echo::measure(
        job,
        Echo {
            style,
            count_calls,
            ..Echo::plain(64, requests)
        },
    )
}
