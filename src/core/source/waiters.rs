//! The tasks that wait for one source. Pure: stores wakers and calls none.
//!
//! Each direction has one *shared* waiter for the `poll_*` functions, where a later poll displaces
//! an earlier one, and any number of *listed* waiters, one per future. The list is allocated when
//! the first future needs it, and freed after a peak.
//!
//! # Rules
//!
//! * A waiter is *enqueued* while it holds a waker. An event takes the wakers of its direction out,
//!   so an enqueued waiter has seen no event since it was enqueued.
//! * The enqueued waiters of each subject form a linked list, oldest first. An event costs one step
//!   per enqueued waiter. Vacant and idle entries cost nothing.
//! * Wakers are given to the caller, which calls or drops them after it has released the lock.

use super::{Direction, Exception, PerDirection, Turn};
use crate::core::timers::TimerKey;
use crate::core::wake::{self, WakeBatch};
use slab::Slab;
use std::task::Waker;

/// Names one waiter of a direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WaiterId {
    /// The waiter of the `poll_*` functions.
    Shared,
    /// The waiter of one future.
    Listed(u32),
}

/// What a waiter knows about the readiness of its object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Knowledge {
    /// Nothing: the kernel was not asked, or an event may have come since.
    Nothing,
    /// The kernel answered "not ready". No turn later than this one had begun at the waiter's
    /// latest poll.
    NotReadySince(Turn),
    /// Like `Nothing`, and an event reported urgent data, which alone makes a reader ready.
    Urgent,
    /// Like `Nothing`, and the kernel cannot be asked: the next event is the answer.
    OnlyEventsTell,
    /// An event came that is newer than the kernel's "not ready", or the task has yielded. The next
    /// poll for readiness returns "ready" without asking the kernel. An operation is tried, or waits
    /// again if another one has found nothing since.
    Ready,
}

/// Why wakers are taken.
#[derive(Clone, Copy, Debug)]
pub(crate) enum WakeReason {
    /// An event that was fetched in this turn.
    Event { turn: Turn, urgent: bool },
    /// Events may have been lost, or say nothing about the present. Each task checks again.
    Failure,
}

#[derive(Debug)]
pub(crate) struct Waiter {
    waker: Option<Waker>,
    pub(crate) knowledge: Knowledge,
    /// The timer that ends a pause of the task; see `backoff`. The code that takes this key out
    /// cancels the timer.
    pub(crate) pause: Option<TimerKey>,
}

impl Waiter {
    const IDLE: Waiter = Waiter {
        waker: None,
        knowledge: Knowledge::Nothing,
        pause: None,
    };

    #[inline]
    fn holds_nothing(&self) -> bool {
        self.waker.is_none() && self.pause.is_none()
    }

    #[inline]
    pub(crate) fn is_enqueued(&self) -> bool {
        self.waker.is_some()
    }

    #[inline]
    pub(crate) fn would_wake(&self, waker: &Waker) -> bool {
        self.waker.as_ref().is_some_and(|own| own.will_wake(waker))
    }

    /// Takes the waker for an event and updates the knowledge. Returns the waker to call.
    #[inline]
    fn take_for(&mut self, reason: WakeReason) -> Option<Waker> {
        let waker = if mutation!("event_leaves_the_waker") {
            self.waker.clone()?
        } else {
            self.waker.take()?
        };
        use Knowledge::{NotReadySince, Nothing, OnlyEventsTell, Ready, Urgent};
        let urgent = matches!(reason, WakeReason::Event { urgent: true, .. });
        if self.knowledge == Nothing && !urgent {
            return Some(waker);
        }
        self.knowledge = match (self.knowledge, reason) {
            (NotReadySince(asked), WakeReason::Event { turn, .. }) if turn.is_after(asked) => Ready,
            (OnlyEventsTell, WakeReason::Event { .. }) => Ready,
            (Nothing | NotReadySince(_), WakeReason::Event { urgent: true, .. }) => Urgent,
            (NotReadySince(_), _) => Nothing,
            (knowledge, _) => knowledge,
        };
        Some(waker)
    }
}

