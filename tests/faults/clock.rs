//! A clock that stands still, as in a virtual machine that is paused or moved.
//!
//! This program has a `clock_gettime` of its own, which std calls in place of the C library's: it asks the kernel, and
//! answers with the same time again and again while the clock is told to stand.

#![allow(unsafe_code)]

use std::ffi::c_int;
use std::io::Write;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use async_io::Timer;

use crate::support::isolated::isolated;
use crate::support::{Counter, Runner, assert_quiet, pair, poll};

const RUNS: i64 = -1;

/// The nanoseconds at which the clock stands.
static STANDS_AT: AtomicI64 = AtomicI64::new(RUNS);

// SAFETY: the signature and the meaning are those of POSIX; nothing but the answer differs.
#[unsafe(no_mangle)]
unsafe extern "C" fn clock_gettime(clock: libc::clockid_t, time: *mut libc::timespec) -> c_int {
    let stands_at = STANDS_AT.load(Ordering::SeqCst);
    if stands_at != RUNS && clock == libc::CLOCK_MONOTONIC {
        let (seconds, nanos) = (stands_at / 1_000_000_000, stands_at % 1_000_000_000);
        // SAFETY: the caller gives a valid pointer.
        unsafe {
            time.write(libc::timespec {
                tv_sec: seconds as _,
                tv_nsec: nanos as _,
            })
        };
        return 0;
    }
    // SAFETY: the caller's arguments, for the call that they are meant for.
    unsafe { libc::syscall(libc::SYS_clock_gettime, clock, time) as c_int }
}

fn stand_still() {
    // SAFETY: all zeroes is a valid value of this plain C structure.
    let mut now: libc::timespec = unsafe { std::mem::zeroed() };
    // SAFETY: a valid pointer.
    assert_eq!(unsafe { clock_gettime(libc::CLOCK_MONOTONIC, &mut now) }, 0);
    STANDS_AT.store(
        now.tv_sec as i64 * 1_000_000_000 + now.tv_nsec as i64,
        Ordering::SeqCst,
    );
}

fn go_on() {
    STANDS_AT.store(RUNS, Ordering::SeqCst);
}

/// While it stands no timer fires, since none is due, I/O goes on, and nobody is busy; when it goes on, they fire.
#[test]
fn a_clock_that_stands_still() {
    isolated("clock::a_clock_that_stands_still", || {
        let (source, mut peer) = pair();
        let (counter, waker) = Counter::new();
        let mut timers: Vec<_> = (20..40)
            .map(|millis| Timer::after(Duration::from_millis(millis)))
            .collect();
        for timer in &mut timers {
            assert!(poll(timer, &waker).is_pending());
        }
        stand_still();
        let before = Instant::now();
        thread::sleep(Duration::from_millis(100));
        assert_eq!(Instant::now(), before, "the clock does not stand");
        for runner in Runner::BOTH {
            peer.write_all(b"x").unwrap();
            runner.block_on(source.readable()).unwrap();
            std::io::Read::read_exact(&mut source.get_ref(), &mut [0]).unwrap();
        }
        assert_eq!(counter.wakes(), 0, "a timer fired before its time");
        // It measures by this very clock, so it must not be asked for the time that passes.
        quiet_while_standing();
        go_on();
        counter.wait_for(20);
        let start = Instant::now();
        async_io::block_on(Timer::after(Duration::from_millis(1)));
        assert!(start.elapsed() >= Duration::from_millis(1));
        assert_quiet("after the clock went on");
    });
}

fn quiet_while_standing() {
    let used = crate::support::raw::process_cpu();
    thread::sleep(Duration::from_millis(300));
    let used = crate::support::raw::process_cpu() - used;
    assert!(
        used < Duration::from_millis(150),
        "{used:?} of CPU in 300 ms"
    );
}
