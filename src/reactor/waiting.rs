//! How a task goes to sleep on a source: the shell around the source state machine.
//!
//! Three kinds of caller, three degrees of trust in "would block":
//!
//! * [`Wait::Retry`]: we ran the system call ourselves on a type that we know. Whether an edge came
//!   since is in the sequence, so no further call is needed.
//! * [`Wait::Refused`]: a user's closure said so. It may speak of something else than this descriptor's readiness. Put the
//!   waiter in place, then ask the kernel: if it says "ready", the closure must be tried again.
//! * [`Wait::Question`]: somebody only wants to know. The same, and "ready" is the answer. Who asks again before anything
//!   has happened is not asked for again: an event would have taken his waker.
//!
//! The order is always: waiter in place, interest armed, kernel asked. An edge before the question is in the answer, an
//! edge after it finds the waiter.

use super::super::sys::ARMS_IN_SILENCE;
use super::super::sys::ask::{self, Answer};
use super::Reactor;
use crate::core::source::raw;
use crate::core::source::readiness::Snapshot;
use crate::core::source::state::{Armed, State};
use crate::core::source::waiters::{Place, Question, Subject, Waiter, WaiterId};
use crate::core::source::{Direction, Key, RawSource, Source};
use crate::core::wake::{self, WakeBatch};
use std::io;
use std::task::Waker;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Wait {
    /// The operation found nothing; it began after this snapshot.
    Retry(Snapshot),
    /// A closure said "would block".
    Refused,
    /// Ready now?
    Question,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parked {
    /// The waker will be called.
    Waiting,
    /// Something has changed: try the operation again. The waker will not be called.
    TryAgain,
    /// The kernel says "ready" and the closure "would block", so many times in a row.
    Contradiction { strikes: u8 },
    /// Ready. The waker will not be called.
    Ready,
}

/// What became of a waiter that was to be put in its place.
enum Entered {
    /// There was no need to wait.
    Left(Parked),
    /// It waits.
    Stays,
    /// It waits if the kernel says that it has to.
    Asks(RawSource),
}

/// One direction of one source, and the place in it where somebody waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spot {
    pub(crate) key: Key,
    pub(crate) direction: Direction,
    pub(crate) place: Place,
}

impl Reactor {
    /// Waits at a spot, or says why there is no need to.
    pub(crate) fn park(&self, spot: Spot, wait: Wait, waker: &Waker) -> io::Result<Parked> {
        let source = self.source(spot.key).ok_or_else(gone)?;
        // Foreign code: cloned before the lock is taken.
        let own = waker.clone();
        match self.put_in_place(source, spot, wait, own)? {
            Entered::Left(parked) => Ok(parked),
            Entered::Stays => Ok(Parked::Waiting),
            Entered::Asks(raw) => self.ask(source, raw, spot, wait, waker),
        }
    }

    /// Puts the waker in its place and arms the interest.
    fn put_in_place(
        &self,
        source: &Source,
        spot: Spot,
        wait: Wait,
        own: Waker,
    ) -> io::Result<Entered> {
        let mut state = source.lock();
        if let Wait::Retry(seen) = wait {
            if !source.word(spot.direction).is_current(seen) {
                drop(state);
                wake::discard(Some(own));
                return Ok(Entered::Left(Parked::TryAgain));
            }
        }
        let raw = state.raw.ok_or_else(gone)?;
        let told_once = raw::is_told_once(raw);
        let missed = told_once && state.take_missed();
        let waiter = waiter_at(&mut state, spot)?;
        if matches!(wait, Wait::Question) && (missed || waiter.question == Question::Answered) {
            let former = waiter.unpark();
            drop(state);
            wake::discard(former);
            wake::discard(Some(own));
            return Ok(Entered::Left(Parked::Ready));
        }
        let waits_already = waiter.would_wake(&own);
        // Any event would have taken the waker, so what the kernel has said still holds.
        let has_asked = waits_already
            && matches!(wait, Wait::Question)
            && matches!(waiter.question, Question::ReadySince(_));
        let displaced = if waits_already {
            Displaced::Same(own)
        } else {
            Displaced::of(spot.place, waiter.park(own))
        };
        waiter.question = match (wait, waiter.question) {
            (_, asked) if has_asked => asked,
            _ if told_once => Question::NextEvent,
            (Wait::Question, Question::ReadyOrUrgent) => Question::ReadyOrUrgent,
            (Wait::Question, _) => Question::Ready,
            _ => Question::Retry,
        };
        let armed = self.arm(&mut state, source, spot);
        drop(state);
        displaced.release();
        match armed {
            // There is nobody to ask.
            Ok(_) if told_once => Ok(Entered::Stays),
            Ok(armed) => Ok(match (wait, armed) {
                (_, Armed::Before) if has_asked => Entered::Stays,
                // Arming reports what is ready already; where it may fail to, that has to be found out.
                (Wait::Retry(_), Armed::JustNow) if ARMS_IN_SILENCE => Entered::Asks(raw),
                (Wait::Retry(_), _) => Entered::Stays,
                (Wait::Refused | Wait::Question, _) => Entered::Asks(raw),
            }),
            Err((error, mut others)) => {
                others.run();
                Err(error)
            }
        }
    }