/// What a waiter held when it was removed. The caller releases it while no lock is held.
#[must_use]
#[derive(Debug, Default)]
pub(crate) struct Released {
    pub(crate) waker: Option<Waker>,
    pub(crate) pause: Option<TimerKey>,
}

/// What a listed waiter waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(any(target_os = "linux", target_os = "android")), allow(dead_code))]
pub(crate) enum Subject {
    Direction(Direction),
    Exception(Exception),
}

impl Subject {
    const COUNT: usize = 4;

    fn index(self) -> usize {
        match self {
            Subject::Direction(Direction::Read) => 0,
            Subject::Direction(Direction::Write) => 1,
            Subject::Exception(Exception::Priority) => 2,
            Subject::Exception(Exception::Error) => 3,
        }
    }
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

/// The index of no entry.
const NONE: u32 = u32::MAX;

#[derive(Debug)]
struct Entry {
    subject: Subject,
    waiter: Waiter,
    /// The neighbours among the enqueued waiters of the subject.
    previous: u32,
    next: u32,
}

/// The ends of the linked list of one subject.
#[derive(Clone, Copy, Debug)]
struct Ends {
    first: u32,
    last: u32,
}

/// The listed waiters of one source.
#[derive(Debug)]
struct List {
    entries: Slab<Entry>,
    enqueued: [Ends; Subject::COUNT],
}

/// An empty list with room for more entries than this is freed.
const KEPT_CAPACITY: usize = 16;

impl List {
    fn new() -> List {
        List {
            entries: Slab::new(),
            enqueued: [Ends {
                first: NONE,
                last: NONE,
            }; Subject::COUNT],
        }
    }

    fn entry(&mut self, index: u32) -> Option<&mut Entry> {
        self.entries.get_mut(index as usize)
    }

    /// Appends an entry to the list of its subject.
    fn link(&mut self, index: u32, subject: Subject) {
        let last = std::mem::replace(&mut self.enqueued[subject.index()].last, index);
        match self.entry(last) {
            Some(entry) => entry.next = index,
            None => self.enqueued[subject.index()].first = index,
        }
        if let Some(entry) = self.entry(index) {
            (entry.previous, entry.next) = (last, NONE);
        }
    }

    /// Removes an entry from the list of its subject.
    fn unlink(&mut self, index: u32) {
        let Some(entry) = self.entry(index) else {
            return;
        };
        let (subject, previous, next) = (entry.subject, entry.previous, entry.next);
        match self.entry(previous) {
            Some(entry) => entry.next = next,
            None => self.enqueued[subject.index()].first = next,
        }
        match self.entry(next) {
            Some(entry) => entry.previous = previous,
            None => self.enqueued[subject.index()].last = previous,
        }
    }

    fn enqueued(&self, subject: Subject) -> impl Iterator<Item = &Waiter> {
        let mut index = self.enqueued[subject.index()].first;
        std::iter::from_fn(move || {
            let entry = self.entries.get(index as usize)?;
            index = entry.next;
            Some(&entry.waiter)
        })
    }

    #[inline(never)]
    fn take_all(&mut self, subject: Subject, reason: WakeReason, batch: &mut WakeBatch) {
        let ends = &mut self.enqueued[subject.index()];
        let mut index = std::mem::replace(&mut ends.first, NONE);
        ends.last = NONE;
        while let Some(entry) = self.entry(index) {
            index = entry.next;
            if let Some(waker) = entry.waiter.take_for(reason) {
                batch.push(waker);
            }
        }
    }
}

/// All waiters of one source.
#[derive(Debug)]
pub(crate) struct Waiters {
    shared: PerDirection<Waiter>,
    /// Boxed, because most sources never have listed waiters.
    list: Option<Box<List>>,
}

impl Waiters {
    pub(crate) fn new() -> Self {
        Waiters {
            shared: PerDirection::new(Waiter::IDLE, Waiter::IDLE),
            list: None,
        }
    }

    /// Adds a listed waiter, which is not enqueued yet.
    pub(crate) fn add(&mut self, subject: impl Into<Subject>) -> WaiterId {
        let list = self.list.get_or_insert_with(|| Box::new(List::new()));
        let index = list.entries.insert(Entry {
            subject: subject.into(),
            waiter: Waiter::IDLE,
            previous: NONE,
            next: NONE,
        });
        // The cast is lossless: 2^32 - 1 entries would need 300 GB.
        WaiterId::Listed(index as u32)
    }

