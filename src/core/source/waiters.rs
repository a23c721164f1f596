//! Who waits for a source, and for what kind of answer. Pure: holds wakers, runs none.
//!
//! Each direction has one *slot* for the `poll_*` functions (a later poll displaces an earlier one) and any number of
//! *listed* waiters, one per future. The list is allocated when the first future needs it, and kept: most sources never
//! have one, and those that have use it again and again.
//!
//! A waiter is either an *operation* that will simply be tried again, or a *question* "is it ready now?" of somebody who
//! does the operation himself. A question may be answered by an event only if the event was fetched in a turn that began
//! after the kernel had said "not ready": an older one may tell of data that is consumed already.

use super::{Direction, Exception, PerDirection, Turn};
use crate::core::wake::{self, WakeBatch};
use slab::Slab;
use std::task::Waker;

/// Where a waiter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Slot,
    Listed(WaiterId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WaiterId(usize);

/// What a waiter wants to hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    /// Nothing: it tries its operation again.
    Retry,
    /// Whether the source is ready. The kernel has not been asked yet.
    Ready,
    /// The same; the kernel said "not ready" while this turn was the latest.
    ReadySince(Turn),
    /// Like `Ready`, and an event told of urgent data meanwhile: even that alone is an answer.
    ReadyOrUrgent,
    /// The next event, whatever it is: the kernel cannot be asked about this object.
    NextEvent,
    /// Answered: an event came that is certainly younger than the kernel's "not ready".
    Answered,
}

/// Why waiters are woken.
#[derive(Clone, Copy, Debug)]
pub(crate) enum News {
    /// An event that was fetched in this turn.
    Event { turn: Turn, urgent: bool },
    /// Something went wrong: everybody is to look for himself.
    Unknown,
}

#[derive(Debug)]
pub(crate) struct Waiter {
    waker: Option<Waker>,
    pub(crate) question: Question,
}

impl Waiter {
    const IDLE: Waiter = Waiter {
        waker: None,
        question: Question::Retry,
    };

    pub(crate) fn would_wake(&self, waker: &Waker) -> bool {
        self.waker.as_ref().is_some_and(|own| own.will_wake(waker))
    }

    pub(crate) fn is_parked(&self) -> bool {
        self.waker.is_some()
    }

    /// Waits with this waker from now on; returns the one that it displaces.
    pub(crate) fn park(&mut self, waker: Waker) -> Option<Waker> {
        self.waker.replace(waker)
    }

    /// Waits no longer.
    pub(crate) fn unpark(&mut self) -> Option<Waker> {
        self.question = Question::Retry;
        self.waker.take()
    }

    /// An event came. Returns whom to wake.
    fn claim(&mut self, news: News) -> Option<Waker> {
        let waker = self.waker.take()?;
        self.question = match (self.question, news) {
            (Question::ReadySince(asked), News::Event { turn, .. }) if turn.is_after(asked) => {
                Question::Answered
            }
            (Question::NextEvent, News::Event { .. }) => Question::Answered,
            (Question::Ready | Question::ReadySince(_), News::Event { urgent: true, .. }) => {
                Question::ReadyOrUrgent
            }
            (Question::ReadySince(_), News::Unknown) => Question::Ready,
            (question, _) => question,
        };
        Some(waker)
    }
}

/// What a listed waiter listens to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(any(target_os = "linux", target_os = "android")), allow(dead_code))]
pub(crate) enum Subject {
    Direction(Direction),
    Exception(Exception),
}

impl From<Direction> for Subject {
    fn from(direction: Direction) -> Self {
        Subject::Direction(direction)
    }
}

impl From<Exception> for Subject {
    fn from(exception: Exception) -> Self {
        Subject::Exception(exception)
    }
}

#[derive(Debug)]
struct Listed {
    subject: Subject,
    waiter: Waiter,
}

/// All waiters of one source.
#[derive(Debug)]
pub(crate) struct Waiters {
    slots: PerDirection<Waiter>,
    /// Boxed: it is 40 bytes that most sources never use.
    #[allow(clippy::box_collection)]
    list: Option<Box<Slab<Listed>>>,
}

