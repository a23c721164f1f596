//! What Unix systems have.

use crate::driver::Driver;
use std::os::fd::BorrowedFd;

/// The descriptor of the reactor's poller, to be watched by another event loop.
///
/// It becomes readable when a registered object is ready or a timer is due. The descriptor must only be watched: reading,
/// writing or closing it breaks the reactor.
///
/// Calling this makes the reactor if there is none yet, and starts the `async-io` thread, which goes on driving the
/// reactor; so tasks make progress whether the loop reacts or not. A loop that wants them on its own thread calls
/// [`block_on`](crate::block_on) with a future that waits for what they do.
///
/// # Platforms
///
/// `Some` on Linux and Android (an epoll descriptor), illumos and Solaris (an event port), macOS, iOS and the BSDs (a
/// kqueue). `None` on other systems, where the reactor uses `poll()`, and if the poller cannot be made.
///
/// # Examples
///
/// ```
/// if let Some(fd) = async_io::os::unix::reactor_fd() {
///     println!("watch {fd:?} for readability");
/// }
/// ```
pub fn reactor_fd() -> Option<BorrowedFd<'static>> {
    let driver = Driver::global();
    let fd = driver.reactor.poller().ok()?.descriptor()?;
    // Should the thread be refused, the next wait tries again.
    let _ = driver.start_fallback();
    Some(fd)
}
