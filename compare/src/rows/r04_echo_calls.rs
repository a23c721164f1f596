//! Row 4. The system calls of row 1's server, counted by `strace -c` between two moments at which nothing is in flight.
//! strace slows the server down and so makes its batches larger, for all alike: what is compared is therefore the work
//! (everything but waiting), which must be one receive and one send, and the waits against those of the raw loop.

use super::{Row, Target::AtMost, Target::Within, aimed};
use crate::harness::Outcome;
use crate::harness::job::Job;
use crate::harness::peer::Peer;
use crate::harness::process::in_child;
use crate::harness::sample::Sample;
use crate::harness::strace;
use crate::work::echo::{self, Echo};

pub(super) const ROW: Row = Row {
    number: 4,
    title: "system calls per echo request, 64 connections",
    peers: &[Peer::Ours, Peer::Upstream, Peer::Tokio, Peer::Raw],
    rounds: (1, 3),
    take,
    child,
    figures: &[
        aimed(
            "work_calls",
            "calls/request, not waiting",
            &[Within(2.0, 2.02)],
        ),
        aimed("waits", "waits/request", &[AtMost(1.1, Peer::Raw)]),
        aimed("calls", "all calls/request", &[AtMost(1.02, Peer::Raw)]),
    ],
};

pub(super) fn take(job: &Job) -> Outcome<Sample> {
    if !strace::is_present() {
        return Err("strace is not installed".into());
    }
    in_child(job)
}

pub(super) fn child(job: &Job) -> Outcome<Sample> {
    let requests = job.count(6_400, 19_200);
    echo::measure(
        job,
        Echo {
            count_calls: true,
            ..Echo::plain(64, requests)
        },
    )
}
