//! What one direction of a source remembers between events: one atomic word.
//!
//! # Idea
//!
//! The kernel tells of *edges*. An operation that found nothing may go to sleep only if no edge has been delivered since
//! before it looked. So each delivery counts, and who wants to sleep presents the count that it saw before it tried.
//!
//! ```text
//!     31                     8 7          0
//!    ┌────────────────────────┬────────────┐
//!    │ sequence: edges so far │ flags      │
//!    └────────────────────────┴────────────┘
//!      reader:  snapshot ─▶ system call says WouldBlock ─▶ lock ─▶ same sequence? ─▶ sleep
//!      driver:                            deliver (sequence + 1) ─▶ lock ─▶ take sleepers
//! ```
//!
//! # Rules
//!
//! * The sequence is advanced only by [`Readiness::deliver`], under the source's lock.
//! * A snapshot is taken *before* the system call whose answer it vouches for.
//! * There is one word per direction: a busy writer must not make a reader's snapshot stale (that would be a livelock
//!   under full duplex).
//! * 24 bits of sequence: a snapshot would have to be held across 16.7 million deliveries to be taken for current.
//!
//! # Reads that look at nothing
//!
//! A read of a TCP socket that returns less than was asked for has emptied it, and leaves the note "drained" behind. As long
//! as no edge takes it away, the next read would find nothing, and may wait without a system call. Measured exceptions, each
//! of which leaves bytes or the end of the stream behind without a further edge: data and end in one event, urgent marks,
//! sockets that are not TCP or that report only larger amounts (SO_RCVLOWAT). So any event but plain data turns this off, and
//! the system is asked once what the object is.
//!
//! Every other read looks first. A read that found nothing left the note, too, once: data that had come meanwhile, and whose
//! edge was still under way, were then not seen by a task that looked again.
//!
//! The edge that takes the note away is delivered in a turn of the reactor. A thread that polls and polls without ever
//! having one would be told "nothing" for ever; so after three reads in a row that did not look, the fourth one does.
//!
//! # Orderings
//!
//! `snapshot` is an Acquire load, so the system call after it cannot be moved before it; its partner is the Release in
//! `deliver`. The decision to sleep is made under the source's lock, which `deliver` also holds, so it needs no more.
//!
//! # Rejected
//!
//! A "ready" bit besides the sequence: "not ready" and "nothing delivered since the snapshot" are the same statement,
//! and two ways to say it can contradict each other. One word for both directions: see the rules.

use crate::core::sync::atomic::{AtomicU32, Ordering};

const SEQUENCE_UNIT: u32 = 1 << 8;
const FLAGS: u32 = SEQUENCE_UNIT - 1;

/// An operation was refused although the kernel says "ready"; see `State::strikes`.
const STRUCK: u32 = 1 << 0;
/// A read has left nothing, and no edge has been delivered since: there is nothing to read, or an edge is under way.
const DRAINED: u32 = 1 << 1;
/// A short read proves nothing here (any more).
const NO_SHORTCUT: u32 = 1 << 2;
/// The object is a TCP socket.
const TCP: u32 = 1 << 3;
/// How many reads in a row have not looked.
const SKIPS: u32 = 0b11 << 4;
const SKIP_UNIT: u32 = 1 << 4;

/// The word of one direction.
#[derive(Debug)]
pub(crate) struct Readiness(AtomicU32);

