//! The decisions of one source, made under its lock. Pure: every method returns an action, and the
//! reactor carries it out.
//!
//! # Idea
//!
//! The interest that the system holds for a source is part of the state, because it can be wrong in
//! two ways: if it is too small, a wake-up is lost; if it is too large, the poller wakes up without
//! need. So `armed` is what the system *certainly* has. It changes after the system call has
//! succeeded, and the call is made under the lock that protects it. (Otherwise a slow call that
//! arms "read" could overtake a fast one that arms "read and write", and the writer would be lost.)
//!
//! # Rules
//!
//! * A waiter is enqueued first, and its interest is armed after that. Arming reports what is ready
//!   already.
//! * Edges: an interest stays armed while tasks claim its events. A direction whose events are
//!   unclaimed several times in a row is disarmed: a source that floods while no task waits must
//!   not keep a thread busy.
//! * One-shot: each event disarms both directions, and the one that still has waiters is re-armed.
//! * An event is claimed if a task waited for it. A new waiter resets the count of unclaimed events.
//!
//! # When a poll may keep waiting without a system call
//!
//! A waiter that is polled again keeps waiting, and the kernel is not asked, only if all of these
//! hold:
//!
//! 1. The waiter is enqueued with the same waker, and its interest is armed.
//! 2. No event was delivered since a sequence that was read before the kernel last said "not
//!    ready". This follows from 1: a waiter is enqueued before the kernel is asked, or only if the
//!    sequence of the operation that asked is current, and an event takes the waker out.
//! 3. A turn has begun since the waiter's previous poll, whether that poll asked or kept waiting. A
//!    thread that polls and never waits thereby asks every time.
//!
//! The weaker condition "a turn has begun since the kernel was asked" is not enough: data that
//! arrives after that turn would stay unseen for as long as the thread polls without another one.
//! A waiter that was displaced starts without knowledge.
//!
//! There is one exception. The read after a short TCP read waits before any turn has begun, because
//! that system call is the difference between two and three per request. The exception applies once
//! until a turn has begun ([`State::enqueue_after_short_read`]).

use super::backoff::{Backoff, READY_AT_ONCE, REFUSED, Step};
use super::readiness::{Readiness, Snapshot};
use super::waiters::{Contents, Knowledge, Released, WaiterId, Waiters, WakeReason};
use super::{Direction, Event, Exception, Interest, PerDirection, Turn};
use crate::core::wake::WakeBatch;
use std::task::Waker;

/// How the system reports events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code)] // Each back end has one of them.
pub(crate) enum Reporting {
    /// Once per change, for as long as the interest is armed.
    Edges,
    /// Once, then not again until it is re-armed. Arming reports what is ready at that moment.
    OneShot,
}

/// The properties of a poller that the decisions depend on. See `Poller` for their meaning.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Traits {
    pub(crate) reporting: Reporting,
    /// Whether an object without interest must be re-armed with none to be silent.
    pub(crate) rearms_idle: bool,
    /// Whether arming an interest that is ready already may succeed without reporting it.
    pub(crate) arms_silently: bool,
    /// Whether an event is queued when its cause arises, and fetched although the cause may be gone by
    /// then. Such an event does not make a waiter ready: the kernel is asked again.
    pub(crate) queues_events: bool,
}

/// Properties of the registered object that differ from those of a descriptor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Nature {
    /// The system reports an event once and cannot be asked. So an event without a waiter is
    /// remembered, and each event makes its waiters ready.
    pub(crate) reported_once: bool,
    /// The object stays ready after its first event.
    pub(crate) stays_ready: bool,
}

/// Why a task waits.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Request {
    /// An operation of this crate returned `WouldBlock`, which is conclusive. It began after this
    /// snapshot.
    Retry(Snapshot),
    /// A closure returned `WouldBlock`, which may be about something else.
    Refused,
    /// The task only asks for readiness.
    Ready,
}

/// The result of [`State::enqueue`].
#[derive(Debug)]
pub(crate) enum Enqueue {
    /// The task need not wait.
    Unneeded {
        ready: bool,
        /// The waker that was to be enqueued.
        unused: Waker,
        /// The waker of a task that has displaced this one. The caller wakes it.
        displaced: Option<Waker>,
    },
    /// The waiter is enqueued.
    Enqueued {
        /// The waker that it had, if any. If it is `displaced`, the caller wakes that task.
        former: Option<Waker>,
        displaced: bool,
        /// The interest to arm, if the system has less.
        arm: Option<Interest>,
        /// Whether the kernel is asked next.
        ask: bool,
    },
}

