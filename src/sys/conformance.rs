//! The requirements for every poller, as tests. On Linux, both pollers are compiled for the tests.

use super::raw::{self, RawSource};
use crate::core::clock::{Clock, Deadline};
use crate::core::source::state::Reporting;
use crate::core::source::{Answer, Direction, Event, Interest, Key};
use crate::engine::poller::{Events, Poller, Until};
use std::io::{ErrorKind, Read, Write};
#[cfg(windows)]
use std::net::{TcpListener, TcpStream as Stream};
#[cfg(unix)]
use std::os::unix::net::UnixStream as Stream;
use std::time::{Duration, Instant};

const NEVER: Until = Until::Deadline(Deadline::NEVER);

/// A poller of the system, as the driver uses it: as the poller of a reactor and as an alarm clock.
trait SystemPoller: Poller<Raw = RawSource> {
    fn set_alarm(&self, at: Deadline);
    fn cancel_alarm(&self);
}

/// Implements [`SystemPoller`] for a poller. Both pollers have the same inherent methods.
macro_rules! system_poller {
    ($poller:ty) => {
        impl SystemPoller for $poller {
            fn set_alarm(&self, at: Deadline) {
                self.program_alarm(at);
            }
            fn cancel_alarm(&self) {
                self.expect_nothing();
            }
        }
    };
}

#[cfg(any(target_os = "linux", target_os = "android"))]
system_poller!(super::epoll::Poller);
system_poller!(super::portable::Poller);

fn key(slot: u32) -> Key {
    Key {
        slot,
        generation: 7,
    }
}

fn pair() -> (Stream, Stream) {
    #[cfg(unix)]
    let (one, two) = Stream::pair().unwrap();
    #[cfg(windows)]
    let (one, two) = {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let one = Stream::connect(listener.local_addr().unwrap()).unwrap();
        (one, listener.accept().unwrap().0)
    };
    one.set_nonblocking(true).unwrap();
    two.set_nonblocking(true).unwrap();
    (one, two)
}

fn poller<P: Poller>() -> (P, P::Events, Clock) {
    let clock = Clock::new();
    (P::new(clock).unwrap(), P::Events::new(), clock)
}

/// Returns the events that a wait reports without sleeping.
fn fetch<P: Poller>(poller: &P, events: &mut P::Events) -> Vec<(Key, Event)> {
    poller.wait(events, Until::Now).unwrap();
    events.iter().collect()
}

/// Returns the events of the first wait that reports any. (Windows may take a moment to report an
/// event.)
fn fetch_some<P: Poller>(poller: &P, events: &mut P::Events) -> Vec<(Key, Event)> {
    loop {
        poller.wait(events, NEVER).unwrap();
        let seen: Vec<_> = events.iter().collect();
        if !seen.is_empty() {
            return seen;
        }
    }
}

fn what_is_ready_when_armed_is_reported<P: SystemPoller>() {
    let (poller, mut events, _) = poller::<P>();
    let (one, mut two) = pair();
    two.write_all(b"x").unwrap();
    poller
        .register(raw::of(&one), key(1), Interest::READ)
        .unwrap();
    let seen = fetch_some(&poller, &mut events);
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].0, key(1));
    assert!(seen[0].1.concerns(Direction::Read));
    assert!(!seen[0].1.concerns(Direction::Write));
    // The event is reported only once, until the object is armed again.
    assert!(fetch(&poller, &mut events).is_empty());
    poller.rearm(raw::of(&one), key(2), Interest::READ).unwrap();
    assert_eq!(fetch_some(&poller, &mut events)[0].0, key(2));
    poller.deregister(raw::of(&one)).unwrap();
}

