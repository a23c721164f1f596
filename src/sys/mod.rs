//! The platform layer: a poller, and the socket calls that std lacks. The choice between operating
//! systems is made here, except for public APIs that only some systems have.
//!
//! There are two pollers: `epoll` on Linux and Android, and `portable`, on the `polling` crate,
//! everywhere else (and on Linux with `--cfg async_io_portable`). Both implement
//! [`engine::poller::Poller`](crate::engine::poller::Poller), which states the contract, and pass
//! the same conformance tests (`conformance.rs`).

#[cfg(all(
    any(target_os = "linux", target_os = "android"),
    any(test, not(any(async_io_portable, polling_test_poll_backend)))
))]
#[cfg_attr(test, allow(dead_code))] // One of the two is compiled only for the conformance tests.
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
pub(crate) use epoll::{Poller, REPORTS_CLOSING};
#[cfg(any(
    async_io_portable,
    polling_test_poll_backend,
    not(any(target_os = "linux", target_os = "android"))
))]
pub(crate) use portable::{Poller, REPORTS_CLOSING};

pub(crate) mod ask;
pub(crate) mod fork;
pub(crate) mod raw;
pub(crate) mod socket;
pub(crate) mod thread;

#[cfg(test)]
mod conformance;

use std::io;

/// Returns an error that explains why the system refuses to register an object, and what to do
/// about it. Other errors are returned unchanged.
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
