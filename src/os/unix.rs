//! Functions for Unix systems: the descriptor of the reactor.

use crate::driver::Driver;
use std::os::fd::BorrowedFd;

/// Returns the descriptor that the reactor waits on, so that another event loop can watch it.
///
/// The descriptor becomes readable when a registered object is ready or a timer is due. Use it only
/// to wait for that: reading from it, writing to it or closing it breaks the reactor.
///
/// This function creates the reactor if necessary, and starts the `async-io` thread. That thread
/// keeps processing events, so tasks make progress even if the event loop does not react. To
/// process events on the thread of the loop, call [`block_on`](crate::block_on) there with a future
/// that waits for the result of the tasks.
///
/// # Errors
///
/// Returns `None` if the system has no such descriptor, or refuses to create it.
///
/// # Platform notes
///
/// The descriptor is an epoll instance on Linux and Android, a kqueue on macOS, iOS and the BSDs,
/// and an event port on illumos and Solaris. Other systems use `poll()` and have none.
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
    let fd = driver.engine.poller().ok()?.descriptor()?;
    // If the thread cannot be started, the next wait tries again.
    let _ = driver.start_fallback();
    Some(fd)
}
