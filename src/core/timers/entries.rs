//! The entries of the timers: their wakers, their positions in the heap, and the keys that name
//! them.
//!
//! # Keys
//!
//! A [`TimerKey`] names an entry and its generation. Releasing an entry advances its generation, so
//! an old key finds nothing. A generation is never handed out twice for the same entry:
//!
//! * The last generation ([`LAST`]) is never handed out. An entry that reaches it is retired: it is
//!   not used again, and its chunk is not freed. That takes 2^32 timers.
//! * A chunk that is allocated again at the place of a freed chunk starts with a generation that no
//!   entry of the freed chunk had. The list of chunks remembers it.
//!
//! So a key that outlives its timer never names another timer, even after the table has shrunk.
//!
//! # Memory
//!
//! Entries are allocated in chunks of [`CHUNK`] and never move. Growing allocates one chunk. An
//! empty chunk is freed if another one is empty as well. So one empty chunk is kept, and at least
//! [`CHUNK`] timers are inserted or removed between an allocation and the next free. Only the lists
//! of chunks are ever copied, at 48 bytes per chunk. They keep their capacity.
//!
//! # Limit
//!
//! A queue holds at most 2^26 (67 million) timers, with tables of 3 GB. An insertion beyond that is
//! refused.
//!
//! The upper 6 bits of a [`TimerKey`] name the shard that its queue belongs to.

use super::nodes::{ENTRY_BITS, reserve};
use std::num::{NonZeroU32, NonZeroU64};
use std::task::Waker;

/// Number of entries in a chunk. Small in tests, so that short scripts cross the end of a chunk.
const CHUNK: usize = if cfg!(any(test, fuzzing)) { 8 } else { 256 };

/// The largest number of chunks.
const MAX_CHUNKS: usize = (1 << ENTRY_BITS) / CHUNK;

/// The generation of a retired entry.
const LAST: NonZeroU32 = NonZeroU32::MAX;

/// Ends a list of chunks.
const END: u32 = u32::MAX;

/// Ends a list of entries.
const FULL: u16 = u16::MAX;

/// The position of an entry that has no node. Its timer is idle until it gets a deadline.
pub(super) const IDLE: u32 = u32::MAX;

/// The largest number of shards.
pub(super) const MAX_SHARDS: usize = 1 << (u32::BITS - ENTRY_BITS);

/// Names one timer. No other timer ever gets an equal key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimerKey(NonZeroU64);

impl TimerKey {
    #[inline]
    fn new(entry: u32, generation: NonZeroU32) -> Self {
        TimerKey(NonZeroU64::from(generation) | (u64::from(entry) << u32::BITS))
    }

    #[inline]
    pub(super) fn entry(self) -> u32 {
        (self.0.get() >> u32::BITS) as u32 & ((1 << ENTRY_BITS) - 1)
    }

    /// Returns the key of the same entry and generation in the queue of this shard.
    #[inline]
    pub(super) fn in_shard(self, shard: usize) -> Self {
        TimerKey(self.0 | (shard as u64) << (u32::BITS + ENTRY_BITS))
    }

    #[inline]
    pub(super) fn shard(self) -> usize {
        (self.0.get() >> (u32::BITS + ENTRY_BITS)) as usize
    }

    #[inline]
    fn generation(self) -> u32 {
        self.0.get() as u32
    }
}

#[derive(Debug)]
struct Entry {
    /// `None` while the entry is free.
    waker: Option<Waker>,
    /// The generation of the current timer, or of the next one while the entry is free.
    generation: NonZeroU32,
    /// The next free entry of the chunk, or [`FULL`]. Meaningless while the entry is in use.
    next: u16,
}

/// A chunk, or the place of a chunk that has been freed.
#[derive(Debug)]
struct Chunk {
    /// Empty if the chunk has been freed.
    entries: Box<[Entry]>,
    /// The first free entry, as an index into the chunk, or [`FULL`].
    free: u16,
    /// The number of entries that are not free. Includes retired entries.
    used: u16,
    /// The generation that new entries start with.
    generation: NonZeroU32,
    /// The next chunk of the same list: the open chunks, or the freed ones.
    next: u32,
    /// The previous open chunk, or [`END`].
    previous: u32,
}