fn new_data_is_a_new_event_only_on_edges<P: SystemPoller>() {
    let (poller, mut events, _) = poller::<P>();
    let (one, mut two) = pair();
    poller
        .register(raw::of(&one), key(1), Interest::READ)
        .unwrap();
    for _ in 0..3 {
        two.write_all(b"x").unwrap();
    }
    assert_eq!(fetch_some(&poller, &mut events).len(), 1);
    two.write_all(b"x").unwrap();
    let again = fetch(&poller, &mut events).len();
    match P::TRAITS.reporting {
        Reporting::Edges => assert_eq!(again, 1),
        Reporting::OneShot => assert_eq!(again, 0),
    }
    poller.deregister(raw::of(&one)).unwrap();
}

fn interest_is_respected_and_hang_up_is_reported<P: SystemPoller>() {
    let (poller, mut events, _) = poller::<P>();
    let (one, two) = pair();
    poller
        .register(raw::of(&one), key(1), Interest::NONE)
        .unwrap();
    assert!(fetch(&poller, &mut events).is_empty());
    let write = Interest::NONE.with(Direction::Write);
    poller.rearm(raw::of(&one), key(1), write).unwrap();
    let seen = fetch_some(&poller, &mut events);
    assert!(seen[0].1.concerns(Direction::Write));
    assert!(!seen[0].1.concerns(Direction::Read));
    drop(two);
    poller.rearm(raw::of(&one), key(1), Interest::READ).unwrap();
    let seen = fetch_some(&poller, &mut events);
    assert!(seen[0].1.concerns(Direction::Read));
    poller.deregister(raw::of(&one)).unwrap();
}

fn deregistered_object_is_silent<P: SystemPoller>() {
    let (poller, mut events, _) = poller::<P>();
    let (mut one, mut two) = pair();
    let raw = raw::of(&one);
    poller.register(raw, key(1), Interest::READ).unwrap();
    let twice = poller.register(raw, key(2), Interest::READ);
    assert_eq!(twice.unwrap_err().kind(), ErrorKind::AlreadyExists);
    poller.deregister(raw).unwrap();
    two.write_all(b"x").unwrap();
    assert!(fetch(&poller, &mut events).is_empty());
    // Event ports treat any change as a first registration.
    if !cfg!(any(target_os = "illumos", target_os = "solaris")) {
        assert!(poller.rearm(raw, key(1), Interest::READ).is_err());
    }
    assert_eq!(one.read(&mut [0; 8]).unwrap(), 1);
}

fn question_is_answered_without_a_change_of_interest<P: SystemPoller>() {
    let (poller, mut events, _) = poller::<P>();
    let (one, mut two) = pair();
    let raw = raw::of(&one);
    poller.register(raw, key(1), Interest::READ).unwrap();
    assert_eq!(P::ready_now(raw, Direction::Read).unwrap(), Answer::No);
    assert_eq!(P::ready_now(raw, Direction::Write).unwrap(), Answer::Yes);
    two.write_all(b"x").unwrap();
    assert!(
        fetch_some(&poller, &mut events)[0]
            .1
            .concerns(Direction::Read)
    );
    assert_eq!(P::ready_now(raw, Direction::Read).unwrap(), Answer::Yes);
    assert!(!P::may_refuse(raw, Direction::Read));
    assert!(!P::may_refuse(raw, Direction::Write));
    assert!(fetch(&poller, &mut events).is_empty());
    poller.deregister(raw).unwrap();
}

#[cfg(target_os = "linux")]
fn bad_objects_are_refused<P: SystemPoller>() {
    let (poller, _, _) = poller::<P>();
    let file = std::fs::File::open("/proc/self/exe").unwrap();
    let error = poller.register(raw::of(&file), key(1), Interest::READ);
    // `poll(2)` accepts regular files, which are always ready.
    if !cfg!(polling_test_poll_backend) {
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        assert!(error.to_string().contains("regular file"));
    }
}

fn notification_ends_the_wait_or_the_next_one<P: SystemPoller>() {
    let (poller, mut events, _) = poller::<P>();
    for _ in 0..1000 {
        poller.notify();
        poller.wait(&mut events, NEVER).unwrap();
        assert!(events.was_notified());
    }
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| poller.wait(&mut P::Events::new(), NEVER));
        std::thread::sleep(Duration::from_millis(20));
        poller.notify();
        thread.join().unwrap().unwrap();
    });
    // A million notifications that no wait has used up do no harm.
    for _ in 0..1_000_000 {
        poller.notify();
    }
    poller.wait(&mut events, NEVER).unwrap();
    poller.notify();
    poller.wait(&mut events, NEVER).unwrap();
}

