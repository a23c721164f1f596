//! Single turns: how long they wait, what ends them, and what they report.

use std::future::poll_fn;
use std::io::{ErrorKind, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use async_io::{Reactor, Timer};

use crate::support::{
    Counter, HOUR, STEP, foreign, guarded, isolated, local_pair, panicking_waker, poll,
    poll_readable, waker_fn,
};
use crate::{SHORT, flush, manual, named, pair_in, timer_in};

/// A limit that is long enough to notice an early return.
const LIMIT: Duration = Duration::from_millis(30);

/// Runs a turn in which nothing happens, and checks that it has waited for the whole limit.
fn waits_for(reactor: &Reactor, limit: Duration) {
    let start = Instant::now();
    let turn = reactor.turn(Some(limit)).unwrap();
    assert!(start.elapsed() >= limit, "{:?}", start.elapsed());
    assert_eq!((turn.events(), turn.woken()), (0, 0));
}

/// If nothing happens, a turn returns at its limit and never earlier. This includes a reactor without
/// any object, one with a quiet object, and one that had another owner before.
#[test]
fn a_turn_without_events_lasts_until_its_limit() {
    guarded(|| {
        for reactor in [named("quiet"), manual("quiet"), Reactor::new().unwrap()] {
            let limits = [Duration::ZERO, Duration::from_nanos(1), LIMIT];
            for limit in limits {
                waits_for(&reactor, limit);
            }
            let (_source, _peer) = pair_in(&reactor);
            let _later = timer_in(&reactor, HOUR);
            flush(&reactor);
            for limit in limits {
                waits_for(&reactor, limit);
            }
        }
    });
}

/// A waker of a `block_on` that has ended notifies the same thread. Its turn continues, as the thread that
/// polls the system and beside one.
#[test]
fn a_waker_of_an_earlier_call_ends_no_turn() {
    guarded(|| {
        let reactor = manual("earlier");
        let waker = reactor.block_on(async { poll_fn(|cx| Poll::Ready(cx.waker().clone())).await });
        let (end, ended) = async_channel::bounded::<()>(1);
        thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..4 {
                    thread::sleep(LIMIT / 2);
                    waker.wake_by_ref();
                }
            });
            waits_for(&reactor, 2 * LIMIT);
            scope.spawn(|| reactor.block_on(ended.recv()));
            waits_for(&reactor, 2 * LIMIT);
            drop(end);
        });
    });
}

/// Of several threads in a turn, one polls the system. The others wait until their limits.
#[test]
fn several_threads_may_wait_at_once() {
    guarded(|| {
        let reactor = manual("many");
        thread::scope(|scope| {
            for count in 1..5 {
                let reactor = &reactor;
                scope.spawn(move || {
                    for _ in 0..4 {
                        let (start, limit) = (Instant::now(), LIMIT / count);
                        let turn = reactor.turn(Some(limit)).unwrap();
                        // The end of another thread's limit may count as a wake-up.
                        let found = turn.events() + turn.woken() > 0;
                        assert!(found || start.elapsed() >= limit);
                    }
                });
            }
        });
    });
}

/// A thread with a limit stands by while another thread waits without one, and returns at its limit.
#[test]
fn a_limit_holds_beside_a_thread_without_one() {
    guarded(|| {
        let reactor = manual("beside");
        let ended = AtomicUsize::new(0);
        thread::scope(|scope| {
            scope.spawn(|| {
                while ended.load(Ordering::SeqCst) == 0 {
                    reactor.turn(None).unwrap();
                }
            });
            for _ in 0..5 {
                let start = Instant::now();
                reactor.turn(Some(LIMIT)).unwrap();
                assert!(start.elapsed() >= LIMIT);
            }
            ended.store(1, Ordering::SeqCst);
            reactor.waker().wake();
        });
    });
}