    /// Makes sure that the system reports this direction. If it refuses, everybody else at the source is to be woken: what
    /// it has is unknown now.
    fn arm(
        &self,
        state: &mut State,
        source: &Source,
        spot: Spot,
    ) -> Result<Armed, (io::Error, WakeBatch)> {
        let (raw, poller) = (state.raw, self.existing_poller());
        state.arm(source.words(), spot.direction, |interest| {
            match (raw, poller) {
                (Some(raw), Some(poller)) => poller.rearm(raw, spot.key, interest),
                _ => Err(gone()),
            }
        })
    }

    /// Asks the kernel whether the wait is needed at all.
    fn ask(
        &self,
        source: &Source,
        raw: RawSource,
        spot: Spot,
        wait: Wait,
        waker: &Waker,
    ) -> io::Result<Parked> {
        let answer = match ask::ready_now(raw, spot.direction) {
            Ok(answer) => answer,
            Err(error) => {
                let mut others = WakeBatch::default();
                let mut state = source.lock();
                let former = unpark(&mut state, spot, waker);
                if ARMS_IN_SILENCE {
                    // Nobody has confirmed what was armed.
                    state.doubt_arming(source.words(), spot.direction, &mut others);
                }
                drop(state);
                wake::discard(former);
                others.run();
                return Err(error);
            }
        };
        // After the answer: only a turn that begins from here on can tell news.
        let asked_at = self.last_turn();

        let mut state = source.lock();
        let yes = match answer {
            Answer::Yes => true,
            Answer::No => false,
            // Urgent data stays reported until somebody takes it, so each event tells of it once.
            Answer::OnlyUrgent => {
                let told = waiter_at(&mut state, spot)?.question == Question::ReadyOrUrgent;
                told || std::mem::take(&mut state.urgent)
            }
        };
        if yes {
            Ok(self.found_ready(state, source, spot, wait, waker))
        } else {
            *state.strikes.get_mut(spot.direction) = 0;
            source.word(spot.direction).set_struck(false);
            note_unready(&mut state, spot, asked_at);
            Ok(Parked::Waiting)
        }
    }

    fn found_ready(
        &self,
        mut state: crate::core::sync::MutexGuard<'_, State>,
        source: &Source,
        spot: Spot,
        wait: Wait,
        waker: &Waker,
    ) -> Parked {
        let former = unpark(&mut state, spot, waker);
        let mut parked = Parked::Ready;
        if matches!(wait, Wait::Refused) {
            let strikes = state.strikes.get_mut(spot.direction);
            *strikes = strikes.saturating_add(1);
            parked = Parked::Contradiction { strikes: *strikes };
            source.word(spot.direction).set_struck(true);
        }
        let mut others = WakeBatch::default();
        if ARMS_IN_SILENCE {
            state.doubt_arming(source.words(), spot.direction, &mut others);
        }
        drop(state);
        wake::discard(former);
        others.run();
        parked
    }

