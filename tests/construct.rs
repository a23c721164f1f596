//! How a source is created, converted and destroyed.
//!
//! Not tested here: the mode of the registration, and the call that sets `O_NONBLOCK` (`ioctl` or
//! `fcntl`), which are implementation details. The observable effect is tested: a source without
//! waiters causes no wake-ups. `readiness.rs` tests two tasks that share `poll_readable`, and
//! `api.rs` checks which types implement `IoSafe`.

mod support;

use std::cell::Cell;
use std::io::{self, Write};
#[cfg(unix)]
use std::net::{TcpListener, TcpStream, UdpSocket};
#[cfg(unix)]
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_io::Async;
use support::*;

/// An I/O object that records when it is dropped.
struct Watched<T>(T, Arc<AtomicBool>);

impl<T> Watched<T> {
    fn new(io: T) -> (Self, Arc<AtomicBool>) {
        let dropped = Arc::new(AtomicBool::new(false));
        (Watched(io, dropped.clone()), dropped)
    }
}

as_object!(Watched<&Local>, |this| this.0);

impl<T> Drop for Watched<T> {
    fn drop(&mut self) {
        self.1.store(true, Ordering::SeqCst);
    }
}

/// `new` sets `O_NONBLOCK`. `new_nonblocking` does not change the mode.
#[cfg(unix)]
#[test]
fn only_new_changes_the_mode() {
    let (stream, _peer) = pair();
    assert!(!is_nonblocking(&stream));
    let source = Async::new_nonblocking(stream).unwrap();
    assert!(!is_nonblocking(&source));
    let stream = source.into_inner().unwrap();
    assert!(!is_nonblocking(&stream));

    let source = Async::new(stream).unwrap();
    assert!(is_nonblocking(&source));
    let stream = source.into_inner().unwrap();
    let source = Async::new_nonblocking(stream).unwrap();
    assert!(is_nonblocking(&source));
}

/// If the registration fails, the I/O object is dropped.
#[test]
fn a_failed_construction_drops_the_object() {
    let (stream, _peer) = pair();
    let _taken = Async::new(&stream).unwrap();
    for make in [Async::new, Async::new_nonblocking] {
        let (object, dropped) = Watched::new(&stream);
        make(object).err().expect("registered twice");
        assert!(dropped.load(Ordering::SeqCst));
    }
}

/// Registering a descriptor number twice fails with `AlreadyExists`, and the first registration
/// keeps working.
#[test]
fn one_descriptor_cannot_be_registered_twice() {
    guarded(|| {
        let (stream, mut peer) = pair();
        let first = Async::new(&stream).unwrap();
        for _ in 0..2 {
            let error = Async::new(&stream).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        }
        let waiter = first.readable();
        peer.write_all(b"x").unwrap();
        foreign(waiter).unwrap();

        drop(first);
        let again = Async::new(&stream).unwrap();
        foreign(again.readable()).unwrap();
    });
}

/// A duplicate of a descriptor can be registered beside the original. Dropping one leaves the other
/// working.
#[test]
fn a_duplicate_is_a_source_of_its_own() {
    guarded(|| {
        for drop_original in [true, false] {
            let (original, mut peer) = local_pair();
            let duplicate = Async::new(original.get_ref().try_clone().unwrap()).unwrap();
            let (kept, dropped) = if drop_original {
                (duplicate, original)
            } else {
                (original, duplicate)
            };
            let (_, waker) = Counter::new();
            assert!(poll_readable(&kept, &waker).is_pending());
            assert!(poll_readable(&dropped, &waker).is_pending());
            drop(dropped);
            peer.write_all(b"x").unwrap();
            foreign(wait_readable(&kept)).unwrap();
            foreign(kept.readable()).unwrap();
        }
    });
}

