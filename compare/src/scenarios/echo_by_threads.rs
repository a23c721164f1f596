//! Like `echo_64_connections`, with the server on 1 to 8 threads: async-executor's `Executor`, run
//! by each thread in `block_on`, and tokio's pool of as many threads. "executor+epoll" is the same
//! executor over a minimal epoll reactor.
//!
//! Server and client share all cores, because there may be only two. The client has a thread for
//! each two cores. A process of its own counts the system calls with two threads, between two
//! moments at which no request is in flight.

use super::{CALLS, Scenario, Target::AtLeast, Target::AtMost, Target::Either, aimed, told};
use crate::harness::Outcome;
use crate::harness::calls;
use crate::harness::job::Job;
use crate::harness::peer::Peer;
use crate::harness::process::in_child;
use crate::harness::sample::Sample;
use crate::work::echo::{self, Echo, Style};
use crate::work::threads::and_all_cores;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "echo_by_threads",
    title: "TCP echo, 64 connections, the server on several threads",
    peers: &[Peer::Ours, Peer::Upstream, Peer::TokioMulti, Peer::Floor],
    rounds: (1, 5),
    take,
    child,
    figures: &[
        told("cpu_ns@1", "CPU ns/request, 1 thread"),
        aimed(
            "cpu_ns@2",
            "CPU ns/request, 2 threads",
            &[
                Either(&AtMost(0.72, Peer::Upstream), &AtMost(1.1, Peer::Floor)),
                AtMost(1.0, Peer::TokioMulti),
            ],
        ),
        told("cpu_ns@4", "CPU ns/request, 4"),
        told("cpu_ns@8", "CPU ns/request, 8"),
        told("rate@1", "requests/s, 1 thread"),
        aimed(
            "rate@2",
            "requests/s, 2 threads",
            &[
                Either(&AtLeast(1.35, Peer::Upstream), &AtLeast(0.9, Peer::Floor)),
                AtLeast(1.0, Peer::TokioMulti),
            ],
        ),
        told("rate@4", "requests/s, 4"),
        told("rate@8", "requests/s, 8"),
        told("voluntary@1", "voluntary switches/request, 1 thread"),
        aimed(
            "voluntary@2",
            "voluntary switches/request, 2",
            &[Either(
                &AtMost(0.5, Peer::Upstream),
                &AtMost(1.1, Peer::Floor),
            )],
        ),
        told("voluntary@4", "voluntary switches/request, 4"),
        told("voluntary@8", "voluntary switches/request, 8"),
        told("p99_us@2", "latency p99 us, 2 threads"),
        told("counted/call/futex", "futex calls/request, 2 threads"),
        told("counted/call/write", "eventfd writes/request, 2 threads"),
        told("counted/waits", "waits/request, 2 threads"),
    ],
};

const THREADS: [u64; 4] = [1, 2, 4, 8];
const COUNTED_THREADS: usize = 2;
/// The part with two threads, without a count of system calls.
pub(crate) const TWO_THREADS: &str = "2";

/// Takes the samples of an echo server with each number of threads, and counts its calls with two.
pub(super) fn take(job: &Job) -> Outcome<Sample> {
    let mut sample = Sample::default();
    for threads in and_all_cores(&THREADS)? {
        let taken = in_child(&job.part(&threads.to_string()))?;
        for (from, to) in [
            ("cpu_ns", "cpu_ns"),
            ("rate", "rate"),
            ("voluntary", "voluntary"),
            ("latency_us@99", "p99_us"),
        ] {
            let figure = taken.get(from).ok_or("a figure of a sample is missing")?;
            sample = sample.with(&format!("{to}@{threads}"), figure);
        }
    }
    if calls::are_counted().is_ok() {
        // Calls that were never made are not reported.
        let unmade = Sample::of("call/futex", 0.0).with("call/write", 0.0);
        let counted = unmade.and(in_child(&job.part(CALLS))?);
        sample = sample.and(counted.prefixed("counted/"));
    }
    Ok(sample)
}

fn child(job: &Job) -> Outcome<Sample> {
    measure(job, Style::Threads)
}

/// Measures one part of such a sample, with a server of this style.
pub(super) fn measure(job: &Job, style: fn(usize) -> Style) -> Outcome<Sample> {
    let count_calls = job.part == CALLS;
    let threads = if count_calls {
        COUNTED_THREADS
    } else {
        job.part.parse()?
    };
    echo::measure(
        job,
        Echo {
            style: style(threads),
            count_calls,
            ..Echo::plain(64, job.count(5_000, 30_000))
        },
    )
}
