//! What keeps a reactor alive, and what remains of it.

use std::io::{Read, Write};
use std::thread;

use async_io::{Async, Reactor, Timer};

use crate::support::{
    Counter, HOUR, Local, foreign, guarded, isolated, open_objects, poll, poll_readable, until,
};
use crate::{SHORT, manual, named, pair_in, timer_in};

/// Objects without a handle of their reactor work as before, in any executor.
#[test]
fn rule_5_objects_keep_their_reactor() {
    guarded(|| {
        let reactor = named("kept");
        let (source, mut peer) = pair_in(&reactor);
        let (counter, waker) = Counter::new();
        let mut timer = timer_in(&reactor, SHORT);
        reactor.block_on(async {
            assert!(poll(&mut timer, &waker).is_pending());
            assert!(poll_readable(&source, &waker).is_pending());
        });
        drop(reactor);
        counter.wait_for(1);
        peer.write_all(b"x").unwrap();
        counter.wait_for(2);
        source.get_ref().read_exact(&mut [0]).unwrap();
        for _ in 0..3 {
            timer.set_after(SHORT);
            foreign(&mut timer);
            peer.write_all(b"x").unwrap();
            let mut byte = [0];
            foreign(source.read_with(|mut it| it.read(&mut byte))).unwrap();
            // An object is the way back to a handle.
            let reactor = source.reactor();
            assert!(format!("{reactor:?}").contains("kept"), "{reactor:?}");
            peer.write_all(b"x").unwrap();
            reactor.block_on(async {
                timer.set_after(SHORT);
                (&mut timer).await;
                source.read_with(|mut it| it.read(&mut byte)).await.unwrap();
            });
        }
    });
}

/// A guard keeps the reactor, and so does a call of `block_on`.
#[test]
fn rule_5_guards_and_calls_keep_their_reactor() {
    guarded(|| {
        let reactor = named("guard");
        let handle = reactor.clone();
        let entered = reactor.enter();
        drop(handle);
        foreign(Timer::after(SHORT));
        drop(entered);
        let inside = reactor.clone();
        // The handle is dropped inside the call.
        let value = inside.block_on(async move {
            drop(reactor);
            Timer::after(SHORT).await;
            7
        });
        assert_eq!(value, 7);
    });
}

/// The last handle of a manual reactor is dropped while tasks wait. They are woken from then on.
#[test]
fn rule_5_a_manual_reactor_without_handles_drives_its_objects() {
    guarded(|| {
        type Drops = fn(Reactor);
        let at_once: Drops = drop;
        let inside: Drops = |reactor| reactor.clone().block_on(async { drop(reactor) });
        let on_a_thread: Drops = |reactor| thread::spawn(|| drop(reactor)).join().unwrap();
        let by_close: Drops = |reactor| drop(reactor.close().unwrap_err());
        for drops in [at_once, inside, on_a_thread, by_close] {
            let reactor = manual("last");
            let (source, mut peer) = pair_in(&reactor);
            let (counter, waker) = Counter::new();
            let mut timer = timer_in(&reactor, SHORT);
            assert!(poll(&mut timer, &waker).is_pending());
            assert!(poll_readable(&source, &waker).is_pending());
            thread::sleep(2 * SHORT);
            assert_eq!(counter.wakes(), 0);
            drops(reactor);
            counter.wait_for(1);
            peer.write_all(b"x").unwrap();
            counter.wait_for(2);
            // The restriction has ended for good.
            let reactor = source.reactor();
            assert!(
                format!("{reactor:?}").contains("manual: false"),
                "{reactor:?}"
            );
            let mut timer = timer_in(&reactor, SHORT);
            assert!(poll(&mut timer, &waker).is_pending());
            counter.wait_for(3);
        }
    });
}

