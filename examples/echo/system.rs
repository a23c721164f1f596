//! System calls for the limit on descriptors and for the CPU time.

use std::io;
use std::time::Duration;

/// Raises the soft limit on descriptors so that `sockets` can be open at the same time.
///
/// Returns an error that says what to do if the hard limit is too low.
#[cfg(all(unix, not(target_os = "redox")))]
pub(crate) fn allow_descriptors(sockets: usize) -> io::Result<()> {
    use rustix::process::{Resource, getrlimit, setrlimit};

    // 32 more for the standard streams, the listener and the reactor.
    let needed = sockets as u64 + 32;
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    if limit.maximum.is_some_and(|maximum| maximum < needed) {
        let maximum = limit.maximum.unwrap_or_default();
        return Err(io::Error::other(format!(
            "this needs {needed} descriptors, but the limit is {maximum}: \
             lower --connections, or raise the hard limit (ulimit -Hn {needed}, as root)"
        )));
    }
    limit.current = Some(needed);
    Ok(setrlimit(Resource::Nofile, limit)?)
}

/// Does nothing: the system has no such limit, or no way to query it.
#[cfg(not(all(unix, not(target_os = "redox"))))]
pub(crate) fn allow_descriptors(_sockets: usize) -> io::Result<()> {
    Ok(())
}

/// Returns the CPU time between two readings.
pub(crate) fn since(before: Option<Duration>, now: Option<Duration>) -> Option<Duration> {
    Some(now?.saturating_sub(before?))
}

#[derive(Clone, Copy)]
pub(crate) enum Spender {
    ThisThread,
    AllThreads,
}

/// Returns the CPU time spent so far, or `None` if the system does not report it.
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
