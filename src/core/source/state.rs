//! The decisions about one source, made under its lock. Pure: every method returns an action, and
//! the reactor carries it out.
//!
//! # Idea
//!
//! The interest that the system holds for a source is part of this state. If it is too small, a
//! wake-up is lost. If it is too large, the poller wakes up needlessly. So `armed` is the interest
//! that the system *certainly* has. It changes after the system call has succeeded, and the call is
//! made under the lock that protects `armed`. (Otherwise a slow call that arms "read" could take
//! effect after a faster call that arms "read and write", and the writer's wake-up would be lost.)
//!
//! # Rules
//!
//! * A waiter is enqueued before its interest is armed. Arming reports what is already ready.
//! * Edge-triggered: an interest stays armed while tasks claim its events. A direction is disarmed
//!   after several unclaimed events in a row, because a source that floods while no task waits must
//!   not keep a thread busy.
//! * One-shot: each event disarms both directions. A direction that still has waiters is re-armed.
//! * An event is claimed if a task waited for it. A new waiter resets the count of unclaimed
//!   events.
//!
//! # When a poll may keep waiting without a system call
//!
//! A waiter that is polled again may keep waiting without asking the kernel only if all of these
//! conditions hold:
//!
//! 1. The waiter is enqueued with the same waker, and its interest is armed.
//! 2. No event was delivered since a sequence that was read before the kernel last answered "not
//!    ready". Condition 1 implies this. A waiter is enqueued either before the kernel is asked, or
//!    only if the sequence of the operation that asked is current. And an event takes the waker
//!    out.
//! 3. A turn has begun since the waiter's previous poll, whether that poll asked the kernel or kept
//!    waiting. So a thread that polls and never waits asks the kernel every time.
//!
//! The weaker condition "a turn has begun since the kernel was asked" is not enough: data that
//! arrives after that turn would go unnoticed for as long as the thread polls without another turn.
//! A task that displaces another one at the shared waiter does not inherit its "not ready".
//!
//! # Operations that an event has woken
//!
//! An event wakes all tasks that wait for its direction, and perhaps only the first of them finds
//! something: one connection wakes every task that waits in `accept`. So an `accept` or a `recv` that
//! finds nothing records that ([`State::unready`]), and the next event clears the record. A woken
//! operation of this crate that finds the record waits again without a system call. The same argument
//! applies as above. The record is read and the waiter is enqueued under one lock, so condition 2
//! holds. The event that woke the task came from a turn that began after its previous poll.
//!
//! A peek records nothing. On a socket with `SO_PEEK_OFF` it finds nothing at the end of the queue,
//! although the queue has data for a receiver.
//!
//! # The exception
//!
//! There is one exception to condition 3. The read after a short TCP read waits although no turn has
//! begun, because that system call is the difference between two and three per request. The exception
//! is used once, and not again until a turn has begun ([`State::enqueue_after_short_read`]).

use super::backoff::{Backoff, READY_AT_ONCE, REFUSED, Step};
use super::readiness::{Readiness, Snapshot};
use super::waiters::{Contents, Knowledge, Released, WaiterId, Waiters, WakeReason};
use super::{Direction, Event, Exception, Interest, PerDirection, Turn};
use crate::core::wake::WakeBatch;
use std::task::Waker;

/// How the system reports events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code)] // Each back end uses one of them.
pub(crate) enum Reporting {
    /// Edge-triggered: once per change, while the interest is armed.
    Edges,
    /// One-shot: once, and not again until the interest is re-armed. Arming reports what is ready
    /// at that moment.
    OneShot,
}

/// The properties of a poller that the decisions depend on. See `Poller` for their meaning.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Traits {
    pub(crate) reporting: Reporting,
    /// Whether an object that no task waits for must be re-armed with an empty interest after each
    /// event, because it would otherwise be reported again.
    pub(crate) rearms_idle: bool,
    /// Whether arming a direction that is already ready may succeed without reporting it.
    pub(crate) arms_silently: bool,
    /// Whether an event is queued when its cause arises, and is fetched even if the cause is gone
    /// by then. Such an event does not make a waiter ready: the kernel is asked again.
    pub(crate) queues_events: bool,
}

/// The properties of a registered object that differ from those of a descriptor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Nature {
    /// Whether the system reports an event only once and cannot be asked. An event that finds no
    /// waiter is then remembered, and each event makes its waiters ready.
    pub(crate) reported_once: bool,
    /// Whether the object stays ready after its first event.
    pub(crate) stays_ready: bool,
}

