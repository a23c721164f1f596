//! A clock that stands still, as in a virtual machine that is paused or migrated.
//!
//! This program defines its own `clock_gettime`, which std calls instead of that of the C library.
//! It asks the kernel, or returns the same time repeatedly while the clock is stopped.

#![allow(unsafe_code)]

use std::ffi::c_int;
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use async_io::Timer;

use crate::support::{Counter, Runner, assert_quiet, isolated, poll, raw, shared_pair};

static STANDS: AtomicBool = AtomicBool::new(false);

/// The time at which the clock is stopped, in two words: not every processor has 64-bit atomics.
static SECONDS: AtomicU32 = AtomicU32::new(0);
static NANOS: AtomicU32 = AtomicU32::new(0);

fn stands_at(clock: libc::clockid_t) -> Option<(u32, u32)> {
    let stands = clock == libc::CLOCK_MONOTONIC && STANDS.load(Ordering::SeqCst);
    stands.then(|| (SECONDS.load(Ordering::SeqCst), NANOS.load(Ordering::SeqCst)))
}

// SAFETY: the signature and the semantics are those of POSIX; only the returned time differs.
#[unsafe(no_mangle)]
unsafe extern "C" fn clock_gettime(clock: libc::clockid_t, time: *mut libc::timespec) -> c_int {
    if let Some((seconds, nanos)) = stands_at(clock) {
        // SAFETY: the caller passes a valid pointer.
        unsafe {
            time.write(libc::timespec {
                tv_sec: seconds as _,
                tv_nsec: nanos as _,
            })
        };
        return 0;
    }
    // SAFETY: the arguments are passed on unchanged to the system call that they are meant for.
    unsafe { libc::syscall(libc::SYS_clock_gettime, clock, time) as c_int }
}

/// On 32-bit processors glibc has a second function for times after 2038, which std prefers.
#[cfg(all(target_env = "gnu", target_pointer_width = "32"))]
mod long_time {
    use std::ffi::c_int;

    /// The number is the same on all of these processors except MIPS. `libc` defines it for few of
    /// them.
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

    // SAFETY: the signature and the semantics are those of glibc; only the returned time differs.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn __clock_gettime64(clock: libc::clockid_t, time: *mut Timespec) -> c_int {
        if let Some((seconds, nanos)) = super::stands_at(clock) {
            // SAFETY: the caller passes a valid pointer.
            unsafe {
                time.write(Timespec {
                    seconds: seconds.into(),
                    nanos: nanos as i32,
                    padding: 0,
                })
            };
            return 0;
        }
        // SAFETY: the arguments are passed on unchanged to the system call that they are meant for.
        unsafe { libc::syscall(CLOCK_GETTIME64, clock, time) as c_int }
    }
}

fn stand_still() {
    // SAFETY: all zeros is a valid value of this plain C structure.
    let mut now: libc::timespec = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is valid.
    assert_eq!(unsafe { clock_gettime(libc::CLOCK_MONOTONIC, &mut now) }, 0);
    SECONDS.store(now.tv_sec as u32, Ordering::SeqCst);
    NANOS.store(now.tv_nsec as u32, Ordering::SeqCst);
    STANDS.store(true, Ordering::SeqCst);
}

fn go_on() {
    STANDS.store(false, Ordering::SeqCst);
}

/// While the clock stands still, no timer fires, since none is due, I/O continues, and no thread is
/// busy. When it resumes, the timers fire.
#[test]
fn a_stopped_clock_delays_timers_and_nothing_else() {
    isolated(
        "clock::a_stopped_clock_delays_timers_and_nothing_else",
        || {
            let (source, mut peer) = shared_pair();
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
            assert_eq!(Instant::now(), before, "the clock does not stand still");
            for runner in Runner::BOTH {
                peer.write_all(b"x").unwrap();
                runner.block_on(source.readable()).unwrap();
                std::io::Read::read_exact(&mut source.get_ref(), &mut [0]).unwrap();
            }
            assert_eq!(counter.wakes(), 0, "a timer fired early");
            // `assert_quiet` measures elapsed time with this clock, so it cannot be used while the
            // clock is stopped.
            quiet_while_standing();
            go_on();
            counter.wait_for(20);
            let start = Instant::now();
            async_io::block_on(Timer::after(Duration::from_millis(1)));
            assert!(start.elapsed() >= Duration::from_millis(1));
            assert_quiet("after the clock resumed");
        },
    );
}

fn quiet_while_standing() {
    let used = raw::process_cpu();
    thread::sleep(Duration::from_millis(300));
    let used = raw::process_cpu() - used;
    assert!(
        used < Duration::from_millis(150),
        "{used:?} of CPU in 300 ms"
    );
}
