//! What a reactor owns (sources, timers, a poller), and its one turn: wait, dispatch, expire.
//!
//! A reactor is a plain value: it starts no thread and knows no global. Who calls [`Reactor::turn`] is the driver's
//! business. The turn collects wakers and runs none, so that the driver can give up its role before foreign code runs;
//! and it never stops half way: what fails for one source is that source's news, and the rest of the batch goes on.
//!
//! Its `sys` is the one beside it: the property tests have it once more, on a scripted back end (see `naive`).
//!
//! # Without a poller
//!
//! The poller is made when something needs it. If it cannot be made, operations that need it return the error; timers
//! and `block_on` must still work, so a turn then sleeps on a condition variable until the next deadline. The first
//! success wakes that sleeper, who comes back to the real poller.

pub(crate) mod waiting;

use super::sys::{Events, FIRST_INTEREST, FORGETS_IDLE, Poller, REPORTING, Until};
use crate::core::clock::{Clock, Deadline};
use crate::core::registry::Registry;
use crate::core::source::state::Manner;
use crate::core::source::{Event, Interest, Key, RawSource, Source, Turn, Turns, raw};
use crate::core::sync::{Condvar, Mutex};
use crate::core::timers::Timers;
use crate::core::wake::WakeBatch;
use crate::trace;
use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// So many timers fire in one turn; the rest fires in the next, after the sockets have had their turn.
const EXPIRED_PER_TURN: usize = 1024;

const MANNER: Manner = Manner {
    reporting: REPORTING,
    forgets_idle: FORGETS_IDLE,
};

/// After the poller has failed for good, a wait lasts at most so long until it is tried again.
const RETRY_BROKEN: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(crate) struct Reactor {
    clock: Clock,
    pub(crate) timers: Timers,
    registry: Registry,
    poller: OnceLock<Poller>,
    /// Held while the poller is made, and by sleepers without one: `true` means "look again".
    bare: Mutex<bool>,
    bare_woken: Condvar,
    /// The poller's wait fails, and it could not be opened again.
    broken: AtomicBool,
    turns: Turns,
}

/// What a waiting thread brings along, and uses again for every turn.
#[derive(Debug)]
pub(crate) struct Scratch {
    pub(crate) events: Events,
    pub(crate) batch: WakeBatch,
    /// When the thread left its last turn, if others relied on it to come back.
    pub(crate) left_at: Option<Deadline>,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        Scratch {
            events: Events::new(),
            batch: WakeBatch::default(),
            left_at: None,
        }
    }
}

/// What a turn found, besides the wakers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    /// A notification may have been used up; see `sys`.
    pub(crate) notified: bool,
}

impl Reactor {
    pub(crate) fn new() -> Self {
        Reactor {
            clock: Clock::new(),
            timers: Timers::new(),
            registry: Registry::new(),
            poller: OnceLock::new(),
            bare: Mutex::new(false),
            bare_woken: Condvar::new(),
            broken: AtomicBool::new(false),
            turns: Turns::new(),
        }
    }

    pub(crate) fn clock(&self) -> Clock {
        self.clock
    }

