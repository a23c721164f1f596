//! The pure modules under loom: every interleaving of two to four threads, within the bounds that a model names.
//!
//! `cargo xtask loom` runs them, and then runs each again on a copy of the source with one mistake in it, which the model
//! must find: `xtask/src/loom/mutations.rs` has the list. Each model says which interleaving it excludes.
//!
//! * [`words`], [`places`], [`interests`]: a source, its waiters, and what the system is asked for.
//! * [`slots`]: a slot of the registry that gets another object.
//! * [`deadlines`]: the timers.
//! * [`sleeps`], [`seats`], [`drives`]: how threads sleep, and who polls.
//! * [`batches`]: wakers between the lock and their call.

mod batches;
mod deadlines;
mod drives;
mod interests;
mod places;
mod seats;
mod sleeps;
mod slots;
mod words;
mod world;

use crate::core::source::readiness::Readiness;
use crate::core::source::state::{Reporting, State};
use crate::core::source::waiters::WaiterId;
use crate::core::source::{Direction, Event, Interest, PerDirection, Turn};
use crate::core::sync::Mutex;
use crate::core::wake::WakeBatch;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

/// Runs a model in all interleavings, and prints how many there were.
fn explore(name: &str, model: impl Fn() + Sync + Send + 'static) {
    explore_within(name, None, model);
}

/// The same; a thread is interrupted at most so many times where it could have gone on.
fn explore_within(
    name: &str,
    interruptions: Option<usize>,
    model: impl Fn() + Sync + Send + 'static,
) {
    // Not loom's: counting is no step of the model.
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = interruptions;
    builder.check(move || {
        counter.fetch_add(1, Ordering::Relaxed);
        model();
    });
    println!(
        "model {name}: {} interleavings",
        count.load(Ordering::Relaxed)
    );
}

/// A waker that counts its calls. The count is read when all threads have ended.
#[derive(Default)]
struct Calls(AtomicUsize);

impl Calls {
    fn new() -> Arc<Calls> {
        Arc::default()
    }

    fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(Arc::clone(self))
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Calls {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// One source as the reactor holds it.
struct Object {
    words: PerDirection<Readiness>,
    state: Mutex<State>,
}

impl Object {
    fn armed(interest: Interest) -> loom::sync::Arc<Object> {
        let mut state = State::vacant();
        state.occupy(crate::core::source::raw::made_up(3), interest);
        loom::sync::Arc::new(Object {
            words: PerDirection::new(Readiness::new(), Readiness::new()),
            state: Mutex::new(state),
        })
    }

    fn add(&self, direction: Direction) -> WaiterId {
        self.state.lock().waiters.add(direction)
    }

    /// What the reactor does with an event; returns the interest to arm.
    fn deliver(&self, event: Event, turn: Turn, batch: &mut WakeBatch) -> Option<Interest> {
        let mut state = self.state.lock();
        state.deliver(&self.words, event, turn, Reporting::Edges, batch)
    }
}
