//! A registered object: two directions, each with a readiness word and its waiters.
//!
//! * [`readiness`]: what is remembered between events, one atomic word per direction.
//! * [`waiters`]: who waits, and for what kind of answer.
//! * [`state`]: the decisions (wake whom, ask the system for what), pure: they return actions that the reactor performs.
//!
//! A [`Source`] is a slot of the registry. Slots are never freed while their reactor lives, they are used again with a
//! new generation; so whoever holds a [`Key`] may look at any time, and finds out under the lock whether it is too late.

pub(crate) mod raw;
pub(crate) mod readiness;
pub(crate) mod state;
pub(crate) mod waiters;

use crate::core::sync::Mutex;
use crate::core::sync::atomic::{AtomicU32, Ordering, fence};
pub(crate) use raw::RawSource;
use readiness::Readiness;
use state::State;
use std::task::Waker;
use waiters::Place;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Read,
    Write,
}

impl Direction {
    pub(crate) const BOTH: [Direction; 2] = [Direction::Write, Direction::Read];
}

/// One `T` for each direction.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PerDirection<T> {
    pub(crate) read: T,
    pub(crate) write: T,
}

impl<T> PerDirection<T> {
    pub(crate) fn new(read: T, write: T) -> Self {
        PerDirection { read, write }
    }

    #[inline]
    pub(crate) fn get(&self, direction: Direction) -> &T {
        match direction {
            Direction::Read => &self.read,
            Direction::Write => &self.write,
        }
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, direction: Direction) -> &mut T {
        match direction {
            Direction::Read => &mut self.read,
            Direction::Write => &mut self.write,
        }
    }
}

/// What is neither reading nor writing, and can be waited for on its own; see `os::linux`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(any(target_os = "linux", target_os = "android")), allow(dead_code))]
pub(crate) enum Exception {
    Priority,
    Error,
}

impl Exception {
    /// What tells of it. A hang-up ends both waits: nothing will come any more.
    fn events(self) -> Event {
        match self {
            Exception::Priority => Event::PRIORITY.and(Event::HANG_UP),
            Exception::Error => Event::ERROR.and(Event::HANG_UP),
        }
    }
}

/// Which directions the operating system is asked to report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Interest {
    pub(crate) read: bool,
    pub(crate) write: bool,
    /// Priority and errors, also without an interest in reading.
    pub(crate) exceptions: bool,
}

impl Interest {
    pub(crate) const NONE: Interest = Interest {
        read: false,
        write: false,
        exceptions: false,
    };
    pub(crate) const READ: Interest = Interest {
        read: true,
        write: false,
        exceptions: false,
    };

    #[cfg_attr(not(any(target_os = "linux", target_os = "android")), allow(dead_code))]
    pub(crate) fn with_exceptions(mut self) -> Self {
        self.exceptions = true;
        self
    }

    pub(crate) fn has(self, direction: Direction) -> bool {
        match direction {
            Direction::Read => self.read,
            Direction::Write => self.write,
        }
    }

    pub(crate) fn with(mut self, direction: Direction) -> Self {
        *self.part(direction) = true;
        self
    }

    pub(crate) fn without(mut self, direction: Direction) -> Self {
        *self.part(direction) = false;
        self
    }

    fn part(&mut self, direction: Direction) -> &mut bool {
        match direction {
            Direction::Read => &mut self.read,
            Direction::Write => &mut self.write,
        }
    }
}

/// What the operating system reported of one source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Event(u8);

impl Event {
    pub(crate) const NONE: Event = Event(0);
    /// Data, or a connection to accept.
    pub(crate) const READABLE: Event = Event(1 << 0);
    pub(crate) const WRITABLE: Event = Event(1 << 1);
    /// The peer will send no more; what it sent may still be queued.
    #[allow(dead_code)] // Not every back end can tell.
    pub(crate) const READ_CLOSED: Event = Event(1 << 2);
    pub(crate) const HANG_UP: Event = Event(1 << 3);
    pub(crate) const ERROR: Event = Event(1 << 4);
    /// Urgent data.
    pub(crate) const PRIORITY: Event = Event(1 << 5);

    /// What an [`Exception`] may be told by.
    pub(crate) const EXCEPTIONAL: Event = Event(1 << 3 | 1 << 4 | 1 << 5);

    const READERS: Event = Event(1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5);
    /// More than data: what makes a short read prove nothing.
    const NOT_PLAIN: Event = Event(1 << 2 | 1 << 3 | 1 << 4 | 1 << 5);
    const WRITERS: Event = Event(1 << 1 | 1 << 3 | 1 << 4);

    pub(crate) fn and(self, other: Event) -> Event {
        Event(self.0 | other.0)
    }

    /// `self` if the condition holds, else nothing.
    pub(crate) fn when(self, condition: bool) -> Event {
        if condition { self } else { Event::NONE }
    }

    /// Whether this tells of data, or of room for it, and of nothing else.
    pub(crate) fn is_plain(self) -> bool {
        !self.intersects(Event::NOT_PLAIN)
    }

    pub(crate) fn intersects(self, other: Event) -> bool {
        self.0 & other.0 != 0
    }

    /// Hang-up and error concern both directions, a peer's half-close readers only.
    pub(crate) fn concerns(self, direction: Direction) -> bool {
        self.intersects(match direction {
            Direction::Read => Event::READERS,
            Direction::Write => Event::WRITERS,
        })
    }
}

/// A name for one registration that is never given twice: the place in the registry, and how often that has been used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