/// The thread of the reactor waits at the same time, and may fetch the end of the limit.
#[test]
fn a_limit_holds_beside_the_thread_of_the_reactor() {
    guarded(|| {
        let reactor = named("fetch");
        let (counter, waker) = Counter::new();
        for round in 0..crate::support::stress(200) {
            // The thread calls the waker, and is about to wait again when this turn begins.
            let mut timer = timer_in(&reactor, Duration::from_micros(200));
            let before = counter.wakes();
            if poll(&mut timer, &waker).is_pending() {
                counter.wait_for(before + 1);
            }
            let delay = Duration::from_micros(round as u64 % 40);
            let start = Instant::now();
            while start.elapsed() < delay {}
            let start = Instant::now();
            let turn = reactor.turn(Some(SHORT)).unwrap();
            assert!(start.elapsed() >= SHORT || turn.events() + turn.woken() > 0);
        }
    });
}

/// A turn reports the events that it has fetched, and the tasks that it has woken.
#[test]
fn a_turn_counts_events_and_woken_tasks() {
    guarded(|| {
        let reactor = manual("counts");
        let (source, mut peer) = pair_in(&reactor);
        let (idle, mut idle_peer) = pair_in(&reactor);
        flush(&reactor);
        let (counter, waker) = Counter::new();
        let (other, other_waker) = Counter::new();
        // Two tasks wait for the same event.
        assert!(poll_readable(&source, &waker).is_pending());
        let mut readable = source.readable();
        assert!(poll(&mut readable, &other_waker).is_pending());
        flush(&reactor);
        peer.write_all(b"x").unwrap();
        let turn = reactor.turn(None).unwrap();
        assert_eq!((turn.events(), turn.woken()), (1, 2));
        assert_eq!((counter.wakes(), other.wakes()), (1, 1));
        // Timers are no events.
        let mut timers: Vec<_> = (0..3).map(|_| timer_in(&reactor, SHORT)).collect();
        for timer in &mut timers {
            assert!(poll(timer, &waker).is_pending());
        }
        thread::sleep(2 * SHORT);
        let turn = reactor.turn(None).unwrap();
        assert_eq!((turn.events(), turn.woken()), (0, 3));
        // A task that has given up is not woken.
        assert!(poll(&mut idle.readable(), &waker).is_pending());
        idle_peer.write_all(b"x").unwrap();
        let turn = reactor.turn(Some(LIMIT)).unwrap();
        assert_eq!(turn.woken(), 0);
    });
}

/// A turn with a limit of zero does what there is to do.
#[test]
fn a_turn_with_a_limit_of_zero_serves_what_is_ready() {
    guarded(|| {
        let reactor = manual("zero");
        let (source, mut peer) = pair_in(&reactor);
        let (counter, waker) = Counter::new();
        assert!(poll_readable(&source, &waker).is_pending());
        let mut timer = timer_in(&reactor, SHORT);
        assert!(poll(&mut timer, &waker).is_pending());
        peer.write_all(b"x").unwrap();
        thread::sleep(2 * SHORT);
        while counter.wakes() < 2 {
            reactor.turn(Some(Duration::ZERO)).unwrap();
        }
        assert!(poll(&mut timer, &waker).is_ready());
    });
}

/// A turn without a limit ends by an event, by a timer, and by the waker of the reactor.
#[test]
fn a_turn_without_a_limit_ends_by_what_happens() {
    guarded(|| {
        for limit in [None, Some(Duration::MAX), Some(HOUR)] {
            let reactor = manual("ends");
            let (source, mut peer) = pair_in(&reactor);
            flush(&reactor);
            let (counter, waker) = Counter::new();
            assert!(poll_readable(&source, &waker).is_pending());
            flush(&reactor);
            thread::scope(|scope| {
                scope.spawn(|| {
                    thread::sleep(SHORT);
                    peer.write_all(b"x").unwrap();
                });
                assert_eq!(reactor.turn(limit).unwrap().woken(), 1);
            });
            let mut timer = timer_in(&reactor, SHORT);
            assert!(poll(&mut timer, &waker).is_pending());
            assert_eq!(reactor.turn(limit).unwrap().woken(), 1);
            assert!(poll(&mut timer, &waker).is_ready());
            assert_eq!(counter.wakes(), 2);
            thread::scope(|scope| {
                scope.spawn(|| {
                    thread::sleep(SHORT);
                    reactor.waker().wake();
                });
                let turn = reactor.turn(limit).unwrap();
                assert_eq!((turn.events(), turn.woken()), (0, 0));
            });
        }
    });
}

