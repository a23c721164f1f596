//! Which kinds of objects can be sources, and what happens to a source if other code closes its
//! descriptor.
#![cfg(target_os = "linux")]
// Safe code cannot close descriptors while they are registered.
#![allow(unsafe_code)]

mod support;

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_io::Async;
use support::raw::{Terminal, pty};
use support::*;

/// A descriptor that other code owns and may close.
struct Unowned(RawFd, Arc<AtomicBool>);

impl Unowned {
    fn new(number: RawFd) -> (Self, Arc<AtomicBool>) {
        let dropped = Arc::new(AtomicBool::new(false));
        (Unowned(number, dropped.clone()), dropped)
    }
}

impl AsFd for Unowned {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: strictly speaking, unsound once the descriptor is closed: that is the misuse
        // under test. These tests run in processes of their own, where no other descriptor is
        // affected.
        unsafe { BorrowedFd::borrow_raw(self.0) }
    }
}

impl Drop for Unowned {
    fn drop(&mut self) {
        self.1.store(true, Ordering::SeqCst);
    }
}

/// Any `T: AsFd` works, including references, smart pointers and bare descriptors.
#[test]
fn any_owner_of_a_descriptor_will_do() {
    fn works<T: AsFd>(io: T, mut peer: &UnixStream) -> T {
        let source = Async::new(io).unwrap();
        peer.write_all(b"x").unwrap();
        foreign(source.readable()).unwrap();
        foreign(source.writable()).unwrap();
        source.into_inner().unwrap()
    }
    guarded(|| {
        let (stream, peer) = UnixStream::pair().unwrap();
        works(&stream, &peer);
        works(stream.as_fd(), &peer);
        let stream = *works(Box::new(stream), &peer);
        let stream = works(Rc::new(stream), &peer);
        let stream = works(Arc::new(Rc::into_inner(stream).unwrap()), &peer);
        let stream = Arc::into_inner(stream).unwrap();
        works(OwnedFd::from(stream), &peer);
    });
}

/// Pipes.
#[test]
fn pipes_are_sources() {
    guarded(|| {
        let (reader, writer) = pipe();
        let (reader, writer) = (Async::new(reader).unwrap(), Async::new(writer).unwrap());
        foreign(writer.write_with(|mut io| io.write(b"x"))).unwrap();
        let got = foreign(reader.read_with(|mut io| io.read(&mut [0; 8])));
        assert_eq!(got.unwrap(), 1);
    });
}

/// A timerfd.
#[test]
fn a_timerfd_is_a_source() {
    use timerfd::{ClockId, SetTimeFlags, TimerFd, TimerState};
    guarded(|| {
        let mut timer = TimerFd::new_custom(ClockId::Monotonic, true, true).unwrap();
        let state = TimerState::Oneshot(Duration::from_millis(2));
        timer.set_state(state, SetTimeFlags::Default);
        let source = Async::new(timer).unwrap();
        foreign(source.readable()).unwrap();
        assert_eq!(source.get_ref().read(), 1);
    });
}

/// inotify.
#[test]
fn inotify_is_a_source() {
    use inotify::{Inotify, WatchMask};
    guarded(|| {
        let dir = tempfile::tempdir().unwrap();
        let inotify = Inotify::init().unwrap();
        inotify
            .watches()
            .add(dir.path(), WatchMask::CREATE)
            .unwrap();
        let mut source = Async::new(inotify).unwrap();
        File::create(dir.path().join("new")).unwrap();
        foreign(source.readable()).unwrap();
        let mut buf = [0; 1024];
        // SAFETY: reading events neither drops nor replaces the object.
        let inotify = unsafe { source.get_mut() };
        let names: Vec<_> = inotify
            .read_events(&mut buf)
            .unwrap()
            .map(|event| event.name.unwrap().to_owned())
            .collect();
        assert_eq!(names, ["new"]);
    });
}

/// A pidfd is readable after the process has ended.
#[test]
fn a_pidfd_is_a_source() {
    use rustix::process::{Pid, PidfdFlags, pidfd_open};
    guarded(|| {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let pidfd = pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).unwrap();
        let source = Async::new(pidfd).unwrap();
        assert!(poll_now(source.readable()).is_pending());
        drop(child.stdin.take());
        foreign(source.readable()).unwrap();
        assert!(child.try_wait().unwrap().is_some());
    });
}

/// Ttys.
#[test]
fn a_tty_is_a_source() {
    guarded(|| {
        let (mut master, slave) = pty(Terminal::Lines);
        let source = Async::new(slave).unwrap();
        assert!(poll_now(source.readable()).is_pending());
        master.write_all(b"line\n").unwrap();
        foreign(source.readable()).unwrap();
        let got = foreign(source.read_with(|mut io| io.read(&mut [0; 8])));
        assert_eq!(got.unwrap(), 5);
    });
}

