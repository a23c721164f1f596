//! A clock that stands still, as in a virtual machine that is paused or moved.
//!
//! This program has a `clock_gettime` of its own, which std calls in place of the C library's: it asks the kernel, and
//! answers with the same time again and again while the clock is told to stand.

#![allow(unsafe_code)]

use std::ffi::c_int;
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use async_io::Timer;

use crate::support::isolated::isolated;
use crate::support::{Counter, Runner, assert_quiet, pair, poll};

static STANDS: AtomicBool = AtomicBool::new(false);

/// Where it stands, in two words: not every processor has atomics of 64 bits.
static SECONDS: AtomicU32 = AtomicU32::new(0);
static NANOS: AtomicU32 = AtomicU32::new(0);

fn stands_at(clock: libc::clockid_t) -> Option<(u32, u32)> {
    let stands = clock == libc::CLOCK_MONOTONIC && STANDS.load(Ordering::SeqCst);
    stands.then(|| (SECONDS.load(Ordering::SeqCst), NANOS.load(Ordering::SeqCst)))
}

// SAFETY: the signature and the meaning are those of POSIX; nothing but the answer differs.
#[unsafe(no_mangle)]
unsafe extern "C" fn clock_gettime(clock: libc::clockid_t, time: *mut libc::timespec) -> c_int {
    if let Some((seconds, nanos)) = stands_at(clock) {
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

/// On processors of 32 bits glibc has a second one for times after 2038, which std prefers.
#[cfg(all(target_env = "gnu", target_pointer_width = "32"))]
mod long_time {
    use std::ffi::c_int;

    /// Its number is the same on all of these processors but MIPS; `libc` has it for few of them.
    const CLOCK_GETTIME64: libc::c_long = 403;

    #[repr(C)]
    struct Timespec {
        seconds: i64,
        #[cfg(target_endian = "big")]
        padding: i32,
        nanos: i32,
        #[cfg(target_endian = "little")]
        padding: i32,
    }

    // SAFETY: the signature and the meaning are those of glibc; nothing but the answer differs.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn __clock_gettime64(clock: libc::clockid_t, time: *mut Timespec) -> c_int {
        if let Some((seconds, nanos)) = super::stands_at(clock) {
            // SAFETY: the caller gives a valid pointer.
            unsafe {
                time.write(Timespec {
                    seconds: seconds.into(),
                    nanos: nanos as i32,
                    padding: 0,
                })
            };
            return 0;
        }
        // SAFETY: the caller's arguments, for the call that they are meant for.
        unsafe { libc::syscall(CLOCK_GETTIME64, clock, time) as c_int }
    }
}

fn stand_still() {
    // SAFETY: all zeroes is a valid value of this plain C structure.
    let mut now: libc::timespec = unsafe { std::mem::zeroed() };
    // SAFETY: a valid pointer.
    assert_eq!(unsafe { clock_gettime(libc::CLOCK_MONOTONIC, &mut now) }, 0);
    SECONDS.store(now.tv_sec as u32, Ordering::SeqCst);
    NANOS.store(now.tv_nsec as u32, Ordering::SeqCst);
    STANDS.store(true, Ordering::SeqCst);
}

fn go_on() {
    STANDS.store(false, Ordering::SeqCst);
}

/// While it stands no timer fires, since none is due, I/O goes on, and nobody is busy; when it goes on, they fire.
#[test]
fn a_clock_that_stands_still() {
    isolated("clock::a_clock_that_stands_still", || {
        let (source, mut peer) = pair();
        let (counter, waker) = Counter::new();
        stand_still();
        let mut timers: Vec<_> = (20..40)
            .map(|millis| Timer::after(Duration::from_millis(millis)))
            .collect();
        for timer in &mut timers {
            assert!(poll(timer, &waker).is_pending());
        }
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