/// Another thread starts to wait for a timer, or registers an object, while a turn is in progress.
#[test]
fn a_turn_in_progress_notices_new_waits() {
    guarded(|| {
        let reactor = manual("new");
        let (turns, finished) = mpsc::channel();
        let driver = thread::spawn({
            let reactor = reactor.clone();
            move || {
                while turns.send(reactor.turn(None).unwrap().woken()).is_ok() {}
            }
        });
        for round in 0..20 {
            let (counter, waker) = Counter::new();
            let mut timer = timer_in(&reactor, Duration::from_millis(round % 4));
            if poll(&mut timer, &waker).is_pending() {
                counter.wait_for(1);
            }
            let (source, mut peer) = pair_in(&reactor);
            let (counter, waker) = Counter::new();
            assert!(poll_readable(&source, &waker).is_pending());
            peer.write_all(b"x").unwrap();
            counter.wait_for(1);
        }
        drop(finished);
        while !driver.is_finished() {
            reactor.waker().wake();
            thread::yield_now();
        }
        driver.join().unwrap();
    });
}

/// The waker of the reactor ends one turn: the one in progress, or else the next one.
#[test]
fn the_waker_ends_one_turn() {
    guarded(|| {
        let reactor = manual("waker");
        let waker = reactor.waker();
        assert!(waker.will_wake(&reactor.clone().waker()));
        for _ in 0..3 {
            waker.wake_by_ref();
            waker.wake_by_ref();
            reactor.turn(None).unwrap();
            waits_for(&reactor, LIMIT);
            // Also a turn that would not have waited.
            waker.wake_by_ref();
            reactor.turn(Some(Duration::ZERO)).unwrap();
            waits_for(&reactor, LIMIT);
        }
        // A task that is woken by the turn wakes the reactor.
        let mut timer = timer_in(&reactor, SHORT);
        let task = waker_fn(move || waker.wake_by_ref());
        assert!(poll(&mut timer, &task).is_pending());
        reactor.turn(None).unwrap();
        waits_for(&reactor, LIMIT);
    });
}