/// Why a task waits.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Request {
    /// An operation of this crate returned `WouldBlock`, which is conclusive. The snapshot was
    /// taken before the operation.
    Retry(Snapshot),
    /// The same for a peek. It proves nothing to other operations.
    RetryPeek(Snapshot),
    /// A closure returned `WouldBlock`, which may concern something else.
    Refused,
    /// The task asks only for readiness.
    Ready,
}

/// The result of [`State::enqueue`].
#[derive(Debug)]
pub(crate) enum Enqueue {
    /// The task does not have to wait.
    Unneeded {
        ready: bool,
        /// The waker that was not enqueued.
        unused: Waker,
        /// The waker of another task that was enqueued in this waiter, if any. The caller calls it.
        displaced: Option<Waker>,
    },
    /// The waiter is enqueued.
    Enqueued {
        /// The waker to release, if any: the former one, or the new one if both are the same. If
        /// `displaced`, the caller calls it, because it belongs to another task.
        former: Option<Waker>,
        displaced: bool,
        /// The interest to arm, if the system lacks this direction.
        arm: Option<Interest>,
        /// Whether the caller asks the kernel next.
        ask: bool,
    },
}

/// What an operation of this crate does that is polled again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repoll {
    /// It keeps waiting.
    KeepsWaiting,
    /// An event has woken it, and it waits again: see [`State::enqueue_again`].
    WaitsAgain,
    /// It tries the operation.
    Tries,
}

/// The result of [`State::found_ready`].
#[derive(Debug)]
pub(crate) struct FoundReady {
    pub(crate) step: Step,
    /// Whether an event has taken the waiter's waker. The thread that delivered the event calls it.
    pub(crate) is_woken: bool,
    /// The waiter's waker. The caller drops it after releasing the lock.
    pub(crate) former: Option<Waker>,
}

/// The number of unclaimed events in a row after which a direction is disarmed. Reading is armed
/// from the start. Writing is armed only because a task waited. That makes another wait likely, so
/// writing gets one more event.
const UNCLAIMED_LIMIT: PerDirection<u8> = PerDirection { read: 2, write: 3 };

/// The part of a source that its lock protects.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) generation: u32,
    nature: Nature,
    /// The interest that the system certainly has.
    pub(crate) armed: Interest,
    /// Whether a call was refused since the latest one that succeeded. If so, the system may have
    /// more than `armed`.
    refused: bool,
    unclaimed: PerDirection<u8>,
    /// Consecutive operations that were refused although the kernel answered "ready".
    contradictions: PerDirection<Backoff>,
    /// Consecutive questions that the kernel answered "ready".
    immediate: PerDirection<Backoff>,
    /// The turn when the kernel last answered "ready" to a task that asks for readiness.
    answered: PerDirection<Turn>,
    /// The turn when a read last used the exception for short reads.
    skipped: Option<Turn>,
    /// Whether an `accept` or a `recv` of this crate found nothing, and no event has come since.
    unready: bool,
    /// Whether urgent data was reported and no reader has been told yet.
    urgent: bool,
    /// Whether an event for readers came while no task waited, or the object stays ready. Used only
    /// for objects that are reported once.
    missed: bool,
    pub(crate) waiters: Waiters,
}

impl State {
    pub(crate) fn vacant() -> Self {
        State {
            generation: 0,
            nature: Nature::default(),
            armed: Interest::NONE,
            refused: false,
            unclaimed: PerDirection::default(),
            contradictions: PerDirection::default(),
            immediate: PerDirection::default(),
            answered: PerDirection::default(),
            skipped: None,
            unready: false,
            urgent: false,
            missed: false,
            waiters: Waiters::new(),
        }
    }

    /// Uses a vacant slot for a new object.
    pub(crate) fn occupy(&mut self, nature: Nature, armed: Interest) {
        self.nature = nature;
        self.armed = armed;
        self.refused = false;
        self.unclaimed = PerDirection::default();
        self.contradictions = PerDirection::default();
        self.immediate = PerDirection::default();
        self.skipped = None;
        self.unready = false;
        self.urgent = false;
        self.missed = false;
    }

