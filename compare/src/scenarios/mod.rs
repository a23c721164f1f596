//! What is compared. The table in `docs/performance.md` has some rows for each scenario, and the
//! head of each module says how its scenario is measured.

use crate::harness::Outcome;
use crate::harness::job::Job;
use crate::harness::peer::Peer;
use crate::harness::sample::Sample;

pub(crate) mod block_on_one_yield;
pub(crate) mod clean_build;
pub(crate) mod cost_growth;
pub(crate) mod echo_1000_connections;
pub(crate) mod echo_64_connections;
pub(crate) mod echo_by_connections;
pub(crate) mod echo_by_threads;
pub(crate) mod echo_per_core;
pub(crate) mod echo_system_calls;
pub(crate) mod echo_through_readable;
pub(crate) mod echo_with_timeout;
pub(crate) mod foreign_wait_pending;
pub(crate) mod heap_allocations;
pub(crate) mod heap_bytes;
pub(crate) mod idle_process;
pub(crate) mod interval_ticks;
pub(crate) mod io_while_driver_computes;
pub(crate) mod lone_timer;
pub(crate) mod many_acceptors;
pub(crate) mod many_timers;
pub(crate) mod million_expiring;
pub(crate) mod ping_pong_foreign_executor;
pub(crate) mod ping_pong_two_tasks;
pub(crate) mod ping_pong_two_threads;
pub(crate) mod register_and_deregister;
pub(crate) mod short_connections;
pub(crate) mod short_connections_by_threads;
pub(crate) mod sitting_threads;
pub(crate) mod timer_set_and_dropped;
pub(crate) mod timer_set_yield_dropped;
pub(crate) mod timers_by_threads;
pub(crate) mod unawaited_datagrams;
pub(crate) mod waits_per_batch;

/// The part of a scenario that counts system calls.
pub(crate) const CALLS: &str = "calls";
/// The part of `echo_system_calls` that has a timeout around every read.
pub(crate) const TIMEOUT: &str = "timeout";

/// A target for a figure of ours.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    /// At most this multiple of the figure of the peer.
    AtMost(f64, Peer),
    /// At least this multiple of the figure of the peer.
    AtLeast(f64, Peer),
    /// Between these two values (inclusive), whatever the figures of the peers are. The second one
    /// may be infinite.
    Within(f64, f64),
    /// Either of these.
    Either(&'static Target, &'static Target),
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
    /// The name on the command line and in reports, which is that of the module.
    pub(crate) name: &'static str,
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
    echo_by_threads::SCENARIO,
    echo_per_core::SCENARIO,
    ping_pong_two_tasks::SCENARIO,
    ping_pong_two_threads::SCENARIO,
    ping_pong_foreign_executor::SCENARIO,
    register_and_deregister::SCENARIO,
    timer_set_and_dropped::SCENARIO,
    timer_set_yield_dropped::SCENARIO,
    timers_by_threads::SCENARIO,
    many_timers::SCENARIO,
    sitting_threads::SCENARIO,
    million_expiring::SCENARIO,
    lone_timer::SCENARIO,
    block_on_one_yield::SCENARIO,
    interval_ticks::SCENARIO,
    idle_process::SCENARIO,
    heap_bytes::SCENARIO,
    cost_growth::SCENARIO,
    heap_allocations::SCENARIO,
    short_connections::SCENARIO,
    short_connections_by_threads::SCENARIO,
    many_acceptors::SCENARIO,
    clean_build::SCENARIO,
    io_while_driver_computes::SCENARIO,
    echo_through_readable::SCENARIO,
    foreign_wait_pending::SCENARIO,
    unawaited_datagrams::SCENARIO,
    waits_per_batch::SCENARIO,
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

pub(crate) fn by_name(name: &str) -> Outcome<&'static Scenario> {
    let scenario = SCENARIOS.iter().find(|scenario| scenario.name == name);
    scenario.ok_or_else(|| format!("there is no scenario {name:?}; --list lists all").into())
}

/// Returns an error. This is `child` for the scenarios that do not take their samples in a child
/// process.
pub(crate) fn no_child(job: &Job) -> Outcome<Sample> {
    Err(format!("{} has no child process", job.scenario).into())
}

pub(crate) fn list() {
    for scenario in SCENARIOS {
        let peers: Vec<&str> = scenario.peers.iter().map(|peer| peer.name()).collect();
        println!(
            "{:<29} {}  [{}]",
            scenario.name,
            scenario.title,
            peers.join(", ")
        );
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::SCENARIOS;

    #[test]
    fn each_scenario_has_the_name_of_its_file() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/scenarios");
        let names: BTreeSet<&str> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
        assert_eq!(names.len(), SCENARIOS.len());
        for name in names {
            assert!(folder.join(name).with_extension("rs").exists(), "{name}");
        }
    }
}
