//! How a task waits for a source.
//!
//! # Idea
//!
//! The order is always: enqueue the waiter, arm the interest, ask the kernel. The kernel's answer
//! includes everything that happens before the question. Everything that happens after it finds the
//! waiter enqueued. `core::source::state` decides whether the kernel is asked, and this file
//! carries that out.
//!
//! An operation of this crate on a known type needs no question. Its `WouldBlock` is the kernel's
//! answer, and the sequence tells whether an event has come since.

use super::poller::Poller;
use super::{Engine, Target};
use crate::core::source::backoff::Step;
use crate::core::source::readiness::Snapshot;
use crate::core::source::state::{Enqueue, Repoll, Request};
use crate::core::source::waiters::WaiterId;
use crate::core::source::{Answer, Direction, Exception};
use crate::core::timers::TimerKey;
use crate::core::wake::{self, WakeBatch};
use std::io;
use std::task::Waker;
use std::time::Duration;

/// The result of a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waited {
    /// The task is enqueued: its waker will be called.
    Enqueued,
    /// The caller tries the operation again. The waker will not be called.
    TryAgain,
    /// The object is ready. The waker will not be called.
    Ready,
    /// The executor has to run other tasks before this one continues. The caller wakes the task.
    Yield,
    /// The task has to pause. The caller schedules a timer; see [`Engine::set_pause`].
    Pause(Duration),
}

/// The state of a pause; see `core::source::backoff`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pausing {
    /// The task does not pause.
    No,
    /// The task is paused: its waker will be called.
    Yes,
    /// The pause is over.
    Over,
}

/// A waiter of a source.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WaitPoint {
    pub(crate) direction: Direction,
    pub(crate) id: WaiterId,
}

impl<P: Poller> Engine<P> {
    /// Waits, or returns why the task does not have to wait.
    ///
    /// # Errors
    ///
    /// The system refuses to report the object, or to answer whether it is ready.
    #[inline]
    pub(crate) fn wait_for(
        &self,
        target: &Target<'_, P::Raw>,
        at: WaitPoint,
        request: Request,
        waker: &Waker,
    ) -> io::Result<Waited> {
        let WaitPoint { direction, id } = at;
        // The waker is cloned before the lock is taken, because `clone` is foreign code.
        let own = waker.clone();
        let latest = match (request, id) {
            (Request::Retry(_) | Request::RetryPeek(_), WaiterId::Listed(_)) => {
                self.turns.latest_after_call()
            }
            _ => self.turns.latest(),
        };
        let mut slot = target.source.lock();
        let words = target.source.words();
        let enqueued = slot
            .state
            .enqueue(words, direction, id, request, own, latest);
        let (former, displaced, arm, ask) = match enqueued {
            Enqueue::Enqueued {
                former,
                displaced,
                arm,
                ask,
            } => (former, displaced, arm, ask),
            Enqueue::Unneeded {
                ready,
                unused,
                displaced,
            } => {
                drop(slot);
                wake::discard(Some(unused));
                release(displaced, true);
                return Ok(if ready {
                    Waited::Ready
                } else {
                    Waited::TryAgain
                });
            }
        };
        let mut asks = ask;
        let mut failure = None;
        if let Some(interest) = arm {
            match self
                .poller()
                .and_then(|it| it.rearm(target.raw, target.key, interest))
            {
                Ok(()) => {
                    slot.state.has_armed(interest);
                    asks |= P::TRAITS.arms_silently && !P::nature(target.raw).reported_once;
                }
                Err(error) => {
                    let mut others = WakeBatch::default();
                    // The caller's own waker may be among them. That causes a spurious wake-up of a
                    // task that gets an error.
                    slot.state.fail(words, &mut others);
                    failure = Some((error, others));
                }
            }
        }
        drop(slot);
        release(former, displaced);
        match failure {
            Some((error, mut others)) => {
                others.run();
                Err(error)
            }
            None if asks => self.ask(target, at, request, waker),
            None => Ok(Waited::Enqueued),
        }
    }

    /// Waits without a system call, because the latest read was short as of this snapshot. Returns
    /// whether that is safe. If not, the caller reads.
    #[inline]
    pub(crate) fn wait_after_short_read(
        &self,
        target: &Target<'_, P::Raw>,
        seen: Snapshot,
        waker: &Waker,
    ) -> bool {
        // The waker is cloned before the lock is taken, because `clone` is foreign code.
        let own = waker.clone();
        let latest = self.turns.latest();
        let word = target.source.word(Direction::Read);
        let mut slot = target.source.lock();
        let enqueued = slot.state.enqueue_after_short_read(word, seen, own, latest);
        drop(slot);
        match enqueued {
            Ok((None, _)) => true,
            Ok((former, displaced)) => {
                release(former, displaced);
                true
            }
            Err(unused) => {
                wake::discard(Some(unused));
                false
            }
        }
    }

