//! The decisions of one source, made under its lock. Pure: no system call, nobody woken; actions are returned, and the one
//! call to the system that a decision leads to (`rearm`) is the caller's.
//!
//! # Idea
//!
//! The interest that the system holds for a source is part of the state, because it can be wrong in two ways: too small
//! loses a wake-up for ever, too large wakes the poller for nothing. So `armed` is what the system *certainly* has, it is
//! set after the call has succeeded, and the call is made under the lock that protects it. (A slower "read only" that
//! overtakes a faster "read and write" would lose the writer.)
//!
//! # Rules
//!
//! * A waiter is put in its place first and the interest is armed after that; arming reports what is ready already.
//! * Real edges: interest stays armed while somebody claims its events. A direction whose events nobody claims several
//!   times in a row is disarmed: a source that floods while nobody waits must not keep a thread busy.
//! * One-shot: every event disarms both directions, and the one that still has waiters is armed again.
//! * An event counts as claimed if somebody waited for it; a new waiter forgives the earlier ones.

use super::readiness::Readiness;
use super::waiters::{News, Waiters};
use super::{Direction, Event, Exception, Interest, PerDirection, RawSource, Turn, raw};
use crate::core::wake::WakeBatch;
use std::io;
use std::task::Waker;

/// How the system reports events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code)] // Each back end has one of them.
pub(crate) enum Reporting {
    /// Once per change, for as long as the interest is armed.
    Edges,
    /// Once, then not again until it is armed again; what is ready then is reported at once.
    OneShot,
}

/// What is to be known of a poller; see the constants of `sys`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    pub(crate) reporting: Reporting,
    pub(crate) forgets_idle: bool,
}

/// Since when the system reports a direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Armed {
    Before,
    JustNow,
}

/// After so many unclaimed events in a row a direction is disarmed. Reading is armed from the start, so two. Writing is
/// armed because somebody waited, and who waited once is likely to do so again, so one more.
const UNCLAIMED_LIMIT: PerDirection<u8> = PerDirection { read: 2, write: 3 };

/// The part of a source that its lock protects.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) generation: u32,
    /// `None` while the slot is vacant.
    pub(crate) raw: Option<RawSource>,
    /// What the system certainly has.
    pub(crate) armed: Interest,
    /// A call was refused since the last one that succeeded: the system may have more than `armed`.
    refused: bool,
    unclaimed: PerDirection<u8>,
    /// How often in a row an operation was refused although the kernel said "ready".
    pub(crate) strikes: PerDirection<u8>,
    /// Urgent data was reported, and no reader has been told yet.
    pub(crate) urgent: bool,
    /// An event for readers has come while nobody waited, and none has been told since; or one has come of what stays
    /// ready from then on. Matters for what is told once; see [`raw`].
    pub(crate) missed: bool,
    pub(crate) waiters: Waiters,
}

impl State {
    pub(crate) fn vacant() -> Self {
        State {
            generation: 0,
            raw: None,
            armed: Interest::NONE,
            refused: false,
            unclaimed: PerDirection::default(),
            strikes: PerDirection::default(),
            urgent: false,
            missed: false,
            waiters: Waiters::new(),
        }
    }

    /// The slot, which is vacant, is used for a new object.
    pub(crate) fn occupy(&mut self, raw: RawSource, armed: Interest) {
        self.raw = Some(raw);
        self.armed = armed;
        self.unclaimed = PerDirection::default();
        self.strikes = PerDirection::default();
        self.urgent = false;
        self.missed = false;
    }

    /// The object has gone: events under way find another generation. What it held is for the caller to drop outside
    /// of the lock.
    pub(crate) fn vacate(&mut self) -> Waiters {
        self.generation = self.generation.wrapping_add(1) & super::Key::GENERATION_MASK;
        self.raw = None;
        self.armed = Interest::NONE;
        std::mem::replace(&mut self.waiters, Waiters::new())
    }

    /// A waiter has been put in its place. Returns the interest that must be armed for it, if the system has less.
    pub(crate) fn awaited(&mut self, direction: Direction) -> Option<Interest> {
        *self.unclaimed.get_mut(direction) = 0;
        let missing = !self.armed.has(direction);
        missing.then(|| self.armed.with(direction))
    }