    /// The poller, made now if need be. Each call tries again after a failure.
    pub(crate) fn poller(&self) -> io::Result<&Poller> {
        if let Some(poller) = self.poller.get() {
            return Ok(poller);
        }
        let mut look_again = self.bare.lock();
        if self.poller.get().is_none() {
            let made = Poller::new(self.clock)?;
            // The lock is held: nobody else can have set it since the check.
            let _ = self.poller.set(made);
            *look_again = true;
            self.bare_woken.notify_all();
        }
        drop(look_again);
        self.poller
            .get()
            .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    /// The poller, if there is one.
    pub(crate) fn existing_poller(&self) -> Option<&Poller> {
        self.poller.get()
    }

    /// Which turn was the last to begin.
    pub(crate) fn last_turn(&self) -> Turn {
        self.turns.last()
    }

    /// Ends a turn in progress, or the next one.
    pub(crate) fn notify(&self) {
        if let Some(poller) = self.poller.get() {
            poller.notify();
        }
        // A sleeper without poller may be there beside it: it went to sleep before the poller was made or while it is
        // broken. Seldom, so the lock is taken only then.
        if self.poller.get().is_none() || self.broken.load(Ordering::Relaxed) {
            *self.bare.lock() = true;
            self.bare_woken.notify_all();
        }
    }

    /// Makes the turns in progress end by the deadline.
    pub(crate) fn expect_by(&self, deadline: Deadline) {
        match self.poller.get() {
            Some(poller) if !self.broken.load(Ordering::Relaxed) => poller.expect_by(deadline),
            _ => self.notify(),
        }
    }

    /// One pass: waits, tells the sources, expires timers. The wakers are in `scratch.batch` afterwards.
    pub(crate) fn turn(&self, wait: bool, scratch: &mut Scratch) -> Outcome {
        let turn = self.turns.begin();
        let _span = trace::react();
        let until = if wait {
            let deadline = self.timers.wake_up_time();
            trace::sleeping_until(deadline, self.clock);
            Until::Deadline(deadline)
        } else {
            Until::Now
        };
        let outcome = self.wait(until, &mut scratch.events);
        for (key, event) in scratch.events.iter() {
            self.dispatch(key, event, turn, &mut scratch.batch);
        }
        self.expire(&mut scratch.batch);
        trace::ready_wakers(scratch.batch.len());
        outcome
    }

    fn wait(&self, until: Until, events: &mut Events) -> Outcome {
        let Some(poller) = self.poller.get() else {
            return self.wait_bare(until);
        };
        if self.broken.load(Ordering::Relaxed) && self.reopen(poller, events).is_err() {
            return self.wait_bare(until);
        }
        match poller.wait(events, until) {
            Ok(()) => Outcome {
                notified: events.was_notified(),
            },
            Err(_) => {
                // Our own descriptor is gone (closed by the program). Whoever waits finds out by trying again.
                let _ = self.reopen(poller, events);
                Outcome { notified: true }
            }
        }
    }

    /// Sleeps without a poller.
    fn wait_bare(&self, until: Until) -> Outcome {
        let mut limit = match until {
            Until::Now => Some(Duration::ZERO),
            Until::Deadline(Deadline::NEVER) => None,
            Until::Deadline(deadline) => Some(deadline.after(self.clock.now())),
        };
        if self.broken.load(Ordering::Relaxed) {
            limit = Some(limit.map_or(RETRY_BROKEN, |limit| limit.min(RETRY_BROKEN)));
        }
        let mut look_again = self.bare.lock();
        let poller_came = self.poller.get().is_some() && !self.broken.load(Ordering::Relaxed);
        if !*look_again && !poller_came && limit != Some(Duration::ZERO) {
            look_again = match limit {
                Some(limit) => self.bare_woken.wait_timeout(look_again, limit),
                None => self.bare_woken.wait(look_again),
            };
        }
        *look_again = false;
        Outcome { notified: true }
    }

    /// Opens the poller again and registers everything; or else tells everybody.
    #[cold]
    fn reopen(&self, poller: &Poller, failed: &Events) -> io::Result<()> {
        let reopened = poller.reopen(failed);
        if let Ok(false) = reopened {
            return Ok(());
        }
        self.broken.store(reopened.is_err(), Ordering::Relaxed);
        let mut batch = WakeBatch::default();
        for (slot, source) in self.registry.iter() {
            let mut state = source.lock();
            let Some(raw) = state.raw else { continue };
            let generation = state.generation;
            state.fail(source.words(), &mut batch);
            let key = Key { slot, generation };
            if reopened.is_err() {
                continue;
            }
            // Where the old set is still there, the object is, too; and what the set believes of it may be wrong.
            let _ = poller.deregister(raw);
            let interest = first_interest(raw);
            if poller.register(raw, key, interest).is_ok() {
                state.has_armed(interest);
            }
        }
        batch.run();
        reopened.map(drop)
    }

    /// Tells one source of its event. A failing call to the system is this source's alone: all its waiters try again,
    /// and meet the error.
    fn dispatch(&self, key: Key, event: Event, turn: Turn, batch: &mut WakeBatch) {
        let Some(source) = self.registry.get(key.slot) else {
            return;
        };
        let mut state = source.lock();
        if state.generation != key.generation {
            return; // The event was fetched before its source was dropped.
        }
        let (raw, poller) = (state.raw, self.poller.get());
        state.handle(
            source.words(),
            event,
            turn,
            MANNER,
            batch,
            |interest| match (raw, poller) {
                (Some(raw), Some(poller)) => poller.rearm(raw, key, interest),
                _ => Ok(()),
            },
        );
    }

    fn expire(&self, batch: &mut WakeBatch) {
        if self.timers.next().is_never() {
            return;
        }
        let _span = trace::process_timers();
        let now = self.clock.now();
        self.timers.expire(now, EXPIRED_PER_TURN, batch);
    }

    /// Adds an object to the poller.
    pub(crate) fn insert(&self, raw: RawSource) -> io::Result<Key> {
        let poller = self.poller()?;
        let (slot, source) = self.registry.take()?;
        let mut state = source.lock();
        let interest = first_interest(raw);
        state.occupy(raw, interest);
        source.forget();
        let key = Key {
            slot,
            generation: state.generation,
        };
        // Under the lock: an event of the new registration must not find the slot half made.
        let registered = poller.register(raw, key, interest);
        if let Err(error) = registered {
            let waiters = state.vacate();
            drop(state);
            drop(waiters);
            self.registry.give_back(slot);
            return Err(error);
        }
        Ok(key)
    }

    /// Removes an object from the poller. Its waiters are dropped, not woken.
    pub(crate) fn remove(&self, key: Key) -> io::Result<()> {
        let Some(source) = self.registry.get(key.slot) else {
            return Ok(());
        };
        let mut state = source.lock();
        if state.generation != key.generation {
            return Ok(());
        }
        let result = match (state.raw, self.poller.get()) {
            (Some(raw), Some(poller)) => poller.deregister(raw),
            _ => Ok(()),
        };
        let waiters = state.vacate();
        drop(state);
        self.registry.give_back(key.slot);
        waiters.discard();
        result
    }

    pub(crate) fn source(&self, key: Key) -> Option<&Source> {
        self.registry.get(key.slot)
    }

    /// Whether a waker that satisfies the condition waits for a source or a timer. Looks at everything.
    pub(crate) fn anybody_waits(
        &self,
        mut condition: impl FnMut(&std::task::Waker) -> bool,
    ) -> bool {
        self.timers.waits_with(&mut condition)
            || self
                .registry
                .iter()
                .any(|(_, source)| source.lock().waits_with(&mut condition))
    }
}

/// What a new source asks for.
fn first_interest(raw: RawSource) -> Interest {
    if raw::starts_armed(raw) {
        Interest::READ
    } else {
        FIRST_INTEREST
    }
}