    /// Decides what an operation of this crate does that is polled again.
    #[inline]
    pub(crate) fn repoll(
        &self,
        target: &Target<'_, P::Raw>,
        at: WaitPoint,
        waker: &Waker,
    ) -> Repoll {
        let latest = self.turns.latest();
        let state = &mut target.source.lock().state;
        state.repoll(at.direction, at.id, waker, latest)
    }

    /// Lets a reading operation wait again that an event has woken. Returns whether that is safe. If
    /// not, the caller tries the operation.
    pub(crate) fn wait_again(
        &self,
        target: &Target<'_, P::Raw>,
        id: WaiterId,
        waker: &Waker,
    ) -> bool {
        // The waker is cloned before the lock is taken, because `clone` is foreign code.
        let own = waker.clone();
        let latest = self.turns.latest();
        let mut slot = target.source.lock();
        let enqueued = slot.state.enqueue_again(id, own, latest);
        drop(slot);
        match enqueued {
            Ok(()) => true,
            Err(unused) => {
                wake::discard(Some(unused));
                false
            }
        }
    }

    /// Asks the kernel whether an enqueued task has to wait.
    fn ask(
        &self,
        target: &Target<'_, P::Raw>,
        at: WaitPoint,
        request: Request,
        waker: &Waker,
    ) -> io::Result<Waited> {
        let WaitPoint { direction, id } = at;
        let words = target.source.words();
        let answer = match P::ready_now(target.raw, direction) {
            Ok(answer) => answer,
            Err(error) => {
                let mut slot = target.source.lock();
                let former = slot.state.leave(direction, id, waker);
                let others = self.doubt_arming(target, direction, &mut slot.state);
                drop(slot);
                wake::discard(former);
                others.run_all();
                return Err(error);
            }
        };
        // Read after the answer, because only events of later turns are newer than it.
        let latest = self.turns.latest_after_call();
        let mut slot = target.source.lock();
        let ready = match answer {
            Answer::Yes => true,
            Answer::No => false,
            // The kernel reports urgent data until a task takes it, so each event makes a reader
            // ready once.
            Answer::OnlyUrgent => slot.state.take_urgent(id),
        };
        if !ready {
            slot.state
                .found_unready(words, direction, id, waker, latest);
            return Ok(Waited::Enqueued);
        }
        let found = slot
            .state
            .found_ready(words, direction, id, request, waker, latest);
        let others = self.doubt_arming(target, direction, &mut slot.state);
        drop(slot);
        wake::discard(found.former);
        others.run_all();
        Ok(match (request, found.step) {
            (Request::Ready, Step::Proceed) => Waited::Ready,
            (Request::Ready, Step::Pause(pause)) => self.pause_or_yield(target, at, pause),
            (_, Step::Proceed) => Waited::TryAgain,
            (_, Step::Yield) if found.is_woken => Waited::Enqueued,
            (_, Step::Yield) => Waited::Yield,
            (_, Step::Pause(pause)) => Waited::Pause(pause),
        })
    }

    /// Decides what a task does that asks for readiness repeatedly. The task pauses if its object
    /// may be refusing operations, and yields otherwise.
    #[cold]
    fn pause_or_yield(
        &self,
        target: &Target<'_, P::Raw>,
        at: WaitPoint,
        pause: Duration,
    ) -> Waited {
        let WaitPoint { direction, id } = at;
        if !P::may_refuse(target.raw, direction) {
            target.source.lock().state.yield_instead(direction, id);
            return Waited::Yield;
        }
        // The task stays out of the queue, because its own attempts may cause events.
        target.source.word(direction).set_contradicted(true);
        Waited::Pause(pause)
    }

    /// Makes the tasks that rely on an interest try again if arming it may have failed silently.
    /// Called when the kernel answers "ready" or returns an error.
    fn doubt_arming(
        &self,
        target: &Target<'_, P::Raw>,
        direction: Direction,
        state: &mut crate::core::source::state::State,
    ) -> Others {
        let mut others = Others(None);
        if P::TRAITS.arms_silently {
            let batch = others.0.get_or_insert_with(WakeBatch::default);
            state.doubt_arming(target.source.words(), direction, batch);
        }
        others
    }

