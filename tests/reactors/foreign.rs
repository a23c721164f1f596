//! Another event loop waits on the descriptor of a reactor.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread;
use std::time::{Duration, Instant};

use async_io::{Async, Reactor};
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::event::{PollFd, PollFlags, Timespec, poll as poll_fds};

use crate::support::{Counter, HOUR, STEP, guarded, isolated, poll, poll_readable, raw};
use crate::{SHORT, flush, manual, named, pair_in, timer_in};

/// With the portable back end, the event loop must limit its wait itself.
const COVERS_TIMERS: bool = cfg!(not(async_io_portable));

/// Returns whether the descriptor is readable, or becomes so within `limit`.
fn readable(fd: BorrowedFd<'_>, limit: Duration) -> bool {
    let mut fds = [PollFd::new(&fd, PollFlags::IN)];
    poll_fds(&mut fds, Some(&Timespec::try_from(limit).unwrap())).unwrap() == 1
}

/// Waits as another event loop does, by level or by edge.
enum Loop {
    Level,
    Edge(OwnedFd),
}

impl Loop {
    fn edge(reactor: &Reactor) -> Loop {
        let outer = epoll::create(CreateFlags::CLOEXEC).unwrap();
        let flags = EventFlags::IN | EventFlags::ET;
        epoll::add(&outer, reactor.fd().unwrap(), EventData::new_u64(7), flags).unwrap();
        Loop::Edge(outer)
    }

    fn both(reactor: &Reactor) -> [Loop; 2] {
        [Loop::Level, Loop::edge(reactor)]
    }

    /// Prepares, waits until the descriptor is readable, and runs a turn. Returns how many tasks it has
    /// woken.
    fn round(&self, reactor: &Reactor) -> usize {
        let limit = reactor.prepare().unwrap();
        self.wait(reactor, limit);
        reactor.turn(Some(Duration::ZERO)).unwrap().woken()
    }

    fn wait(&self, reactor: &Reactor, prepared: Option<Duration>) {
        // Where the descriptor covers the timers, the result is not needed.
        let limit = prepared.filter(|_| !COVERS_TIMERS).unwrap_or(STEP);
        let is_readable = match self {
            Loop::Level => readable(reactor.fd().unwrap(), limit),
            Loop::Edge(outer) => {
                let mut events: [Event; 4] = [Event {
                    flags: EventFlags::empty(),
                    data: EventData::new_u64(0),
                }; 4];
                let limit = Timespec::try_from(limit).unwrap();
                epoll::wait(outer, events.as_mut_slice(), Some(&limit)).unwrap() > 0
            }
        };
        assert!(is_readable || !COVERS_TIMERS, "the event loop hangs");
    }

    /// Runs rounds until the counter has counted.
    fn serve(&self, reactor: &Reactor, counter: &Counter, wakes: usize) {
        let start = Instant::now();
        while counter.wakes() < wakes {
            assert!(start.elapsed() < STEP, "the event loop finds nothing");
            self.round(reactor);
        }
    }
}

/// The error says which reactors can be driven in this way.
#[test]
fn rule_7_only_manual_reactors_have_a_descriptor() {
    guarded(|| {
        for reactor in [named("own"), Reactor::global()] {
            let errors = [reactor.prepare().map(drop), reactor.fd().map(drop)];
            for error in errors.map(Result::unwrap_err) {
                assert_eq!(error.kind(), ErrorKind::Unsupported);
                assert!(
                    error.to_string().contains("fallback_thread(false)"),
                    "{error}"
                );
            }
        }
        let reactor = manual("fd");
        let fd = reactor.fd().unwrap();
        assert!(!crate::support::is_inherited(fd));
        assert_eq!(reactor.prepare().unwrap(), None);
    });
}

