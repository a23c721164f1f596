//! What one direction of a source remembers between events, in one atomic word.
//!
//! # Idea
//!
//! With edge-triggered reporting, the kernel reports each change once. After an operation would
//! have blocked, a task may wait only if no event was delivered since before the operation began.
//! So every delivery increments a sequence number, and a waiting task presents the number that it
//! read before its operation.
//!
//! ```text
//!     31                     8 7          0
//!    ┌────────────────────────┬────────────┐
//!    │ sequence of deliveries │ flags      │
//!    └────────────────────────┴────────────┘
//!      task:    snapshot ─▶ system call: WouldBlock ─▶ lock ─▶ same sequence? ─▶ enqueue
//!      leader:                        deliver (sequence + 1) ─▶ lock ─▶ take the wakers
//! ```
//!
//! # Rules
//!
//! * Only [`Readiness::deliver`] advances the sequence. Its caller holds the source's lock.
//! * A snapshot is taken *before* the system call that it belongs to.
//! * Each direction has its own word. With a shared word, write events would invalidate the
//!   snapshots of readers, which is a livelock under full-duplex load.
//! * The sequence has 24 bits. A snapshot is mistaken for current only after exactly 2^24
//!   deliveries between the snapshot and its use.
//!
//! # The read after a short read
//!
//! A read from a TCP socket that returns fewer bytes than requested has emptied the receive queue.
//! The flag `DRAINED` records this until the next delivery. The next read can then wait without a
//! system call, once: see the rule in `state`.
//!
//! Measurements found exceptions, which leave bytes or the end of the stream behind without a
//! further edge: data and end of stream in one event, urgent marks, sockets that are not TCP or
//! have an upper-layer protocol (kernel TLS), and `SO_RCVLOWAT`. So an event that reports anything
//! besides data sets `NO_SHORTCUT`, and the system is asked once per object which kind it is.
//!
//! # Orderings
//!
//! `snapshot` is an Acquire load, which keeps the later system call after it. Its partner is the
//! Release in `deliver`. The decision to wait is made under the source's lock, which `deliver` also
//! holds.
//!
//! # Rejected
//!
//! * A "ready" bit in addition to the sequence: "not ready" and "nothing delivered since the
//!   snapshot" are the same statement, and two representations of it can contradict each other.
//! * Skipping more than one read per short read: a thread that polls without waiting would not see
//!   data that arrives in between.

use crate::core::sync::atomic::{AtomicU32, Ordering};

const SEQUENCE_UNIT: u32 = 1 << 8;
const FLAGS: u32 = SEQUENCE_UNIT - 1;

/// The latest operation was refused although the kernel reported "ready"; see `backoff`.
const CONTRADICTED: u32 = 1 << 0;
/// A read has emptied the receive queue, and no event was delivered since.
const DRAINED: u32 = 1 << 1;
/// A short read does not prove that the queue is empty.
const NO_SHORTCUT: u32 = 1 << 2;
/// The object is a plain TCP socket.
const TCP: u32 = 1 << 3;

/// The word of one direction.
#[derive(Debug)]
pub(crate) struct Readiness(AtomicU32);

/// The value of the word at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Snapshot(u32);

impl Readiness {
    pub(crate) fn new() -> Self {
        Readiness(AtomicU32::new(0))
    }

    #[cfg(test)]
    fn with_sequence(sequence: u32) -> Self {
        Readiness(AtomicU32::new(sequence.wrapping_mul(SEQUENCE_UNIT)))
    }