    /// Vacates the slot. Events that were fetched before find another generation. The caller
    /// releases the lock and then discards what the waiters held, if anything.
    pub(crate) fn vacate(&mut self) -> Option<Contents> {
        let step = if mutation!("generation_stays") { 0 } else { 1 };
        self.generation = self.generation.wrapping_add(step) & super::Key::GENERATION_MASK;
        self.armed = Interest::NONE;
        self.waiters.take_contents()
    }

    /// Decides what an operation of this crate does that is polled again. `latest` is the most
    /// recently started turn.
    pub(crate) fn repoll(
        &mut self,
        direction: Direction,
        id: WaiterId,
        waker: &Waker,
        latest: Turn,
    ) -> Repoll {
        if self.keeps_waiting(direction, id, waker, latest) {
            Repoll::KeepsWaiting
        } else if direction == Direction::Read && self.is_known_unready(id) {
            Repoll::WaitsAgain
        } else {
            Repoll::Tries
        }
    }

    /// Returns whether a waiter may wait again after an event, because another task has found
    /// nothing to read since that event. See the head of the file.
    fn is_known_unready(&mut self, id: WaiterId) -> bool {
        self.unready && self.armed.read && self.was_made_ready(Direction::Read, id)
    }

    /// Enqueues a waiter that may wait again after an event. Returns the waker as the error if the
    /// task has to try its operation.
    pub(crate) fn enqueue_again(
        &mut self,
        id: WaiterId,
        waker: Waker,
        latest: Turn,
    ) -> Result<(), Waker> {
        if !self.is_known_unready(id) {
            return Err(waker);
        }
        if let Some(waiter) = self.waiters.get(Direction::Read, id) {
            waiter.knowledge = Knowledge::NotReadySince(latest);
        }
        self.unclaimed.read = 0;
        match self.waiters.enqueue(Direction::Read, id, waker) {
            Some(unused) => Err(unused),
            None => Ok(()),
        }
    }

    /// Returns whether a waiter that is polled again keeps waiting without asking the kernel.
    /// `latest` is the most recently started turn. See the head of the file.
    pub(crate) fn keeps_waiting(
        &mut self,
        direction: Direction,
        id: WaiterId,
        waker: &Waker,
        latest: Turn,
    ) -> bool {
        let armed = self.armed.has(direction);
        let Some(waiter) = self.waiters.get(direction, id) else {
            return false;
        };
        let Knowledge::NotReadySince(polled) = waiter.knowledge else {
            return false;
        };
        let turn_began = if mutation!("second_poll_asks_never") {
            true
        } else {
            latest.is_after(polled)
        };
        let keeps = armed && turn_began && waiter.would_wake(waker);
        if keeps && !mutation!("turn_since_the_question_suffices") {
            waiter.knowledge = Knowledge::NotReadySince(latest);
        }
        keeps
    }

    /// Enqueues a waiter, or finds that it does not have to wait. `latest` is the most recently
    /// started turn. For [`Request::Retry`] and [`Request::RetryPeek`] it was read after the
    /// operation.
    #[inline]
    pub(crate) fn enqueue(
        &mut self,
        words: &PerDirection<Readiness>,
        direction: Direction,
        id: WaiterId,
        request: Request,
        waker: Waker,
        latest: Turn,
    ) -> Enqueue {
        let word = words.get(direction);
        let mut ask = false;
        let mut knowledge = Knowledge::Nothing;
        match request {
            Request::Retry(seen) | Request::RetryPeek(seen) => {
                if !word.is_current(seen) {
                    return Enqueue::unneeded(false, waker, None);
                }
                if id != WaiterId::Shared {
                    knowledge = Knowledge::NotReadySince(latest);
                    let takes = matches!(request, Request::Retry(_));
                    self.unready |= takes && direction == Direction::Read;
                }
            }
            Request::Refused => ask = true,
            Request::Ready => {
                if self.take_missed() || self.was_made_ready(direction, id) {
                    let former = self.waiters.leave(direction, id);
                    return Enqueue::unneeded(true, waker, former);
                }
                ask = !self.keeps_waiting(direction, id, &waker, latest);
            }
        }
        self.place(
            direction,
            id,
            waker,
            (ask, knowledge),
            matches!(request, Request::Ready),
        )
    }