/// Standard input can be registered if it is a pipe.
#[test]
fn standard_input_can_be_a_source() {
    isolated_with_input("standard_input_can_be_a_source", b"in", || {
        let stdin = Async::new(io::stdin()).unwrap();
        let mut got = Vec::new();
        foreign(async {
            while got.len() < 2 {
                stdin.readable().await.unwrap();
                let mut buf = [0; 8];
                let count = stdin.get_ref().lock().read(&mut buf).unwrap();
                got.extend_from_slice(&buf[..count]);
            }
        });
        assert_eq!(got, b"in");
    });
}

/// An invalid descriptor fails with `EBADF`.
#[test]
fn a_bad_descriptor_is_refused() {
    isolated("a_bad_descriptor_is_refused", || {
        // A high number, so that the reactor's own descriptors do not reuse it.
        let high = rustix::io::fcntl_dupfd_cloexec(pipe().0, 500).unwrap();
        let number = high.as_raw_fd();
        drop(high);
        let (bad, dropped) = Unowned::new(number);
        let error = Async::new(bad).err().unwrap();
        assert_eq!(error.raw_os_error(), Some(libc::EBADF));
        assert!(dropped.load(Ordering::SeqCst));

        if cfg!(not(polling_test_poll_backend)) {
            let error = Async::new_nonblocking(Unowned::new(number).0)
                .err()
                .unwrap();
            assert_eq!(error.raw_os_error(), Some(libc::EBADF));
        }
    });
}

/// If the deregistration fails, `into_inner` returns the error and drops the object.
#[cfg(not(polling_test_poll_backend))]
#[test]
fn into_inner_reports_a_failure_and_drops_the_object() {
    isolated("into_inner_reports_a_failure_and_drops_the_object", || {
        let (reader, _writer) = pipe();
        let (object, dropped) = Unowned::new(reader.as_raw_fd());
        let source = Async::new(object).unwrap();
        drop(reader);
        assert!(source.into_inner().is_err());
        assert!(dropped.load(Ordering::SeqCst));
    });
}

/// Dropping a source ignores errors and does not affect other sources.
#[test]
fn dropping_a_closed_descriptor_is_harmless() {
    isolated("dropping_a_closed_descriptor_is_harmless", || {
        let (other, mut peer) = local_pair();
        let (reader, _writer) = pipe();
        let (object, dropped) = Unowned::new(reader.as_raw_fd());
        let source = Async::new(object).unwrap();
        let (counter, waker) = Counter::new();
        assert!(poll_readable(&source, &waker).is_pending());
        drop(reader);
        drop(source);
        assert!(dropped.load(Ordering::SeqCst));
        assert_eq!(counter.held(1), 0);

        peer.write_all(b"x").unwrap();
        foreign(other.readable()).unwrap();
    });
}

/// Creates a source and closes its descriptor while it is registered. Not available with the
/// poll(2) back end, which learns of a descriptor only when it waits, and then reports a closed one
/// as ready.
#[cfg(not(polling_test_poll_backend))]
fn closed_behind_our_back() -> Async<Unowned> {
    let (reader, _writer) = pipe();
    Async::new(Unowned::new(reader.as_raw_fd()).0).unwrap()
}

#[cfg(not(polling_test_poll_backend))]
#[track_caller]
fn bad(result: io::Result<()>) {
    let error = result.expect_err("the descriptor is closed");
    assert_eq!(error.raw_os_error(), Some(libc::EBADF));
}

#[cfg(not(polling_test_poll_backend))]
fn never(_: &Unowned) -> io::Result<()> {
    Err(io::ErrorKind::WouldBlock.into())
}

/// The error of the wait itself is returned.
#[cfg(not(polling_test_poll_backend))]
#[test]
fn waiting_for_a_closed_descriptor_fails() {
    isolated("waiting_for_a_closed_descriptor_fails", || {
        bad(foreign(closed_behind_our_back().readable()));
        bad(foreign(closed_behind_our_back().writable()));
        bad(foreign(wait_readable(&closed_behind_our_back())));
        bad(foreign(closed_behind_our_back().read_with(never)));
        bad(foreign(closed_behind_our_back().write_with(never)));
    });
}

/// Every wait on such a source fails, not only the first.
#[cfg(not(polling_test_poll_backend))]
#[test]
fn waiting_for_a_closed_descriptor_fails_again() {
    isolated("waiting_for_a_closed_descriptor_fails_again", || {
        let source = closed_behind_our_back();
        for _ in 0..3 {
            bad(foreign(source.readable()));
            bad(foreign(source.writable()));
            bad(foreign(wait_readable(&source)));
            bad(foreign(source.read_with(never)));
            bad(foreign(source.write_with(never)));
        }
    });
}