/// Another thread that drives the reactor would take events from the event loop.
#[test]
fn rule_7_prepare_is_refused_while_another_thread_drives() {
    guarded(|| {
        let reactor = manual("busy");
        type Drives = fn(&Reactor, async_channel::Receiver<()>);
        let by_turn: Drives = |reactor, end| {
            while !end.is_closed() {
                reactor.turn(None).unwrap();
            }
        };
        let by_block_on: Drives = |reactor, end| _ = reactor.block_on(end.recv());
        for drives in [by_turn, by_block_on] {
            let (end, ended) = async_channel::bounded::<()>(1);
            thread::scope(|scope| {
                scope.spawn(|| drives(&reactor, ended));
                let is_busy = || {
                    let results = [reactor.prepare().map(drop), reactor.fd().map(drop)];
                    results.iter().all(|it| {
                        let kind = it.as_ref().map_err(std::io::Error::kind);
                        kind == Err(ErrorKind::ResourceBusy)
                    })
                };
                crate::support::until("the other thread drives", is_busy);
                drop(end);
                reactor.waker().wake();
            });
            // The wake-up may be left for the event loop.
            reactor.prepare().unwrap();
            reactor.turn(Some(Duration::ZERO)).unwrap();
            flush(&reactor);
            assert_eq!(reactor.prepare().unwrap(), None);
        }
    });
}

/// With nothing to do, the descriptor stays unreadable, and the event loop may wait without a limit.
#[test]
fn rule_7_an_idle_reactor_is_quiet() {
    guarded(|| {
        let reactor = manual("idle");
        let fd = reactor.fd().unwrap();
        assert_eq!(reactor.prepare().unwrap(), None);
        assert!(!readable(fd, 4 * SHORT));
        let (source, _peer) = pair_in(&reactor);
        let (_counter, waker) = Counter::new();
        assert!(poll_readable(&source, &waker).is_pending());
        let mut timer = timer_in(&reactor, HOUR);
        assert!(poll(&mut timer, &waker).is_pending());
        flush(&reactor);
        let left = reactor.prepare().unwrap().unwrap();
        assert!(left <= HOUR && left > HOUR / 2, "{left:?}");
        assert!(!readable(fd, 4 * SHORT));
        drop((source, timer));
        flush(&reactor);
        assert_eq!(reactor.prepare().unwrap(), None);
        assert!(!readable(fd, 4 * SHORT));
    });
}

/// I/O, timers and wake-ups, each alone and all together, in an outer loop that watches for levels or
/// for edges.
#[test]
fn rule_7_the_descriptor_covers_everything() {
    guarded(|| {
        let reactor = manual("all");
        for outer in Loop::both(&reactor) {
            let (source, mut peer) = pair_in(&reactor);
            let (counter, waker) = Counter::new();
            let mut expected = 0;
            for round in 0..50 {
                let mut timer = timer_in(&reactor, Duration::from_millis(round % 3));
                // A source.
                while poll_readable(&source, &waker).is_ready() {}
                expected += counter.wakes().saturating_sub(expected) + 1;
                let early = reactor.prepare().unwrap();
                assert_eq!(early, None);
                peer.write_all(b"x").unwrap();
                outer.serve(&reactor, &counter, expected);
                source.get_ref().read_exact(&mut [0]).unwrap();
                // A timer.
                timer.set_after(Duration::from_millis(round % 3));
                if poll(&mut timer, &waker).is_pending() {
                    expected += 1;
                    outer.serve(&reactor, &counter, expected);
                }
                // A wake-up, before `prepare` and after it.
                reactor.waker().wake();
                assert_eq!(reactor.prepare().unwrap(), Some(Duration::ZERO));
                outer.round(&reactor);
                let prepared = reactor.prepare().unwrap();
                assert_eq!(prepared, None);
                thread::scope(|scope| {
                    scope.spawn(|| reactor.waker().wake());
                    outer.wait(&reactor, prepared);
                });
                reactor.turn(Some(Duration::ZERO)).unwrap();
            }
        }
    });
}

/// A timer is overdue before the event loop waits.
#[test]
fn rule_7_prepare_reports_timers_that_are_overdue() {
    guarded(|| {
        let reactor = manual("due");
        for outer in Loop::both(&reactor) {
            for prepares_before in [false, true] {
                let (counter, waker) = Counter::new();
                let mut timer = timer_in(&reactor, SHORT);
                let deadline = timer.deadline().unwrap();
                assert!(poll(&mut timer, &waker).is_pending());
                if prepares_before {
                    assert!(reactor.prepare().unwrap().is_some());
                }
                while Instant::now() < deadline + Duration::from_millis(1) {
                    thread::sleep(SHORT);
                }
                assert_eq!(reactor.prepare().unwrap(), Some(Duration::ZERO));
                // Asked twice, as by a loop that was interrupted.
                assert_eq!(reactor.prepare().unwrap(), Some(Duration::ZERO));
                if COVERS_TIMERS {
                    assert!(readable(reactor.fd().unwrap(), STEP));
                    outer.wait(&reactor, Some(Duration::ZERO));
                }
                assert_eq!(reactor.turn(Some(Duration::ZERO)).unwrap().woken(), 1);
                assert_eq!(counter.wakes(), 1);
                flush(&reactor);
                assert_eq!(reactor.prepare().unwrap(), None);
                assert!(!readable(reactor.fd().unwrap(), SHORT));
            }
        }
    });
}