    /// Enqueues the shared waiter of the readers, if the read after a short read may wait without a
    /// system call. `seen` is the snapshot with `DRAINED`.
    ///
    /// Returns the former waker and whether its task is displaced. Returns the new waker as the
    /// error if the caller has to read.
    #[inline]
    pub(crate) fn enqueue_after_short_read(
        &mut self,
        word: &Readiness,
        seen: Snapshot,
        waker: Waker,
        latest: Turn,
    ) -> Result<(Option<Waker>, bool), Waker> {
        let again = self.skipped == Some(latest) && !mutation!("short_read_skips_twice");
        if again || !self.armed.read || !word.is_current(seen) {
            return Err(waker);
        }
        word.use_drained();
        self.skipped = Some(latest);
        self.unclaimed.read = 0;
        let displaced = !self.waiters.would_wake_shared(Direction::Read, &waker);
        if let Some(waiter) = self.waiters.get(Direction::Read, WaiterId::Shared) {
            waiter.knowledge = Knowledge::Nothing;
        }
        let former = self
            .waiters
            .enqueue(Direction::Read, WaiterId::Shared, waker);
        Ok((former, displaced))
    }

    /// Enqueues a waiter and sets what it knows.
    #[inline]
    fn place(
        &mut self,
        direction: Direction,
        id: WaiterId,
        waker: Waker,
        (mut ask, knowledge): (bool, Knowledge),
        asks_for_readiness: bool,
    ) -> Enqueue {
        let Some(waiter) = self.waiters.get(direction, id) else {
            return Enqueue::unneeded(false, waker, None);
        };
        let same = waiter.would_wake(&waker);
        let keeps = asks_for_readiness && !ask;
        if self.nature.reported_once {
            waiter.knowledge = Knowledge::OnlyEventsTell;
            ask = false;
        } else if !(keeps || asks_for_readiness && waiter.knowledge == Knowledge::Urgent) {
            waiter.knowledge = knowledge;
        }
        let (former, displaced) = if same {
            (Some(waker), false)
        } else {
            let former = self.waiters.enqueue(direction, id, waker);
            (former, id == WaiterId::Shared)
        };
        Enqueue::Enqueued {
            former,
            displaced,
            arm: self.awaited(direction),
            ask,
        }
    }

    /// Returns whether an event has made the waiter ready.
    fn was_made_ready(&mut self, direction: Direction, id: WaiterId) -> bool {
        let waiter = self.waiters.get(direction, id);
        waiter.is_some_and(|waiter| waiter.knowledge == Knowledge::Ready)
    }

    /// Resets the count of unclaimed events for a new waiter. Returns the interest to arm, if the
    /// system lacks this direction.
    #[inline]
    fn awaited(&mut self, direction: Direction) -> Option<Interest> {
        *self.unclaimed.get_mut(direction) = 0;
        let missing = !self.armed.has(direction) && !mutation!("waiter_arms_nothing");
        missing.then(|| self.armed.with(direction))
    }

    /// Like [`enqueue`](Self::enqueue), for a task that waits for an exception. Returns the former
    /// waker and the interest to arm, if any.
    #[cfg_attr(not(any(target_os = "linux", target_os = "android")), allow(dead_code))]
    pub(crate) fn enqueue_for_exception(
        &mut self,
        id: WaiterId,
        waker: Waker,
    ) -> (Option<Waker>, Option<Interest>) {
        let former = self.waiters.enqueue(Direction::Read, id, waker);
        let missing = !self.armed.exceptions;
        (former, missing.then(|| self.armed.with_exceptions()))
    }

    /// Records that the kernel answered "not ready" to an enqueued waiter. `latest` was read after
    /// the answer.
    pub(crate) fn found_unready(
        &mut self,
        words: &PerDirection<Readiness>,
        direction: Direction,
        id: WaiterId,
        waker: &Waker,
        latest: Turn,
    ) {
        self.forgive(words, direction);
        self.immediate.get_mut(direction).reset();
        let Some(waiter) = self.waiters.get(direction, id) else {
            return;
        };
        // An event that came in between has taken the waker and set the knowledge.
        let asked = matches!(
            waiter.knowledge,
            Knowledge::Nothing | Knowledge::Urgent | Knowledge::NotReadySince(_)
        );
        // The shared waiter may belong to another task by this time.
        if asked && waiter.would_wake(waker) {
            waiter.knowledge = Knowledge::NotReadySince(latest);
        }
    }

