//! The table of sources. A source is found by its slot without a lock, and the generation tells
//! apart the objects that used the slot.
//!
//! Slots live in buckets that double in size. Buckets are never moved or freed, so a reference to a
//! slot is valid for as long as the registry. A bucket consists of pieces, and each piece is
//! allocated when the first of its slots is needed. So no allocation is larger than a piece, except
//! for a bucket's list of pieces.
//!
//! # Vacant slots
//!
//! A thread that gives a slot back puts it into a cell of its *shelf*, and later takes it from
//! there again. The memory of that slot is most likely in the cache, and two threads with different
//! shelves share nothing. A thread with a full or an empty shelf uses the list that all threads
//! share, and moves some more slots to it or from it. So a thread that only takes slots, or only
//! gives them back, locks the list once for several slots.
//!
//! * A cell holds a slot or [`NONE`]. A swap empties it and a compare-exchange fills it, so exactly
//!   one thread gets each slot that was put in.
//! * Several threads may use the same shelf. A thread that ends leaves its slots to the other
//!   threads of its shelf.
//! * A thread takes a slot from another shelf only if the shared list is empty and all slots of the
//!   table have been used. Until then, at most [`CELLS`] vacant slots per shelf are out of reach of
//!   a thread that needs one.
//!
//! # Orderings
//!
//! Filling a cell (Release) is the partner of emptying it (Acquire). The content of a slot has its
//! own lock.
//!
//! # Rejected
//!
//! * One vector of sources behind a lock: each event of each thread would take the lock.
//! * Sources with a reference count: each event would cost an increment and a decrement, and each
//!   source an allocation.
//! * Buckets that are allocated whole: a bucket with 2^14 slots blocks its threads for a
//!   millisecond.
//! * One list of vacant slots behind a lock: this costs 75 more instructions per registration, and
//!   all threads write to one cache line.
//! * A linked stack of vacant slots: the tag that protects its head needs 64-bit atomics, which
//!   some targets lack.

use crate::core::source::Key;
use crate::core::sync::Mutex;
use crate::core::sync::atomic::{AtomicU32, Ordering};
use crate::core::thread_number::thread_number;
use std::io;
use std::sync::OnceLock;

/// The first bucket has 2^5 slots. Each further bucket has 32 slots more than all buckets before it
/// together.
const FIRST_BITS: u32 = 5;
const BUCKETS: usize = (Key::SLOT_BITS - FIRST_BITS) as usize;

/// A piece has at most 2^8 slots.
const PIECE_BITS: u32 = 8;

/// The number of slots in all buckets. Pollers use the tokens of higher slots for themselves.
const CAPACITY: u32 = (((1u64 << Key::SLOT_BITS) - (1 << FIRST_BITS)) & 0xFFFF_FFFF) as u32;

/// The number of shelves, and the number of cells of each shelf. Loom explores one small shelf.
const SHELVES: usize = if cfg!(async_io_loom) { 1 } else { 16 };
const CELLS: usize = if cfg!(async_io_loom) { 2 } else { 16 };

/// The number of further slots that a thread moves when it uses the shared list.
const MOVED: usize = CELLS / 2;

/// The content of an empty cell. No slot has this number.
const NONE: u32 = u32::MAX;

/// Slots that are allocated together.
type Piece<T> = OnceLock<Box<[T]>>;

/// A table of `T`s, each in a slot that is reserved and given back.
#[derive(Debug)]
pub(crate) struct Registry<T> {
    buckets: [OnceLock<Box<[Piece<T>]>>; BUCKETS],
    shelves: [Shelf; SHELVES],
    shared: Mutex<Shared>,
}

/// Vacant slots for some of the threads. A shelf fills one cache line of its own.
#[derive(Debug)]
#[repr(align(64))]
struct Shelf([AtomicU32; CELLS]);

impl Shelf {
    fn new() -> Shelf {
        Shelf(std::array::from_fn(|_| AtomicU32::new(NONE)))
    }

