//! Behaviour of `os::unix::reactor_fd`.
#![cfg(target_os = "linux")]

mod support;

use async_io::os::unix::reactor_fd;

/// There is no descriptor with the `poll()` back end.
#[cfg(polling_test_poll_backend)]
#[test]
fn there_is_no_descriptor() {
    assert!(reactor_fd().is_none());
}

#[cfg(not(polling_test_poll_backend))]
mod epoll {
    use std::io::Write;
    use std::os::fd::{AsRawFd, BorrowedFd};
    use std::time::{Duration, Instant};

    use async_io::Timer;
    use rustix::event::{PollFd, PollFlags, Timespec, poll as poll_fds};

    use super::reactor_fd;
    use super::support::procfs::fallback_threads;
    use super::support::*;

    /// The function always returns the descriptor of the poller, and the fallback thread keeps
    /// working.
    #[test]
    fn it_is_always_the_same() {
        let fd: BorrowedFd<'static> = reactor_fd().unwrap();
        assert_eq!(fd.as_raw_fd(), reactor_fd().unwrap().as_raw_fd());
        let link = std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd())).unwrap();
        assert_eq!(link.to_str(), Some("anon_inode:[eventpoll]"));
        settle();
        assert_eq!(fd.as_raw_fd(), reactor_fd().unwrap().as_raw_fd());
    }

    /// The call starts the fallback thread, because the crate cannot know whether the caller
    /// watches the descriptor.
    #[test]
    fn handing_it_out_starts_the_thread() {
        isolated("epoll::handing_it_out_starts_the_thread", || {
            assert_eq!(fallback_threads().len(), 0);
            reactor_fd().unwrap();
            until("the thread starts", || fallback_threads().len() == 1);
        });
    }

    /// Waits like a foreign event loop.
    fn watch() {
        let fd = reactor_fd().unwrap();
        let mut fds = [PollFd::new(&fd, PollFlags::IN)];
        let limit = Timespec::try_from(LIMIT).unwrap();
        assert_eq!(poll_fds(&mut fds, Some(&limit)).unwrap(), 1, "not readable");
        assert_eq!(fds[0].revents(), PollFlags::IN);
    }

    /// The descriptor becomes readable when a source with a waiter becomes ready.
    #[test]
    fn it_is_readable_when_a_source_is_ready() {
        isolated("epoll::it_is_readable_when_a_source_is_ready", || {
            let (source, mut peer) = local_pair();
            let (counter, waker) = Counter::new();
            assert!(poll_readable(&source, &waker).is_pending());
            while_reactor_is_held(|| {
                peer.write_all(b"x").unwrap();
                watch();
                assert_eq!(counter.wakes(), 0);
            });
            counter.wait_for(1);
        });
    }

    /// The descriptor becomes readable when a timer becomes due.
    #[test]
    fn it_is_readable_when_a_timer_is_due() {
        isolated("epoll::it_is_readable_when_a_timer_is_due", || {
            let mut distance = Duration::from_millis(50);
            loop {
                let (counter, waker) = Counter::new();
                let deadline = Instant::now() + distance;
                let mut timer = Timer::at(deadline);
                assert!(poll(&mut timer, &waker).is_pending());
                settle();
                let served = while_reactor_is_held(|| {
                    // On a slow machine the timer may have fired before the thread was held up.
                    // Retry with a later deadline.
                    let served = Instant::now() >= deadline || counter.wakes() > 0;
                    if !served {
                        watch();
                        assert_eq!(counter.wakes(), 0);
                    }
                    served
                });
                counter.wait_for(1);
                if !served {
                    return;
                }
                distance *= 2;
            }
        });
    }
}
