//! 4000 threads (500 in a quick run), each in a `block_on` of its own. Each awaits one timer of 5
//! to 50 ms after the other.
//!
//! The figures are the timers that fire per second, and how late the threads see them. They are
//! read after all threads have started. All cores are used. The sample fails if the system refuses
//! a thread.

use std::time::Duration;

use super::{Scenario, Target::AtLeast, Target::AtMost, aimed, told};
use crate::harness::Outcome;
use crate::harness::job::Job;
use crate::harness::peer::Peer;
use crate::harness::process::in_child;
use crate::harness::sample::Sample;
use crate::work::lateness::Worst;
use crate::work::shuffle::Random;
use crate::work::threads::{self, Progress, Team};
use crate::{ours, upstream};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "sitting_threads",
    title: "4000 threads that await a timer of 5 to 50 ms each",
    peers: &[Peer::Ours, Peer::Upstream],
    rounds: (1, 5),
    take: in_child,
    child,
    figures: &[
        aimed("rate", "timers fired/s", &[AtLeast(1.0, Peer::Upstream)]),
        aimed(
            "worst_us",
            "late at most us",
            &[AtMost(1.0, Peer::Upstream)],
        ),
        told("mean_us", "late us, mean"),
        told("cpu_ns", "CPU ns/timer"),
        told("voluntary", "voluntary switches/timer"),
    ],
};

fn child(job: &Job) -> Outcome<Sample> {
    let count = job.count(500, 4000);
    let window = Duration::from_millis(job.count(1000, 3000));
    let worst = Worst::default();
    let peer = job.peer;
    let work = |index, progress: &Progress| {
        let random = Random::of_thread(index);
        match peer {
            Peer::Ours => ours::smol::alarms::naps(random, progress, &worst),
            Peer::Upstream => upstream::smol::alarms::naps(random, progress, &worst),
            other => other.missing(),
        }
    };
    threads::observe(count, work, |team| observe(team, window, &worst))
}

fn observe(team: &Team<'_>, window: Duration, worst: &Worst) -> Sample {
    // The start of the threads must not count.
    std::thread::sleep(Duration::from_millis(100));
    worst.start();
    team.spend(window).and(worst.sample())
}