    /// Takes an enqueued waiter out of the queue, because the kernel answered "ready". Returns what
    /// the task does next. `latest` was read after the answer.
    pub(crate) fn found_ready(
        &mut self,
        words: &PerDirection<Readiness>,
        direction: Direction,
        id: WaiterId,
        request: Request,
        waker: &Waker,
        latest: Turn,
    ) -> FoundReady {
        let step = if matches!(request, Request::Ready) {
            let immediate = self.immediate.get_mut(direction);
            if std::mem::replace(self.answered.get_mut(direction), latest) != latest {
                immediate.turn_began(READY_AT_ONCE);
            }
            immediate.next(READY_AT_ONCE)
        } else {
            words.get(direction).set_contradicted(true);
            self.contradictions.get_mut(direction).next(REFUSED)
        };
        let waiter = self.waiters.get(direction, id);
        let is_woken = waiter.is_some_and(|waiter| !waiter.is_enqueued());
        let former = self.leave(direction, id, waker);
        if matches!((request, step), (Request::Ready, Step::Yield)) {
            self.grant(direction, id);
        }
        FoundReady {
            step,
            is_woken,
            former,
        }
    }

    /// Makes a waiter that has left the queue ready: its next poll returns "ready".
    fn grant(&mut self, direction: Direction, id: WaiterId) {
        let waiter = self.waiters.get(direction, id);
        // If it is enqueued, another task has displaced this one.
        if let Some(waiter) = waiter.filter(|waiter| !waiter.is_enqueued()) {
            waiter.knowledge = Knowledge::Ready;
        }
    }

    /// Removes a listed waiter. If the system reports the object once, an event that its task has
    /// not seen is kept for the next task.
    pub(crate) fn remove_waiter(&mut self, id: WaiterId) -> Released {
        if self.nature.reported_once && self.was_made_ready(Direction::Read, id) {
            self.missed = true;
        }
        self.waiters.remove(id)
    }

    /// Lets a task yield instead of pausing, because its object cannot be refusing operations.
    pub(crate) fn yield_instead(&mut self, direction: Direction, id: WaiterId) {
        self.immediate
            .get_mut(direction)
            .keep_yielding(READY_AT_ONCE);
        self.grant(direction, id);
    }

    /// Takes a waiter out of the queue, unless another task has displaced it.
    pub(crate) fn leave(
        &mut self,
        direction: Direction,
        id: WaiterId,
        waker: &Waker,
    ) -> Option<Waker> {
        let waiter = self.waiters.get(direction, id)?;
        if waiter.is_enqueued() && !waiter.would_wake(waker) {
            return None;
        }
        self.waiters.leave(direction, id)
    }

    /// Resets the contradictions: an operation succeeded, or the kernel answered "not ready" as
    /// well.
    pub(crate) fn forgive(&mut self, words: &PerDirection<Readiness>, direction: Direction) {
        self.contradictions.get_mut(direction).reset();
        words.get(direction).set_contradicted(false);
    }

    /// Returns whether urgent data was reported that no reader has been told. Each report is
    /// returned once.
    pub(crate) fn take_urgent(&mut self, id: WaiterId) -> bool {
        let waiter = self.waiters.get(Direction::Read, id);
        let told = waiter.is_some_and(|waiter| waiter.knowledge == Knowledge::Urgent);
        told || std::mem::take(&mut self.urgent)
    }

    /// Delivers an event. Returns the interest that the system must be given, if it must change.
    #[inline]
    pub(crate) fn deliver(
        &mut self,
        words: &PerDirection<Readiness>,
        event: Event,
        turn: Turn,
        traits: Traits,
        batch: &mut WakeBatch,
    ) -> Option<Interest> {
        let urgent = event.intersects(Event::PRIORITY);
        let proves_nothing = traits.queues_events && event.is_plain() && !self.nature.reported_once;
        let reason = if proves_nothing {
            WakeReason::Failure
        } else {
            WakeReason::Event { turn, urgent }
        };
        let mut wanted = self.armed;
        let mut needless = true;
        if event.intersects(Event::EXCEPTIONAL) {
            wanted.exceptions &= self.wake_for_exceptions(event, batch);
        }
        if event.concerns(Direction::Write) {
            let claimed =
                self.deliver_to(Direction::Write, words, event, reason, batch, &mut wanted);
            needless &= !claimed;
        }
        if event.concerns(Direction::Read) {
            let claimed =
                self.deliver_to(Direction::Read, words, event, reason, batch, &mut wanted);
            self.missed = !claimed || self.nature.stays_ready;
            if urgent {
                self.urgent = !claimed;
            }
            needless &= !claimed;
        }
        let change = match traits.reporting {
            // After a refusal the system may have more than `armed`. So an event that no task
            // claims disarms the surplus.
            Reporting::Edges => {
                (wanted != self.armed || self.refused && needless).then_some(wanted)
            }
            Reporting::OneShot => self.still_awaited(),
        };
        change.or(traits.rearms_idle.then_some(self.armed))
    }

