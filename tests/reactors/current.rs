//! The current reactor of a thread, and the reactor of an object.

use std::fmt::Debug;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;
use std::time::{Duration, Instant};

use async_io::{Async, Reactor, Timer, timeout, timeout_at};
use futures_lite::future::zip;

use crate::support::{Counter, HOUR, guarded, poll, poll_readable, waker_fn};
use crate::{SHORT, manual, named, pair_in, timer_in};

const ANY_PORT: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

/// Returns whether the `Debug` output of a value names the reactor.
fn names(value: &impl Debug, reactor: &str) -> bool {
    let text = format!("{value:?}");
    text.contains(&format!("reactor: {reactor}"))
        || text.contains(&format!("reactor: Some({reactor})"))
}

/// The current reactor is the global one until a thread enters another one. Other threads are not
/// affected.
#[test]
fn rule_1_each_thread_has_a_current_reactor() {
    guarded(|| {
        let (a, b) = (named("a"), named("b"));
        assert_ne!(a, b);
        assert_eq!(Reactor::current(), Reactor::global());
        let in_a = a.enter();
        assert_eq!(Reactor::current(), a);
        let elsewhere = thread::spawn(Reactor::current).join().unwrap();
        assert_eq!(elsewhere, Reactor::global());
        let in_b = b.enter();
        assert_eq!(Reactor::current(), b);
        let global = Reactor::global();
        let in_global = global.enter();
        assert_eq!(Reactor::current(), Reactor::global());
        drop(in_global);
        assert_eq!(Reactor::current(), b);
        drop(in_b);
        assert_eq!(Reactor::current(), a);
        drop(in_a);
        assert_eq!(Reactor::current(), Reactor::global());
    });
}

/// `block_on` enters its reactor, and nested calls enter theirs.
#[test]
fn rule_1_block_on_enters() {
    guarded(|| {
        let (a, b) = (named("a"), named("b"));
        a.block_on(async {
            assert_eq!(Reactor::current(), a);
            b.block_on(async {
                assert_eq!(Reactor::current(), b);
                Timer::after(SHORT).await;
                assert_eq!(Reactor::current(), b);
            });
            assert_eq!(Reactor::current(), a);
            Timer::after(SHORT).await;
            assert_eq!(Reactor::current(), a);
            Reactor::global().block_on(async {
                assert_eq!(Reactor::current(), Reactor::global());
            });
        });
        assert_eq!(Reactor::current(), Reactor::global());
    });
}

/// The free `block_on` drives the current reactor. Nothing else drives a manual one.
#[test]
fn rule_1_the_free_block_on_drives_the_current_reactor() {
    guarded(|| {
        let reactor = manual("free");
        let entered = reactor.enter();
        async_io::block_on(async {
            assert_eq!(Reactor::current(), reactor);
            let timer = Timer::after(SHORT);
            assert!(names(&timer, "\"free\""));
            timer.await;
        });
        drop(entered);
        async_io::block_on(async { assert_eq!(Reactor::current(), Reactor::global()) });
    });
}

/// A panic ends what it unwinds from: the call of `block_on`, or the scope of a guard.
#[test]
fn rule_1_a_panic_leaves_the_reactor() {
    guarded(|| {
        let (a, b) = (named("a"), named("b"));
        let panic = || resume_unwind(Box::new("a future that panics"));
        let caught = catch_unwind(AssertUnwindSafe(|| a.block_on(async { panic() })));
        assert!(caught.is_err());
        assert_eq!(Reactor::current(), Reactor::global());
        let caught = catch_unwind(AssertUnwindSafe(|| {
            let _entered = a.enter();
            panic()
        }));
        assert!(caught.is_err());
        assert_eq!(Reactor::current(), Reactor::global());
        a.block_on(async {
            let nested = || b.block_on(async { panic() });
            assert!(catch_unwind(AssertUnwindSafe(nested)).is_err());
            assert_eq!(Reactor::current(), a);
            Timer::after(SHORT).await;
        });
        b.block_on(async { Timer::after(SHORT).await });
    });
}

/// `turn` drives a reactor without entering it.
#[test]
fn rule_1_turn_does_not_enter() {
    guarded(|| {
        let (reactor, (seen, current)) = (manual("turn"), std::sync::mpsc::channel());
        let (source, peer) = pair_in(&reactor);
        let waker = waker_fn(move || seen.send(Reactor::current()).unwrap());
        assert!(poll_readable(&source, &waker).is_pending());
        (&peer).write_all(b"x").unwrap();
        while reactor.turn(None).unwrap().woken() == 0 {}
        assert_eq!(current.recv().unwrap(), Reactor::global());
    });
}

/// Each constructor of a socket uses the current reactor. A future that creates a socket uses the
/// reactor that is current when it is polled.
#[test]
fn rule_1_constructors_of_sockets_use_the_current_reactor() {
    guarded(|| {
        let (a, b) = (named("a"), named("b"));
        let entered = a.enter();
        let raw = UdpSocket::bind(ANY_PORT).unwrap();
        let udp = Async::new(raw).unwrap();
        let bound = Async::<UdpSocket>::bind(ANY_PORT).unwrap();
        let listener = Async::<TcpListener>::bind(ANY_PORT).unwrap();
        let raw = UdpSocket::bind(ANY_PORT).unwrap();
        raw.set_nonblocking(true).unwrap();
        let nonblocking = Async::new_nonblocking(raw).unwrap();
        drop(entered);
        let outside = Async::<UdpSocket>::bind(ANY_PORT).unwrap();
        for socket in [&udp, &bound, &nonblocking] {
            assert_eq!(socket.reactor(), a);
            assert!(names(socket, "\"a\""), "{socket:?}");
        }
        assert_eq!(listener.reactor(), a);
        assert_eq!(outside.reactor(), Reactor::global());
        assert!(names(&outside, "global"), "{outside:?}");

        let address: SocketAddr = listener.get_ref().local_addr().unwrap();
        let entered = a.enter();
        // Created here, and polled inside `b`.
        let (connect, accept) = (Async::<TcpStream>::connect(address), listener.accept());
        drop(entered);
        let (client, accepted) = b.block_on(zip(connect, accept));
        assert_eq!(client.unwrap().reactor(), b);
        assert_eq!(accepted.unwrap().0.reactor(), b);
    });
}

