//! A registered object: two directions, each with a readiness word and its waiters.
//!
//! * [`readiness`]: what is remembered between events, in one atomic word per direction.
//! * [`waiters`]: the tasks that wait.
//! * [`state`]: the decisions: which tasks to wake, and what to ask of the system.
//! * [`backoff`]: how a task is slowed down when the kernel reports "ready" but the task may make
//!   no progress.
//!
//! A [`Source`] is a slot of the registry. Slots live as long as their registry and are reused with
//! a new generation. A thread may use an outdated [`Key`] at any time: under the lock it finds that
//! the generation differs.

pub(crate) mod backoff;
pub(crate) mod readiness;
pub(crate) mod state;
pub(crate) mod waiters;

use crate::core::sync::atomic::{AtomicU32, Ordering, fence};
use crate::core::sync::{Mutex, MutexGuard};
use readiness::Readiness;
use state::State;

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

/// A condition besides "readable" and "writable" that a task can wait for; see `os::linux`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(any(target_os = "linux", target_os = "android")), allow(dead_code))]
pub(crate) enum Exception {
    Priority,
    Error,
}

impl Exception {
    pub(crate) const ALL: [Exception; 2] = [Exception::Priority, Exception::Error];

    /// Returns the events that report this exception. A hang-up ends both waits, because no further
    /// event will come.
    fn events(self) -> Event {
        match self {
            Exception::Priority => Event::PRIORITY.and(Event::HANG_UP),
            Exception::Error => Event::ERROR.and(Event::HANG_UP),
        }
    }
}

/// The kernel's answer to the question whether an object is ready now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    No,
    Yes,
    /// Only urgent data is there. The kernel reports it for as long as no task takes it.
    OnlyUrgent,
}

/// The directions that the operating system is asked to report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Interest {
    pub(crate) read: bool,
    pub(crate) write: bool,
    /// Priority and errors, even without an interest in reading.
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

/// What the operating system reported about one source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Event(u8);

#[allow(dead_code)] // A back end either converts flags or combines events.
impl Event {
    pub(crate) const NONE: Event = Event(0);
    /// Data, or a connection to accept.
    pub(crate) const READABLE: Event = Event(1 << 0);
    pub(crate) const WRITABLE: Event = Event(1 << 2);
    /// The peer has closed its sending side. Earlier data may still be queued.
    pub(crate) const READ_CLOSED: Event = Event(1 << 5);
    pub(crate) const HANG_UP: Event = Event(1 << 4);
    pub(crate) const ERROR: Event = Event(1 << 3);
    /// Urgent data.
    pub(crate) const PRIORITY: Event = Event(1 << 1);

    /// The events that may report an [`Exception`].
    pub(crate) const EXCEPTIONAL: Event = Event(1 << 1 | 1 << 3 | 1 << 4);

    const READERS: Event = Event(1 | 1 << 1 | 1 << 3 | 1 << 4 | 1 << 5);
    /// The events that report more than data. After one of them, a short read proves nothing.
    const NOT_PLAIN: Event = Event(1 << 1 | 1 << 3 | 1 << 4 | 1 << 5);
    const WRITERS: Event = Event(1 << 2 | 1 << 3 | 1 << 4);

    /// Creates an event from its bits. A poller with the same bits needs no other conversion.
    pub(crate) const fn from_bits(bits: u8) -> Event {
        Event(bits)
    }

    pub(crate) fn and(self, other: Event) -> Event {
        Event(self.0 | other.0)
    }

    /// Returns `self` if the condition holds, or else no event.
    pub(crate) fn when(self, condition: bool) -> Event {
        if condition { self } else { Event::NONE }
    }

    /// Returns whether the event reports data, or room for it, and nothing else.
    pub(crate) fn is_plain(self) -> bool {
        !self.intersects(Event::NOT_PLAIN)
    }

    pub(crate) fn intersects(self, other: Event) -> bool {
        self.0 & other.0 != 0
    }

    /// Returns whether the event concerns a direction. A hang-up or an error concerns both
    /// directions, a half-close by the peer only readers.
    pub(crate) fn concerns(self, direction: Direction) -> bool {
        self.intersects(match direction {
            Direction::Read => Event::READERS,
            Direction::Write => Event::WRITERS,
        })
    }
}

/// Names one registration: the slot in the registry, and the generation of that slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