/// The waker of the reactor ends all turns in progress.
#[test]
fn the_waker_ends_the_turns_of_all_threads() {
    guarded(|| {
        let reactor = named("all");
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let reactor = reactor.clone();
                thread::spawn(move || reactor.turn(None).unwrap())
            })
            .collect();
        // A thread that begins late takes a further call for its own.
        while !threads.iter().all(|thread| thread.is_finished()) {
            reactor.waker().wake();
            thread::sleep(Duration::from_millis(1));
        }
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

/// No call of the waker is lost while turns begin and end: each message that is sent before the waker
/// is called is received.
#[test]
fn no_call_of_the_waker_is_lost() {
    guarded(|| {
        let reactor = manual("lost");
        let rounds = crate::support::stress(3000);
        let (send, messages) = mpsc::sync_channel(0);
        thread::scope(|scope| {
            let waker = reactor.waker();
            scope.spawn(move || {
                for round in 0..rounds {
                    // The receiver takes the message between two turns, so it is in place first.
                    let sent = Arc::new(AtomicUsize::new(round));
                    let message = Arc::clone(&sent);
                    let (done, finished) = mpsc::channel::<()>();
                    let sender = send.clone();
                    sender.send((message, done)).unwrap();
                    sent.store(usize::MAX, Ordering::SeqCst);
                    waker.wake_by_ref();
                    assert!(finished.recv_timeout(STEP).is_err());
                }
            });
            for (message, done) in messages {
                while message.load(Ordering::SeqCst) != usize::MAX {
                    reactor.turn(None).unwrap();
                }
                drop(done);
            }
        });
    });
}

/// The thread that polls the system ends its turn by an event. Another thread in a turn takes over.
#[test]
fn a_thread_that_stands_by_takes_over() {
    guarded(|| {
        let reactor = manual("over");
        let mut pairs: Vec<_> = (0..4).map(|_| pair_in(&reactor)).collect();
        flush(&reactor);
        let (_counter, waker) = Counter::new();
        for (source, _) in &pairs {
            assert!(poll_readable(source, &waker).is_pending());
        }
        flush(&reactor);
        let (turns, finished) = mpsc::channel();
        let threads: Vec<_> = pairs
            .iter()
            .map(|_| {
                let (reactor, turns) = (reactor.clone(), turns.clone());
                thread::spawn(move || turns.send(reactor.turn(None).unwrap().woken()).unwrap())
            })
            .collect();
        for (_, peer) in &mut pairs {
            peer.write_all(b"x").unwrap();
            assert_eq!(finished.recv_timeout(STEP).unwrap(), 1);
        }
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

/// The global reactor can be driven in turns, beside its own thread.
#[test]
fn the_global_reactor_can_be_driven_in_turns() {
    isolated("turns::the_global_reactor_can_be_driven_in_turns", || {
        let global = Reactor::global();
        let serve = || {
            let (source, mut peer) = local_pair();
            let (counter, waker) = Counter::new();
            assert!(poll_readable(&source, &waker).is_pending());
            peer.write_all(b"x").unwrap();
            while counter.wakes() == 0 {
                // The thread of the reactor may be faster.
                global.turn(Some(SHORT)).unwrap();
            }
            let start = Instant::now();
            let turn = global.turn(Some(LIMIT)).unwrap();
            let found = turn.events() + turn.woken() > 0;
            assert!(found || start.elapsed() >= LIMIT);
        };
        global.turn(Some(Duration::ZERO)).unwrap();
        global.waker().wake();
        global.turn(None).unwrap();
        serve();
        foreign(Timer::after(SHORT));
        serve();
    });
}

/// Makes a turn of `reactor` call `task`, and returns after that.
fn in_a_waker(reactor: &Reactor, task: impl Fn() + Send + Sync + 'static) {
    let waker = waker_fn(task);
    let mut timer = timer_in(reactor, SHORT);
    assert!(poll(&mut timer, &waker).is_pending());
    while reactor.turn(None).unwrap().woken() == 0 {}
}

/// Asserts that a turn is refused, with a text that says what to do.
fn is_refused(reactor: &Reactor) {
    let error = reactor.turn(Some(Duration::ZERO)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Deadlock);
    assert!(
        error.to_string().contains("return from the waker first"),
        "{error}"
    );
}

/// A waker that is called by a turn cannot run a turn of the same reactor, on the same thread.
#[test]
fn rule_7_a_turn_inside_a_turn_is_refused() {
    guarded(|| {
        let (a, b) = (manual("a"), manual("b"));
        let calls = Arc::new(AtomicUsize::new(0));
        let count = |check: fn(&Reactor, &Reactor)| {
            let (a, b, calls) = (a.clone(), b.clone(), Arc::clone(&calls));
            move || {
                check(&a, &b);
                calls.fetch_add(1, Ordering::SeqCst);
            }
        };
        in_a_waker(&a, count(|a, _| is_refused(a)));
        in_a_waker(&a, count(|a, _| a.block_on(async { is_refused(a) })));
        in_a_waker(&a, count(|a, b| b.block_on(async { is_refused(a) })));
        in_a_waker(
            &a,
            count(|a, b| {
                let a = a.clone();
                in_a_waker(b, move || is_refused(&a));
            }),
        );
        assert_eq!(calls.load(Ordering::SeqCst), 4);
        waits_for(&a, SHORT);
        waits_for(&b, SHORT);
        // A turn that `block_on` runs is a turn as well.
        let waker = waker_fn(count(|a, _| is_refused(a)));
        a.block_on(async {
            let mut timer = Timer::after(SHORT);
            assert!(poll(&mut timer, &waker).is_pending());
            Timer::after(3 * SHORT).await;
        });
        assert_eq!(calls.load(Ordering::SeqCst), 5);
    });
}

/// A turn is possible where no turn of the same reactor is below it on the same thread.
#[test]
fn rule_7_a_turn_beside_a_turn_is_possible() {
    guarded(|| {
        let (a, b) = (manual("a"), manual("b"));
        let run = |reactor: &Reactor| {
            let reactor = reactor.clone();
            move || _ = reactor.turn(Some(Duration::ZERO)).unwrap()
        };
        in_a_waker(&a, run(&b));
        let on_a_thread = run(&a);
        in_a_waker(&a, move || {
            let run = on_a_thread.clone();
            thread::spawn(run).join().unwrap();
        });
        a.block_on(async { run(&a)() });
        a.block_on(async { b.block_on(async { run(&a)() }) });
        a.block_on(async {
            Timer::after(SHORT).await;
            in_a_waker(&a, run(&b));
        });
    });
}

/// A waker that panics does not prevent the other wake-ups of the turn, and later turns work.
#[test]
fn a_waker_that_panics_ends_nothing() {
    guarded(|| {
        let reactor = manual("panics");
        let (counter, waker) = Counter::new();
        let bad = panicking_waker();
        for _ in 0..3 {
            let before = counter.wakes();
            let mut timers: Vec<_> = (0..4).map(|_| timer_in(&reactor, SHORT)).collect();
            for (index, timer) in timers.iter_mut().enumerate() {
                let waker = if index % 2 == 0 { &bad } else { &waker };
                assert!(poll(timer, waker).is_pending());
            }
            thread::sleep(2 * SHORT);
            while counter.wakes() < before + 2 {
                let turn = || reactor.turn(None).map(drop);
                let turn = std::panic::AssertUnwindSafe(turn);
                // Whether the panic reaches the caller is not promised.
                if let Ok(result) = std::panic::catch_unwind(turn) {
                    result.unwrap();
                }
            }
            drop(timers);
            waits_for(&reactor, LIMIT);
        }
        assert!(reactor.close().is_ok());
    });
}

/// `next_deadline` is the earliest deadline that a task waits for.
#[test]
fn the_next_deadline_is_the_earliest_one() {
    guarded(|| {
        let reactor = manual("next");
        assert_eq!(reactor.next_deadline(), None);
        let start = Instant::now();
        let mut timers: Vec<_> = (1..4)
            .map(|hours| timer_in(&reactor, hours * HOUR))
            .collect();
        assert_eq!(reactor.next_deadline(), None);
        for timer in timers.iter_mut().rev() {
            let deadline = timer.deadline().unwrap();
            assert!(poll(timer, std::task::Waker::noop()).is_pending());
            let next = reactor.next_deadline().unwrap();
            let distance = next.max(deadline) - next.min(deadline);
            assert!(distance < Duration::from_millis(1), "{distance:?}");
        }
        assert!(reactor.next_deadline().unwrap() >= start + HOUR - Duration::from_millis(1));
        timers.remove(0);
        assert!(reactor.next_deadline().unwrap() >= start + 2 * HOUR - Duration::from_millis(1));
        timers.clear();
        assert_eq!(reactor.next_deadline(), None);
    });
}

/// The limit of a turn on one thread neither ends the turn of another thread nor counts as a task there.
#[test]
fn the_limit_of_another_thread_is_no_task() {
    guarded(|| {
        let reactor = manual("limits");
        thread::scope(|scope| {
            let long = scope.spawn(|| waits_for(&reactor, 10 * LIMIT));
            for _ in 0..4 {
                waits_for(&reactor, LIMIT);
            }
            long.join().unwrap();
        });
    });
}
