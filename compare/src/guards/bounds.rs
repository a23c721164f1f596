//! Upper bounds on counters of scenarios: system calls, allocations and context switches.
//!
//! The calls of the raw loop are bounded as well. If it made more, the other implementations would
//! look better than they are.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::harness::Outcome;
use crate::harness::calls;
use crate::harness::peer::Peer;
use crate::harness::process::in_child;
use crate::harness::sample::Sample;
use crate::scenarios::{
    self, Scenario, echo_by_threads, echo_per_core, echo_system_calls, echo_through_readable,
    heap_allocations, idle_process, interval_ticks, timers_by_threads, unawaited_datagrams,
    waits_per_batch,
};

/// Identifies a sample: the implementation, and the scenario or the named part of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Source {
    scenario: &'static str,
    part: &'static str,
    peer: Peer,
}

/// An upper bound on one figure of a sample.
pub(super) struct Bound {
    source: Source,
    figure: &'static str,
    pub(super) label: &'static str,
    pub(super) most: f64,
}

const RAW_ECHO: Source = whole(&echo_system_calls::SCENARIO, Peer::Raw);
const ECHO: Source = whole(&echo_system_calls::SCENARIO, Peer::Ours);
const TIMEOUT: Source = part(&echo_system_calls::SCENARIO, scenarios::TIMEOUT);
const READABLE: Source = part(&echo_through_readable::SCENARIO, scenarios::CALLS);
const TIMER_THREADS: Source = part(&timers_by_threads::SCENARIO, scenarios::CALLS);
const ECHO_THREADS: Source = part(&echo_by_threads::SCENARIO, scenarios::CALLS);
const PER_CORE: Source = part(&echo_per_core::SCENARIO, scenarios::CALLS);
const BATCHES: Source = whole(&waits_per_batch::SCENARIO, Peer::Ours);
const HEAP: Source = whole(&heap_allocations::SCENARIO, Peer::Ours);

// The watcher has at most one alarm per millisecond, so the number of requests per alarm depends on
// the speed of the machine. Counts that include alarms have loose bounds. The calls that a request
// makes itself have tight ones.
//
// The waits of the echo server are not bounded. How many requests share one depends on the order in
// which the system runs the server and its client, in the raw loop as well.
pub(super) const BOUNDS: &[Bound] = &[
    bound(
        RAW_ECHO,
        "work_calls",
        "raw: calls per echo request, not waiting",
        2.02,
    ),
    bound(ECHO, "call/recvfrom", "receives per echo request", 1.001),
    bound(ECHO, "call/sendto", "sends per echo request", 1.001),
    bound(ECHO, "call/epoll_ctl", "epoll_ctl per echo request", 0.001),
    bound(ECHO, "call/futex", "futex calls per echo request", 0.002),
    bound(
        ECHO,
        "call/write",
        "writes of eventfds per echo request",
        0.002,
    ),
    bound(
        ECHO,
        "rechecks",
        "polls of a socket per echo request",
        0.001,
    ),
    bound(
        ECHO,
        "work_calls",
        "calls per echo request, not waiting",
        2.1,
    ),
    bound(
        TIMEOUT,
        "call/recvfrom",
        "receives per echo request with a timeout",
        1.001,
    ),
    bound(
        TIMEOUT,
        "call/epoll_ctl",
        "epoll_ctl per echo request with a timeout",
        0.001,
    ),
    bound(
        TIMEOUT,
        "work_calls",
        "calls per echo request with a timeout, not waiting",
        2.1,
    ),
    bound(
        READABLE,
        "call/recvfrom",
        "receives per echo request through readable",
        2.001,
    ),
    bound(
        READABLE,
        "rechecks",
        "polls per echo request through readable",
        1.001,
    ),
    bound(
        READABLE,
        "call/epoll_ctl",
        "epoll_ctl per echo request through readable",
        0.001,
    ),
    bound(
        READABLE,
        "work_calls",
        "calls per echo request through readable, not waiting",
        4.1,
    ),
    bound(BATCHES, "waits", "waits per batch of ten events", 1.5),
    bound(
        HEAP,
        "alone/allocations",
        "allocations per echo request",
        0.002,
    ),
    bound(
        HEAP,
        "set/allocations",
        "allocations per timer set and dropped",
        0.002,
    ),
    bound(
        HEAP,
        "fire/allocations",
        "allocations per timer that fires",
        0.002,
    ),
    bound(
        whole(&interval_ticks::SCENARIO, Peer::Ours),
        "voluntary",
        "context switches of 20 ticks",
        22.0,
    ),
    bound(
        whole(&idle_process::SCENARIO, Peer::Ours),
        "voluntary",
        "context switches of 3 idle seconds",
        1.0,
    ),
    bound(
        whole(&unawaited_datagrams::SCENARIO, Peer::Ours),
        "wakeups",
        "wake-ups for 1000 datagrams that no task awaits",
        3.0,
    ),
    // What several threads do depends on the other load of the machine. These bounds are at least
    // twice the median of a loaded machine with two cores.
    bound(
        TIMER_THREADS,
        timers_by_threads::LEAST_FUTEX,
        "futex calls per million timers of 16 threads",
        50.0,
    ),
    bound(
        ECHO_THREADS,
        "call/futex",
        "futex calls per echo request on two threads",
        0.4,
    ),
    // The threads share nothing. The few writes are those of the thread that controls the client.
    bound(
        PER_CORE,
        "call/futex",
        "futex calls per echo request with a reactor per thread",
        0.002,
    ),
    bound(
        PER_CORE,
        "call/write",
        "writes of eventfds per echo request with a reactor per thread",
        0.002,
    ),
    // strace causes context switches, so this is a sample without a count of system calls.
    bound(
        part(&echo_by_threads::SCENARIO, echo_by_threads::TWO_THREADS),
        "voluntary",
        "context switches per echo request on two threads",
        1.2,
    ),
];

const fn whole(scenario: &Scenario, peer: Peer) -> Source {
    Source {
        scenario: scenario.name,
        part: "",
        peer,
    }
}

const fn part(scenario: &Scenario, part: &'static str) -> Source {
    Source {
        scenario: scenario.name,
        part,
        peer: Peer::Ours,
    }
}

const fn bound(source: Source, figure: &'static str, label: &'static str, most: f64) -> Bound {
    Bound {
        source,
        figure,
        label,
        most,
    }
}

/// The samples taken so far. Several bounds read the same sample.
#[derive(Default)]
pub(super) struct Samples(BTreeMap<Source, Sample>);

impl Samples {
    pub(super) fn figure(&mut self, bound: &Bound) -> Outcome<f64> {
        let sample = match self.0.entry(bound.source) {
            Entry::Occupied(taken) => taken.into_mut(),
            Entry::Vacant(place) => place.insert(bound.source.take()?),
        };
        // strace does not report calls that were never made. Their figure is zero.
        let unmade = bound.figure.starts_with("call/").then_some(0.0);
        let figure = sample.get(bound.figure).or(unmade);
        figure.ok_or_else(|| format!("no figure {}", bound.figure).into())
    }
}

impl Source {
    fn take(self) -> Outcome<Sample> {
        let job = super::job(self.scenario, self.peer, self.part)?;
        if self.part.is_empty() {
            return (scenarios::by_name(self.scenario)?.take)(&job);
        }
        calls::are_counted()?;
        in_child(&job)
    }
}