impl Key {
    /// How many bits of a token name the slot: half of a 64-bit word. Where the poller's token is a 32-bit word, 20 bits
    /// name the slot (a million sources) and 12 the generation.
    pub(crate) const SLOT_BITS: u32 = if usize::BITS >= 64 { 32 } else { 20 };
    const GENERATION_BITS: u32 = if usize::BITS >= 64 { 32 } else { 12 };

    /// Generations are counted modulo this mask.
    pub(crate) const GENERATION_MASK: u32 =
        (u32::MAX as u64 >> (32 - Self::GENERATION_BITS)) as u32;

    /// What the operating system hands back with an event.
    pub(crate) fn token(self) -> u64 {
        u64::from(self.generation) << Self::SLOT_BITS | u64::from(self.slot)
    }

    pub(crate) fn from_token(token: u64) -> Key {
        Key {
            slot: (token & ((1 << Self::SLOT_BITS) - 1)) as u32,
            generation: (token >> Self::SLOT_BITS) as u32 & Self::GENERATION_MASK,
        }
    }
}

/// Counts the passes of the reactor, to tell an event that was fetched after a moment from one that was under way.
///
/// Compared with wrap-around. A comparison that is wrong after two thousand million passes errs on the careful side:
/// the waiter asks the kernel once more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Turn(pub(crate) u32);

impl Turn {
    pub(crate) fn is_after(self, earlier: Turn) -> bool {
        (self.0.wrapping_sub(earlier.0) as i32) > 0
    }
}

/// The passes of one reactor.
///
/// A turn begins, and then fetches events; somebody asks the kernel, is told "not ready", and then looks which turn was the
/// last. What happened in the kernel is no access that the ordering of this counter knows of: each side writes one place
/// and then reads another. Without the fences both could read the old value, and an event from before the answer would be
/// taken for one from after it.
#[derive(Debug)]
pub(crate) struct Turns(AtomicU32);

impl Turns {
    pub(crate) fn new() -> Self {
        Turns(AtomicU32::new(0))
    }

    /// To be called before events are fetched.
    pub(crate) fn begin(&self) -> Turn {
        let turn = Turn(self.0.fetch_add(1, Ordering::AcqRel).wrapping_add(1));
        fence(Ordering::SeqCst);
        turn
    }

    /// Which turn was the last to begin. Events of later turns are fetched after what the caller has done so far.
    pub(crate) fn last(&self) -> Turn {
        fence(Ordering::SeqCst);
        Turn(self.0.load(Ordering::Acquire))
    }
}

/// One slot of the registry.
#[derive(Debug)]
pub(crate) struct Source {
    words: PerDirection<Readiness>,
    state: Mutex<State>,
}

impl Source {
    pub(crate) fn new() -> Self {
        Source {
            words: PerDirection::new(Readiness::new(), Readiness::new()),
            state: Mutex::new(State::vacant()),
        }
    }

    #[inline]
    pub(crate) fn word(&self, direction: Direction) -> &Readiness {
        self.words.get(direction)
    }

    /// The slot is used for a new object.
    pub(crate) fn forget(&self) {
        for direction in Direction::BOTH {
            self.word(direction).forget();
        }
    }

    pub(crate) fn words(&self) -> &PerDirection<Readiness> {
        &self.words
    }

    pub(crate) fn lock(&self) -> crate::core::sync::MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Whether a task waits with this waker at a place. Then no edge has come since it looked: it would have taken the waker.
    pub(crate) fn waits_at(&self, direction: Direction, place: Place, waker: &Waker) -> bool {
        let mut state = self.lock();
        let waiter = state.waiters.at(direction, place);
        waiter.is_some_and(|waiter| waiter.would_wake(waker))
    }

    pub(crate) fn summary(&self, direction: Direction) -> Summary {
        let state = self.lock();
        Summary {
            events: self.word(direction).snapshot().sequence(),
            armed: state.armed.has(direction),
            waiting: state.waiters.wakers(direction).count(),
        }
    }
}

/// What the `Debug` form of an object says of a direction.
#[derive(Clone, Copy, Debug)]
#[allow(dead_code)] // Read by `Debug` alone.
pub(crate) struct Summary {
    /// Delivered so far, to this object and to those that had its place before.
    events: u32,
    /// Whether the system is asked to report.
    armed: bool,
    /// How many tasks wait.
    waiting: usize,
}

#[cfg(all(test, not(async_io_loom)))]
mod tests {
    use super::*;

    #[test]
    fn tokens_give_the_key_back() {
        for slot in [0, 1, 77, (1u64 << Key::SLOT_BITS) as u32 & 0xF_FFFF] {
            for generation in [0, 1, 9, Key::GENERATION_MASK] {
                let key = Key { slot, generation };
                assert_eq!(Key::from_token(key.token()), key);
            }
        }
    }

    #[test]
    fn half_close_is_for_readers_only() {
        assert!(Event::READ_CLOSED.concerns(Direction::Read));
        assert!(!Event::READ_CLOSED.concerns(Direction::Write));
        for both in [Event::HANG_UP, Event::ERROR] {
            assert!(both.concerns(Direction::Read) && both.concerns(Direction::Write));
        }
        assert!(!Event::PRIORITY.concerns(Direction::Write));
    }

    #[test]
    fn turns_compare_across_the_wrap() {
        assert!(Turn(1).is_after(Turn(0)));
        assert!(!Turn(1).is_after(Turn(1)));
        assert!(Turn(3).is_after(Turn(u32::MAX - 3)));
        assert!(!Turn(u32::MAX).is_after(Turn(2)));
    }
}