impl Key {
    /// The number of bits of a token that name the slot: half of a 64-bit word. In a 32-bit word,
    /// 20 bits name the slot (a million sources) and 12 bits name the generation.
    pub(crate) const SLOT_BITS: u32 = if usize::BITS >= 64 { 32 } else { 20 };
    const GENERATION_BITS: u32 = if usize::BITS >= 64 { 32 } else { 12 };

    /// The bits of a generation that a token has room for.
    pub(crate) const GENERATION_MASK: u32 =
        (u32::MAX as u64 >> (32 - Self::GENERATION_BITS)) as u32;

    /// Returns the token that the operating system reports with each event.
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

/// The number of a turn of the reactor. An event of a later turn was fetched after the moment at
/// which the number was read. An event of the same turn may have been fetched before that moment.
///
/// The comparison wraps around. If it is wrong, after 2^31 turns, the waiter asks the kernel once
/// more than necessary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Turn(pub(crate) u32);

impl Turn {
    pub(crate) fn is_after(self, earlier: Turn) -> bool {
        let difference = self.0.wrapping_sub(earlier.0) as i32;
        if mutation!("event_of_the_same_turn_is_newer") {
            return difference >= 0;
        }
        difference > 0
    }
}

/// Counts the turns of one reactor.
///
/// A leader begins a turn and then fetches events. A task asks the kernel, gets "not ready", and
/// then reads the number of the latest turn. Each side writes one location and then reads another,
/// and the kernel's side is not a memory access that the ordering of this counter covers. Without
/// the fences both sides could read the old value. An event from before the answer would then be
/// taken for a newer one.
#[derive(Debug)]
pub(crate) struct Turns(AtomicU32);

impl Turns {
    pub(crate) fn new() -> Self {
        Turns(AtomicU32::new(0))
    }

    /// Begins a turn, before events are fetched.
    pub(crate) fn begin(&self) -> Turn {
        let turn = Turn(self.0.fetch_add(1, Ordering::AcqRel).wrapping_add(1));
        fence(Ordering::SeqCst);
        turn
    }

    /// Returns the most recently started turn. Events of later turns are fetched after everything
    /// that the caller has done so far, system calls included.
    pub(crate) fn latest_after_call(&self) -> Turn {
        if !mutation!("no_fence_after_the_answer") {
            fence(Ordering::SeqCst);
        }
        Turn(self.0.load(Ordering::Acquire))
    }

    /// Returns the most recently started turn that this thread knows of.
    #[inline]
    pub(crate) fn latest(&self) -> Turn {
        // Acquire: partner of `begin`. An older value only makes the caller ask the kernel once
        // more.
        Turn(self.0.load(Ordering::Acquire))
    }
}

/// One slot of the registry. `R` is the system's name for the object, such as a descriptor.
#[derive(Debug)]
pub(crate) struct Source<R> {
    words: PerDirection<Readiness>,
    slot: Mutex<Slot<R>>,
}

/// The part of a source that its lock protects.
#[derive(Debug)]
pub(crate) struct Slot<R> {
    /// `None` while the slot is vacant.
    pub(crate) raw: Option<R>,
    pub(crate) state: State,
}

impl<R> Default for Source<R> {
    fn default() -> Self {
        Source {
            words: PerDirection::new(Readiness::new(), Readiness::new()),
            slot: Mutex::new(Slot {
                raw: None,
                state: State::vacant(),
            }),
        }
    }
}

impl<R> Source<R> {
    #[inline]
    pub(crate) fn word(&self, direction: Direction) -> &Readiness {
        self.words.get(direction)
    }

    /// Clears the flags of both words, because the slot gets a new object.
    pub(crate) fn forget(&self) {
        for direction in Direction::BOTH {
            self.word(direction).forget();
        }
    }

    #[inline]
    pub(crate) fn words(&self) -> &PerDirection<Readiness> {
        &self.words
    }

    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, Slot<R>> {
        self.slot.lock()
    }

    pub(crate) fn summary(&self, direction: Direction) -> Summary {
        let slot = self.lock();
        Summary {
            events: self.word(direction).snapshot().sequence(),
            armed: slot.state.armed.has(direction),
            waiting: slot.state.waiters.count(direction),
        }
    }
}

/// What the `Debug` output of an object shows about a direction.
#[derive(Clone, Copy, Debug)]
#[allow(dead_code)] // Only `Debug` reads the fields.
pub(crate) struct Summary {
    /// The events delivered to this slot, including those of earlier objects.
    events: u32,
    /// Whether the system is asked to report the direction.
    armed: bool,
    /// The number of tasks that wait.
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
