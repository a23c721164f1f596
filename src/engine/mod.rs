//! The engine of a reactor: what it owns (sources, timers, a poller), and its turn: wait, dispatch,
//! expire.
//!
//! An engine is a plain value: it starts no thread and uses no global state. The driver decides
//! which thread calls [`Engine::turn`]. A turn collects wakers and calls none, so that the driver
//! can give up its role before foreign code runs. A turn is never cut short: if a system call about
//! one source fails, only the waiters of that source are affected.
//!
//! # Without a poller
//!
//! The poller is created when an operation first needs it. If that fails, the operation returns the
//! error. Timers and `block_on` must still work, so a turn then sleeps on a condition variable
//! until the next deadline. When the poller is created later, that sleep ends, and the next turn
//! uses the poller.

pub(crate) mod poller;
pub(crate) mod waiting;

use crate::core::clock::{Clock, Deadline};
use crate::core::registry::Registry;
use crate::core::source::state::State;
use crate::core::source::waiters::Contents;
use crate::core::source::{Event, Interest, Key, Slot, Source, Turn, Turns};
use crate::core::sync::{Condvar, Mutex, MutexGuard};
use crate::core::timers::Timers;
use crate::core::wake::{self, WakeBatch};
use crate::driver::shell::{Pass, Turning};
use crate::trace;
use poller::{Events, Poller, Until};
use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The largest number of timers that fire in one turn. The rest fires in the next turn, after the
/// sources have been served.
const EXPIRED_PER_TURN: usize = 1024;

/// The longest time that a turn sleeps while the poller is broken. Then opening the poller is tried
/// again.
const RETRY_BROKEN: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(crate) struct Engine<P: Poller> {
    clock: Clock,
    pub(crate) timers: Timers,
    registry: Registry<Source<P::Raw>>,
    poller: OnceLock<P>,
    /// Held while the poller is created, and by threads that sleep without one. `true` means "check
    /// again".
    bare: Mutex<bool>,
    bare_woken: Condvar,
    /// Whether the poller's wait has failed and the poller could not be opened again.
    broken: AtomicBool,
    /// Whether the latest wait may have left events, because its buffer was full.
    ///
    /// Relaxed: read by the thread that drives, or by one that has excluded the others.
    left_events: AtomicBool,
    turns: Turns,
    /// The process that created the engine.
    process: usize,
}

/// One registration: the source, its key, and the system's name for the object.
#[derive(Debug)]
pub(crate) struct Target<'a, R> {
    pub(crate) source: &'a Source<R>,
    pub(crate) key: Key,
    pub(crate) raw: R,
}

impl<R: Copy> Clone for Target<'_, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R: Copy> Copy for Target<'_, R> {}

impl<P: Poller> Engine<P> {
    /// Creates an engine with so many shards of timers.
    pub(crate) fn new(shards: usize) -> Self {
        Engine {
            clock: Clock::new(),
            timers: Timers::new(shards),
            registry: Registry::new(),
            poller: OnceLock::new(),
            bare: Mutex::new(false),
            bare_woken: Condvar::new(),
            broken: AtomicBool::new(false),
            left_events: AtomicBool::new(false),
            turns: Turns::new(),
            process: P::process(),
        }
    }

    #[inline]
    pub(crate) fn clock(&self) -> Clock {
        self.clock
    }

    /// Returns the poller, and creates it if there is none. After a failure, the next call tries
    /// again.
    #[inline]
    pub(crate) fn poller(&self) -> io::Result<&P> {
        match self.poller.get() {
            Some(poller) => Ok(poller),
            None => self.make_poller(),
        }
    }

    /// Returns whether a poller was created.
    pub(crate) fn has_poller(&self) -> bool {
        self.poller.get().is_some()
    }