/// Regular files, directories and `/dev/null` fail with `PermissionDenied`.
#[cfg(all(target_os = "linux", not(polling_test_poll_backend)))]
#[test]
fn what_cannot_be_waited_for_is_refused() {
    for path in ["/", "/dev/null", "/proc/self/exe"] {
        let file = std::fs::File::open(path).unwrap();
        let error = Async::new(file).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{path}");
    }
}

/// The error for a regular file says what is wrong and what to use instead.
#[cfg(all(target_os = "linux", not(polling_test_poll_backend)))]
#[test]
fn a_regular_file_is_refused_in_helpful_words() {
    for make in [Async::new, Async::new_nonblocking] {
        let error = make(tempfile::tempfile().unwrap()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        let text = error.to_string();
        assert!(text.contains("regular file"), "{text}");
        assert!(text.contains("blocking"), "{text}");
    }
}

/// An object that counts how often its descriptor is requested and can change its answer.
struct Asked<'a> {
    objects: [&'a Local; 2],
    chosen: Cell<usize>,
    asked: &'a AtomicUsize,
}

impl Asked<'_> {
    fn answer(&self) -> &Local {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.objects[self.chosen.get()]
    }
}

as_object!(Asked<'_>, |this| this.answer());

/// `as_fd()` is called at most once per step of the construction and never afterwards. The source
/// remembers the number, so a different answer later has no effect.
#[test]
fn the_descriptor_is_asked_for_at_construction_only() {
    guarded(|| {
        for (new, steps) in [(true, 2), (false, 1)] {
            let (first, mut first_peer) = pair();
            let (second, mut second_peer) = pair();
            let asked = AtomicUsize::new(0);
            let object = Asked {
                objects: [&first, &second],
                chosen: Cell::new(0),
                asked: &asked,
            };
            let make = if new {
                Async::new
            } else {
                Async::new_nonblocking
            };
            let source = make(object).unwrap();
            let calls = asked.load(Ordering::SeqCst);
            assert!((1..=steps).contains(&calls), "{calls} calls");

            source.get_ref().chosen.set(1);
            second_peer.write_all(b"x").unwrap();
            settle();
            let waiter = source.readable();
            assert!(poll_now(source.readable()).is_pending());
            first_peer.write_all(b"x").unwrap();
            foreign(waiter).unwrap();
            foreign(source.writable()).unwrap();
            drop(source);
            assert_eq!(asked.load(Ordering::SeqCst), calls);

            // The first descriptor was deregistered.
            drop(Async::new(&first).unwrap());
        }
    });
}

/// A source without waiters causes no wake-ups, even if it is ready.
#[cfg(target_os = "linux")]
#[test]
fn unwanted_readiness_wakes_nobody() {
    isolated("unwanted_readiness_wakes_nobody", || {
        let receiver = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0)).unwrap();
        let sender = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
        sender
            .connect(receiver.get_ref().local_addr().unwrap())
            .unwrap();
        settle();
        let before = reactor_switches();
        for _ in 0..1000 {
            sender.send(b"unwanted").unwrap();
            // Gives the fallback thread an opportunity to wake up.
            std::thread::yield_now();
        }
        let switches = reactor_switches() - before;
        assert!(switches < 100, "{switches} wake-ups for 1000 datagrams");

        let mut buf = [0; 16];
        assert_eq!(foreign(receiver.recv(&mut buf)).unwrap(), 8);
    });
}

/// Returns how often the fallback thread has gone to sleep so far.
#[cfg(target_os = "linux")]
fn reactor_switches() -> u64 {
    let threads = support::procfs::fallback_threads();
    assert_eq!(threads.len(), 1);
    support::procfs::sleeps(threads[0])
}