/// A pending wake-up makes the descriptor readable, also if an edge was seen already.
#[test]
fn rule_7_prepare_reports_a_pending_wake_up() {
    guarded(|| {
        let reactor = manual("wake");
        for outer in Loop::both(&reactor) {
            for _ in 0..3 {
                reactor.waker().wake();
                for _ in 0..3 {
                    // The loop does not run a turn in between.
                    assert_eq!(reactor.prepare().unwrap(), Some(Duration::ZERO));
                    assert!(readable(reactor.fd().unwrap(), STEP));
                    outer.wait(&reactor, Some(Duration::ZERO));
                }
                reactor.turn(Some(Duration::ZERO)).unwrap();
                assert_eq!(reactor.prepare().unwrap(), None);
                assert!(!readable(reactor.fd().unwrap(), SHORT));
            }
        }
    });
}

/// More sources are ready than a turn fetches at once. The event loop learns that events are left.
#[test]
fn rule_7_prepare_reports_a_full_batch() {
    isolated("foreign::rule_7_prepare_reports_a_full_batch", || {
        const SOURCES: usize = 2500;
        crate::support::limit_descriptors(Some(2 * SOURCES as u64));
        let reactor = manual("batch");
        for outer in Loop::both(&reactor) {
            let entered = reactor.enter();
            let sources: Vec<_> = (0..SOURCES)
                .map(|_| Async::new(raw::eventfd(0, 0)).unwrap())
                .collect();
            drop(entered);
            flush(&reactor);
            let (counter, waker) = Counter::new();
            for source in &sources {
                assert!(poll_readable(source, &waker).is_pending());
            }
            flush(&reactor);
            let before = counter.wakes();
            for source in &sources {
                source.get_ref().write_all(&1_u64.to_ne_bytes()).unwrap();
            }
            let mut woken = 0;
            while woken < SOURCES {
                let prepared = reactor.prepare().unwrap();
                if woken > 0 {
                    assert_eq!(prepared, Some(Duration::ZERO), "after {woken}");
                }
                assert!(readable(reactor.fd().unwrap(), STEP));
                outer.wait(&reactor, Some(Duration::ZERO));
                let turn = reactor.turn(Some(Duration::ZERO)).unwrap();
                assert!(turn.events() > 0);
                woken += turn.woken();
            }
            assert_eq!(counter.wakes() - before, SOURCES);
        }
    });
}

/// The timer has expired, and the event loop has not looked yet. A later deadline does not hide that.
#[test]
fn rule_7_an_expiry_that_was_not_fetched_is_kept() {
    if !COVERS_TIMERS {
        return;
    }
    guarded(|| {
        let reactor = manual("expiry");
        for outer in Loop::both(&reactor) {
            for moves in 0..4 {
                let (counter, waker) = Counter::new();
                let (moved, moved_waker) = Counter::new();
                let mut first = Some(timer_in(&reactor, SHORT));
                let mut second = timer_in(&reactor, SHORT + Duration::from_millis(1));
                assert!(poll(first.as_mut().unwrap(), &moved_waker).is_pending());
                assert!(poll(&mut second, &waker).is_pending());
                assert!(reactor.prepare().unwrap().is_some());
                // Both have expired.
                thread::sleep(2 * SHORT);
                thread::scope(|scope| {
                    scope.spawn(|| match moves {
                        0 => first.as_mut().unwrap().set_after(HOUR),
                        1 => first.as_mut().unwrap().clear(),
                        2 => drop(first.take()),
                        _ => {
                            let mut third = timer_in(&reactor, 2 * HOUR);
                            assert!(poll(&mut third, &moved_waker).is_pending());
                        }
                    });
                });
                outer.wait(&reactor, None);
                reactor.turn(Some(Duration::ZERO)).unwrap();
                assert_eq!(counter.wakes(), 1);
                assert_eq!(moved.wakes(), usize::from(moves == 3));
                flush(&reactor);
            }
        }
    });
}

