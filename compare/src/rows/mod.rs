//! The rows of the table in `docs/performance.md`. The head of each module says how its row is
//! measured.

use crate::harness::Outcome;
use crate::harness::job::Job;
use crate::harness::peer::Peer;
use crate::harness::sample::Sample;

mod r01_echo_64;
mod r02_echo_1000;
mod r03_echo_timeout;
mod r04_echo_calls;
mod r05_echo_two_threads;
mod r06_ping_pong_tasks;
mod r07_ping_pong_threads;
mod r08_ping_pong_fallback;
mod r09_register;
mod r10_timer_churn;
mod r11_timer_yield;
mod r12_many_timers;
mod r13_lone_timer;
mod r14_block_on;
mod r15_ticks;
mod r16_idle;
mod r17_heap;
pub(crate) mod r18_growth;
mod r19_allocations;
mod r20_short;
mod r21_build;
mod r22_compute;
mod r23_readable;
mod r24_foreign;
mod r25_flood;
pub(crate) mod r26_by_connections;

/// The part of a row that counts system calls.
pub(crate) const CALLS: &str = "calls";
/// The part of row 4 that has a timeout around every read.
pub(crate) const TIMEOUT: &str = "timeout";

/// A target for a figure of ours.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    /// At most this multiple of the figure of the peer.
    AtMost(f64, Peer),
    /// At least this multiple of the figure of the peer.
    AtLeast(f64, Peer),
    /// Between these two values (inclusive), whatever the figures of the peers are.
    Within(f64, f64),
}

/// One figure of a row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figure {
    /// The name in the samples.
    pub(crate) name: &'static str,
    /// The name in reports.
    pub(crate) label: &'static str,
    pub(crate) targets: &'static [Target],
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) number: u8,
    pub(crate) title: &'static str,
    pub(crate) peers: &'static [Peer],
    /// The numbers of rounds in a quick and in a full run.
    pub(crate) rounds: (usize, usize),
    /// Takes one sample. Most rows use `process::in_child`.
    pub(crate) take: fn(&Job) -> Outcome<Sample>,
    /// Runs in the process of a sample.
    pub(crate) child: fn(&Job) -> Outcome<Sample>,
    pub(crate) figures: &'static [Figure],
}

pub(crate) static ROWS: &[Row] = &[
    r01_echo_64::ROW,
    r02_echo_1000::ROW,
    r03_echo_timeout::ROW,
    r04_echo_calls::ROW,
    r05_echo_two_threads::ROW,
    r06_ping_pong_tasks::ROW,
    r07_ping_pong_threads::ROW,
    r08_ping_pong_fallback::ROW,
    r09_register::ROW,
    r10_timer_churn::ROW,
    r11_timer_yield::ROW,
    r12_many_timers::ROW,
    r13_lone_timer::ROW,
    r14_block_on::ROW,
    r15_ticks::ROW,
    r16_idle::ROW,
    r17_heap::ROW,
    r18_growth::ROW,
    r19_allocations::ROW,
    r20_short::ROW,
    r21_build::ROW,
    r22_compute::ROW,
    r23_readable::ROW,
    r24_foreign::ROW,
    r25_flood::ROW,
    r26_by_connections::ROW,
];

/// Returns a figure that is reported but has no target.
pub(crate) const fn told(name: &'static str, label: &'static str) -> Figure {
    aimed(name, label, &[])
}

pub(crate) const fn aimed(
    name: &'static str,
    label: &'static str,
    targets: &'static [Target],
) -> Figure {
    Figure {
        name,
        label,
        targets,
    }
}

pub(crate) fn by_number(number: u8) -> Outcome<&'static Row> {
    let row = ROWS.iter().find(|row| row.number == number);
    row.ok_or_else(|| format!("there is no row {number}").into())
}

/// Returns an error. This is `child` for the rows that do not take their samples in a child
/// process.
pub(crate) fn no_child(job: &Job) -> Outcome<Sample> {
    Err(format!("row {} has no child process", job.row).into())
}

pub(crate) fn list() {
    for row in ROWS {
        let peers: Vec<&str> = row.peers.iter().map(|peer| peer.name()).collect();
        println!("{:>2}  {}  [{}]", row.number, row.title, peers.join(", "));
    }
}