/// `get_ref` and `AsRef` return the object, `AsFd` and `AsRawFd` its descriptor.
#[cfg(unix)]
#[test]
fn accessors_lead_to_the_object() {
    let (stream, _peer) = pair();
    let number = stream.as_raw_fd();
    let source = Async::new(stream).unwrap();
    assert_eq!(source.get_ref().as_raw_fd(), number);
    assert_eq!(AsRef::<Local>::as_ref(&source).as_raw_fd(), number);
    assert_eq!(source.as_raw_fd(), number);
    assert_eq!(source.as_fd().as_raw_fd(), number);
    assert_eq!(source.into_inner().unwrap().as_raw_fd(), number);
}

/// `into_inner` deregisters and returns the object, which stays non-blocking.
#[test]
fn into_inner_gives_the_object_back() {
    guarded(|| {
        let (source, mut peer) = local_pair();
        let stream = source.into_inner().unwrap();
        #[cfg(unix)]
        assert!(is_nonblocking(&stream));
        // A second registration works only if the first one is gone.
        let source = Async::new(stream).unwrap();
        let waiter = source.readable();
        peer.write_all(b"x").unwrap();
        foreign(waiter).unwrap();
    });
}

/// Dropping a source deregisters the object first and drops it afterwards.
#[test]
fn drop_deregisters_before_the_object_goes() {
    struct Reregisters(Local, Arc<AtomicBool>);
    as_object!(Reregisters, |this| this.0);
    impl Drop for Reregisters {
        fn drop(&mut self) {
            let free = Async::new(&self.0).is_ok();
            self.1.store(free, Ordering::SeqCst);
        }
    }
    let (stream, _peer) = pair();
    let free = Arc::new(AtomicBool::new(false));
    drop(Async::new(Reregisters(stream, free.clone())).unwrap());
    assert!(free.load(Ordering::SeqCst));
}

/// Dropping a source drops the wakers stored by the `poll_*` methods without waking them.
#[test]
fn a_dropped_source_gives_its_wakers_back() {
    let (counter, waker) = Counter::new();
    for into_inner in [false, true] {
        let (source, _peer) = local_pair();
        fill_for_good(source.get_ref());
        assert!(poll_readable(&source, &waker).is_pending());
        assert!(poll_writable(&source, &waker).is_pending());
        assert_eq!(counter.held(1), 2);
        if into_inner {
            source.into_inner().unwrap();
        } else {
            drop(source);
        }
        assert_eq!(counter.held(1), 0);
    }
    settle();
    assert_eq!(counter.wakes(), 0);
}

/// Conversions from descriptors and from the standard types are equivalent to `new`.
#[cfg(unix)]
#[test]
fn conversions_into_a_source_are_new() {
    use std::os::unix::net::{UnixDatagram, UnixListener};
    fn check<T: AsFd>(source: io::Result<Async<T>>) {
        assert!(is_nonblocking(source.unwrap()));
    }
    let (one, other) = pair();
    let (datagram, _other) = UnixDatagram::pair().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    check(
        TcpStream::connect(listener.local_addr().unwrap())
            .unwrap()
            .try_into() as io::Result<Async<_>>,
    );
    check(Async::<TcpListener>::try_from(listener));
    check(Async::<UdpSocket>::try_from(
        UdpSocket::bind(("127.0.0.1", 0)).unwrap(),
    ));
    check(Async::<UnixListener>::try_from(
        UnixListener::bind(dir.path().join("s")).unwrap(),
    ));
    check(Async::<Local>::try_from(one));
    check(Async::<UnixDatagram>::try_from(datagram));
    check(Async::<Local>::try_from(OwnedFd::from(other)));
    check(Async::<OwnedFd>::try_from(OwnedFd::from(pipe().0)));
}

/// The conversion into a descriptor is equivalent to `into_inner`.
#[cfg(unix)]
#[test]
fn conversion_into_a_descriptor_is_into_inner() {
    let (source, _peer) = local_pair();
    let number = source.as_raw_fd();
    let descriptor = OwnedFd::try_from(source).unwrap();
    assert_eq!(descriptor.as_raw_fd(), number);
    assert!(is_nonblocking(&descriptor));
    drop(Async::new(descriptor).unwrap());
}
