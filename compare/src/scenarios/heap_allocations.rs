//! The number of heap allocations in the steady state, of all threads, after a warm-up.
//!
//! They are counted per request of an echo server with one connection in `block_on` itself, per
//! timer that is set and dropped, and per timer that fires. The server of `echo_64_connections` is
//! reported as well. The queue of its executor, which is not part of the library, allocates a block
//! once in 31 wake-ups.

use super::{Scenario, Target::Within, aimed, told};
use crate::harness::Outcome;
use crate::harness::job::Job;
use crate::harness::peer::Peer;
use crate::harness::process::in_child;
use crate::harness::sample::Sample;
use crate::work::echo::{self, Echo, Style};
use crate::{ours, upstream};

// The conductor thread of the echo load allocates a few times in all. Per request, that is less
// than this.
const NONE: &[super::Target] = &[Within(0.0, 0.002)];

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "heap_allocations",
    title: "heap allocations in the steady state",
    peers: &[Peer::Ours, Peer::Upstream],
    rounds: (1, 3),
    take,
    child,
    figures: &[
        aimed(
            "alone/allocations",
            "allocations/request, no executor",
            NONE,
        ),
        told("tasks/allocations", "allocations/request, with executor"),
        aimed("set/allocations", "allocations/timer set and dropped", NONE),
        aimed("fire/allocations", "allocations/timer that fires", NONE),
    ],
};

fn take(job: &Job) -> Outcome<Sample> {
    let tasks = in_child(&job.part("tasks"))?.prefixed("tasks/");
    let alone = in_child(&job.part("alone"))?.prefixed("alone/");
    Ok(tasks.and(alone).and(in_child(job)?))
}

fn child(job: &Job) -> Outcome<Sample> {
    match job.part.as_str() {
        "tasks" => return echo::measure(job, Echo::plain(64, 20_000)),
        "alone" => {
            let style = Style::Alone;
            return echo::measure(
                job,
                Echo {
                    style,
                    ..Echo::plain(1, 10_000)
                },
            );
        }
        _ => {}
    }
    let (sets, fires) = (100_000, 1000);
    let (set, fire) = match job.peer {
        Peer::Ours => (
            ours::smol::timers::churn(sets)?,
            ours::smol::timers::fire(fires)?,
        ),
        Peer::Upstream => (
            upstream::smol::timers::churn(sets)?,
            upstream::smol::timers::fire(fires)?,
        ),
        other => return other.missing(),
    };
    let set = set.per(sets).prefixed("set/");
    Ok(set.and(fire.per(fires).prefixed("fire/")))
}