    #[cold]
    fn make_poller(&self) -> io::Result<&P> {
        let mut look_again = self.bare.lock();
        if self.poller.get().is_none() {
            let made = P::new(self.clock)?;
            // The lock is held, so no other thread has set the poller since the check.
            let _ = self.poller.set(made);
            *look_again = true;
            self.bare_woken.notify_all();
        }
        drop(look_again);
        self.poller
            .get()
            .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    /// Performs one pass: waits, dispatches the events, and expires the timers. Waits until the first
    /// event or timer, but not beyond the limit. Without a limit, does not wait.
    fn pass(&self, limit: Option<Deadline>, events: &mut P::Events, batch: &mut WakeBatch) -> Pass {
        let turn = self.turns.begin();
        let _span = trace::react();
        let until = match limit {
            Some(limit) => {
                let deadline = self.timers.wake_up_time().min(limit);
                trace::sleeping_until(deadline, self.clock);
                Until::Deadline(deadline)
            }
            None => Until::Now,
        };
        // Cleared here, because a wait without a poller does not touch the events.
        events.clear();
        let notified = self.wait(until, events, batch);
        self.left_events.store(events.is_full(), Ordering::Relaxed);
        for (key, event) in events.iter() {
            self.dispatch(key, event, turn, batch);
        }
        self.expire(batch);
        trace::ready_wakers(batch.len());
        Pass {
            notified,
            events: events.len(),
        }
    }

    /// Waits for events. Returns whether a notification may have been used up.
    fn wait(&self, until: Until, events: &mut P::Events, batch: &mut WakeBatch) -> bool {
        let Some(poller) = self.poller.get() else {
            return self.wait_bare(until);
        };
        if self.broken.load(Ordering::Relaxed) && self.reopen(poller, events, batch).is_err() {
            return self.wait_bare(until);
        }
        if poller.wait(events, until).is_ok() {
            return events.was_notified();
        }
        // The program has closed the poller's descriptor. The waiting tasks find out when they try
        // again.
        let _ = self.reopen(poller, events, batch);
        events.clear();
        true
    }

    /// Sleeps without a poller. Returns true, because a notification may have been used up.
    fn wait_bare(&self, until: Until) -> bool {
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
        true
    }

    /// Opens the poller again and registers all objects with it, unless another thread has already
    /// done that. Adds the wakers of all tasks to the batch, even if the poller stays broken. The
    /// tasks then try again.
    #[cold]
    fn reopen(&self, poller: &P, failed: &P::Events, batch: &mut WakeBatch) -> io::Result<()> {
        let reopened = poller.reopen(failed);
        if let Ok(false) = reopened {
            return Ok(());
        }
        self.broken.store(reopened.is_err(), Ordering::Relaxed);
        for (number, source) in self.registry.iter() {
            let mut slot = source.lock();
            let Some(raw) = slot.raw else { continue };
            let key = Key {
                slot: number,
                generation: slot.state.generation,
            };
            slot.state.fail(source.words(), batch);
            if reopened.is_err() {
                continue;
            }
            // If the old set still exists, it has the object, perhaps with a wrong interest.
            let _ = poller.deregister(raw);
            let interest = P::first_interest(raw);
            if poller.register(raw, key, interest).is_ok() {
                slot.state.has_armed(interest);
            }
        }
        reopened.map(drop)
    }

    /// Delivers an event to its source. If a system call fails, all waiters of this source are
    /// woken, try again and get the error.
    #[inline]
    fn dispatch(&self, key: Key, event: Event, turn: Turn, batch: &mut WakeBatch) {
        let Some(source) = self.registry.get(key.slot) else {
            return;
        };
        let mut slot = source.lock();
        if slot.state.generation != key.generation {
            return; // The event was fetched before its source was dropped.
        }
        let change = slot
            .state
            .deliver(source.words(), event, turn, P::TRAITS, batch);
        if let (Some(interest), Some(raw)) = (change, slot.raw) {
            self.fall_back_to(
                interest,
                Target { source, key, raw },
                &mut slot.state,
                batch,
            );
        }
    }

    /// Changes the interest of a source after an event. The caller holds the source's lock.
    fn fall_back_to(
        &self,
        interest: Interest,
        target: Target<'_, P::Raw>,
        state: &mut State,
        batch: &mut WakeBatch,
    ) {
        let Some(poller) = self.poller.get() else {
            return;
        };
        match poller.rearm(target.raw, target.key, interest) {
            Ok(()) => state.has_armed(interest),
            Err(_) => state.fail(target.source.words(), batch),
        }
    }

    /// Returns whether a turn would find something to do without waiting, as far as this is known
    /// without a system call.
    pub(crate) fn has_backlog(&self) -> bool {
        self.left_events.load(Ordering::Relaxed) || self.timers.next() <= self.clock.now()
    }

    /// Calls a function for each registered object, under its lock, until the function returns true.
    /// Returns whether it has.
    pub(crate) fn any_source(&self, mut look: impl FnMut(&State) -> bool) -> bool {
        self.registry.iter().any(|(_, source)| {
            let slot = source.lock();
            slot.raw.is_some() && look(&slot.state)
        })
    }

    /// Adds the wakers of all tasks to the batch. They try again.
    #[cold]
    pub(crate) fn wake_all(&self, batch: &mut WakeBatch) {
        for (_, source) in self.registry.iter() {
            let mut slot = source.lock();
            if slot.raw.is_some() {
                slot.state.fail(source.words(), batch);
            }
        }
        // The time of a timer is checked when its task polls it.
        while !self.timers.next().is_never() {
            self.timers.expire(Deadline::NEVER, usize::MAX, batch);
        }
    }

    /// Makes an engine without sources and timers ready for use. Creates the poller if there is none, and
    /// opens it again if the program has closed its descriptors. Otherwise removes what is left in it:
    /// events, and a notification. Returns the poller.
    pub(crate) fn refresh(&self) -> io::Result<&P> {
        let poller = self.poller()?;
        let mut events = P::Events::new();
        if poller.wait(&mut events, Until::Now).is_err() {
            // There are no tasks to wake.
            self.reopen(poller, &events, &mut WakeBatch::default())?;
        }
        self.left_events.store(false, Ordering::Relaxed);
        Ok(poller)
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
    ///
    /// # Errors
    ///
    /// Fails if there is no poller, if the registry is full, or if the system refuses the object.
    #[inline]
    pub(crate) fn insert(&self, raw: P::Raw) -> io::Result<Target<'_, P::Raw>> {
        let poller = self.poller()?;
        let (number, source) = self.registry.take()?;
        let mut slot = source.lock();
        let interest = P::first_interest(raw);
        slot.raw = Some(raw);
        slot.state.occupy(P::nature(raw), interest);
        source.forget();
        let key = Key {
            slot: number,
            generation: slot.state.generation,
        };
        // Under the lock, because an event of the new registration must not find a half-initialized
        // slot.
        if let Err(error) = poller.register(raw, key, interest) {
            slot.raw = None;
            let _ = slot.state.vacate();
            drop(slot);
            self.registry.give_back(number);
            return Err(error);
        }
        Ok(Target { source, key, raw })
    }

    /// Removes an object from the poller. The wakers of its waiters are dropped, not called.
    #[inline(always)] // A call would cost a tenth of a registration.
    pub(crate) fn remove(&self, target: &Target<'_, P::Raw>) -> io::Result<()> {
        let (result, contents) = self.detach(target, target.source.lock());
        if let Some(contents) = contents {
            for pause in contents.discard() {
                wake::discard(self.timers.remove(pause));
            }
        }
        result
    }

    /// Removes an object from the poller, and moves the wakers of its waiters to the batch.
    pub(crate) fn remove_and_wake(
        &self,
        target: &Target<'_, P::Raw>,
        batch: &mut WakeBatch,
    ) -> io::Result<()> {
        let mut slot = target.source.lock();
        slot.state.fail(target.source.words(), batch);
        let (result, contents) = self.detach(target, slot);
        for pause in contents.into_iter().flat_map(Contents::discard) {
            if let Some(waker) = self.timers.remove(pause) {
                batch.push(waker);
            }
        }
        result
    }

    /// Removes an object from the poller and makes its slot vacant. Returns what its waiters hold.
    #[inline(always)]
    fn detach(
        &self,
        target: &Target<'_, P::Raw>,
        mut slot: MutexGuard<'_, Slot<P::Raw>>,
    ) -> (io::Result<()>, Option<Contents>) {
        let result = match self.poller.get() {
            Some(poller) => poller.deregister(target.raw),
            None => Ok(()),
        };
        slot.raw = None;
        let contents = slot.state.vacate();
        drop(slot);
        self.registry.give_back(target.key.slot);
        (result, contents)
    }
}

impl<P: Poller> Turning for Engine<P> {
    type Buffer = P::Events;

    const CONCURRENT_WAITS: bool = P::CONCURRENT_WAITS;

    fn buffer() -> P::Events {
        P::Events::new()
    }

    fn turn(&self, limit: Option<Deadline>, events: &mut P::Events, batch: &mut WakeBatch) -> Pass {
        self.pass(limit, events, batch)
    }

    fn notify(&self) {
        if let Some(poller) = self.poller.get() {
            poller.notify();
        }
        // Without a poller, or while the poller is broken, a thread may sleep on the condition
        // variable. That is rare, so the lock is taken only then.
        if self.poller.get().is_none() || self.broken.load(Ordering::Relaxed) {
            *self.bare.lock() = true;
            self.bare_woken.notify_all();
        }
    }

    fn expect_by(&self, deadline: Deadline) {
        match self.poller.get() {
            Some(poller) if !self.broken.load(Ordering::Relaxed) => poller.expect_by(deadline),
            _ => self.notify(),
        }
    }

    fn next_deadline(&self) -> Deadline {
        self.timers.next()
    }

    #[inline]
    fn is_here(&self) -> bool {
        self.process == P::process()
    }
}
