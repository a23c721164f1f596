//! What is compared. The table in `docs/performance.md` has some rows for each scenario, and the
//! head of each module says how its scenario is measured.

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

/// The part of a scenario that counts system calls.
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

/// One figure of a scenario.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figure {
    /// The name in the samples.
    pub(crate) name: &'static str,
    /// The name in reports.
    pub(crate) label: &'static str,
    pub(crate) targets: &'static [Target],
}

/// One comparison: what is measured, how, and the targets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scenario {
    pub(crate) number: u8,
    pub(crate) title: &'static str,
    pub(crate) peers: &'static [Peer],
    /// The numbers of rounds in a quick and in a full run.
    pub(crate) rounds: (usize, usize),
    /// Takes one sample. Most scenarios use `process::in_child`.
    pub(crate) take: fn(&Job) -> Outcome<Sample>,
    /// Runs in the process of a sample.
    pub(crate) child: fn(&Job) -> Outcome<Sample>,
    pub(crate) figures: &'static [Figure],
}

pub(crate) static SCENARIOS: &[Scenario] = &[
    echo_64_connections::SCENARIO,
    echo_1000_connections::SCENARIO,
    echo_with_timeout::SCENARIO,
    echo_system_calls::SCENARIO,
    echo_two_threads::SCENARIO,
    ping_pong_two_tasks::SCENARIO,
    ping_pong_two_threads::SCENARIO,
    ping_pong_foreign_executor::SCENARIO,
    register_and_deregister::SCENARIO,
    timer_set_and_dropped::SCENARIO,
    timer_set_yield_dropped::SCENARIO,
    many_timers::SCENARIO,
    lone_timer::SCENARIO,
    block_on_one_yield::SCENARIO,
    interval_ticks::SCENARIO,
    idle_process::SCENARIO,
    heap_bytes::SCENARIO,
    cost_growth::SCENARIO,
    heap_allocations::SCENARIO,
    short_connections::SCENARIO,
    clean_build::SCENARIO,
    io_while_driver_computes::SCENARIO,
    echo_through_readable::SCENARIO,
    foreign_wait_pending::SCENARIO,
    unawaited_datagrams::SCENARIO,
    echo_by_connections::SCENARIO,
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

pub(crate) fn by_number(number: u8) -> Outcome<&'static Scenario> {
    let scenario = SCENARIOS.iter().find(|scenario| scenario.number == number);
    scenario.ok_or_else(|| format!("there is no scenario {number}").into())
}

/// Returns an error. This is `child` for the scenarios that do not take their samples in a child
/// process.
pub(crate) fn no_child(job: &Job) -> Outcome<Sample> {
    Err(format!("scenario {} has no child process", job.scenario).into())
}

pub(crate) fn list() {
    for scenario in SCENARIOS {
        let peers: Vec<&str> = scenario.peers.iter().map(|peer| peer.name()).collect();
        println!(
            "{:>2}  {}  [{}]",
            scenario.number,
            scenario.title,
            peers.join(", ")
        );
    }
}
