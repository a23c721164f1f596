//! The memory of the timers is released after a peak. The test needs an allocator of its own, so it
//! has a file of its own.

mod support;

use std::task::Waker;
use std::time::Duration;

use async_io::Timer;
use support::*;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn set(timer: &mut Timer) {
    assert!(poll(timer, Waker::noop()).is_pending());
}

#[test]
fn heap_is_as_small_as_before_after_a_million_timers() {
    const TIMERS: u64 = 1_000_000;
    const MIB: isize = 1 << 20;

    // Does the initialization that the first timer needs.
    set(&mut Timer::after(HOUR));
    let before = ALLOCATOR.allocated();
    // Drops the timers in the order of creation, in reverse, and scattered.
    for stride in [1, TIMERS - 1, 7_654_321] {
        let deadlines = (0..TIMERS).map(|number| 1_000_000 + number * 7919 % TIMERS);
        let timers = deadlines.map(|millis| {
            let mut timer = Timer::after(Duration::from_millis(millis));
            set(&mut timer);
            Some(timer)
        });
        let mut timers: Vec<Option<Timer>> = timers.collect();
        assert!(ALLOCATOR.allocated() > before + 30 * MIB);
        for step in 0..TIMERS {
            let timer = &mut timers[(step * stride % TIMERS) as usize];
            assert!(timer.take().is_some());
        }
        drop(timers);
        let after = ALLOCATOR.allocated();
        assert!(after <= before + MIB, "{} bytes are left", after - before);
    }
}
