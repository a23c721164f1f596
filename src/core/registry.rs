//! The table of sources: found by slot without a lock, told apart by generation.
//!
//! Slots live in buckets that double in size and are never moved or freed, so a reference to a slot stays valid for as
//! long as the registry. A bucket is made once, when the first of its slots is needed. Vacant slots are kept in a list
//! and used again, last in first out: the warmest memory first.
//!
//! Rejected: one vector behind a lock (every event of every thread would take it); reference-counted sources (a count up
//! and down per event, and per-source allocation).

use crate::core::source::{Key, Source};
use crate::core::sync::Mutex;
use std::io;
use std::sync::OnceLock;

/// The first bucket has 2^5 slots, each further one as many as all before it and 32 more.
const FIRST_BITS: u32 = 5;
const BUCKETS: usize = (Key::SLOT_BITS - FIRST_BITS) as usize;

/// So many slots fit in all buckets. Below the slots of the tokens that pollers use for themselves.
const CAPACITY: u32 = (((1u64 << Key::SLOT_BITS) - (1 << FIRST_BITS)) & 0xFFFF_FFFF) as u32;

#[derive(Debug)]
pub(crate) struct Registry {
    buckets: [OnceLock<Box<[Source]>>; BUCKETS],
    vacancies: Mutex<Vacancies>,
}

#[derive(Debug)]
struct Vacancies {
    slots: Vec<u32>,
    /// Slots from here on have never been used.
    unused: u32,
}

impl Registry {
    pub(crate) fn new() -> Self {
        Registry {
            buckets: [const { OnceLock::new() }; BUCKETS],
            vacancies: Mutex::new(Vacancies {
                slots: Vec::new(),
                unused: 0,
            }),
        }
    }

    /// The slot of a key that was given out by `take`. `None` for a number that never was.
    #[inline]
    pub(crate) fn get(&self, slot: u32) -> Option<&Source> {
        let (bucket, offset) = locate(slot)?;
        self.buckets.get(bucket)?.get()?.get(offset)
    }

    /// Reserves a vacant slot.
    pub(crate) fn take(&self) -> io::Result<(u32, &Source)> {
        let slot = {
            let mut vacancies = self.vacancies.lock();
            match vacancies.slots.pop() {
                Some(slot) => slot,
                None if vacancies.unused < CAPACITY => {
                    vacancies.unused += 1;
                    vacancies.unused - 1
                }
                None => return Err(full()),
            }
        };
        let (bucket, offset) = locate(slot).ok_or_else(full)?;
        let made = self.buckets[bucket].get_or_init(|| {
            let size = 1usize << (bucket as u32 + FIRST_BITS);
            (0..size).map(|_| Source::new()).collect()
        });
        Ok((slot, &made[offset]))
    }

    /// Returns a slot whose source has been vacated.
    pub(crate) fn give_back(&self, slot: u32) {
        self.vacancies.lock().slots.push(slot);
    }

    /// All slots that have ever been used, with their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Source)> {
        let used = self.vacancies.lock().unused;
        (0..used).filter_map(|slot| Some((slot, self.get(slot)?)))
    }
}

#[inline]
fn locate(slot: u32) -> Option<(usize, usize)> {
    let shifted = slot.checked_add(1 << FIRST_BITS)?;
    let bits = shifted.ilog2();
    let bucket = (bits - FIRST_BITS) as usize;
    Some((bucket, (shifted - (1 << bits)) as usize))
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
    fn buckets_cover_the_slots_without_gaps() {
        let mut expected = (0, 0);
        for slot in 0..10_000 {
            assert_eq!(locate(slot), Some(expected));
            expected.1 += 1;
            if expected.1 == 1 << (expected.0 as u32 + FIRST_BITS) {
                expected = (expected.0 + 1, 0);
            }
        }
        let (bucket, _) = locate(CAPACITY - 1).unwrap();
        assert_eq!(bucket, BUCKETS - 1);
    }

    #[test]
    fn slots_are_used_again_and_stay_in_place() {
        let registry = Registry::new();
        let taken: Vec<_> = (0..100).map(|_| registry.take().unwrap()).collect();
        for (slot, source) in &taken {
            assert!(std::ptr::eq(registry.get(*slot).unwrap(), *source));
        }
        registry.give_back(taken[40].0);
        assert_eq!(registry.take().unwrap().0, taken[40].0);
        assert_eq!(registry.iter().count(), 100);
        assert!(registry.get(CAPACITY).is_none() && registry.get(u32::MAX).is_none());
    }
}
