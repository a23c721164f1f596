//! The rows of the table in `docs/performance.md`. The head of each module says how its row is
//! measured.

use crate::harness::Outcome;
use crate::harness::job::Job;
use crate::harness::peer::Peer;
use crate::harness::sample::Sample;

mod block_on_one_yield;
mod clean_build;
pub(crate) mod cost_growth;
mod echo_1000_connections;
mod echo_64_connections;
pub(crate) mod echo_by_connections;
mod echo_system_calls;
mod echo_through_readable;
mod echo_two_threads;
mod echo_with_timeout;
mod foreign_wait_pending;
mod heap_allocations;
mod heap_bytes;
mod idle_process;
mod interval_ticks;
mod io_while_driver_computes;
mod lone_timer;
mod many_timers;
mod ping_pong_foreign_executor;
mod ping_pong_two_tasks;
mod ping_pong_two_threads;
mod register_and_deregister;
mod short_connections;
mod timer_set_and_dropped;
mod timer_set_yield_dropped;
mod unawaited_datagrams;

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
    echo_64_connections::ROW,
    echo_1000_connections::ROW,
    echo_with_timeout::ROW,
    echo_system_calls::ROW,
    echo_two_threads::ROW,
    ping_pong_two_tasks::ROW,
    ping_pong_two_threads::ROW,
    ping_pong_foreign_executor::ROW,
    register_and_deregister::ROW,
    timer_set_and_dropped::ROW,
    timer_set_yield_dropped::ROW,
    many_timers::ROW,
    lone_timer::ROW,
    block_on_one_yield::ROW,
    interval_ticks::ROW,
    idle_process::ROW,
    heap_bytes::ROW,
    cost_growth::ROW,
    heap_allocations::ROW,
    short_connections::ROW,
    clean_build::ROW,
    io_while_driver_computes::ROW,
    echo_through_readable::ROW,
    foreign_wait_pending::ROW,
    unawaited_datagrams::ROW,
    echo_by_connections::ROW,
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