/// Another event loop waited on the descriptor of a manual reactor. Its thread takes over after the last
/// handle is gone, and with it the handling of new deadlines.
#[cfg(all(target_os = "linux", not(polling_test_poll_backend)))]
#[test]
fn rule_5_the_thread_takes_over_from_another_event_loop() {
    guarded(|| {
        let reactor = manual("loop");
        let (source, mut peer) = pair_in(&reactor);
        let mut timers: Vec<_> = (0..3).map(|_| timer_in(&reactor, SHORT)).collect();
        reactor.prepare().unwrap();
        drop(reactor);
        for timer in &mut timers {
            let (counter, waker) = Counter::new();
            timer.set_after(SHORT);
            assert!(poll(timer, &waker).is_pending());
            counter.wait_for(1);
        }
        let (counter, waker) = Counter::new();
        assert!(poll_readable(&source, &waker).is_pending());
        peer.write_all(b"x").unwrap();
        counter.wait_for(1);
    });
}

#[cfg(target_os = "linux")]
mod threads {
    use super::*;
    use crate::support::procfs::threads_of;

    /// The thread of a reactor ends once handles and objects are gone, whatever goes last.
    #[test]
    fn rule_5_the_thread_ends_with_the_last_use() {
        guarded(|| {
            for last in 0..3 {
                let reactor = named("ends");
                let (source, peer) = pair_in(&reactor);
                let timer = timer_in(&reactor, HOUR);
                foreign(timer_in(&reactor, SHORT));
                until("the thread starts", || threads_of("ends").len() == 1);
                match last {
                    0 => drop((source, timer, reactor)),
                    1 => drop((reactor, timer, source)),
                    _ => drop((reactor, source, timer)),
                }
                drop(peer);
                until("the thread ends", || threads_of("ends").is_empty());
            }
        });
    }

    /// The thread of a manual reactor without handles ends with its objects.
    #[test]
    fn rule_5_the_thread_of_a_former_manual_reactor_ends() {
        guarded(|| {
            let reactor = manual("former");
            let (source, _peer) = pair_in(&reactor);
            assert!(threads_of("former").is_empty());
            drop(reactor);
            until("the thread starts", || threads_of("former").len() == 1);
            drop(source);
            until("the thread ends", || threads_of("former").is_empty());
        });
    }

    /// The last object is dropped by the reactor's own thread, inside a waker.
    #[test]
    fn rule_5_the_thread_may_drop_the_last_object() {
        guarded(|| {
            let reactor = named("own");
            let (source, mut peer) = pair_in(&reactor);
            let source = std::sync::Arc::new(source);
            let owner = std::sync::Mutex::new(Some((source.clone(), reactor)));
            let waker = crate::support::waker_fn(move || drop(owner.lock().unwrap().take()));
            let mut readable = source.readable_owned();
            assert!(poll(&mut readable, &waker).is_pending());
            drop(waker);
            until("the thread starts", || threads_of("own").len() == 1);
            peer.write_all(b"x").unwrap();
            until("the waker is called", || {
                poll(&mut readable, std::task::Waker::noop()).is_ready()
            });
            drop(readable);
            until("the thread ends", || threads_of("own").is_empty());
        });
    }
}

/// Creates a reactor, uses it in one of several ways, and drops it.
fn use_briefly(round: usize) {
    let reactor = match round % 2 {
        0 => Reactor::new().unwrap(),
        _ => manual("brief"),
    };
    let (counter, waker) = Counter::new();
    match round % 7 {
        0 => {}
        1 => {
            reactor.block_on(async { _ = Timer::after(std::time::Duration::from_micros(10)).await })
        }
        2 => {
            let (source, mut peer) = pair_in(&reactor);
            peer.write_all(b"x").unwrap();
            reactor.block_on(source.readable()).unwrap();
        }
        3 => {
            // Goes away while it is in use.
            let (source, _peer) = pair_in(&reactor);
            let mut timer = timer_in(&reactor, HOUR);
            assert!(poll(&mut timer, &waker).is_pending());
            assert!(poll_readable(&source, &waker).is_pending());
            drop(reactor);
        }
        4 => {
            reactor.waker().wake();
            reactor.turn(None).unwrap();
        }
        5 => {
            // Refused where the system has no descriptor.
            _ = reactor.prepare();
            let mut timer = timer_in(&reactor, HOUR);
            assert!(poll(&mut timer, &waker).is_pending());
            reactor.turn(Some(std::time::Duration::ZERO)).unwrap();
        }
        _ => {
            // With the thread of the reactor, which may end later.
            let mut timer = timer_in(&reactor, std::time::Duration::from_micros(10));
            drop(reactor);
            if poll(&mut timer, &waker).is_pending() {
                counter.wait_for(1);
            }
        }
    }
    // A thread of the reactor may be about to return from the waker.
    until("the waker is released", || counter.held(1) == 0);
}