    /// An event has come. Returns the interest to arm or to fall back to, if it must change.
    pub(crate) fn deliver(
        &mut self,
        words: &PerDirection<Readiness>,
        event: Event,
        turn: Turn,
        reporting: Reporting,
        batch: &mut WakeBatch,
    ) -> Option<Interest> {
        let urgent = event.intersects(Event::PRIORITY);
        let news = News::Event { turn, urgent };
        let mut wanted = self.armed;
        let mut needless = true;
        if event.intersects(Event::EXCEPTIONAL) {
            wanted.exceptions &= self.tell_exceptions(event, batch);
        }
        for direction in Direction::BOTH {
            if !event.concerns(direction) {
                continue;
            }
            words.get(direction).deliver(event.is_plain());
            let claimed = self.waiters.claim(direction, news, batch);
            if direction == Direction::Read {
                self.missed = !claimed || self.raw.is_some_and(raw::lasts);
                self.urgent = if urgent { !claimed } else { self.urgent };
            }
            if claimed {
                needless = false;
                *self.unclaimed.get_mut(direction) = 0;
            } else if self.armed.has(direction) {
                let unclaimed = self.unclaimed.get_mut(direction);
                *unclaimed += 1;
                if *unclaimed >= *UNCLAIMED_LIMIT.get(direction) {
                    *unclaimed = 0;
                    wanted = wanted.without(direction);
                }
            }
        }
        match reporting {
            // What nobody has armed, or has taken back, keeps coming after a refusal: it is taken back again.
            Reporting::Edges => {
                (wanted != self.armed || self.refused && needless).then_some(wanted)
            }
            Reporting::OneShot => {
                self.armed = Interest::NONE;
                let still = Interest {
                    read: self.waiters.any(Direction::Read),
                    write: self.waiters.any(Direction::Write),
                    exceptions: self.waiters.any_exception(),
                };
                (still != Interest::NONE).then_some(still)
            }
        }
    }

    /// [`deliver`](Self::deliver), and the call that it asks for. If the system refuses, all waiters try again, and meet the
    /// error.
    pub(crate) fn handle(
        &mut self,
        words: &PerDirection<Readiness>,
        event: Event,
        turn: Turn,
        manner: Manner,
        batch: &mut WakeBatch,
        rearm: impl FnOnce(Interest) -> io::Result<()>,
    ) {
        let mut change = self.deliver(words, event, turn, manner.reporting, batch);
        if manner.forgets_idle && change.is_none() {
            change = Some(self.armed);
        }
        let Some(interest) = change else { return };
        match rearm(interest) {
            Ok(()) => self.has_armed(interest),
            Err(_) => self.fail(words, batch),
        }
    }

    /// [`awaited`](Self::awaited), and the call that it asks for. If the system refuses, everybody at the source is to be
    /// woken: what it has is unknown now.
    pub(crate) fn arm(
        &mut self,
        words: &PerDirection<Readiness>,
        direction: Direction,
        rearm: impl FnOnce(Interest) -> io::Result<()>,
    ) -> Result<Armed, (io::Error, WakeBatch)> {
        let missing = self.awaited(direction);
        self.arm_missing(words, missing, rearm)
    }

    /// Like [`arm`](Self::arm), for a waiter that neither reads nor writes.
    #[cfg_attr(not(any(target_os = "linux", target_os = "android")), allow(dead_code))]
    pub(crate) fn arm_exceptions(
        &mut self,
        words: &PerDirection<Readiness>,
        rearm: impl FnOnce(Interest) -> io::Result<()>,
    ) -> Result<Armed, (io::Error, WakeBatch)> {
        let missing = !self.armed.exceptions;
        let missing = missing.then(|| self.armed.with_exceptions());
        self.arm_missing(words, missing, rearm)
    }

