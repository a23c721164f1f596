//! The memory of the timers is released after a peak.

#![allow(unsafe_code)]

use async_io::Timer;
use std::alloc::{GlobalAlloc, Layout, System};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// The system allocator, which also counts the allocated bytes.
struct Counting;

static ALLOCATED: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: all calls are passed on to `System` unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller upholds the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        ALLOCATED.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller upholds the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

fn set(timer: &mut Timer) {
    let mut cx = Context::from_waker(Waker::noop());
    assert_eq!(Pin::new(timer).poll(&mut cx), Poll::Pending);
}

#[test]
fn heap_is_as_small_as_before_after_a_million_timers() {
    const TIMERS: u64 = 1_000_000;
    const MIB: usize = 1 << 20;

    // Does the initialization that the first timer needs.
    set(&mut Timer::after(Duration::from_secs(3600)));
    let before = ALLOCATED.load(Ordering::Relaxed);
    // Drops the timers in the order of creation, in reverse, and scattered.
    for stride in [1, TIMERS - 1, 7_654_321] {
        let deadlines = (0..TIMERS).map(|number| 1_000_000 + number * 7919 % TIMERS);
        let timers = deadlines.map(|millis| {
            let mut timer = Timer::after(Duration::from_millis(millis));
            set(&mut timer);
            Some(timer)
        });
        let mut timers: Vec<Option<Timer>> = timers.collect();
        assert!(ALLOCATED.load(Ordering::Relaxed) > before + 30 * MIB);
        for step in 0..TIMERS {
            let timer = &mut timers[(step * stride % TIMERS) as usize];
            assert!(timer.take().is_some());
        }
        drop(timers);
        let after = ALLOCATED.load(Ordering::Relaxed);
        assert!(after <= before + MIB, "{} bytes are left", after - before);
    }
}
