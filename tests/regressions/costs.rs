//! The cost of a call does not depend on what else is or was registered.
//!
//! Costs are measured as the shortest of many equal steps, because interruptions can only make a
//! step longer. Each cost is compared with another one of the same process.

use std::io::{Read, Write};
use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::time::{Duration, Instant};

use async_io::{Async, Timer, block_on};
use futures_lite::future::poll_once;

use crate::assert_no_fallback_thread;
use crate::support::*;

/// Returns the shortest time of a step.
fn shortest(steps: usize, mut step: impl FnMut()) -> Duration {
    let time = |_| {
        let start = Instant::now();
        step();
        start.elapsed()
    };
    (0..steps).map(time).min().unwrap()
}

/// Measures calls of `block_on` while the program keeps the waker of the first one.
fn calls_with_a_kept_waker() -> Duration {
    let mut kept = None;
    shortest(100, || {
        for _ in 0..10 {
            let waker = block_on(own_waker());
            kept.get_or_insert(waker);
        }
    })
}

/// The waits belong to an outer `block_on`, so there is no fallback thread.
#[test]
fn the_end_of_block_on_costs_the_same_beside_many_waits() {
    isolated(
        "costs::the_end_of_block_on_costs_the_same_beside_many_waits",
        || {
            let base = calls_with_a_kept_waker();
            let sources: Vec<_> = (0..100).map(|_| local_pair()).collect();
            let mut timers: Vec<_> = (0..20_000).map(|_| Timer::after(HOUR)).collect();
            let mut waits: Vec<_> = (0..100)
                .flat_map(|_| sources.iter().map(|(source, _)| source.readable()))
                .collect();
            let beside = block_on(async {
                for timer in &mut timers {
                    assert!(poll_once(timer).await.is_none());
                }
                for wait in &mut waits {
                    assert!(poll_once(wait).await.is_none());
                }
                let cost = calls_with_a_kept_waker();
                assert_no_fallback_thread();
                cost
            });
            assert!(beside < base * 20, "ten calls: {base:?} became {beside:?}");
        },
    );
}

/// The registry slots of dropped sources cost no more than those of existing ones.
#[test]
fn the_end_of_block_on_costs_the_same_after_many_sources() {
    isolated(
        "costs::the_end_of_block_on_costs_the_same_after_many_sources",
        || {
            #[cfg(target_os = "linux")]
            limit_descriptors(
                rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum,
            );
            let base = calls_with_a_kept_waker();
            let (ours, _peer) = pair();
            // As many as the limit on descriptors allows, up to a sufficient number.
            let sources: Vec<_> = (0..15_000)
                .map_while(|_| ours.try_clone().ok())
                .map_while(|copy| Async::new(copy).ok())
                .collect();
            let count = sources.len();
            drop(sources);
            let after = calls_with_a_kept_waker();
            assert_no_fallback_thread();
            assert!(
                after < base * 20,
                "ten calls: {base:?} became {after:?} after {count} sources"
            );
        },
    );
}

/// Measures the cost of one event that ends one wait.
async fn one_wait_after_another(source: &Async<Local>, mut peer: &Local) -> Duration {
    let mut shortest = Duration::MAX;
    for _ in 0..300 {
        let start = Instant::now();
        let mut readable = source.readable();
        assert!(poll_once(&mut readable).await.is_none());
        peer.write_all(b"x").unwrap();
        readable.await.unwrap();
        source.get_ref().read_exact(&mut [0]).unwrap();
        shortest = shortest.min(start.elapsed());
    }
    shortest
}

/// Waits that were dropped cost nothing.
#[test]
fn an_event_costs_the_same_after_many_waits() {
    isolated("costs::an_event_costs_the_same_after_many_waits", || {
        let (source, peer) = local_pair();
        block_on(async {
            let before = one_wait_after_another(&source, &peer).await;
            let mut waits: Vec<_> = (0..100_000).map(|_| source.readable()).collect();
            for wait in &mut waits {
                assert!(poll_once(wait).await.is_none());
            }
            drop(waits);
            let after = one_wait_after_another(&source, &peer).await;
            assert!(
                after < 2 * before,
                "{before:?} became {after:?} for each event"
            );
        });
        assert_no_fallback_thread();
    });
}

/// One event wakes all waiters of a source, in the order in which they were enqueued.
#[test]
fn waiters_are_woken_in_the_order_of_their_arrival() {
    const WAITERS: usize = 1000;

    fn order_of_wake_ups() -> Vec<usize> {
        let (source, mut peer) = local_pair();
        let woken = Arc::new(Mutex::new(Vec::new()));
        // The vacant entries that these leave behind must not affect the order.
        let mut former: Vec<_> = (0..WAITERS).map(|_| source.readable()).collect();
        for wait in &mut former {
            assert!(poll(wait, Waker::noop()).is_pending());
        }
        drop(former.drain(..WAITERS / 2));
        let mut waits: Vec<_> = (0..WAITERS).map(|_| source.readable()).collect();
        for (number, wait) in waits.iter_mut().enumerate() {
            let woken = Arc::clone(&woken);
            let waker = waker_fn(move || woken.lock().unwrap().push(number));
            assert!(poll(wait, &waker).is_pending());
        }
        peer.write_all(b"x").unwrap();
        until("all are woken", || woken.lock().unwrap().len() >= WAITERS);
        let order = woken.lock().unwrap().clone();
        assert_eq!(order.len(), WAITERS);
        order
    }

    guarded(|| {
        // If a thread is interrupted between two wakers, another one may overtake it, which changes
        // the order.
        let in_order = |_| order_of_wake_ups().is_sorted();
        assert!((0..3).any(in_order), "{:?}", order_of_wake_ups());
    });
}