    /// Resets the contradictions after an operation has succeeded, and ends the waiter's pause.
    #[cold]
    pub(crate) fn forgive(&self, target: &Target<'_, P::Raw>, at: WaitPoint) {
        let mut slot = target.source.lock();
        slot.state.forgive(target.source.words(), at.direction);
        let waiter = slot.state.waiters.get(at.direction, at.id);
        let pause = waiter.and_then(|waiter| waiter.pause.take());
        drop(slot);
        let waker = pause.and_then(|timer| self.timers.remove(timer));
        // Another task may be pausing as the shared waiter.
        release(waker, at.id == WaiterId::Shared);
    }

    /// Records the timer that ends the pause of a waiter.
    #[cold]
    pub(crate) fn set_pause(&self, target: &Target<'_, P::Raw>, at: WaitPoint, timer: TimerKey) {
        let mut slot = target.source.lock();
        let former = match slot.state.waiters.get(at.direction, at.id) {
            Some(waiter) => waiter.pause.replace(timer),
            None => Some(timer),
        };
        drop(slot);
        // If another task pauses as the shared waiter, it is displaced.
        let waker = former.and_then(|timer| self.timers.remove(timer));
        release(waker, at.id == WaiterId::Shared);
    }

    /// Returns whether a waiter pauses. If it does, the given waker replaces its former one.
    #[cold]
    pub(crate) fn pausing(
        &self,
        target: &Target<'_, P::Raw>,
        at: WaitPoint,
        waker: &Waker,
    ) -> Pausing {
        let mut slot = target.source.lock();
        let Some(waiter) = slot.state.waiters.get(at.direction, at.id) else {
            return Pausing::No;
        };
        let Some(timer) = waiter.pause else {
            return Pausing::No;
        };
        if !self.timers.is_pending(timer) {
            waiter.pause = None;
            return Pausing::Over;
        }
        drop(slot);
        match self.timers.set_waker(timer, waker.clone()) {
            Ok(Some(former)) if at.id == WaiterId::Shared && !former.will_wake(waker) => {
                wake::wake(former);
            }
            Ok(former) => wake::discard(former),
            // The pause has ended meanwhile, and the former waker was called.
            Err(unused) => wake::wake(unused),
        }
        Pausing::Yes
    }

    /// Asks the kernel whether an object is ready, for a task that has paused.
    #[cold]
    pub(crate) fn is_ready_now(&self, target: &Target<'_, P::Raw>, direction: Direction) -> bool {
        matches!(P::ready_now(target.raw, direction), Ok(Answer::Yes))
    }

    fn cancel(&self, timer: Option<TimerKey>) {
        wake::discard(timer.and_then(|timer| self.timers.remove(timer)));
    }

    /// Waits for an exception, as a listed waiter. Returns whether the exception is there. If it
    /// is, the waker will not be called. The kernel is asked each time, and its answer is the
    /// result.
    #[cfg_attr(not(any(target_os = "linux", target_os = "android")), allow(dead_code))]
    pub(crate) fn wait_for_exception(
        &self,
        target: &Target<'_, P::Raw>,
        id: WaiterId,
        exception: Exception,
        waker: &Waker,
    ) -> io::Result<bool> {
        let poller = self.poller()?;
        let own = waker.clone();
        let mut others = WakeBatch::default();
        let mut slot = target.source.lock();
        let (former, missing) = slot.state.enqueue_for_exception(id, own);
        let mut armed = Ok(());
        if let Some(interest) = missing {
            armed = poller.rearm(target.raw, target.key, interest);
            match armed {
                Ok(()) => slot.state.has_armed(interest),
                Err(_) => slot.state.fail(target.source.words(), &mut others),
            }
        }
        drop(slot);
        wake::discard(former);
        others.run();
        armed?;
        let answer = P::exception_now(target.raw, exception);
        if !matches!(answer, Ok(false)) {
            let mut slot = target.source.lock();
            let former = slot.state.leave(Direction::Read, id, waker);
            drop(slot);
            wake::discard(former);
        }
        answer
    }

    /// Removes a listed waiter. Its waker is dropped immediately and will not be called.
    pub(crate) fn remove_waiter(&self, target: &Target<'_, P::Raw>, id: WaiterId) {
        let mut slot = target.source.lock();
        if slot.state.generation != target.key.generation {
            return; // The object and all of its waiters were dropped.
        }
        let released = slot.state.remove_waiter(id);
        drop(slot);
        wake::discard(released.waker);
        self.cancel(released.pause);
    }
}

/// Releases the former waker of a waiter. If its task is displaced, the waker is called, so that
/// the task polls again.
fn release(former: Option<Waker>, displaced: bool) {
    match former {
        Some(former) if displaced => wake::wake(former),
        former => wake::discard(former),
    }
}

/// The wakers of the tasks that try again, if there are any.
struct Others(Option<WakeBatch>);

impl Others {
    fn run_all(self) {
        if let Some(mut batch) = self.0 {
            batch.run();
        }
    }
}