impl Waiters {
    pub(crate) fn new() -> Self {
        Waiters {
            slots: PerDirection::new(Waiter::IDLE, Waiter::IDLE),
            list: None,
        }
    }

    /// Adds a listed waiter, which does not wait yet.
    pub(crate) fn add(&mut self, subject: impl Into<Subject>) -> WaiterId {
        let list = self.list.get_or_insert_with(Box::default);
        WaiterId(list.insert(Listed {
            subject: subject.into(),
            waiter: Waiter::IDLE,
        }))
    }

    /// Takes a listed waiter out; its waker is for the caller to drop, outside of the lock.
    pub(crate) fn remove(&mut self, id: WaiterId) -> Option<Waker> {
        let list = self.list.as_mut()?;
        let mut listed = list.try_remove(id.0)?;
        listed.waiter.unpark()
    }

    pub(crate) fn at(&mut self, direction: Direction, place: Place) -> Option<&mut Waiter> {
        match place {
            Place::Slot => Some(self.slots.get_mut(direction)),
            Place::Listed(id) => {
                let list = self.list.as_mut()?;
                list.get_mut(id.0).map(|listed| &mut listed.waiter)
            }
        }
    }

    /// There is news for this direction: hands everybody who waits to the batch. Returns whether somebody did.
    pub(crate) fn claim(
        &mut self,
        direction: Direction,
        news: News,
        batch: &mut WakeBatch,
    ) -> bool {
        let before = batch.len();
        if let Some(waker) = self.slots.get_mut(direction).claim(news) {
            batch.push(waker);
        }
        if let Some(list) = &mut self.list {
            for (_, listed) in list.iter_mut() {
                if listed.subject == Subject::Direction(direction) {
                    if let Some(waker) = listed.waiter.claim(news) {
                        batch.push(waker);
                    }
                }
            }
        }
        batch.len() > before
    }

    /// The same for those who wait for an exception. They look for themselves whether it is there.
    pub(crate) fn claim_exception(&mut self, exception: Exception, batch: &mut WakeBatch) -> bool {
        let before = batch.len();
        for (_, listed) in self.list.iter_mut().flat_map(|list| list.iter_mut()) {
            if listed.subject == Subject::Exception(exception) {
                if let Some(waker) = listed.waiter.unpark() {
                    batch.push(waker);
                }
            }
        }
        batch.len() > before
    }

    pub(crate) fn any_exception(&self) -> bool {
        self.exception_wakers().next().is_some()
    }

    pub(crate) fn exception_wakers(&self) -> impl Iterator<Item = &Waker> {
        let listed = self.list.iter().flat_map(|list| list.iter());
        listed
            .filter(|(_, listed)| matches!(listed.subject, Subject::Exception(_)))
            .filter_map(|(_, listed)| listed.waiter.waker.as_ref())
    }

    /// Drops everybody's waker, not under a lock; a panic inside is swallowed.
    pub(crate) fn discard(self) {
        let PerDirection { read, write } = self.slots;
        wake::discard(read.waker);
        wake::discard(write.waker);
        // As a rule there is none, and taking chained iterators apart would be a fifth of a registration.
        if let Some(list) = self.list {
            for (_, listed) in *list {
                wake::discard(listed.waiter.waker);
            }
        }
    }

    /// Whether somebody waits for this direction.
    pub(crate) fn any(&self, direction: Direction) -> bool {
        self.wakers(direction).next().is_some()
    }

    /// The wakers that wait for this direction.
    pub(crate) fn wakers(&self, direction: Direction) -> impl Iterator<Item = &Waker> {
        let listed = self.list.iter().flat_map(|list| list.iter());
        let listed = listed
            .filter(move |(_, listed)| listed.subject == Subject::Direction(direction))
            .map(|(_, listed)| &listed.waiter);
        std::iter::once(self.slots.get(direction))
            .chain(listed)
            .filter_map(|waiter| waiter.waker.as_ref())
    }
}

