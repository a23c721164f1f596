//! The platform: a poller, and the socket calls that std lacks. The only place that chooses by operating system.
//!
//! # The contract of a poller
//!
//! * `Poller::new(clock)` makes one, or says why not.
//! * `register(raw, key, interest)` adds an object; what is ready already is reported. The object stays open until
//!   `deregister`, or its owner breaks the rules of `Async` and loses the events of this object, of no other.
//! * `rearm(raw, key, interest)` replaces the interest, and reports what is ready already.
//! * `deregister(raw)` removes the object. Events that were fetched before may still name its key.
//! * `wait(events, until)` replaces the contents of `events`. It returns at the first event, after a `notify`, at the
//!   deadline (never much earlier, and not later than the platform forces it to), or early for no reason.
//! * `notify()` ends one wait in progress, or else the next one. Callable by everybody at any time.
//! * `expect_by(deadline)` makes the waits in progress end by the deadline, if they would last longer.
//! * `set_alarm(deadline)` is the same and may also make it later; `expect_nothing()` takes both back.
//! * `Events::was_notified` says that a `notify` may have been used up by this wait. Who was not meant by it must notify
//!   again.
//!
//! Constants: [`REPORTING`] (are edges real here?), [`CONCURRENT_WAITS`] (may several threads be inside `wait`? If not,
//! the second one queues behind the first), [`FORGETS_IDLE`] (must an object without interest be rearmed with none, so
//! that it is silent?), [`FIRST_INTEREST`] (what a new object is registered with), [`ARMS_IN_SILENCE`] (may arming what is
//! ready already succeed and report nothing?), [`TELLS_CLOSING`] (does an event of data tell that the end of the stream is
//! there, too?).
//!
//! Both back ends pass the same conformance tests (`conformance.rs`).

#[cfg(all(
    any(target_os = "linux", target_os = "android"),
    any(test, not(any(async_io_portable, polling_test_poll_backend)))
))]
#[cfg_attr(test, allow(dead_code))] // One of the two is there for the conformance tests only.
pub(crate) mod epoll;
#[cfg(any(
    test,
    async_io_portable,
    polling_test_poll_backend,
    not(any(target_os = "linux", target_os = "android"))
))]
#[cfg_attr(test, allow(dead_code))] // As above.
pub(crate) mod portable;

#[cfg(all(
    any(target_os = "linux", target_os = "android"),
    not(any(async_io_portable, polling_test_poll_backend))
))]
pub(crate) use epoll::{
    ARMS_IN_SILENCE, CONCURRENT_WAITS, Events, FIRST_INTEREST, FORGETS_IDLE, Poller, REPORTING,
    TELLS_CLOSING,
};
#[cfg(any(
    async_io_portable,
    polling_test_poll_backend,
    not(any(target_os = "linux", target_os = "android"))
))]
pub(crate) use portable::{
    ARMS_IN_SILENCE, CONCURRENT_WAITS, Events, FIRST_INTEREST, FORGETS_IDLE, Poller, REPORTING,
    TELLS_CLOSING,
};

pub(crate) mod ask;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod fork;
pub(crate) mod socket;
pub(crate) mod thread;

#[cfg(test)]
mod conformance;

use crate::core::clock::Deadline;
use std::io;

/// How long to wait for events.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Until {
    /// Fetch what is there.
    Now,
    /// Wait for the first event, at most until then (`Deadline::NEVER`: without limit).
    Deadline(Deadline),
}

/// Says what the system's refusal to register an object means, and what to do about it.
pub(crate) fn explain(error: io::Error) -> io::Error {
    let advice = match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "cannot wait for the readiness of a regular file, a directory or a device such as /dev/null: they are \
             always ready, and reading them may block; run their operations on a thread pool instead, for example with \
             the `blocking` or `async-fs` crate"
        }
        #[cfg(unix)]
        _ if error.raw_os_error() == Some(rustix::io::Errno::NOSPC.raw_os_error()) => {
            "the system's limit on watched descriptors is reached; raise it (on Linux \
             /proc/sys/fs/epoll/max_user_watches) or close some"
        }
        _ => return error,
    };
    io::Error::new(error.kind(), advice)
}