    /// Takes a slot out of a cell, if any cell holds one.
    #[inline]
    fn take(&self) -> Option<u32> {
        self.0.iter().find_map(|cell| {
            // Relaxed: a stale value only makes the thread look elsewhere.
            let seen = cell.load(Ordering::Relaxed);
            if seen == NONE || mutation!("slot_is_given_out_twice") {
                return (seen != NONE).then_some(seen);
            }
            let slot = cell.swap(NONE, Ordering::Acquire);
            (slot != NONE).then_some(slot)
        })
    }

    /// Puts a slot into an empty cell. Returns false if there is none.
    #[inline]
    fn put(&self, slot: u32) -> bool {
        self.0.iter().any(|cell| {
            if cell.load(Ordering::Relaxed) != NONE {
                return false;
            }
            if mutation!("slot_is_put_over_another") {
                cell.store(slot, Ordering::Release);
                return true;
            }
            cell.compare_exchange(NONE, slot, Ordering::Release, Ordering::Relaxed)
                .is_ok()
        })
    }
}

/// The part that all threads share. A thread uses it if its shelf is full or empty.
#[derive(Debug)]
struct Shared {
    vacant: Vec<u32>,
    /// The first slot that was never used. All later slots are unused as well.
    unused: u32,
}

impl<T: Default> Registry<T> {
    pub(crate) fn new() -> Self {
        Registry {
            buckets: [const { OnceLock::new() }; BUCKETS],
            shelves: std::array::from_fn(|_| Shelf::new()),
            shared: Mutex::new(Shared {
                vacant: Vec::new(),
                unused: 0,
            }),
        }
    }

    /// Returns the content of a slot that `take` has returned before, or `None` for any other
    /// number.
    #[inline]
    pub(crate) fn get(&self, slot: u32) -> Option<&T> {
        let place = Location::of(slot)?;
        let pieces = self.buckets.get(place.bucket)?.get()?;
        pieces.get(place.piece)?.get()?.get(place.offset)
    }

    /// Reserves a vacant slot.
    ///
    /// # Errors
    ///
    /// `OutOfMemory` if all slots are in use.
    #[inline]
    pub(crate) fn take(&self) -> io::Result<(u32, &T)> {
        let slot = self.reserve()?;
        match self.get(slot) {
            Some(content) => Ok((slot, content)),
            None => self.allocate(slot),
        }
    }

    /// Allocates the piece of a slot that was reserved for the first time.
    #[cold]
    fn allocate(&self, slot: u32) -> io::Result<(u32, &T)> {
        let place = Location::of(slot).ok_or_else(full)?;
        // Threads that need the same piece at the same time wait until one of them has created it.
        // That takes as long as allocating a few hundred slots.
        let pieces = self.buckets[place.bucket].get_or_init(|| {
            let count = 1usize << place.bucket_bits().saturating_sub(PIECE_BITS);
            (0..count).map(|_| OnceLock::new()).collect()
        });
        let piece = pieces[place.piece].get_or_init(|| {
            let size = 1usize << place.bucket_bits().min(PIECE_BITS);
            (0..size).map(|_| T::default()).collect()
        });
        Ok((slot, &piece[place.offset]))
    }

    #[inline]
    fn reserve(&self) -> io::Result<u32> {
        match self.shelf().take() {
            Some(slot) => Ok(slot),
            None => self.reserve_shared(),
        }
    }

    fn reserve_shared(&self) -> io::Result<u32> {
        let mut shared = self.shared.lock();
        if let Some(slot) = shared.vacant.pop() {
            for _ in 0..MOVED {
                let Some(more) = shared.vacant.pop() else {
                    break;
                };
                if !self.shelf().put(more) {
                    shared.vacant.push(more);
                    break;
                }
            }
            return Ok(slot);
        }
        if shared.unused < CAPACITY {
            shared.unused += 1;
            return Ok(shared.unused - 1);
        }
        drop(shared);
        let slot = self.shelves.iter().find_map(Shelf::take);
        // A thread may have given back a slot to the list meanwhile.
        slot.or_else(|| self.shared.lock().vacant.pop())
            .ok_or_else(full)
    }