/// Many reactors one after the other take as many descriptors, as much memory and as many threads as
/// a few of them.
#[test]
fn reactors_in_sequence_use_the_same_resources() {
    isolated(
        "lifetime::reactors_in_sequence_use_the_same_resources",
        || {
            let run = |rounds: usize| (0..rounds).for_each(use_briefly);
            run(500);
            let before = (open_objects(), crate::ALLOCATOR.allocated());
            run(9_500);
            let after = (open_objects(), crate::ALLOCATOR.allocated());
            // On a slow machine, a new reactor gives up to wait for a thread that ends. A leak per reactor
            // would be thousands of descriptors, and as many kilobytes.
            assert!(after.0 < before.0 + 60, "{before:?} {after:?}");
            assert!(after.1 < before.1 + 400_000, "{before:?} {after:?}");
            #[cfg(target_os = "linux")]
            until("the threads end", || {
                // The main thread and that of the test.
                crate::support::procfs::thread_count() <= 2
            });
        },
    );
}

/// The number of descriptors depends on how many reactors exist at once, and not on the threads that
/// create them.
#[test]
fn reactors_of_many_threads_use_the_same_resources() {
    isolated(
        "lifetime::reactors_of_many_threads_use_the_same_resources",
        || {
            let run = |rounds: usize| {
                for _ in 0..rounds {
                    thread::scope(|scope| {
                        for number in 0..4 {
                            scope.spawn(move || use_briefly(number));
                        }
                    });
                }
            };
            run(20);
            let before = (open_objects(), crate::ALLOCATOR.allocated());
            run(300);
            let after = (open_objects(), crate::ALLOCATOR.allocated());
            assert!(after.0 < before.0 + 60, "{before:?} {after:?}");
            assert!(after.1 < before.1 + 400_000, "{before:?} {after:?}");
        },
    );
}

/// The thread of a reactor ends after its last use. The next reactor waits for that and takes over.
#[test]
fn a_new_reactor_takes_over_from_a_thread_that_ends() {
    isolated(
        "lifetime::a_new_reactor_takes_over_from_a_thread_that_ends",
        || {
            const ROUNDS: usize = 100;
            let mut taken_over = 0;
            for _ in 0..ROUNDS {
                let reactor = Reactor::new().unwrap();
                let stale = reactor.waker();
                foreign(timer_in(&reactor, std::time::Duration::from_micros(10)));
                let mut timer = timer_in(&reactor, HOUR);
                assert!(poll(&mut timer, std::task::Waker::noop()).is_pending());
                drop((timer, reactor));
                let next = Reactor::new().unwrap();
                taken_over += usize::from(next.waker().will_wake(&stale));
            }
            // Not each time on a slow machine: the new reactor does not wait for ever.
            assert!(taken_over > ROUNDS / 2, "{taken_over}");
        },
    );
}

/// The next owner of a reactor's resources gets none of its events, timers, names or restrictions.
#[test]
fn the_next_reactor_starts_afresh() {
    isolated("lifetime::the_next_reactor_starts_afresh", || {
        let mut taken_over = 0;
        for _ in 0..20 {
            let reactor = manual("first");
            let (source, mut peer) = pair_in(&reactor);
            let (counter, waker) = Counter::new();
            let mut timer = timer_in(&reactor, SHORT);
            assert!(poll(&mut timer, &waker).is_pending());
            assert!(poll_readable(&source, &waker).is_pending());
            peer.write_all(b"x").unwrap();
            reactor.waker().wake();
            // Refused where the system has no descriptor.
            _ = reactor.prepare();
            let stale = reactor.waker();
            // The objects first, so that no thread starts.
            drop((source, timer));
            drop(reactor);

            let reactor = Reactor::new().unwrap();
            assert!(
                format!("{reactor:?}").contains("manual: false"),
                "{reactor:?}"
            );
            assert!(!format!("{reactor:?}").contains("first"), "{reactor:?}");
            assert_eq!(reactor.next_deadline(), None);
            let start = std::time::Instant::now();
            let turn = reactor.turn(Some(2 * SHORT)).unwrap();
            assert!(start.elapsed() >= 2 * SHORT);
            assert_eq!((turn.events(), turn.woken()), (0, 0));
            assert_eq!(counter.wakes(), 0);
            // A waker of the former reactor ends at most one turn. The thread of the previous round may
            // have ended just now, and its reactor was taken over instead.
            if stale.will_wake(&reactor.waker()) {
                taken_over += 1;
                stale.wake();
                reactor.turn(Some(HOUR)).unwrap();
            }
            let start = std::time::Instant::now();
            reactor.turn(Some(SHORT)).unwrap();
            assert!(start.elapsed() >= SHORT);
            foreign(timer_in(&reactor, SHORT));
        }
        assert!(taken_over > 0);
    });
}