    /// An operation has succeeded after contradictions.
    #[cold]
    pub(crate) fn forgive(&self, key: Key, direction: Direction) {
        if let Some(source) = self.source(key) {
            *source.lock().strikes.get_mut(direction) = 0;
            source.word(direction).set_struck(false);
        }
    }

    /// Waits for an exception at a listed place. `true`: it is there, and the waker will not be called. The kernel is asked
    /// each time, and what it says is the answer.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn park_exception(
        &self,
        key: Key,
        id: WaiterId,
        exception: crate::core::source::Exception,
        waker: &Waker,
    ) -> io::Result<bool> {
        let source = self.source(key).ok_or_else(gone)?;
        let spot = Spot {
            key,
            direction: Direction::Read,
            place: Place::Listed(id),
        };
        let own = waker.clone();
        let mut state = source.lock();
        let former = waiter_at(&mut state, spot)?.park(own);
        let raw = state.raw.ok_or_else(gone)?;
        let poller = self.existing_poller().ok_or_else(gone)?;
        let armed =
            state.arm_exceptions(source.words(), |interest| poller.rearm(raw, key, interest));
        drop(state);
        wake::discard(former);
        if let Err((error, mut others)) = armed {
            others.run();
            return Err(error);
        }
        let answer = ask::exception_now(raw, exception);
        if !matches!(answer, Ok(false)) {
            let mut state = source.lock();
            let former = unpark(&mut state, spot, waker);
            drop(state);
            wake::discard(former);
        }
        answer
    }

    /// A place for a future of its own.
    pub(crate) fn add_waiter(&self, key: Key, subject: impl Into<Subject>) -> io::Result<WaiterId> {
        let source = self.source(key).ok_or_else(gone)?;
        Ok(source.lock().waiters.add(subject))
    }

    /// Gives the place back. The waker is dropped at once and will not be called.
    pub(crate) fn remove_waiter(&self, key: Key, id: WaiterId) {
        if let Some(source) = self.source(key) {
            let mut state = source.lock();
            let former = (state.generation == key.generation)
                .then(|| state.waiters.remove(id))
                .flatten();
            drop(state);
            wake::discard(former);
        }
    }
}

/// Takes a waiter back, unless another task has displaced it meanwhile: that one's waker must stay.
fn unpark(state: &mut State, spot: Spot, waker: &Waker) -> Option<Waker> {
    let waiter = waiter_at(state, spot).ok()?;
    if !waiter.is_parked() || waiter.would_wake(waker) {
        waiter.unpark()
    } else {
        None
    }
}

/// Remembers that the kernel has said "not ready", unless an event has come in between.
fn note_unready(state: &mut State, spot: Spot, asked_at: crate::core::source::Turn) {
    if let Ok(waiter) = waiter_at(state, spot) {
        let unanswered = matches!(waiter.question, Question::Ready | Question::ReadyOrUrgent);
        if unanswered && waiter.is_parked() {
            waiter.question = Question::ReadySince(asked_at);
        }
    }
}

fn waiter_at(state: &mut State, spot: Spot) -> io::Result<&mut Waiter> {
    if state.generation != spot.key.generation {
        return Err(gone());
    }
    state
        .waiters
        .at(spot.direction, spot.place)
        .ok_or_else(gone)
}

/// Cannot happen while the `Async` lives, which all callers borrow.
fn gone() -> io::Error {
    io::Error::new(
        io::ErrorKind::NotFound,
        "the I/O object is not registered with the reactor any more",
    )
}

/// A waker that is to be let go outside of the lock.
enum Displaced {
    /// The one in place is as good.
    Same(Waker),
    /// It shared the slot: its task is woken, so that it can come back.
    Wake(Option<Waker>),
    /// A former waker of the same future.
    Drop(Option<Waker>),
}

impl Displaced {
    fn of(place: Place, former: Option<Waker>) -> Self {
        match place {
            Place::Slot => Displaced::Wake(former),
            Place::Listed(_) => Displaced::Drop(former),
        }
    }

    fn release(self) {
        match self {
            Displaced::Same(waker) => wake::discard(Some(waker)),
            Displaced::Wake(Some(waker)) => wake::wake(waker),
            Displaced::Wake(None) => {}
            Displaced::Drop(former) => wake::discard(former),
        }
    }
}