    fn arm_missing(
        &mut self,
        words: &PerDirection<Readiness>,
        missing: Option<Interest>,
        rearm: impl FnOnce(Interest) -> io::Result<()>,
    ) -> Result<Armed, (io::Error, WakeBatch)> {
        let Some(interest) = missing else {
            return Ok(Armed::Before);
        };
        match rearm(interest) {
            Ok(()) => {
                self.has_armed(interest);
                Ok(Armed::JustNow)
            }
            Err(error) => {
                let mut others = WakeBatch::default();
                // The caller's own waker may be among them: a needless wake-up of a task that gets an error.
                self.fail(words, &mut others);
                Err((error, others))
            }
        }
    }

    /// The system has taken this.
    pub(crate) fn has_armed(&mut self, interest: Interest) {
        self.armed = interest;
        self.refused = false;
    }

    /// Where arming may fail in silence: the system was asked after it, and says "ready", so it may never tell. Whoever has
    /// relied on it tries again, and the next one arms anew.
    pub(crate) fn doubt_arming(
        &mut self,
        words: &PerDirection<Readiness>,
        direction: Direction,
        batch: &mut WakeBatch,
    ) {
        self.armed = self.armed.without(direction);
        words.get(direction).deliver(true);
        self.waiters.claim(direction, News::Unknown, batch);
    }

    /// The system's interest is unknown or gone: everybody tries again and finds out.
    pub(crate) fn fail(&mut self, words: &PerDirection<Readiness>, batch: &mut WakeBatch) {
        self.armed = Interest::NONE;
        self.refused = true;
        for direction in Direction::BOTH {
            // What the lost events would have told is unknown.
            words.get(direction).deliver(false);
            self.waiters.claim(direction, News::Unknown, batch);
        }
        for exception in [Exception::Priority, Exception::Error] {
            self.waiters.claim_exception(exception, batch);
        }
    }

    /// Hands those who wait for what this event tells to the batch. Returns whether the interest stays: events that nobody
    /// claims end it.
    #[cold]
    fn tell_exceptions(&mut self, event: Event, batch: &mut WakeBatch) -> bool {
        let mut claimed = false;
        for exception in [Exception::Priority, Exception::Error] {
            if event.intersects(exception.events()) {
                claimed |= self.waiters.claim_exception(exception, batch);
            }
        }
        claimed || self.waiters.any_exception()
    }

    /// Whether an object that is told once has told of itself to nobody yet. Answers once, unless the object stays ready.
    pub(crate) fn take_missed(&mut self) -> bool {
        let Some(raw) = self.raw.filter(|raw| raw::is_told_once(*raw)) else {
            return false;
        };
        let missed = self.missed;
        self.missed = missed && raw::lasts(raw);
        missed
    }

    /// Whether a waker that satisfies the condition waits here.
    pub(crate) fn waits_with(&self, condition: &mut dyn FnMut(&Waker) -> bool) -> bool {
        Direction::BOTH
            .iter()
            .any(|direction| self.waiters.wakers(*direction).any(&mut *condition))
            || self.waiters.exception_wakers().any(&mut *condition)
    }
}

#[cfg(all(test, not(async_io_loom)))]
mod tests {
    use super::super::waiters::Place;
    use super::*;

    struct Bench {
        words: PerDirection<Readiness>,
        state: State,
        batch: WakeBatch,
        turn: u32,
    }

    impl Bench {
        fn new(armed: Interest) -> Self {
            let mut state = State::vacant();
            state.occupy(crate::core::source::raw::made_up(3), armed);
            Bench {
                words: PerDirection::new(Readiness::new(), Readiness::new()),
                state,
                batch: WakeBatch::default(),
                turn: 0,
            }
        }

        fn wait(&mut self, direction: Direction) -> Option<Interest> {
            let waiter = self.state.waiters.at(direction, Place::Slot).unwrap();
            waiter.park(Waker::noop().clone());
            self.state.awaited(direction)
        }

        fn deliver(&mut self, event: Event, reporting: Reporting) -> Option<Interest> {
            self.turn += 1;
            self.state.deliver(
                &self.words,
                event,
                Turn(self.turn),
                reporting,
                &mut self.batch,
            )
        }
    }

