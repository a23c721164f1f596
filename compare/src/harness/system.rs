//! The system calls around a measurement: pinning, limits and priorities.
#![allow(unsafe_code)]

use std::io;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Pins the calling thread to these cores, and the threads and processes that it starts later.
pub(crate) fn pin(cores: &[usize]) -> io::Result<()> {
    let mut set = CpuSet::new();
    for &core in cores {
        set.set(core);
    }
    Ok(sched_setaffinity(None, &set)?)
}

/// Returns the cores that this process may use.
pub(crate) fn cores() -> io::Result<Vec<usize>> {
    let set = sched_getaffinity(None)?;
    Ok((0..CpuSet::MAX_CPU)
        .filter(|&core| set.is_set(core))
        .collect())
}

/// Raises the limit of open descriptors to `descriptors`. Fails if that needs a privilege that this
/// process does not have.
pub(crate) fn allow_descriptors(descriptors: u64) -> io::Result<()> {
    let now = getrlimit(Resource::Nofile);
    if now.current.is_none_or(|current| current >= descriptors) {
        return Ok(());
    }
    let maximum = now.maximum.map(|maximum| maximum.max(descriptors));
    let current = Some(descriptors);
    Ok(setrlimit(Resource::Nofile, Rlimit { current, maximum })?)
}

/// Makes the calling thread run only where a core would otherwise be idle.
pub(crate) fn only_when_idle() -> io::Result<()> {
    let parameters = libc::sched_param { sched_priority: 0 };
    // SAFETY: the pointer is to a live `sched_param`; 0 is the calling thread.
    let status = unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &parameters) };
    if status == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Returns for how long the calling thread has been runnable without a core, since it started.
pub(crate) fn waited_for_core() -> io::Result<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let waited = text.split_whitespace().nth(1);
    let nanos = waited.and_then(|nanos| nanos.parse().ok());
    let nanos = nanos.ok_or_else(|| io::Error::other("no waiting time in /proc"))?;
    Ok(Duration::from_nanos(nanos))
}

/// Returns the sum of the voluntary context switches of all threads of a process.
pub(crate) fn voluntary_switches(process: u32) -> io::Result<u64> {
    let mut sum = 0;
    for task in std::fs::read_dir(format!("/proc/{process}/task"))? {
        let status = std::fs::read_to_string(task?.path().join("status"))?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        let count = line.and_then(|count| count.trim().parse::<u64>().ok());
        sum += count.ok_or_else(|| io::Error::other("no context switches in /proc"))?;
    }
    Ok(sum)
}