/// Another thread starts to wait for a timer after `prepare`. The descriptor becomes readable at its
/// deadline, although the loop has prepared for a later one or for none.
#[test]
fn rule_7_a_deadline_that_is_set_after_prepare_is_noticed() {
    if !COVERS_TIMERS {
        return;
    }
    guarded(|| {
        let reactor = manual("after");
        for outer in Loop::both(&reactor) {
            for later in [false, true] {
                for resets in [false, true] {
                    let (counter, waker) = Counter::new();
                    let mut timer = timer_in(&reactor, HOUR);
                    if later || resets {
                        assert!(poll(&mut timer, &waker).is_pending());
                    }
                    let prepared = reactor.prepare().unwrap();
                    assert_eq!(prepared.is_some(), later || resets);
                    let start = Instant::now();
                    let timer = thread::scope(|scope| {
                        let set = || {
                            let mut timer = if resets {
                                timer
                            } else {
                                timer_in(&reactor, SHORT)
                            };
                            timer.set_after(SHORT);
                            assert!(poll(&mut timer, &waker).is_pending());
                            timer
                        };
                        scope.spawn(set).join().unwrap()
                    });
                    outer.wait(&reactor, None);
                    assert!(start.elapsed() >= SHORT);
                    while counter.wakes() == 0 {
                        // The deadline may lie a little after the edge.
                        outer.round(&reactor);
                    }
                    drop(timer);
                    flush(&reactor);
                }
            }
        }
    });
}

/// A timer that was cancelled ends no wait later on: at most one wait is spurious.
#[test]
fn rule_7_a_cancelled_timer_leaves_nothing_behind() {
    guarded(|| {
        let reactor = manual("cancel");
        for _ in 0..5 {
            let (counter, waker) = Counter::new();
            let mut timer = timer_in(&reactor, SHORT);
            assert!(poll(&mut timer, &waker).is_pending());
            assert!(reactor.prepare().unwrap().is_some());
            drop(timer);
            if readable(reactor.fd().unwrap(), 2 * SHORT) {
                reactor.turn(Some(Duration::ZERO)).unwrap();
            }
            assert_eq!(reactor.prepare().unwrap(), None);
            if readable(reactor.fd().unwrap(), 2 * SHORT) {
                reactor.turn(Some(Duration::ZERO)).unwrap();
                assert_eq!(reactor.prepare().unwrap(), None);
                assert!(!readable(reactor.fd().unwrap(), 2 * SHORT));
            }
            assert_eq!(counter.wakes(), 0);
        }
    });
}

/// A deadline that was cancelled or moved does not wake the loop, even if the descriptor was prepared for
/// it.
#[test]
fn rule_7_a_cancelled_deadline_wakes_no_loop() {
    guarded(|| {
        let reactor = manual("stale");
        let (_counter, waker) = Counter::new();
        for cancels in [true, false, true, false] {
            let mut timer = timer_in(&reactor, SHORT);
            assert!(poll(&mut timer, &waker).is_pending());
            // On the portable back end, a new earliest deadline is a notification.
            reactor.turn(Some(Duration::ZERO)).unwrap();
            let prepared = reactor.prepare().unwrap();
            if prepared == Some(Duration::ZERO) {
                continue; // The machine is slow, and the timer is due.
            }
            if cancels {
                drop(timer);
                assert_eq!(reactor.prepare().unwrap(), None);
            } else {
                timer.set_after(HOUR);
                reactor.turn(Some(Duration::ZERO)).unwrap();
                assert!(reactor.prepare().unwrap() > Some(HOUR / 2));
            }
            assert!(!readable(reactor.fd().unwrap(), 4 * SHORT));
        }
    });
}

/// A turn of another thread, which begins after `prepare`, leaves the descriptor prepared.
#[test]
fn rule_7_a_turn_of_another_thread_keeps_the_deadline() {
    guarded(|| {
        let reactor = manual("beside");
        let (_counter, waker) = Counter::new();
        let deadline = Instant::now() + 10 * SHORT;
        let mut timer = timer_in(&reactor, 10 * SHORT);
        assert!(poll(&mut timer, &waker).is_pending());
        reactor.prepare().unwrap();
        thread::scope(|scope| {
            let turn = || reactor.turn(Some(SHORT)).unwrap();
            scope.spawn(turn).join().unwrap();
        });
        // On the portable back end, the result of `prepare` tells when the time is up.
        let covers_timers = !cfg!(async_io_portable);
        assert!(!covers_timers || readable(reactor.fd().unwrap(), HOUR));
        assert!(!covers_timers || Instant::now() >= deadline);
    });
}