#[derive(Debug)]
pub(super) struct Entries {
    chunks: Vec<Chunk>,
    /// For each chunk, the positions of its entries: of the node, or [`IDLE`].
    ///
    /// Separate from the entries, because sinking a node changes one position per level. A small
    /// table causes fewer cache misses.
    positions: Vec<Box<[u32]>>,
    /// The first chunk that has a free entry.
    open: u32,
    /// The first place of a freed chunk.
    freed: u32,
    /// The only allocated chunk that has no timer, or [`END`].
    spare: u32,
    /// The largest number of chunks. Smaller in a test.
    max_chunks: usize,
}

impl Default for Entries {
    fn default() -> Self {
        Entries {
            chunks: Vec::new(),
            positions: Vec::new(),
            open: END,
            freed: END,
            spare: END,
            max_chunks: MAX_CHUNKS,
        }
    }
}

/// Splits the number of an entry into its chunk and its index there.
#[inline]
fn split(entry: u32) -> (usize, usize) {
    (entry as usize / CHUNK, entry as usize % CHUNK)
}

impl Entries {
    /// Returns whether no further timer can be added.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.open == END && self.freed == END && self.chunks.len() >= self.max_chunks
    }

    /// Limits the number of timers to that of so many chunks.
    #[cfg(test)]
    pub(super) fn limit_chunks(&mut self, limit: usize) -> usize {
        self.max_chunks = limit;
        limit * CHUNK
    }

    /// Takes a free entry for a new timer. `position` is the position of the timer's node, or
    /// [`IDLE`]. The caller has checked that the table is not full.
    #[inline]
    pub(super) fn take(&mut self, waker: Waker, position: u32) -> TimerKey {
        if self.open == END {
            self.add_chunk();
        }
        let number = self.open;
        let chunk = &mut self.chunks[number as usize];
        let index = usize::from(chunk.free);
        self.positions[number as usize][index] = position;
        let entry = &mut chunk.entries[index];
        let next = entry.next;
        let key = TimerKey::new(number * CHUNK as u32 + index as u32, entry.generation);
        entry.waker = Some(waker);
        chunk.free = next;
        if chunk.used == 0 {
            self.spare = END;
        }
        chunk.used += 1;
        if next == FULL {
            self.close(number);
        }
        key
    }

    /// Frees an entry and returns its waker. Afterwards, no key names the entry.
    #[inline]
    pub(super) fn release(&mut self, entry: u32) -> Option<Waker> {
        let (number, index) = split(entry);
        let chunk = &mut self.chunks[number];
        let free = chunk.free;
        let entry = &mut chunk.entries[index];
        let waker = entry.waker.take();
        if !mutation!("key_of_a_fired_timer_is_reused") {
            entry.generation = entry.generation.saturating_add(1);
        }
        if entry.generation == LAST {
            return waker;
        }
        entry.next = free;
        chunk.free = index as u16;
        chunk.used -= 1;
        let is_empty = chunk.used == 0;
        if free == FULL {
            self.reopen(number as u32);
        }
        if is_empty {
            self.keep_or_free(number as u32);
        }
        waker
    }

    /// Returns the position of a timer's node, or [`IDLE`].
    ///
    /// Returns `None` if the timer has fired or was removed.
    #[inline]
    pub(super) fn find(&self, key: TimerKey) -> Option<u32> {
        let (number, index) = split(key.entry());
        let entry = self.chunks.get(number)?.entries.get(index)?;
        if entry.generation.get() != key.generation() {
            return None;
        }
        Some(self.positions[number][index])
    }

    /// Returns whether the condition holds for the waker of any entry.
    pub(super) fn any_waker(&self, mut condition: impl FnMut(&Waker) -> bool) -> bool {
        let mut entries = self.chunks.iter().flat_map(|chunk| &chunk.entries);
        entries.any(|entry| entry.waker.as_ref().is_some_and(&mut condition))
    }

    /// Returns the waker of an entry that is in use.
    #[inline]
    pub(super) fn waker_mut(&mut self, entry: u32) -> &mut Option<Waker> {
        let (number, index) = split(entry);
        &mut self.chunks[number].entries[index].waker
    }

    /// Returns the waker of an entry that is in use.
    #[cfg(test)]
    pub(super) fn waker(&self, entry: u32) -> Option<&Waker> {
        let (number, index) = split(entry);
        self.chunks[number].entries[index].waker.as_ref()
    }

    /// Sets the position of an entry that is in use.
    #[inline]
    pub(super) fn set_position(&mut self, entry: u32, position: u32) {
        let (number, index) = split(entry);
        self.positions[number][index] = position;
    }

    /// Allocates a chunk, at the place of a freed one if there is any, and opens it.
    #[cold]
    fn add_chunk(&mut self) {
        let number = match self.freed {
            END => self.add_place(),
            freed => freed,
        };
        let chunk = &mut self.chunks[number as usize];
        self.freed = chunk.next;
        let entry = |index: usize| Entry {
            waker: None,
            generation: chunk.generation,
            next: if index + 1 == CHUNK {
                FULL
            } else {
                index as u16 + 1
            },
        };
        chunk.entries = (0..CHUNK).map(entry).collect();
        chunk.free = 0;
        self.positions[number as usize] = Box::new([IDLE; CHUNK]);
        self.spare = number;
        self.reopen(number);
    }

    /// Adds a place for a chunk at the end of the list of chunks.
    fn add_place(&mut self) -> u32 {
        let number = self.chunks.len();
        reserve(&mut self.chunks);
        reserve(&mut self.positions);
        self.positions.push(Box::default());
        self.chunks.push(Chunk {
            entries: Box::default(),
            free: FULL,
            used: 0,
            generation: NonZeroU32::MIN,
            next: END,
            previous: END,
        });
        number as u32
    }

    /// Keeps a chunk that has become empty as the spare one, or frees it.
    ///
    /// Of two empty chunks the lower one is kept. It was allocated earlier, so the memory behind it
    /// can probably be returned to the system.
    #[inline]
    fn keep_or_free(&mut self, number: u32) {
        if self.spare != END {
            self.free_chunk(self.spare.max(number));
        }
        self.spare = self.spare.min(number);
    }

    /// Frees an empty chunk. Its place remembers the generation for the next chunk there.
    #[cold]
    fn free_chunk(&mut self, number: u32) {
        self.close(number);
        let chunk = &mut self.chunks[number as usize];
        let generations = chunk.entries.iter().map(|entry| entry.generation);
        chunk.generation = generations.max().unwrap_or(LAST);
        chunk.entries = Box::default();
        self.positions[number as usize] = Box::default();
        chunk.next = self.freed;
        self.freed = number;
    }

    /// Puts a chunk at the front of the list of open chunks.
    #[cold]
    fn reopen(&mut self, number: u32) {
        let chunk = &mut self.chunks[number as usize];
        (chunk.previous, chunk.next) = (END, self.open);
        if let Some(next) = self.chunks.get_mut(self.open as usize) {
            next.previous = number;
        }
        self.open = number;
    }

    /// Takes a chunk out of the list of open chunks.
    #[cold]
    fn close(&mut self, number: u32) {
        let chunk = &self.chunks[number as usize];
        let (previous, next) = (chunk.previous, chunk.next);
        match self.chunks.get_mut(previous as usize) {
            Some(previous) => previous.next = next,
            None => self.open = next,
        }
        if let Some(next) = self.chunks.get_mut(next as usize) {
            next.previous = previous;
        }
    }

    /// Returns the position of an entry that is in use.
    #[cfg(all(test, not(async_io_loom)))]
    pub(super) fn position(&self, entry: u32) -> u32 {
        let (number, index) = split(entry);
        self.positions[number][index]
    }

    /// Returns the number of allocated chunks.
    #[cfg(all(test, not(async_io_loom)))]
    pub(super) fn count_chunks(&self) -> usize {
        self.positions.iter().filter(|it| !it.is_empty()).count()
    }
}

