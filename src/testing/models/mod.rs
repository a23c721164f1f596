//! Runs the pure modules and the shell of the driver under loom: every interleaving of two to four
//! threads, within the preemption bound of the model.
//!
//! Each model documents the failure that it excludes. `cargo xtask loom` runs all models. It then
//! plants each mistake of `xtask/src/loom/mutations.rs`, and the model that is named there must
//! find it.
//!
//! * [`readiness`], [`waiters`], [`interests`], [`keeps_waiting`]: a source, its waiters, and what
//!   the system is asked.
//! * [`registry`]: a slot that is reused for another object.
//! * [`deadlines`]: the timers.
//! * [`parking`], [`roles`]: how a thread sleeps, and how the leader is chosen.
//! * [`reactors`]: two drivers at once, and what keeps a private one alive and driven.
//! * [`driving`], [`wakers`]: `driver::shell` and `driver::fallback`, on the reactor, the alarm
//!   clock and the policies of [`system`].
//! * [`batches`]: wakers after they were collected under a lock and before they are called.

mod batches;
mod deadlines;
mod driving;
mod interests;
mod keeps_waiting;
mod parking;
mod reactors;
mod readiness;
mod registry;
mod roles;
mod system;
mod waiters;
mod wakers;

use super::Calls;
use crate::core::source::readiness::{Readiness, Snapshot};
use crate::core::source::state::{Enqueue, Nature, Reporting, Request, State, Traits};
use crate::core::source::waiters::WaiterId;
use crate::core::source::{Direction, Event, Interest, PerDirection, Turn};
use crate::core::sync::Mutex;
use crate::core::wake::{self, WakeBatch};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Waker;
use std::time::Instant;

/// Runs a model in all interleavings and prints how many there were.
fn explore(name: &str, model: impl Fn() + Sync + Send + 'static) {
    explore_within(name, None, model);
}

/// Like [`explore`], with at most this many preemptions of threads that could continue.
fn explore_within(
    name: &str,
    preemptions: impl Into<Option<usize>>,
    model: impl Fn() + Sync + Send + 'static,
) {
    // An atomic of std, because counting is not a step of the model.
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    let begin = Instant::now();
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = preemptions.into();
    builder.check(move || {
        counter.fetch_add(1, Ordering::Relaxed);
        model();
    });
    println!(
        "model {name}: {} interleavings, {:.1} s",
        count.load(Ordering::Relaxed),
        begin.elapsed().as_secs_f32()
    );
}

const EDGES: Traits = with(Reporting::Edges);

const fn with(reporting: Reporting) -> Traits {
    Traits {
        reporting,
        rearms_idle: false,
        arms_silently: false,
        queues_events: false,
    }
}

fn occupied(interest: Interest) -> State {
    let mut state = State::vacant();
    state.occupy(Nature::default(), interest);
    state
}

/// One source, as the reactor holds it.
struct Object {
    words: PerDirection<Readiness>,
    state: Mutex<State>,
}

impl Object {
    fn armed(interest: Interest) -> loom::sync::Arc<Object> {
        loom::sync::Arc::new(Object {
            words: PerDirection::new(Readiness::new(), Readiness::new()),
            state: Mutex::new(occupied(interest)),
        })
    }

    fn reading(&self) -> &Readiness {
        self.words.get(Direction::Read)
    }

    fn add(&self, direction: Direction) -> WaiterId {
        self.state.lock().waiters.add(direction)
    }

    /// Enqueues a task that found nothing to read. Returns false if the task has to read again.
    fn waits_since(&self, seen: Snapshot, id: WaiterId, waker: &Waker) -> bool {
        let request = Request::Retry(seen);
        match self.enqueue(id, request, waker, Turn(0)) {
            Enqueue::Enqueued { former, .. } => {
                wake::discard(former);
                true
            }
            Enqueue::Unneeded { .. } => false,
        }
    }

    fn enqueue(&self, id: WaiterId, request: Request, waker: &Waker, latest: Turn) -> Enqueue {
        let (read, waker) = (Direction::Read, waker.clone());
        let mut state = self.state.lock();
        state.enqueue(&self.words, read, id, request, waker, latest)
    }

    /// Enqueues a task without a system call after a short read. Returns whether that is safe.
    fn enqueue_after_short_read(&self, seen: Snapshot, waker: &Waker, latest: Turn) -> bool {
        let (word, waker) = (self.reading(), waker.clone());
        let mut state = self.state.lock();
        let enqueued = state.enqueue_after_short_read(word, seen, waker, latest);
        drop(state);
        let is_safe = enqueued.is_ok();
        match enqueued {
            Ok((former, _)) => wake::discard(former),
            Err(unused) => wake::discard(Some(unused)),
        }
        is_safe
    }

    /// Handles an event as the reactor does.
    fn deliver(&self, event: Event, turn: Turn, batch: &mut WakeBatch) {
        let mut state = self.state.lock();
        if let Some(interest) = state.deliver(&self.words, event, turn, EDGES, batch) {
            state.has_armed(interest);
        }
    }
}