    /// Reads the word, before the operation is tried.
    #[inline]
    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot(self.0.load(Ordering::Acquire))
    }

    /// Returns whether no event was delivered since `seen`. Under the source's lock, the result is
    /// conclusive.
    #[inline]
    pub(crate) fn is_current(&self, seen: Snapshot) -> bool {
        (self.0.load(Ordering::Acquire) ^ seen.0) & !FLAGS == 0
    }

    /// Counts an event. The caller holds the source's lock and takes the wakers afterwards.
    ///
    /// `plain` means that the event reports data, or room for it, and nothing else.
    #[inline]
    pub(crate) fn deliver(&self, plain: bool) {
        let flags = if plain { 0 } else { NO_SHORTCUT };
        let unit = if mutation!("event_is_not_counted") {
            0
        } else {
            SEQUENCE_UNIT
        };
        let cleared = if mutation!("event_keeps_drained") {
            0
        } else {
            DRAINED
        };
        let mut current = self.0.load(Ordering::Relaxed);
        loop {
            // The carry out of the top bit is discarded: the sequence wraps around.
            let next = (current & !cleared).wrapping_add(unit) | flags;
            match self
                .0
                .compare_exchange_weak(current, next, Ordering::Release, Ordering::Relaxed)
            {
                Ok(_) => return,
                Err(actual) => current = actual,
            }
        }
    }

    /// Clears the flags, because the slot gets a new object. The sequence continues.
    pub(crate) fn forget(&self) {
        self.0.fetch_and(!FLAGS, Ordering::Relaxed);
    }

    /// Records that a read that began after `seen` has emptied the queue, unless the word has
    /// changed since.
    #[inline]
    pub(crate) fn note_drained(&self, seen: Snapshot) {
        // Relaxed: a later delivery clears the flag, and an earlier one makes the exchange fail.
        let drained = seen.0 | DRAINED;
        let _ = self
            .0
            .compare_exchange(seen.0, drained, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Clears `DRAINED`, because a read is about to wait without a system call.
    #[inline]
    pub(crate) fn use_drained(&self) {
        // Relaxed: the flag is a hint; whether the wait is safe is decided from the sequence.
        self.0.fetch_and(!DRAINED, Ordering::Relaxed);
    }

    /// Records whether a short read is conclusive. The system is asked once per object.
    pub(crate) fn set_tcp(&self, is_tcp: bool) {
        let flag = if is_tcp { TCP } else { NO_SHORTCUT };
        self.0.fetch_or(flag, Ordering::Relaxed);
    }

    pub(crate) fn set_contradicted(&self, contradicted: bool) {
        // Relaxed: the flag only tells a reader to check the state under the lock.
        if contradicted {
            self.0.fetch_or(CONTRADICTED, Ordering::Relaxed);
        } else {
            self.0.fetch_and(!CONTRADICTED, Ordering::Relaxed);
        }
    }
}

impl Snapshot {
    pub(crate) fn sequence(self) -> u32 {
        self.0 / SEQUENCE_UNIT
    }

    /// Returns whether a recent operation was refused although the kernel reported "ready".
    #[inline]
    pub(crate) fn is_contradicted(self) -> bool {
        self.0 & CONTRADICTED != 0
    }

    /// Returns whether the latest read emptied the queue and no event was delivered since.
    #[inline]
    pub(crate) fn is_drained(self) -> bool {
        self.0 & DRAINED != 0
    }

    /// Returns whether a short read may be recorded, or `None` if the kind of object is not known
    /// yet.
    #[inline]
    pub(crate) fn allows_shortcut(self) -> Option<bool> {
        match (self.0 & NO_SHORTCUT != 0, self.0 & TCP != 0) {
            (true, _) => Some(false),
            (false, true) => Some(true),
            (false, false) => None,
        }
    }
}

#[cfg(all(test, not(async_io_loom)))]
mod tests {
    use super::*;

    #[test]
    fn stale_snapshot_is_detected_after_many_deliveries() {
        for deliveries in [1u32, 255, 256, 257, 65_535, 65_536, 65_537, (1 << 24) - 1] {
            let word = Readiness::with_sequence(77);
            let seen = word.snapshot();
            assert!(word.is_current(seen));
            for _ in 0..deliveries {
                word.deliver(true);
            }
            assert!(!word.is_current(seen), "after {deliveries} deliveries");
        }
    }

    #[test]
    fn deliveries_are_counted() {
        let word = Readiness::with_sequence(77);
        word.set_contradicted(true);
        assert_eq!(word.snapshot().sequence(), 77);
        word.deliver(true);
        word.deliver(false);
        assert_eq!(word.snapshot().sequence(), 79);
    }

    #[test]
    fn wrap_around_keeps_the_flags() {
        let word = Readiness::with_sequence(u32::MAX);
        word.set_contradicted(true);
        let seen = word.snapshot();
        word.deliver(true);
        assert!(!word.is_current(seen));
        assert!(word.snapshot().is_contradicted());
        word.set_contradicted(false);
        assert!(!word.snapshot().is_contradicted());
    }

    #[test]
    fn short_read_is_noted_only_if_no_event_came() {
        let word = Readiness::new();
        let seen = word.snapshot();
        assert_eq!(seen.allows_shortcut(), None);
        word.set_tcp(true);
        let seen = word.snapshot();
        assert_eq!(seen.allows_shortcut(), Some(true));
        word.note_drained(seen);
        assert!(word.snapshot().is_drained());
        word.deliver(true);
        assert!(!word.snapshot().is_drained());
        word.note_drained(seen);
        assert!(!word.snapshot().is_drained());
    }

    #[test]
    fn note_of_a_short_read_is_used_once() {
        let word = Readiness::new();
        word.note_drained(word.snapshot());
        assert!(word.snapshot().is_drained());
        word.use_drained();
        assert!(!word.snapshot().is_drained());
    }

    #[test]
    fn more_than_data_turns_the_shortcut_off_until_the_slot_is_reused() {
        let word = Readiness::new();
        word.set_tcp(true);
        word.deliver(false);
        assert_eq!(word.snapshot().allows_shortcut(), Some(false));
        word.deliver(true);
        assert_eq!(word.snapshot().allows_shortcut(), Some(false));
        word.forget();
        assert_eq!(word.snapshot().allows_shortcut(), None);
        word.set_tcp(false);
        assert_eq!(word.snapshot().allows_shortcut(), Some(false));
    }

    #[test]
    fn flags_do_not_invalidate_a_snapshot() {
        let word = Readiness::new();
        let seen = word.snapshot();
        word.set_contradicted(true);
        word.note_drained(word.snapshot());
        assert!(word.is_current(seen));
    }
}
