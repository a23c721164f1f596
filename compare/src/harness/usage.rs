//! The counters of what this process has used, and their differences.
#![allow(unsafe_code)]

use std::time::Instant;

use super::alloc;
use super::sample::Sample;

/// The counters of this process at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    wall: Instant,
    cpu_ns: i64,
    voluntary: i64,
    involuntary: i64,
    asked: u64,
    live: i64,
}

/// What was used between two moments.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spent {
    pub(crate) wall_ns: f64,
    pub(crate) cpu_ns: f64,
    pub(crate) voluntary: f64,
    pub(crate) involuntary: f64,
    pub(crate) allocations: f64,
    pub(crate) heap_bytes: f64,
}

impl Moment {
    pub(crate) fn now() -> Moment {
        let asked = alloc::asked();
        let live = alloc::live();
        let (voluntary, involuntary) = switches();
        let cpu_ns = cpu_ns();
        let wall = Instant::now();
        Moment {
            wall,
            cpu_ns,
            voluntary,
            involuntary,
            asked,
            live,
        }
    }

    /// Returns what was used since this moment.
    pub(crate) fn spent(self) -> Spent {
        self.until(Moment::now())
    }

    pub(crate) fn until(self, end: Moment) -> Spent {
        Spent {
            wall_ns: (end.wall - self.wall).as_nanos() as f64,
            cpu_ns: (end.cpu_ns - self.cpu_ns) as f64,
            voluntary: (end.voluntary - self.voluntary) as f64,
            involuntary: (end.involuntary - self.involuntary) as f64,
            allocations: (end.asked - self.asked) as f64,
            heap_bytes: (end.live - self.live) as f64,
        }
    }
}

impl Spent {
    /// Returns the figures per operation.
    pub(crate) fn per(&self, count: u64) -> Sample {
        let count = count as f64;
        Sample::of("cpu_ns", self.cpu_ns / count)
            .with("wall_ns", self.wall_ns / count)
            .with("voluntary", self.voluntary / count)
            .with("involuntary", self.involuntary / count)
            .with("allocations", self.allocations / count)
    }
}

/// Returns the voluntary and involuntary context switches of all threads of this process, including
/// those that have ended.
fn switches() -> (i64, i64) {
    // SAFETY: an all-zero `rusage` is a valid value of that plain struct.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a live `rusage`.
    let status = unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut usage) };
    assert_eq!(status, 0, "getrusage does not fail with these arguments");
    (usage.ru_nvcsw, usage.ru_nivcsw)
}

/// Returns the CPU time of all threads. Calls libc, because rustix looks up its functions in the
/// vDSO, and there is none under valgrind.
fn cpu_ns() -> i64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointer is to a live `timespec`.
    let status = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    assert_eq!(status, 0, "every Linux has this clock");
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}