/// The word as it was at one moment.
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

    /// To be taken before the operation is tried.
    #[inline]
    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot(self.0.load(Ordering::Acquire))
    }

    /// Whether no edge has been delivered since `seen`. Meaningful under the source's lock.
    #[inline]
    pub(crate) fn is_current(&self, seen: Snapshot) -> bool {
        (self.0.load(Ordering::Acquire) ^ seen.0) & !FLAGS == 0
    }

    /// Counts an edge. Called under the source's lock, before the waiters are taken. `plain`: it tells of data alone.
    pub(crate) fn deliver(&self, plain: bool) {
        let flags = if plain { 0 } else { NO_SHORTCUT };
        let mut current = self.0.load(Ordering::Relaxed);
        loop {
            // A carry out of the top bit is the wrap-around that we want.
            let next = (current & !(DRAINED | SKIPS)).wrapping_add(SEQUENCE_UNIT) | flags;
            let swapped =
                self.0
                    .compare_exchange_weak(current, next, Ordering::Release, Ordering::Relaxed);
            match swapped {
                Ok(_) => return,
                Err(actual) => current = actual,
            }
        }
    }

    /// The slot is used for a new object: what was known of the old one is forgotten. The sequence goes on.
    pub(crate) fn forget(&self) {
        self.0.fetch_and(!FLAGS, Ordering::Relaxed);
    }

    /// A read that began after `seen` has left nothing. Noted only if nothing has changed since.
    pub(crate) fn note_drained(&self, seen: Snapshot) {
        // Relaxed: an edge that is delivered later clears the note, an edge that was delivered makes the exchange fail.
        let _ = self.0.compare_exchange(
            seen.0,
            (seen.0 & !SKIPS) | DRAINED,
            Ordering::Relaxed,
            Ordering::Relaxed,
        );
    }

    /// Whether a read may wait without looking. If so, it is counted.
    pub(crate) fn skip_look(&self, seen: Snapshot) -> bool {
        // Relaxed: as above; whether `seen` is still true is decided under the lock, as for every wait.
        seen.is_drained()
            && seen.0 & SKIPS != SKIPS
            && self
                .0
                .compare_exchange(
                    seen.0,
                    seen.0 + SKIP_UNIT,
                    Ordering::Relaxed,
                    Ordering::Relaxed,
                )
                .is_ok()
    }

    /// Whether a short read means anything here; asked of the system once.
    pub(crate) fn set_tcp(&self, is_tcp: bool) {
        let flag = if is_tcp { TCP } else { NO_SHORTCUT };
        self.0.fetch_or(flag, Ordering::Relaxed);
    }

    pub(crate) fn set_struck(&self, struck: bool) {
        // Relaxed: the flag only says "look under the lock".
        if struck {
            self.0.fetch_or(STRUCK, Ordering::Relaxed);
        } else {
            self.0.fetch_and(!STRUCK, Ordering::Relaxed);
        }
    }
}

impl Snapshot {
    pub(crate) fn sequence(self) -> u32 {
        self.0 / SEQUENCE_UNIT
    }

    /// Whether a recent operation was refused although the kernel said "ready".
    #[inline]
    pub(crate) fn is_struck(self) -> bool {
        self.0 & STRUCK != 0
    }

    /// Whether the last read left nothing, and no edge has been delivered since.
    #[inline]
    pub(crate) fn is_drained(self) -> bool {
        self.0 & DRAINED != 0
    }

    /// Whether a short read may be noted; `None` if it is not known yet what the object is.
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
    fn stale_snapshot_is_found_out_after_many_deliveries() {
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
    fn edges_are_counted() {
        let word = Readiness::with_sequence(77);
        word.set_struck(true);
        assert_eq!(word.snapshot().sequence(), 77);
        word.deliver(true);
        word.deliver(false);
        assert_eq!(word.snapshot().sequence(), 79);
    }

    #[test]
    fn wrap_around_keeps_the_flags() {
        let word = Readiness::with_sequence(u32::MAX);
        word.set_struck(true);
        let seen = word.snapshot();
        word.deliver(true);
        assert!(!word.is_current(seen));
        assert!(word.snapshot().is_struck());
        word.set_struck(false);
        assert!(!word.snapshot().is_struck());
    }

    #[test]
    fn short_read_is_noted_only_if_nothing_has_come() {
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
    fn every_fourth_read_looks() {
        let word = Readiness::new();
        assert!(!word.skip_look(word.snapshot()));
        for _ in 0..3 {
            word.note_drained(word.snapshot());
            for _ in 0..3 {
                assert!(word.skip_look(word.snapshot()));
            }
            assert!(!word.skip_look(word.snapshot()));
        }
        let seen = word.snapshot();
        word.deliver(true);
        word.note_drained(word.snapshot());
        assert!(!word.skip_look(seen));
        assert!(word.skip_look(word.snapshot()));
    }

    #[test]
    fn more_than_data_turns_the_shortcut_off_until_the_slot_is_used_again() {
        let word = Readiness::new();
        word.set_tcp(true);
        word.deliver(false);
        assert_eq!(word.snapshot().allows_shortcut(), Some(false));
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
    fn flags_do_not_make_a_snapshot_stale() {
        let word = Readiness::new();
        let seen = word.snapshot();
        word.set_struck(true);
        assert!(word.is_current(seen));
    }
}