#[cfg(unix)]
#[test]
fn rule_1_constructors_of_unix_sockets_use_the_current_reactor() {
    use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
    guarded(|| {
        let reactor = named("unix");
        let folder = tempfile::tempdir().unwrap();
        let path = |name| folder.path().join(name);
        reactor.block_on(async {
            let listener = Async::<UnixListener>::bind(path("stream")).unwrap();
            let connect = Async::<UnixStream>::connect(path("stream"));
            let (client, accepted) = zip(connect, listener.accept()).await;
            let streams = Async::<UnixStream>::pair().unwrap();
            let datagrams = Async::<UnixDatagram>::pair().unwrap();
            let bound = Async::<UnixDatagram>::bind(path("datagram")).unwrap();
            let unbound = Async::<UnixDatagram>::unbound().unwrap();
            assert_eq!(listener.reactor(), reactor);
            for stream in [client.unwrap(), accepted.unwrap().0, streams.0, streams.1] {
                assert_eq!(stream.reactor(), reactor);
            }
            for datagram in [datagrams.0, datagrams.1, bound, unbound] {
                assert_eq!(datagram.reactor(), reactor);
            }
        });
    });
}

#[test]
fn rule_1_timers_use_the_current_reactor() {
    guarded(|| {
        let reactor = named("timers");
        let later = Instant::now() + HOUR;
        let create = || {
            [
                Timer::after(HOUR),
                Timer::at(later),
                Timer::interval(HOUR),
                Timer::interval_at(later, HOUR),
            ]
        };
        let entered = reactor.enter();
        let inside = create();
        // The pending future is never polled, so only the timer decides.
        let limits = (
            timeout(HOUR, Timer::never()),
            timeout_at(later, Timer::never()),
        );
        drop(entered);
        for timer in inside {
            assert!(names(&timer, "\"timers\""), "{timer:?}");
        }
        assert!(names(&limits, "\"timers\""), "{limits:?}");
        for timer in create() {
            assert!(names(&timer, "global"), "{timer:?}");
        }
    });
}

/// A manual reactor fires a timer only while the program drives it, so the test sees which reactor has
/// the timer.
#[test]
fn rule_1_a_timeout_is_driven_by_its_reactor() {
    guarded(|| {
        let reactor = manual("limit");
        let entered = reactor.enter();
        let mut limited = timeout(SHORT, std::future::pending::<()>());
        drop(entered);
        let (counter, waker) = Counter::new();
        assert!(poll(&mut limited, &waker).is_pending());
        assert!(reactor.next_deadline().is_some());
        while reactor.turn(None).unwrap().woken() == 0 {}
        assert_eq!(counter.wakes(), 1);
        assert!(poll(&mut limited, &waker).is_ready());
    });
}

/// `Timer::never()` has no reactor until it is set. Each way of setting it binds it.
#[test]
fn rule_2_a_timer_without_deadline_binds_when_it_is_set() {
    guarded(|| {
        let reactor = named("bind");
        type Set = fn(&mut Timer);
        let setters: [Set; 4] = [
            |timer| timer.set_after(HOUR),
            |timer| timer.set_at(Instant::now() + HOUR),
            |timer| timer.set_interval(HOUR),
            |timer| timer.set_interval_at(Instant::now() + HOUR, HOUR),
        ];
        for set in setters {
            let entered = reactor.enter();
            let mut timer = Timer::never();
            assert!(names(&timer, "None"), "{timer:?}");
            drop(entered);
            assert!(poll(&mut timer, std::task::Waker::noop()).is_pending());
            assert!(names(&timer, "None"), "{timer:?}");
            let entered = reactor.enter();
            set(&mut timer);
            drop(entered);
            assert!(names(&timer, "\"bind\""), "{timer:?}");
            // It stays there.
            set(&mut timer);
            assert!(names(&timer, "\"bind\""), "{timer:?}");
            let mut other = Timer::never();
            set(&mut other);
            assert!(names(&other, "global"), "{other:?}");
        }
    });
}

/// Setting a timer does not move it, even inside another reactor.
#[test]
fn rule_2_a_timer_stays_with_its_reactor() {
    guarded(|| {
        let (a, b) = (manual("a"), manual("b"));
        let mut timer = timer_in(&a, HOUR);
        let (counter, waker) = Counter::new();
        assert!(poll(&mut timer, &waker).is_pending());
        let entered = b.enter();
        timer.set_after(2 * HOUR);
        timer.clear();
        assert!(poll(&mut timer, &waker).is_pending());
        timer.set_after(SHORT);
        assert!(poll(&mut timer, &waker).is_pending());
        drop(entered);
        assert!(names(&timer, "\"a\""), "{timer:?}");
        assert_eq!(b.next_deadline(), None);
        thread::sleep(2 * SHORT);
        b.turn(Some(Duration::ZERO)).unwrap();
        assert_eq!(counter.wakes(), 0);
        while a.turn(None).unwrap().woken() == 0 {}
        assert_eq!(counter.wakes(), 1);
    });
}