    /// Removes a listed waiter.
    pub(crate) fn remove(&mut self, id: WaiterId) -> Released {
        let WaiterId::Listed(index) = id else {
            return Released::default();
        };
        let waker = self.leave(Direction::Read, id);
        let mut pause = None;
        if let Some(list) = &mut self.list {
            if let Some(entry) = list.entries.try_remove(index as usize) {
                pause = entry.waiter.pause;
            }
            if list.entries.is_empty() && list.entries.capacity() > KEPT_CAPACITY {
                self.list = None;
            }
        }
        Released { waker, pause }
    }

    /// Returns the waiter with this id. The direction of a listed waiter is not checked.
    #[inline]
    pub(crate) fn get(&mut self, direction: Direction, id: WaiterId) -> Option<&mut Waiter> {
        match id {
            WaiterId::Shared => Some(self.shared.get_mut(direction)),
            WaiterId::Listed(index) => {
                let list = self.list.as_mut()?;
                list.entry(index).map(|entry| &mut entry.waiter)
            }
        }
    }

    /// Returns whether the shared waiter holds this waker.
    #[inline]
    pub(crate) fn would_wake_shared(&self, direction: Direction, waker: &Waker) -> bool {
        self.shared.get(direction).would_wake(waker)
    }

    /// Enqueues a waiter with this waker. Returns the waker that it replaces, or `waker` itself if
    /// there is no such waiter.
    #[inline]
    pub(crate) fn enqueue(
        &mut self,
        direction: Direction,
        id: WaiterId,
        waker: Waker,
    ) -> Option<Waker> {
        match id {
            WaiterId::Shared => {
                let former = self.shared.get_mut(direction).waker.replace(waker);
                if mutation!("displaced_waker_is_dropped") {
                    drop(former);
                    return None;
                }
                former
            }
            WaiterId::Listed(index) => self.enqueue_listed(index, waker),
        }
    }

    fn enqueue_listed(&mut self, index: u32, waker: Waker) -> Option<Waker> {
        let Some(list) = &mut self.list else {
            return Some(waker);
        };
        let Some(entry) = list.entry(index) else {
            return Some(waker);
        };
        let former = entry.waiter.waker.replace(waker);
        if former.is_none() {
            let subject = entry.subject;
            list.link(index, subject);
        }
        former
    }

    /// Takes a waiter out of the queue and clears its knowledge. Returns its waker.
    pub(crate) fn leave(&mut self, direction: Direction, id: WaiterId) -> Option<Waker> {
        let waiter = self.get(direction, id)?;
        waiter.knowledge = Knowledge::Nothing;
        let waker = waiter.waker.take()?;
        if let (WaiterId::Listed(index), Some(list)) = (id, &mut self.list) {
            list.unlink(index);
        }
        Some(waker)
    }

    /// Moves the wakers of a direction to the batch. Returns whether there were any.
    #[inline(always)]
    pub(crate) fn take(
        &mut self,
        direction: Direction,
        reason: WakeReason,
        batch: &mut WakeBatch,
    ) -> bool {
        let before = batch.len();
        if let Some(waker) = self.shared.get_mut(direction).take_for(reason) {
            batch.push(waker);
        }
        if let Some(list) = &mut self.list {
            list.take_all(direction.into(), reason, batch);
        }
        batch.len() > before
    }

    /// Moves the wakers of tasks that wait for an exception to the batch. Returns whether there
    /// were any. Each task then asks the kernel whether the exception is there.
    pub(crate) fn take_exception(&mut self, exception: Exception, batch: &mut WakeBatch) -> bool {
        let before = batch.len();
        if let Some(list) = &mut self.list {
            list.take_all(exception.into(), WakeReason::Failure, batch);
        }
        batch.len() > before
    }

    /// Returns whether a task waits for an exception.
    pub(crate) fn any_exception(&self) -> bool {
        let waits = |list: &List, exception: Exception| {
            list.enqueued[Subject::from(exception).index()].first != NONE
        };
        self.list.as_ref().is_some_and(|list| {
            Exception::ALL
                .iter()
                .any(|exception| waits(list, *exception))
        })
    }