    /// Delivers an event to one direction. Returns whether a task waited for it. If none did, the
    /// direction may be removed from `wanted`.
    #[inline(always)]
    fn deliver_to(
        &mut self,
        direction: Direction,
        words: &PerDirection<Readiness>,
        event: Event,
        reason: WakeReason,
        batch: &mut WakeBatch,
        wanted: &mut Interest,
    ) -> bool {
        words.get(direction).deliver(event.is_plain());
        if direction == Direction::Read && !mutation!("event_keeps_unready") {
            self.unready = false;
        }
        let claimed = self.waiters.take(direction, reason, batch);
        let unclaimed = self.unclaimed.get_mut(direction);
        if claimed {
            *unclaimed = 0;
        } else if self.armed.has(direction) && !self.nature.reported_once {
            *unclaimed += 1;
            if *unclaimed >= *UNCLAIMED_LIMIT.get(direction) {
                *unclaimed = 0;
                *wanted = wanted.without(direction);
            }
        }
        claimed
    }

    /// Records that a one-shot event has disarmed everything. Returns the interest of the waiters
    /// that are left, if any.
    fn still_awaited(&mut self) -> Option<Interest> {
        self.armed = Interest::NONE;
        let readers = self.waiters.any(Direction::Read);
        let still = Interest {
            read: readers && !mutation!("one_shot_event_forgets_readers"),
            write: self.waiters.any(Direction::Write),
            exceptions: self.waiters.any_exception(),
        };
        (still != Interest::NONE).then_some(still)
    }

    /// Records that the system has accepted this interest.
    #[inline]
    pub(crate) fn has_armed(&mut self, interest: Interest) {
        self.armed = interest;
        self.refused = false;
    }

    /// Disarms a direction that may not really be armed: arming it succeeded, but the kernel may
    /// never report it. The tasks that relied on it try again, and the next one that waits re-arms
    /// it.
    pub(crate) fn doubt_arming(
        &mut self,
        words: &PerDirection<Readiness>,
        direction: Direction,
        batch: &mut WakeBatch,
    ) {
        self.armed = self.armed.without(direction);
        self.unready &= direction != Direction::Read;
        words.get(direction).deliver(true);
        self.waiters.take(direction, WakeReason::Failure, batch);
    }

    /// Records that the system refused a change, so that its interest is unknown. All tasks are
    /// woken, try again and get the error.
    pub(crate) fn fail(&mut self, words: &PerDirection<Readiness>, batch: &mut WakeBatch) {
        self.armed = Interest::NONE;
        self.unready = false;
        self.refused = true;
        for direction in Direction::BOTH {
            // The events that may be lost could have reported anything.
            words.get(direction).deliver(false);
            self.waiters.take(direction, WakeReason::Failure, batch);
        }
        for exception in Exception::ALL {
            self.waiters.take_exception(exception, batch);
        }
    }

    /// Moves the wakers of tasks that wait for this event's exceptions to the batch. Returns
    /// whether the interest in exceptions stays armed. An event that no task claims ends it.
    #[cold]
    fn wake_for_exceptions(&mut self, event: Event, batch: &mut WakeBatch) -> bool {
        let mut claimed = false;
        for exception in Exception::ALL {
            if event.intersects(exception.events()) {
                claimed |= self.waiters.take_exception(exception, batch);
            }
        }
        claimed || self.waiters.any_exception()
    }

    /// Returns whether an object that is reported once was reported while no task waited. Each
    /// event is returned once, unless the object stays ready.
    fn take_missed(&mut self) -> bool {
        if !self.nature.reported_once {
            return false;
        }
        let missed = self.missed;
        self.missed = missed && self.nature.stays_ready;
        missed
    }
}

impl Enqueue {
    fn unneeded(ready: bool, unused: Waker, displaced: Option<Waker>) -> Enqueue {
        Enqueue::Unneeded {
            ready,
            unused,
            displaced,
        }
    }
}

#[cfg(all(test, not(async_io_loom)))]
mod tests;