/// The program closes all descriptors, among them those that are kept for the next reactor, and opens others
/// with the same numbers.
#[cfg(all(target_os = "linux", not(polling_test_poll_backend)))]
#[test]
fn a_new_reactor_opens_its_descriptors_again() {
    isolated(
        "lifetime::a_new_reactor_opens_its_descriptors_again",
        || {
            for opens_others in [false, true] {
                drop((manual("one"), named("two")));
                crate::support::close_from_three();
                let others = opens_others.then(|| [(); 8].map(|()| Local::pair().unwrap()));
                let kept = open_objects();
                for reactor in [manual("three"), named("four")] {
                    let (source, mut peer) = pair_in(&reactor);
                    peer.write_all(b"x").unwrap();
                    reactor.block_on(source.readable()).unwrap();
                    let timer = timer_in(&reactor, SHORT);
                    reactor.block_on(timer);
                }
                assert!(open_objects() > kept);
                for (mut one, mut other) in others.into_iter().flatten() {
                    one.write_all(b"x").unwrap();
                    other.read_exact(&mut [0]).unwrap();
                }
            }
        },
    );
}

/// A service of the process was started inside a private reactor. It works after that reactor has ended,
/// for callers inside other reactors.
#[test]
fn a_service_outlives_the_reactor_that_it_was_started_in() {
    guarded(|| {
        /// A task on a thread of its own that answers over sockets.
        fn start() -> (thread::JoinHandle<()>, async_channel::Sender<Local>) {
            let (send, streams) = async_channel::unbounded::<Local>();
            // Created by the first caller, inside its reactor.
            let mut ticks = Timer::interval(std::time::Duration::from_millis(1));
            let first = Reactor::current();
            let thread = thread::spawn(move || {
                foreign(async {
                    while let Ok(stream) = streams.recv().await {
                        futures_lite::StreamExt::next(&mut ticks).await.unwrap();
                        let entered = first.enter();
                        let stream = Async::new(stream).unwrap();
                        drop(entered);
                        let mut byte = [0];
                        stream.read_with(|mut it| it.read(&mut byte)).await.unwrap();
                        stream.write_with(|mut it| it.write(&byte)).await.unwrap();
                    }
                });
            });
            (thread, send)
        }
        async fn ask(service: &async_channel::Sender<Local>) {
            let (ours, theirs) = crate::support::pair();
            let ours = Async::new(ours).unwrap();
            service.send(theirs).await.unwrap();
            let mut byte = [7];
            ours.write_with(|mut it| it.write(&byte)).await.unwrap();
            byte = [0];
            ours.read_with(|mut it| it.read(&mut byte)).await.unwrap();
            assert_eq!(byte, [7]);
        }
        for reactor in [named("first"), manual("first")] {
            let (thread, service) = reactor.block_on(async {
                let (thread, service) = start();
                // In a manual reactor, the service stands still unless the caller drives it.
                ask(&service).await;
                (thread, service)
            });
            if format!("{reactor:?}").contains("manual: true") {
                // The service has a handle of its own, so the reactor stays manual.
                drop(reactor.clone().close().unwrap_err());
                reactor.block_on(ask(&service));
            } else {
                drop(reactor);
                named("second").block_on(ask(&service));
                manual("third").block_on(ask(&service));
                async_io::block_on(ask(&service));
                foreign(ask(&service));
            }
            drop(service);
            thread.join().unwrap();
        }
    });
}