    /// Makes a slot vacant again.
    #[inline]
    pub(crate) fn give_back(&self, slot: u32) {
        if !self.shelf().put(slot) {
            self.give_back_shared(slot);
        }
    }

    fn give_back_shared(&self, slot: u32) {
        let mut shared = self.shared.lock();
        shared.vacant.push(slot);
        let more = (0..MOVED).map_while(|_| self.shelf().take());
        shared.vacant.extend(more);
    }

    #[inline]
    fn shelf(&self) -> &Shelf {
        &self.shelves[thread_number() % SHELVES]
    }

    /// Returns the contents of all slots that were ever used, with their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        let used = self.shared.lock().unused;
        (0..used).filter_map(|slot| Some((slot, self.get(slot)?)))
    }
}

/// The location of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Location {
    bucket: usize,
    piece: usize,
    offset: usize,
}

impl Location {
    #[inline]
    fn of(slot: u32) -> Option<Location> {
        let shifted = slot.checked_add(1 << FIRST_BITS)?;
        let bits = shifted.ilog2();
        let within = shifted - (1 << bits);
        Some(Location {
            bucket: (bits - FIRST_BITS) as usize,
            piece: (within >> PIECE_BITS) as usize,
            offset: (within & ((1 << PIECE_BITS) - 1)) as usize,
        })
    }

    /// Returns the base-2 logarithm of the number of slots in the bucket.
    fn bucket_bits(self) -> u32 {
        self.bucket as u32 + FIRST_BITS
    }
}

fn full() -> io::Error {
    io::Error::new(
        io::ErrorKind::OutOfMemory,
        "the reactor's table of registered objects is full; drop some `Async` values first",
    )
}

#[cfg(all(test, not(async_io_loom)))]
mod tests {
    use super::*;

    #[test]
    fn buckets_and_pieces_cover_the_slots_without_gaps() {
        let mut expected = Location {
            bucket: 0,
            piece: 0,
            offset: 0,
        };
        for slot in 0..10_000 {
            let place = Location::of(slot).unwrap();
            assert_eq!(place, expected);
            expected.offset += 1;
            let bits = place.bucket_bits();
            if expected.offset == 1 << bits.min(PIECE_BITS) {
                (expected.piece, expected.offset) = (expected.piece + 1, 0);
            }
            if expected.piece == 1 << bits.saturating_sub(PIECE_BITS) {
                (expected.bucket, expected.piece) = (expected.bucket + 1, 0);
            }
        }
        assert_eq!(Location::of(CAPACITY - 1).unwrap().bucket, BUCKETS - 1);
    }

    #[test]
    fn slots_are_reused_and_stay_where_they_are() {
        let registry = Registry::<u64>::new();
        let taken: Vec<_> = (0..1000).map(|_| registry.take().unwrap()).collect();
        for (slot, content) in &taken {
            assert!(std::ptr::eq(registry.get(*slot).unwrap(), *content));
        }
        registry.give_back(taken[40].0);
        assert_eq!(registry.take().unwrap().0, taken[40].0);
        assert_eq!(registry.iter().count(), 1000);
        assert!(registry.get(CAPACITY).is_none() && registry.get(u32::MAX).is_none());
    }

    #[test]
    fn no_allocation_is_larger_than_a_piece() {
        let registry = Registry::<u8>::new();
        for _ in 0..3000 {
            registry.take().unwrap();
        }
        let pieces = registry.buckets.iter().filter_map(OnceLock::get).flatten();
        let sizes = pieces.filter_map(OnceLock::get).map(|piece| piece.len());
        assert_eq!(sizes.max(), Some(1 << PIECE_BITS));
    }
}
