//! Limits of the system, and the resources of a process.

use std::fs;

use rustix::process::{Resource, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Binds this thread, and the threads that it starts, to one of the processors that it may use. The
/// processors are counted from 0.
pub(crate) fn pin_to_processor(number: usize) -> Result<(), String> {
    let failed = |error| format!("cannot bind to one processor: {error}");
    let allowed = sched_getaffinity(None).map_err(failed)?;
    let mut usable = (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu));
    let Some(chosen) = usable.nth(number) else {
        return Err(format!("there is no processor {number}"));
    };
    let mut one = CpuSet::new();
    one.set(chosen);
    sched_setaffinity(None, &one).map_err(failed)
}

/// Raises the limit on descriptors as far as possible and returns it.
pub(crate) fn raise_descriptor_limit() -> u64 {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // If this fails, the limit stays unchanged.
    let _ = setrlimit(Resource::Nofile, limit);
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Returns the resident memory of a process in KiB.
pub(crate) fn resident_kib(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().split(' ').next()?.parse().ok()
}

/// Returns how many descriptors a process has.
pub(crate) fn descriptors(process: u32) -> Option<usize> {
    Some(fs::read_dir(format!("/proc/{process}/fd")).ok()?.count())
}