    /// Returns whether a task waits for this direction.
    pub(crate) fn any(&self, direction: Direction) -> bool {
        self.count(direction) > 0
    }

    /// Returns how many tasks wait for this direction.
    pub(crate) fn count(&self, direction: Direction) -> usize {
        let shared = usize::from(self.shared.get(direction).waker.is_some());
        let list = self.list.as_ref();
        shared + list.map_or(0, |list| list.enqueued(direction.into()).count())
    }

    /// Returns whether a task waits with a waker for which the condition holds.
    pub(crate) fn any_waker(&self, mut condition: impl FnMut(&Waker) -> bool) -> bool {
        let PerDirection { read, write } = &self.shared;
        let listed = self.list.iter().flat_map(|list| &list.entries);
        let mut waiters = [read, write]
            .into_iter()
            .chain(listed.map(|(_, entry)| &entry.waiter));
        waiters.any(|waiter| waiter.waker.as_ref().is_some_and(&mut condition))
    }

    /// Takes everything that the waiters hold, because their source is dropped. Most sources hold
    /// nothing.
    #[inline]
    pub(crate) fn take_contents(&mut self) -> Option<Contents> {
        let PerDirection { read, write } = &mut self.shared;
        if read.holds_nothing() && write.holds_nothing() && self.list.is_none() {
            (read.knowledge, write.knowledge) = (Knowledge::Nothing, Knowledge::Nothing);
            return None;
        }
        Some(self.take_all_contents())
    }

    #[cold]
    fn take_all_contents(&mut self) -> Contents {
        Contents {
            shared: std::mem::replace(
                &mut self.shared,
                PerDirection::new(Waiter::IDLE, Waiter::IDLE),
            ),
            list: self.list.take(),
        }
    }
}

/// What the waiters of a dropped source held.
#[must_use]
#[derive(Debug)]
pub(crate) struct Contents {
    shared: PerDirection<Waiter>,
    list: Option<Box<List>>,
}

impl Contents {
    /// Drops the wakers and catches their panics. Returns the timers of pauses, which the caller
    /// cancels.
    pub(crate) fn discard(self) -> Vec<TimerKey> {
        let PerDirection { read, write } = self.shared;
        let mut pauses = Vec::new();
        let mut discard = |waiter: Waiter| {
            pauses.extend(waiter.pause);
            wake::discard(waiter.waker);
        };
        discard(read);
        discard(write);
        if let Some(list) = self.list {
            for (_, entry) in list.entries {
                discard(entry.waiter);
            }
        }
        pauses
    }
}

#[cfg(all(test, not(async_io_loom)))]
mod tests {
    use super::*;
    use Direction::{Read, Write};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex};
    use std::task::Wake;

    fn enqueue(waiters: &mut Waiters, direction: Direction, id: WaiterId, knowledge: Knowledge) {
        waiters.enqueue(direction, id, Waker::noop().clone());
        waiters.get(direction, id).unwrap().knowledge = knowledge;
    }

    fn event(turn: u32) -> WakeReason {
        WakeReason::Event {
            turn: Turn(turn),
            urgent: false,
        }
    }

