//! Row 23. Row 1 with the reads of async-net: the operation is made on `get_ref()`, and where it would block, a
//! `readable_owned()` future is kept until it is ready. (The pattern is written out in the program, since one build cannot
//! link async-net against two libraries of the same name.) The re-checks are the calls of `poll`.

use super::{CALLS, Row, Target::AtMost, Target::Within, aimed, told};
use crate::harness::Outcome;
use crate::harness::calls;
use crate::harness::job::Job;
use crate::harness::peer::Peer;
use crate::harness::process::in_child;
use crate::harness::sample::Sample;
use crate::work::echo::{self, Echo, Style};

pub(super) const ROW: Row = Row {
    number: 23,
    title: "TCP echo, 64 connections, in the way of async-net",
    peers: &[Peer::Ours, Peer::Upstream],
    rounds: (2, 21),
    take,
    child,
    figures: &[
        aimed("cpu_ns", "CPU ns/request", &[AtMost(0.75, Peer::Upstream)]),
        // One wait per request: at most one re-check each.
        aimed("rechecks", "re-checks/request", &[Within(0.0, 1.0)]),
        told("calls", "calls/request"),
    ],
};

fn take(job: &Job) -> Outcome<Sample> {
    let sample = in_child(job)?;
    calls::are_counted()?;
    let counted = in_child(&job.part(CALLS))?;
    // The times of the counted run mean nothing.
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
