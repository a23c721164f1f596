//! Small numbers for threads, by which they choose their parts of shared structures.
//!
//! Each thread takes the lowest number that no other thread has, and gives it back when it ends. So
//! threads that run at the same time have different numbers, and a program with few threads uses
//! few numbers, however many threads it starts one after the other.
//!
//! There is one number per bit of a word. Further threads share the numbers in turn, and keep what
//! they got. A number may also be shared if the destructor of a thread-local value uses the crate
//! after its thread has given the number back. In the child of a fork the numbers of the parent's
//! other threads stay taken. Sharing costs time, but nothing else depends on it.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

static NUMBERS: Numbers = Numbers::new();

/// The number of a thread that has not needed one.
const NONE: usize = usize::MAX;

thread_local! {
    static NUMBER: Cell<usize> = const { Cell::new(NONE) };
    /// Apart from the number, which needs no destructor and is read more quickly.
    static LEASE: Cell<Option<Lease<'static>>> = const { Cell::new(None) };
}

/// Returns the number of the calling thread, below the number of bits of a word. Under loom all
/// threads have the same number, so that they use the same memory.
#[inline]
pub(crate) fn thread_number() -> usize {
    if cfg!(async_io_loom) {
        return 0;
    }
    match NUMBER.get() {
        NONE => assign(),
        number => number,
    }
}

#[cold]
fn assign() -> usize {
    let (number, lease) = NUMBERS.take();
    NUMBER.set(number);
    // This fails in the destructors of the thread. The lease then ends at once.
    let _ = LEASE.try_with(|kept| kept.set(lease));
    number
}

/// The numbers that threads have. All accesses are relaxed: a number says nothing about other
/// memory.
#[derive(Debug)]
struct Numbers {
    /// A bit for each number that a thread has.
    taken: AtomicUsize,
    /// How many threads found all numbers taken.
    crowded: AtomicUsize,
}

/// Gives a number back when it is dropped.
#[derive(Debug)]
struct Lease<'a> {
    numbers: &'a Numbers,
    number: usize,
}

impl Numbers {
    const fn new() -> Self {
        Numbers {
            taken: AtomicUsize::new(0),
            crowded: AtomicUsize::new(0),
        }
    }

    /// Takes the lowest number that no thread has. If there is none, returns a number that another
    /// thread has, and no lease.
    fn take(&self) -> (usize, Option<Lease<'_>>) {
        let take_lowest = |taken: usize| (taken != usize::MAX).then(|| taken | (taken + 1));
        let (success, failure) = (Ordering::Relaxed, Ordering::Relaxed);
        match self.taken.fetch_update(success, failure, take_lowest) {
            Ok(before) => {
                let number = before.trailing_ones() as usize;
                let numbers = self;
                (number, Some(Lease { numbers, number }))
            }
            Err(_) => {
                let turn = self.crowded.fetch_add(1, Ordering::Relaxed);
                (turn % usize::BITS as usize, None)
            }
        }
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let bit = 1 << self.number;
        self.numbers.taken.fetch_and(!bit, Ordering::Relaxed);
    }
}

#[cfg(all(test, not(async_io_loom)))]
mod tests {
    use super::*;

    #[test]
    fn lowest_vacant_number_is_taken() {
        let numbers = Numbers::new();
        let mut leases: Vec<_> = (0..usize::BITS as usize)
            .map(|expected| {
                let (number, lease) = numbers.take();
                assert_eq!(number, expected);
                lease.unwrap()
            })
            .collect();
        for expected in [0, 1] {
            let (number, lease) = numbers.take();
            assert_eq!(number, expected);
            assert!(lease.is_none());
        }
        leases.swap_remove(20);
        leases.swap_remove(7);
        assert_eq!(numbers.take().0, 7);
        let (seven, _lease) = numbers.take();
        assert_eq!((seven, numbers.take().0), (7, 20));
    }

    #[test]
    fn thread_keeps_its_number_and_gives_it_back_when_it_ends() {
        // The threads of other tests take numbers as well, and all numbers may be taken for a moment.
        for _ in 0..1000 {
            let thread = std::thread::spawn(|| {
                let number = thread_number();
                assert_eq!(thread_number(), number);
            });
            thread.join().unwrap();
        }
        assert!(NUMBERS.crowded.load(Ordering::Relaxed) < 500);
    }
}