    #[test]
    fn flood_that_nobody_awaits_is_turned_off_at_the_second_event() {
        let mut bench = Bench::new(Interest::READ);
        assert_eq!(bench.deliver(Event::READABLE, Reporting::Edges), None);
        let less = bench.deliver(Event::READABLE, Reporting::Edges);
        assert_eq!(less, Some(Interest::NONE));
        bench.state.armed = Interest::NONE;
        assert_eq!(bench.wait(Direction::Read), Some(Interest::READ));
    }

    #[test]
    fn what_comes_for_nobody_after_a_refusal_is_turned_off_again() {
        let mut bench = Bench::new(Interest::READ);
        bench.wait(Direction::Write);
        bench.state.fail(&bench.words, &mut bench.batch);
        assert_eq!(bench.batch.len(), 1);
        for _ in 0..3 {
            let again = bench.deliver(Event::READABLE, Reporting::Edges);
            assert_eq!(again, Some(Interest::NONE));
        }
        bench.state.has_armed(Interest::NONE);
        assert_eq!(bench.deliver(Event::READABLE, Reporting::Edges), None);
    }

    #[test]
    fn a_waiter_forgives_unclaimed_events() {
        let mut bench = Bench::new(Interest::READ);
        for _ in 0..10 {
            assert_eq!(bench.deliver(Event::READABLE, Reporting::Edges), None);
            assert_eq!(bench.wait(Direction::Read), None);
            assert_eq!(bench.deliver(Event::READABLE, Reporting::Edges), None);
        }
        assert_eq!(bench.batch.len(), 10);
    }

    #[test]
    fn an_event_that_nobody_awaited_is_remembered_until_the_next_one() {
        let mut bench = Bench::new(Interest::READ);
        bench.deliver(Event::WRITABLE, Reporting::OneShot);
        assert!(!bench.state.missed);
        bench.deliver(Event::READABLE, Reporting::OneShot);
        assert!(bench.state.missed);
        bench.wait(Direction::Read);
        bench.deliver(Event::READABLE, Reporting::OneShot);
        assert!(!bench.state.missed);
    }

    /// What a descriptor has told can be asked for again, so nothing of it is ever "missed".
    #[test]
    fn a_descriptor_has_missed_nothing() {
        let mut bench = Bench::new(Interest::READ);
        bench.deliver(Event::READABLE, Reporting::OneShot);
        assert!(!bench.state.take_missed());
    }

    #[cfg(windows)]
    #[test]
    fn what_is_told_once_is_missed_once() {
        let mut bench = Bench::new(Interest::NONE);
        bench.state.raw = Some(RawSource::Waitable(3));
        assert!(!bench.state.take_missed());
        bench.deliver(Event::READABLE, Reporting::OneShot);
        assert!(bench.state.take_missed());
        assert!(!bench.state.take_missed());
    }

    #[test]
    fn urgent_data_is_remembered_until_a_reader_is_told() {
        let mut bench = Bench::new(Interest::READ);
        bench.deliver(Event::READABLE, Reporting::Edges);
        assert!(!bench.state.urgent);
        bench.deliver(Event::PRIORITY, Reporting::Edges);
        bench.deliver(Event::READABLE, Reporting::Edges);
        assert!(bench.state.urgent);
        bench.wait(Direction::Read);
        bench.deliver(Event::PRIORITY, Reporting::Edges);
        assert!(!bench.state.urgent);
    }

    #[test]
    fn write_events_do_not_spoil_a_readers_snapshot() {
        let mut bench = Bench::new(Interest::READ.with(Direction::Write));
        let read = bench.words.get(Direction::Read).snapshot();
        let write = bench.words.get(Direction::Write).snapshot();
        bench.deliver(Event::WRITABLE, Reporting::Edges);
        assert!(bench.words.get(Direction::Read).is_current(read));
        assert!(!bench.words.get(Direction::Write).is_current(write));
    }