#[cfg(all(test, not(async_io_loom)))]
mod tests {
    use super::*;
    use std::collections::HashSet;

    impl Entries {
        fn check(&self) {
            let mut open = HashSet::new();
            let (mut number, mut previous) = (self.open, END);
            while let Some(chunk) = self.chunks.get(number as usize) {
                assert_eq!(chunk.previous, previous);
                assert!(chunk.free != FULL && open.insert(number));
                (previous, number) = (number, chunk.next);
            }
            let mut empty = END;
            for (number, chunk) in self.chunks.iter().enumerate() {
                let positions = &self.positions[number];
                let entries = &chunk.entries;
                assert_eq!(positions.len(), entries.len());
                if entries.is_empty() {
                    assert!(!open.contains(&(number as u32)) && chunk.used == 0);
                    continue;
                }
                let unused = entries.iter().filter(|entry| entry.waker.is_none());
                let free = unused.filter(|entry| entry.generation != LAST).count();
                assert_eq!(CHUNK - free, usize::from(chunk.used));
                assert_eq!(open.contains(&(number as u32)), free > 0);
                if free == CHUNK {
                    assert_eq!(empty, END, "two chunks are empty");
                    empty = number as u32;
                }
            }
            assert_eq!(self.spare, empty);
        }
    }