/// The result of [`State::found_ready`].
#[derive(Debug)]
pub(crate) struct FoundReady {
    pub(crate) step: Step,
    /// An event has taken the waiter's waker, and calls it.
    pub(crate) is_woken: bool,
    /// The waiter's waker, to be dropped without the lock.
    pub(crate) former: Option<Waker>,
}

/// After this many unclaimed events in a row a direction is disarmed. Reading is armed from the
/// start. Writing is armed because a task waited, which makes another wait likely, so it gets one
/// more.
const UNCLAIMED_LIMIT: PerDirection<u8> = PerDirection { read: 2, write: 3 };

/// The part of a source that its lock protects.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) generation: u32,
    nature: Nature,
    /// What the system certainly has.
    pub(crate) armed: Interest,
    /// A call was refused since the latest one that succeeded: the system may have more than
    /// `armed`.
    refused: bool,
    unclaimed: PerDirection<u8>,
    /// Consecutive operations that were refused although the kernel reported "ready".
    contradictions: PerDirection<Backoff>,
    /// Consecutive questions that the kernel answered "ready" without an event in between.
    immediate: PerDirection<Backoff>,
    /// The latest turn when the kernel last answered "ready".
    answered: PerDirection<Turn>,
    /// The latest turn when a read last used the exception for short reads.
    skipped: Option<Turn>,
    /// Urgent data was reported, and no reader was told yet.
    urgent: bool,
    /// An event for readers came while no task waited, or the object stays ready. Only for objects
    /// that are reported once.
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
            urgent: false,
            missed: false,
            waiters: Waiters::new(),
        }
    }

    /// Uses the slot, which is vacant, for a new object.
    pub(crate) fn occupy(&mut self, nature: Nature, armed: Interest) {
        self.nature = nature;
        self.armed = armed;
        self.refused = false;
        self.unclaimed = PerDirection::default();
        self.contradictions = PerDirection::default();
        self.immediate = PerDirection::default();
        self.skipped = None;
        self.urgent = false;
        self.missed = false;
    }

    /// Vacates the slot: events that were fetched before will find another generation. The caller
    /// discards what the waiters held, if anything, without the lock.
    pub(crate) fn vacate(&mut self) -> Option<Contents> {
        let step = if mutation!("generation_stays") { 0 } else { 1 };
        self.generation = self.generation.wrapping_add(step) & super::Key::GENERATION_MASK;
        self.armed = Interest::NONE;
        self.waiters.take_contents()
    }

    /// Returns whether a waiter that is polled again keeps waiting, and the kernel need not be
    /// asked. `latest` is the turn that began last. See the head of the file.
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

    /// Enqueues a waiter, or finds that it need not wait. `latest` is the turn that began last;
    /// for [`Request::Retry`] it was read after the operation.
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
            Request::Retry(seen) => {
                if !word.is_current(seen) {
                    return Enqueue::unneeded(false, waker, None);
                }
                if id != WaiterId::Shared {
                    knowledge = Knowledge::NotReadySince(latest);
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
    /// system call. `seen` is the snapshot with `DRAINED`. Returns the waker to release and whether
    /// its task is displaced, or else the waker that was to be enqueued.
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

    /// Puts a waiter into the queue.
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

    /// A waiter was enqueued. Returns the interest to arm for it, if the system has less.
    #[inline]
    fn awaited(&mut self, direction: Direction) -> Option<Interest> {
        *self.unclaimed.get_mut(direction) = 0;
        let missing = !self.armed.has(direction) && !mutation!("waiter_arms_nothing");
        missing.then(|| self.armed.with(direction))
    }

    /// As [`enqueue`](Self::enqueue), for a task that waits for an exception.
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

    /// The kernel said "not ready" to an enqueued waiter. `latest` was read after the answer.
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
        // An event that came in between has taken the waker, and dated its knowledge itself.
        let asked = matches!(
            waiter.knowledge,
            Knowledge::Nothing | Knowledge::Urgent | Knowledge::NotReadySince(_)
        );
        // The shared waiter may be that of another task by now.
        if asked && waiter.would_wake(waker) {
            waiter.knowledge = Knowledge::NotReadySince(latest);
        }
    }

    /// The kernel said "ready" to an enqueued waiter, which leaves the queue. Returns what the task
    /// does next. `latest` was read after the answer.
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

    /// Makes the waiter, which has left the queue, ready: its next poll reports so.
    fn grant(&mut self, direction: Direction, id: WaiterId) {
        let waiter = self.waiters.get(direction, id);
        // If it is enqueued, another task has displaced this one.
        if let Some(waiter) = waiter.filter(|waiter| !waiter.is_enqueued()) {
            waiter.knowledge = Knowledge::Ready;
        }
    }

    /// Removes a listed waiter. An event that its task was not told of is kept, if the system reports
    /// the object once.
    pub(crate) fn remove_waiter(&mut self, id: WaiterId) -> Released {
        if self.nature.reported_once && self.was_made_ready(Direction::Read, id) {
            self.missed = true;
        }
        self.waiters.remove(id)
    }

    /// The object of a waiter that was to pause cannot be refusing: the task yields only.
    pub(crate) fn yield_instead(&mut self, direction: Direction, id: WaiterId) {
        self.immediate
            .get_mut(direction)
            .keep_yielding(READY_AT_ONCE);
        self.grant(direction, id);
    }

    /// Takes a waiter out of the queue, unless another task has displaced it meanwhile.
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

    /// Starts over with contradictions: an operation was done, or the kernel agrees that it cannot.
    pub(crate) fn forgive(&mut self, words: &PerDirection<Readiness>, direction: Direction) {
        self.contradictions.get_mut(direction).reset();
        words.get(direction).set_contradicted(false);
    }

    /// Returns, once, whether urgent data was reported that no reader was told of.
    pub(crate) fn take_urgent(&mut self, id: WaiterId) -> bool {
        let waiter = self.waiters.get(Direction::Read, id);
        let told = waiter.is_some_and(|waiter| waiter.knowledge == Knowledge::Urgent);
        told || std::mem::take(&mut self.urgent)
    }

    /// An event came. Returns the interest to arm or to fall back to, if it must change.
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
        // Progress is an edge that a task waited for. An unclaimed one may be due to a refused attempt,
        // and one-shot events only report again what is ready.
        let edges = traits.reporting == Reporting::Edges;
        if event.concerns(Direction::Write) {
            let claimed =
                self.deliver_to(Direction::Write, words, event, reason, batch, &mut wanted);
            if claimed && edges {
                self.immediate.write.reset();
            }
            needless &= !claimed;
        }
        if event.concerns(Direction::Read) {
            let claimed =
                self.deliver_to(Direction::Read, words, event, reason, batch, &mut wanted);
            if claimed && edges {
                self.immediate.read.reset();
            }
            self.missed = !claimed || self.nature.stays_ready;
            if urgent {
                self.urgent = !claimed;
            }
            needless &= !claimed;
        }
        let change = match traits.reporting {
            // After a refusal the system may have more than is known. What comes without need is
            // disarmed again.
            Reporting::Edges => {
                (wanted != self.armed || self.refused && needless).then_some(wanted)
            }
            Reporting::OneShot => self.still_awaited(),
        };
        change.or(traits.rearms_idle.then_some(self.armed))
    }

    /// An event concerns this direction. Returns whether a task waited for it; otherwise the direction
    /// may have to be disarmed.
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

    /// A one-shot event has disarmed everything. Returns the interest of the waiters that are left.
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

    /// Records that the system has taken this interest.
    #[inline]
    pub(crate) fn has_armed(&mut self, interest: Interest) {
        self.armed = interest;
        self.refused = false;
    }

    /// Disarms a direction whose arming may have failed silently: the kernel says "ready", and may
    /// never report it. The tasks that relied on it try again, and the next one arms.
    pub(crate) fn doubt_arming(
        &mut self,
        words: &PerDirection<Readiness>,
        direction: Direction,
        batch: &mut WakeBatch,
    ) {
        self.armed = self.armed.without(direction);
        words.get(direction).deliver(true);
        self.waiters.take(direction, WakeReason::Failure, batch);
    }

    /// The system refused a change: its interest is unknown. All tasks try again and meet the error.
    pub(crate) fn fail(&mut self, words: &PerDirection<Readiness>, batch: &mut WakeBatch) {
        self.armed = Interest::NONE;
        self.refused = true;
        for direction in Direction::BOTH {
            // The lost events may have reported anything.
            words.get(direction).deliver(false);
            self.waiters.take(direction, WakeReason::Failure, batch);
        }
        for exception in Exception::ALL {
            self.waiters.take_exception(exception, batch);
        }
    }

    /// Moves the wakers of tasks that wait for this event's exceptions to the batch. Returns whether
    /// the interest stays: events that no task claims end it.
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

    /// Returns, once, whether an object that is reported once was reported while no task waited.
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