fn deadline_ends_the_wait<P: SystemPoller>() {
    let (poller, mut events, clock) = poller::<P>();
    for nanos in [0, 1, 1_000, 700_000, 3_000_000] {
        let deadline = clock.now().plus(Duration::from_nanos(nanos));
        while clock.now() < deadline {
            poller.wait(&mut events, Until::Deadline(deadline)).unwrap();
        }
    }
    let start = Instant::now();
    poller.wait(&mut events, Until::Now).unwrap();
    assert!(start.elapsed() < Duration::from_secs(10));
}

fn earlier_deadline_shortens_the_wait<P: SystemPoller>() {
    let (poller, _, clock) = poller::<P>();
    let far = Until::Deadline(clock.now().plus(Duration::from_secs(100)));
    for until in [NEVER, far] {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| poller.wait(&mut P::Events::new(), until));
            std::thread::sleep(Duration::from_millis(20));
            poller.expect_by(clock.now().plus(Duration::from_millis(5)));
            thread.join().unwrap().unwrap();
        });
    }
}

fn alarm_goes_off_and_can_be_cancelled<P: SystemPoller>() {
    let (poller, mut events, clock) = poller::<P>();
    poller.set_alarm(clock.now().plus(Duration::from_millis(2)));
    poller.wait(&mut events, NEVER).unwrap();
    poller.set_alarm(clock.now().plus(Duration::from_millis(1)));
    poller.cancel_alarm();
    poller.set_alarm(clock.now().plus(Duration::from_secs(100)));
    poller.cancel_alarm();
    let deadline = clock.now().plus(Duration::from_millis(10));
    while clock.now() < deadline {
        poller.wait(&mut events, Until::Deadline(deadline)).unwrap();
    }
}

fn many_sources_are_all_reported<P: SystemPoller>() {
    let (poller, mut events, _) = poller::<P>();
    let pairs: Vec<_> = (0..200).map(|_| pair()).collect();
    for (slot, (one, two)) in (0u32..).zip(&pairs) {
        poller
            .register(raw::of(one), key(slot), Interest::READ)
            .unwrap();
        (&*two).write_all(b"x").unwrap();
    }
    let mut seen = std::collections::HashSet::new();
    while seen.len() < pairs.len() {
        poller.wait(&mut events, NEVER).unwrap();
        seen.extend(events.iter().map(|(key, _)| key.slot));
    }
    for (one, _) in &pairs {
        poller.deregister(raw::of(one)).unwrap();
    }
}

/// Instantiates the tests for one poller.
macro_rules! conformance {
    ($name:ident, $poller:ty: $($test:ident)*) => {
        mod $name {
            $(
                #[test]
                fn $test() {
                    super::$test::<$poller>();
                }
            )*

            #[cfg(target_os = "linux")]
            #[test]
            fn bad_objects_are_refused() {
                super::bad_objects_are_refused::<$poller>();
            }
        }
    };
    ($name:ident, $poller:ty) => {
        conformance! { $name, $poller:
            what_is_ready_when_armed_is_reported
            new_data_is_a_new_event_only_on_edges
            interest_is_respected_and_hang_up_is_reported
            deregistered_object_is_silent
            question_is_answered_without_a_change_of_interest
            notification_ends_the_wait_or_the_next_one
            deadline_ends_the_wait
            earlier_deadline_shortens_the_wait
            alarm_goes_off_and_can_be_cancelled
            many_sources_are_all_reported
        }
    };
}

#[cfg(any(target_os = "linux", target_os = "android"))]
conformance!(on_epoll, crate::sys::epoll::Poller);
conformance!(on_polling, crate::sys::portable::Poller);