    /// A waker that counts its drops, and panics in each of them.
    struct PanicsInDrop(&'static AtomicUsize);
    impl Wake for PanicsInDrop {
        fn wake(self: Arc<Self>) {
            unreachable!("a discarded waker must not be called");
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
        let ids = [
            (Read, WaiterId::Shared),
            (Write, WaiterId::Shared),
            (Read, waiters.add(Read)),
            (Write, waiters.add(Write)),
        ];
        for (direction, id) in ids {
            waiters.enqueue(direction, id, Arc::new(PanicsInDrop(&DROPPED)).into());
        }
        assert!(waiters.take_contents().unwrap().discard().is_empty());
        assert!(waiters.take_contents().is_none());
        assert_eq!(DROPPED.load(Ordering::Relaxed), ids.len());
    }

    #[test]
    fn event_takes_all_wakers_of_its_direction_and_no_others() {
        let mut waiters = Waiters::new();
        let first = waiters.add(Read);
        let second = waiters.add(Read);
        let writer = waiters.add(Write);
        enqueue(&mut waiters, Read, WaiterId::Shared, Knowledge::Nothing);
        for (direction, id) in [(Read, first), (Read, second), (Write, writer)] {
            enqueue(&mut waiters, direction, id, Knowledge::Nothing);
        }
        let mut batch = WakeBatch::default();
        assert!(waiters.take(Read, event(1), &mut batch));
        assert_eq!(batch.len(), 3);
        assert!(!waiters.any(Read) && waiters.any(Write));
        assert!(!waiters.take(Read, event(2), &mut batch));
        assert_eq!(batch.len(), 3);
    }

    struct Notes(Arc<Mutex<Vec<usize>>>, usize);
    impl Wake for Notes {
        fn wake(self: Arc<Self>) {
            self.0.lock().unwrap().push(self.1);
        }
    }

    #[test]
    fn waiters_are_woken_in_the_order_in_which_they_were_enqueued() {
        let woken = Arc::new(Mutex::new(Vec::new()));
        let mut waiters = Waiters::new();
        let ids: Vec<_> = (0..5).map(|_| waiters.add(Read)).collect();
        for number in [3, 0, 4, 1, 2] {
            let waker = Arc::new(Notes(Arc::clone(&woken), number)).into();
            assert!(waiters.enqueue(Read, ids[number], waker).is_none());
        }
        assert!(waiters.remove(ids[4]).waker.is_some());
        assert!(waiters.leave(Read, ids[2]).is_some());
        let mut batch = WakeBatch::default();
        waiters.take(Read, event(1), &mut batch);
        batch.run();
        assert_eq!(*woken.lock().unwrap(), [3, 0, 1]);
    }

    #[test]
    fn removed_waiter_is_not_woken_and_leaves_the_others() {
        let mut waiters = Waiters::new();
        let first = waiters.add(Read);
        let second = waiters.add(Read);
        enqueue(&mut waiters, Read, first, Knowledge::Nothing);
        enqueue(&mut waiters, Read, second, Knowledge::Nothing);
        assert!(waiters.remove(first).waker.is_some());
        assert!(waiters.remove(first).waker.is_none());
        let mut batch = WakeBatch::default();
        assert!(waiters.take(Read, event(1), &mut batch));
        assert_eq!(batch.len(), 1);
    }

    #[test]
    fn memory_of_a_long_list_is_freed_when_it_is_empty() {
        let mut waiters = Waiters::new();
        let ids: Vec<_> = (0..1000).map(|_| waiters.add(Read)).collect();
        for id in &ids {
            enqueue(&mut waiters, Read, *id, Knowledge::Nothing);
        }
        for id in ids {
            assert!(waiters.list.is_some());
            drop(waiters.remove(id));
        }
        assert!(waiters.list.is_none());
        // A short list is kept.
        let id = waiters.add(Read);
        drop(waiters.remove(id));
        assert!(waiters.list.is_some());
    }

    #[test]
    fn only_an_event_of_a_later_turn_means_ready() {
        let mut waiters = Waiters::new();
        let mut batch = WakeBatch::default();
        let since_7 = Knowledge::NotReadySince(Turn(7));
        let known = |waiters: &mut Waiters| waiters.get(Read, WaiterId::Shared).unwrap().knowledge;
        for (turn, expected) in [
            (6, Knowledge::Nothing),
            (7, Knowledge::Nothing),
            (8, Knowledge::Ready),
        ] {
            enqueue(&mut waiters, Read, WaiterId::Shared, since_7);
            waiters.take(Read, event(turn), &mut batch);
            assert_eq!(known(&mut waiters), expected);
        }
        // A failure proves nothing.
        enqueue(&mut waiters, Read, WaiterId::Shared, since_7);
        assert!(waiters.take(Read, WakeReason::Failure, &mut batch));
        assert_eq!(known(&mut waiters), Knowledge::Nothing);
        // Before the kernel has answered "not ready", no event is new enough.
        enqueue(&mut waiters, Read, WaiterId::Shared, Knowledge::Nothing);
        waiters.take(Read, event(100), &mut batch);
        assert_eq!(known(&mut waiters), Knowledge::Nothing);
    }
}
