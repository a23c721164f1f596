//! What the system is asked for: descriptors, and the CPU time spent.

use std::io;
use std::time::Duration;

/// Sees to it that `sockets` can be open at the same time, or says what to do.
#[cfg(all(unix, not(target_os = "redox")))]
pub(crate) fn allow_descriptors(sockets: usize) -> io::Result<()> {
    use rustix::process::{Resource, getrlimit, setrlimit};

    // Standard streams, the listener, the reactor's own.
    let needed = sockets as u64 + 32;
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    if limit.maximum.is_some_and(|maximum| maximum < needed) {
        let maximum = limit.maximum.unwrap_or_default();
        return Err(io::Error::other(format!(
            "this takes {needed} descriptors, but the limit is {maximum}: \
             lower --connections, or raise the hard limit (ulimit -Hn {needed}, as root)"
        )));
    }
    limit.current = Some(needed);
    Ok(setrlimit(Resource::Nofile, limit)?)
}

/// There is no such limit, or no way to ask for it.
#[cfg(not(all(unix, not(target_os = "redox"))))]
pub(crate) fn allow_descriptors(_sockets: usize) -> io::Result<()> {
    Ok(())
}

/// What was spent between two readings.
pub(crate) fn since(before: Option<Duration>, now: Option<Duration>) -> Option<Duration> {
    Some(now?.saturating_sub(before?))
}

#[derive(Clone, Copy)]
pub(crate) enum Spender {
    ThisThread,
    AllThreads,
}

/// The CPU time spent so far, if the system tells.
#[allow(unreachable_code)]
pub(crate) fn cpu(spender: Spender) -> Option<Duration> {
    #[cfg(any(
        target_os = "linux",
        target_os = "android",
        target_os = "freebsd",
        target_vendor = "apple"
    ))]
    {
        use rustix::time::{ClockId, clock_gettime};

        let time = clock_gettime(match spender {
            Spender::ThisThread => ClockId::ThreadCPUTime,
            Spender::AllThreads => ClockId::ProcessCPUTime,
        });
        return Some(Duration::new(
            time.tv_sec.try_into().ok()?,
            time.tv_nsec.try_into().ok()?,
        ));
    }
    let _ = spender;
    None
}
