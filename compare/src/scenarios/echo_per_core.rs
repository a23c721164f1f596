//! Like `echo_64_connections`, with one reactor per thread, on 1 to 8 threads. The threads of the
//! server share nothing.
//!
//! * "ours": a private reactor and a `LocalExecutor` on each thread.
//! * "tokio": a current-thread runtime on each thread.
//! * "tokio-multi": one runtime with as many workers.
//! * "ours+shared": the global reactor, and one `Executor` that all threads run.
//! * "raw": an epoll loop on each thread, as the lower limit.
//!
//! Each thread has a listener with SO_REUSEPORT. The kernel spreads the connections unevenly, so
//! they are levelled before the server starts: each thread has the same number. The threads are not
//! pinned. Server and client share all cores, because there may be only two. The client has a
//! thread for each two cores. A process of its own counts the system calls with two threads,
//! between two moments at which no request is in flight. That count includes a few writes of the
//! thread that controls the client.

use super::{
    Scenario, Target::AtLeast, Target::AtMost, Target::Within, aimed, echo_by_threads, told,
};
use crate::harness::Outcome;
use crate::harness::job::Job;
use crate::harness::peer::Peer;
use crate::harness::sample::Sample;
use crate::work::echo::Style;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "echo_per_core",
    title: "TCP echo, 64 connections, one reactor per thread",
    peers: &[
        Peer::Ours,
        Peer::Shared,
        Peer::Tokio,
        Peer::TokioMulti,
        Peer::Raw,
    ],
    rounds: (1, 9),
    take: echo_by_threads::take,
    child,
    figures: &[
        told("cpu_ns@1", "CPU ns/request, 1 thread"),
        aimed(
            "cpu_ns@2",
            "CPU ns/request, 2 threads",
            &[AtMost(0.85, Peer::TokioMulti), AtMost(1.0, Peer::Tokio)],
        ),
        told("cpu_ns@4", "CPU ns/request, 4"),
        told("cpu_ns@8", "CPU ns/request, 8"),
        told("rate@1", "requests/s, 1 thread"),
        aimed(
            "rate@2",
            "requests/s, 2 threads",
            &[AtLeast(1.15, Peer::TokioMulti), AtLeast(1.0, Peer::Tokio)],
        ),
        told("rate@4", "requests/s, 4"),
        told("rate@8", "requests/s, 8"),
        told("voluntary@2", "voluntary switches/request, 2 threads"),
        told("p99_us@2", "latency p99 us, 2 threads"),
        aimed(
            "counted/call/futex",
            "futex calls/request, 2 threads",
            &[Within(0.0, 0.002)],
        ),
        aimed(
            "counted/call/write",
            "eventfd writes/request, 2 threads",
            &[Within(0.0, 0.002)],
        ),
        told("counted/waits", "waits/request, 2 threads"),
    ],
};

fn child(job: &Job) -> Outcome<Sample> {
    echo_by_threads::measure(job, Style::PerCore)
}