    #[test]
    fn one_shot_arms_again_only_for_who_is_left() {
        let mut bench = Bench::new(Interest::NONE);
        assert_eq!(bench.wait(Direction::Read), Some(Interest::READ));
        bench.state.armed = Interest::READ;
        let both = Interest::READ.with(Direction::Write);
        assert_eq!(bench.wait(Direction::Write), Some(both));
        bench.state.armed = both;
        let again = bench.deliver(Event::WRITABLE, Reporting::OneShot);
        assert_eq!(again, Some(Interest::READ));
        bench.state.armed = Interest::READ;
        assert_eq!(bench.deliver(Event::READABLE, Reporting::OneShot), None);
        assert_eq!(bench.state.armed, Interest::NONE);
    }

    impl Bench {
        fn wait_for(&mut self, exception: Exception) -> Place {
            let place = Place::Listed(self.state.waiters.add(exception));
            self.park_at(place);
            place
        }

        fn park_at(&mut self, place: Place) {
            let waiter = self.state.waiters.at(Direction::Read, place).unwrap();
            waiter.park(Waker::noop().clone());
        }

        fn arm_exceptions(&mut self) -> Option<Interest> {
            let mut asked = None;
            let armed = self.state.arm_exceptions(&self.words, |interest| {
                asked = Some(interest);
                Ok(())
            });
            assert!(armed.is_ok());
            asked
        }
    }

    #[test]
    fn exceptions_are_told_to_who_waits_for_them_alone() {
        let mut bench = Bench::new(Interest::READ);
        let priority = bench.wait_for(Exception::Priority);
        bench.wait_for(Exception::Error);
        let both = Interest::READ.with_exceptions();
        assert_eq!(bench.arm_exceptions(), Some(both));
        assert_eq!(bench.arm_exceptions(), None);

        bench.deliver(Event::READABLE.and(Event::WRITABLE), Reporting::Edges);
        assert_eq!(bench.batch.len(), 0);
        bench.deliver(Event::PRIORITY, Reporting::Edges);
        assert_eq!(bench.batch.len(), 1);
        bench.park_at(priority);
        bench.deliver(Event::ERROR, Reporting::Edges);
        assert_eq!(bench.batch.len(), 2);
        bench.deliver(Event::HANG_UP, Reporting::Edges);
        assert_eq!(bench.batch.len(), 3);
    }

    #[test]
    fn interest_in_exceptions_outlives_that_in_reading_and_ends_unclaimed() {
        let mut bench = Bench::new(Interest::READ);
        bench.wait_for(Exception::Priority);
        bench.arm_exceptions();
        let alone = Interest::NONE.with_exceptions();
        assert_eq!(bench.deliver(Event::READABLE, Reporting::Edges), None);
        let less = bench.deliver(Event::READABLE, Reporting::Edges);
        assert_eq!(less, Some(alone));
        bench.state.armed = alone;
        assert_eq!(bench.deliver(Event::PRIORITY, Reporting::Edges), None);
        let none = bench.deliver(Event::PRIORITY, Reporting::Edges);
        assert_eq!(none, Some(Interest::NONE));
    }

    #[test]
    fn one_shot_arms_again_for_who_waits_for_an_exception() {
        let mut bench = Bench::new(Interest::NONE);
        bench.wait_for(Exception::Error);
        bench.arm_exceptions();
        let again = bench.deliver(Event::PRIORITY, Reporting::OneShot);
        assert_eq!(again, Some(Interest::NONE.with_exceptions()));
        assert_eq!(bench.deliver(Event::ERROR, Reporting::OneShot), None);
    }

    #[test]
    fn failure_is_told_to_who_waits_for_an_exception_too() {
        let mut bench = Bench::new(Interest::NONE);
        bench.wait_for(Exception::Error);
        assert!(bench.state.waits_with(&mut |_| true));
        bench.state.fail(&bench.words, &mut bench.batch);
        assert_eq!(bench.batch.len(), 1);
        assert!(!bench.state.waits_with(&mut |_| true));
    }

    #[test]
    fn vacating_changes_the_generation() {
        let mut bench = Bench::new(Interest::READ);
        let before = bench.state.generation;
        bench.wait(Direction::Read);
        let left = bench.state.vacate();
        assert!(left.any(Direction::Read));
        assert_ne!(bench.state.generation, before);
        assert!(!bench.state.waiters.any(Direction::Read));
    }
}