    fn take(entries: &mut Entries) -> TimerKey {
        entries.take(Waker::noop().clone(), IDLE)
    }

    #[test]
    fn keys_and_entries_are_small() {
        assert_eq!(size_of::<TimerKey>(), 8);
        assert_eq!(size_of::<Option<TimerKey>>(), 8);
        if cfg!(target_pointer_width = "64") {
            assert_eq!((size_of::<Entry>(), size_of::<Chunk>()), (24, 32));
        }
        let key = TimerKey::new((1 << ENTRY_BITS) - 1, LAST);
        assert_eq!(key.entry(), (1 << ENTRY_BITS) - 1);
        assert_eq!(key.generation(), u32::MAX);
    }

    #[test]
    fn chunks_are_freed_when_empty_and_one_is_kept() {
        let mut entries = Entries::default();
        for stride in [1, 7, 11, 101] {
            let count = 10 * CHUNK;
            let keys: Vec<_> = (0..count).map(|_| take(&mut entries)).collect();
            assert_eq!(entries.count_chunks(), 10);
            entries.check();
            for step in 0..count {
                let key = keys[step * stride % count];
                assert_eq!(entries.find(key), Some(IDLE));
                assert!(entries.release(key.entry()).is_some());
                assert_eq!(entries.find(key), None);
                entries.check();
            }
            assert_eq!(entries.count_chunks(), 1);
            assert_eq!(entries.chunks.len(), 10);
        }
    }

    #[test]
    fn stale_key_names_nothing_after_its_chunk_was_freed_and_allocated_again() {
        let mut entries = Entries::default();
        let mut stale = HashSet::new();
        for round in 0..20 {
            let keys: Vec<_> = (0..3 * CHUNK + round).map(|_| take(&mut entries)).collect();
            for key in &keys {
                assert!(stale.insert(key.0), "a key was handed out twice");
            }
            for key in keys {
                entries.release(key.entry());
            }
            assert!(
                stale
                    .iter()
                    .all(|key| entries.find(TimerKey(*key)).is_none())
            );
        }
    }

    #[test]
    fn oscillation_around_a_full_chunk_keeps_the_chunk() {
        let mut entries = Entries::default();
        for _ in 0..CHUNK {
            take(&mut entries);
        }
        let key = take(&mut entries);
        let chunk = entries.chunks[1].entries.as_ptr();
        entries.release(key.entry());
        for _ in 0..10 {
            let keys = [(); 3].map(|()| take(&mut entries));
            for key in keys {
                entries.release(key.entry());
            }
            assert!(std::ptr::eq(entries.chunks[1].entries.as_ptr(), chunk));
        }
    }

    #[test]
    fn entry_that_has_used_all_generations_is_retired() {
        let mut entries = Entries::default();
        let key = take(&mut entries);
        let before_last = NonZeroU32::new(u32::MAX - 1).unwrap();
        entries.chunks[0].entries[0].generation = before_last;
        let key = TimerKey::new(key.entry(), before_last);
        assert!(entries.find(key).is_some());
        assert!(entries.release(key.entry()).is_some());
        entries.check();
        assert!(entries.find(key).is_none());
        for _ in 0..2 {
            let keys: Vec<_> = (0..2 * CHUNK).map(|_| take(&mut entries)).collect();
            assert!(keys.iter().all(|it| it.entry() != key.entry()));
            entries.check();
            for key in keys {
                entries.release(key.entry());
            }
            entries.check();
        }
        // The chunk of a retired entry is kept, because a new chunk would have no generation to
        // start with.
        assert!(!entries.chunks[0].entries.is_empty());
    }
}