/// Another thread takes the event of a task of the event loop. The task's waker ends the wait of the
/// loop, even if that thread uses up the notification.
#[test]
fn rule_7_a_wake_up_by_another_thread_ends_the_wait_of_the_loop() {
    guarded(|| {
        type Drives = fn(&Reactor);
        let by_turn: Drives = |reactor| _ = reactor.turn(Some(Duration::ZERO)).unwrap();
        let by_a_limited_turn: Drives = |reactor| _ = reactor.turn(Some(SHORT)).unwrap();
        let by_block_on: Drives =
            |reactor| reactor.block_on(async { _ = async_io::Timer::after(2 * SHORT).await });
        for drives in [by_turn, by_a_limited_turn, by_block_on] {
            for edge in [false, true] {
                let reactor = manual("helped");
                let event_loop = if edge {
                    Loop::edge(&reactor)
                } else {
                    Loop::Level
                };
                let (source, mut peer) = pair_in(&reactor);
                assert!(poll_readable(&source, &reactor.waker()).is_pending());
                flush(&reactor);
                assert_eq!(reactor.prepare().unwrap(), None);
                peer.write_all(b"x").unwrap();
                thread::scope(|scope| scope.spawn(|| drives(&reactor)).join().unwrap());
                event_loop.wait(&reactor, Some(STEP));
                // The request is not lost, and does not stay.
                reactor.turn(None).unwrap();
                flush(&reactor);
                assert_eq!(reactor.prepare().unwrap(), None);
            }
        }
    });
}

/// `prepare` has told the event loop, which ignores the result. Or another thread has taken the wake-up
/// before the event loop first prepares. The wait ends nevertheless.
#[test]
fn rule_7_a_reported_wake_up_ends_the_wait_of_the_loop() {
    guarded(|| {
        for is_prepared in [false, true] {
            for takes_it_before in [false, true] {
                let reactor = manual("reported");
                if is_prepared {
                    assert_eq!(reactor.prepare().unwrap(), None);
                }
                let takes = || {
                    let turn = || _ = reactor.turn(Some(Duration::ZERO)).unwrap();
                    thread::scope(|scope| scope.spawn(turn).join().unwrap());
                };
                reactor.waker().wake();
                if takes_it_before {
                    takes();
                }
                assert_eq!(reactor.prepare().unwrap(), Some(Duration::ZERO));
                takes();
                Loop::Level.wait(&reactor, Some(STEP));
                flush(&reactor);
                assert_eq!(reactor.prepare().unwrap(), None);
            }
        }
    });
}

/// Each turn with a limit ends, although another thread prepares for its waits meanwhile.
#[test]
fn rule_7_prepare_does_not_prolong_a_turn() {
    guarded(|| {
        let reactor = manual("prolonged");
        let end = Instant::now() + 20 * SHORT;
        let prepares = || {
            while Instant::now() < end {
                _ = reactor.prepare();
            }
        };
        thread::scope(|scope| {
            scope.spawn(prepares);
            while Instant::now() < end {
                reactor.turn(Some(Duration::from_micros(100))).unwrap();
            }
        });
    });
}

/// Handing out the descriptor does not change how turns and `block_on` work.
#[test]
fn turns_work_after_the_descriptor_was_handed_out() {
    guarded(|| {
        let reactor = manual("turns");
        let outer = Loop::edge(&reactor);
        reactor.prepare().unwrap();
        for _ in 0..3 {
            let start = Instant::now();
            reactor.turn(Some(SHORT)).unwrap();
            assert!(start.elapsed() >= SHORT);
            let (source, mut peer) = pair_in(&reactor);
            let (counter, waker) = Counter::new();
            assert!(poll_readable(&source, &waker).is_pending());
            peer.write_all(b"x").unwrap();
            while counter.wakes() == 0 {
                reactor.turn(None).unwrap();
            }
            reactor.block_on(async { _ = async_io::Timer::after(SHORT).await });
            let mut timer = timer_in(&reactor, SHORT);
            assert!(poll(&mut timer, &waker).is_pending());
            outer.serve(&reactor, &counter, 2);
        }
        assert!(reactor.fd().unwrap().as_fd().try_clone_to_owned().is_ok());
    });
}