#[cfg(all(test, not(async_io_loom)))]
mod tests {
    use super::*;
    use Direction::{Read, Write};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    fn park(waiters: &mut Waiters, direction: Direction, place: Place, question: Question) {
        let waiter = waiters.at(direction, place).unwrap();
        waiter.park(Waker::noop().clone());
        waiter.question = question;
    }

    fn event(turn: u32) -> News {
        News::Event {
            turn: Turn(turn),
            urgent: false,
        }
    }

    /// Counts wakers that are dropped, and panics in each drop.
    struct PanicsInDrop(&'static AtomicUsize);
    impl Wake for PanicsInDrop {
        fn wake(self: Arc<Self>) {
            unreachable!("who is discarded is not woken");
        }
    }
    impl Drop for PanicsInDrop {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
            std::panic::resume_unwind(Box::new(()));
        }
    }

    #[test]
    fn wakers_that_panic_when_dropped_do_not_stop_the_others() {
        static DROPPED: AtomicUsize = AtomicUsize::new(0);
        let mut waiters = Waiters::new();
        let places = [
            (Read, Place::Slot),
            (Write, Place::Slot),
            (Read, Place::Listed(waiters.add(Read))),
            (Write, Place::Listed(waiters.add(Write))),
        ];
        for (direction, place) in places {
            let waiter = waiters.at(direction, place).unwrap();
            waiter.park(Arc::new(PanicsInDrop(&DROPPED)).into());
        }
        waiters.discard();
        assert_eq!(DROPPED.load(Ordering::Relaxed), places.len());
    }

    #[test]
    fn everybody_of_the_direction_is_claimed_and_nobody_else() {
        let mut waiters = Waiters::new();
        let first = waiters.add(Read);
        let second = waiters.add(Read);
        let writer = waiters.add(Write);
        park(&mut waiters, Read, Place::Slot, Question::Retry);
        for (direction, id) in [(Read, first), (Read, second), (Write, writer)] {
            park(&mut waiters, direction, Place::Listed(id), Question::Ready);
        }
        let mut batch = WakeBatch::default();
        assert!(waiters.claim(Read, event(1), &mut batch));
        assert_eq!(batch.len(), 3);
        assert!(!waiters.any(Read) && waiters.any(Write));
        assert!(!waiters.claim(Read, event(2), &mut batch));
        assert_eq!(batch.len(), 3);
    }

    #[test]
    fn removed_waiter_is_not_woken_and_leaves_the_others() {
        let mut waiters = Waiters::new();
        let first = waiters.add(Read);
        let second = waiters.add(Read);
        park(&mut waiters, Read, Place::Listed(first), Question::Retry);
        park(&mut waiters, Read, Place::Listed(second), Question::Retry);
        assert!(waiters.remove(first).is_some());
        assert!(waiters.remove(first).is_none());
        let mut batch = WakeBatch::default();
        assert!(waiters.claim(Read, event(1), &mut batch));
        assert_eq!(batch.len(), 1);
    }

    #[test]
    fn only_events_of_later_turns_answer_a_question() {
        let mut waiters = Waiters::new();
        let mut batch = WakeBatch::default();
        for (turn, answered) in [(6, false), (7, false), (8, true)] {
            park(
                &mut waiters,
                Read,
                Place::Slot,
                Question::ReadySince(Turn(7)),
            );
            waiters.claim(Read, event(turn), &mut batch);
            let slot = waiters.at(Read, Place::Slot).unwrap();
            assert_eq!(slot.question == Question::Answered, answered);
            slot.unpark();
        }
        // Nor does a failure answer anything.
        park(
            &mut waiters,
            Read,
            Place::Slot,
            Question::ReadySince(Turn(7)),
        );
        assert!(waiters.claim(Read, News::Unknown, &mut batch));
        let slot = waiters.at(Read, Place::Slot).unwrap();
        assert_eq!(slot.question, Question::Ready);
        // Before the kernel has said "not ready", no event is young enough.
        park(&mut waiters, Read, Place::Slot, Question::Ready);
        waiters.claim(Read, event(100), &mut batch);
        let slot = waiters.at(Read, Place::Slot).unwrap();
        assert_eq!(slot.question, Question::Ready);
    }
}
