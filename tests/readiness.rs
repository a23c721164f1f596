//! Section 4 of the semantics: whom readiness wakes, when, and what becomes of the wakers. (`readiness_events.rs` has
//! what counts as ready.)
//!
//! Lines without a test here: "the first call is always Pending" and "the first poll is always Pending" are waived (a
//! wait may end at once when the kernel says so now); the two wake-ups per `readable()` are a quirk; that a failed
//! re-arm loses the rest of a round is not to be copied; the error of a wait is in `construct_kinds.rs`.

mod common;

use std::io::{self, Read, Write};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, Waker};

use async_io::Async;
use common::*;

/// Reads one byte past the source, as users of `get_ref` do.
fn take_byte(source: &Async<Local>) -> io::Result<usize> {
    source.get_ref().read(&mut [0])
}

/// §4: `poll_readable` is Ready once the OS has reported something, and wakes the task for that.
#[test]
fn poll_readable_waits_for_an_event() {
    guarded(|| {
        let (source, mut peer) = local_pair();
        let (hits, waker) = hits();
        for _ in 0..20 {
            // Before the poll: an event that is still under way may wake the task for nothing as soon as it waits.
            let before = hits.count();
            assert!(poll_readable(&source, &waker).is_pending());
            peer.write_all(b"x").unwrap();
            hits.wait(before + 1);
            foreign(wait_readable(&source)).unwrap();
            assert_eq!(take_byte(&source).unwrap(), 1);
        }
    });
}

/// §4: the same for `poll_writable`.
#[test]
fn poll_writable_waits_for_an_event() {
    guarded(|| {
        let (source, mut peer) = local_pair();
        let (hits, waker) = hits();
        for _ in 0..5 {
            let queued = fill_for_good(source.get_ref());
            assert!(poll_writable(&source, &waker).is_pending());
            let before = hits.count();
            peer.read_exact(&mut vec![0; queued]).unwrap();
            hits.wait(before + 1);
            foreign(std::future::poll_fn(|cx| source.poll_writable(cx))).unwrap();
        }
    });
}

/// §4: "try, on WouldBlock poll_readable, again" and "poll_readable, then try" both work.
#[test]
fn both_ways_of_using_poll_readable_work() {
    guarded(|| {
        let (source, mut peer) = local_pair();
        peer.write_all(b"abc").unwrap();
        foreign(async {
            for _ in 0..3 {
                wait_readable(&source).await.unwrap();
                assert_eq!(take_byte(&source).unwrap(), 1);
            }
        });
        peer.write_all(b"abc").unwrap();
        drop(peer);
        let mut total = 0;
        foreign(async {
            loop {
                match take_byte(&source) {
                    Ok(0) => break,
                    Ok(count) => total += count,
                    Err(error) => {
                        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                        wait_readable(&source).await.unwrap();
                    }
                }
            }
        });
        assert_eq!(total, 3);
    });
}

/// §4: what is still ready after a Ready is reported again, without anything new.
#[test]
fn what_is_still_ready_is_reported_again() {
    guarded(|| {
        let (source, mut peer) = local_pair();
        peer.write_all(b"x").unwrap();
        for _ in 0..5 {
            foreign(wait_readable(&source)).unwrap();
            foreign(source.readable()).unwrap();
            foreign(source.writable()).unwrap();
        }
    });
}

/// §4: a poll with a different waker wakes the stored one and replaces it; with the same waker nothing happens.
#[test]
fn the_poll_slot_holds_one_waker() {
    guarded(|| {
        let (source, mut peer) = local_pair();
        let ((first, first_waker), (second, second_waker)) = (hits(), hits());
        assert!(poll_readable(&source, &first_waker).is_pending());
        assert!(poll_readable(&source, &first_waker).is_pending());
        assert!(poll_readable(&source, &first_waker.clone()).is_pending());
        settle();
        assert_eq!((first.count(), first.held(1)), (0, 1));

        assert!(poll_readable(&source, &second_waker).is_pending());
        assert_eq!((first.count(), first.held(1)), (1, 0));
        assert_eq!(second.count(), 0);

        peer.write_all(b"x").unwrap();
        second.wait(1);
        settle();
        assert_eq!(first.count(), 1);
    });
}

/// §3, §4: two tasks that use one slot wake each other in turn, and both get on.
#[test]
fn two_tasks_may_share_the_poll_slot() {
    guarded(|| {
        let (source, mut peer) = local_pair();
        let source = Arc::new(source);
        let tasks: Vec<_> = (0..2)
            .map(|_| {
                let source = source.clone();
                std::thread::spawn(move || {
                    foreign(async {
                        for _ in 0..1000 {
                            while take_byte(&source).is_err() {
                                wait_readable(&source).await.unwrap();
                            }
                        }
                    })
                })
            })
            .collect();
        for _ in 0..2000 {
            peer.write_all(b"x").unwrap();
        }
        for task in tasks {
            task.join().unwrap();
        }
    });
}

/// §4: the two directions are independent.
#[test]
fn directions_are_independent() {
    guarded(|| {
        let (source, mut peer) = local_pair();
        let queued = fill_for_good(source.get_ref());
        let ((read, read_waker), (write, write_waker)) = (hits(), hits());
        assert!(poll_writable(&source, &write_waker).is_pending());
        assert!(poll_readable(&source, &read_waker).is_pending());
        assert_eq!(write.count(), 0);

        peer.write_all(b"x").unwrap();
        read.wait(1);
        foreign(source.readable()).unwrap();
        settle();
        assert_eq!(write.count(), 0);
        assert!(poll_writable(&source, &write_waker).is_pending());

        // The writer still waits after the reader was served, and is served in its turn.
        peer.read_exact(&mut vec![0; queued]).unwrap();
        write.wait(1);
        foreign(source.writable()).unwrap();
    });
}

/// §4: the futures are lazy: one that is never polled is never woken, holds nothing, and disturbs nobody.
#[test]
fn futures_are_lazy() {
    guarded(|| {
        let (source, mut peer) = local_pair();
        let idle = (source.readable(), source.writable());
        let waiter = source.readable();
        peer.write_all(b"x").unwrap();
        foreign(waiter).unwrap();
        drop(idle);
    });
}

/// §4: each future has a slot of its own, whose waker a poll replaces silently; the others are untouched, and one event
/// wakes all of them together with the `poll_*` slot.
#[test]
fn one_event_wakes_every_future_and_the_slot() {
    guarded(|| {
        let (source, mut peer) = local_pair();
        let source = Arc::new(source);
        let ((slot, slot_waker), (old, old_waker)) = (hits(), hits());
        let others: [(Arc<Hits>, Waker); 3] = [hits(), hits(), hits()];
        assert!(poll_readable(&source, &slot_waker).is_pending());
        let mut futures = [source.readable(), source.readable()];
        let mut owned = source.clone().readable_owned();
        assert!(poll(&mut futures[0], &old_waker).is_pending());
        assert!(poll(&mut futures[1], &others[1].1).is_pending());
        assert!(poll(&mut owned, &others[2].1).is_pending());

        assert!(poll(&mut futures[0], &others[0].1).is_pending());
        assert_eq!((old.count(), old.held(1)), (0, 0));

        peer.write_all(b"x").unwrap();
        slot.wait(1);
        for (hits, _) in &others {
            hits.wait(1);
        }
        assert_eq!(old.count(), 0);
        let [first, second] = futures;
        foreign(first).unwrap();
        foreign(second).unwrap();
        foreign(owned).unwrap();
        foreign(wait_readable(&source)).unwrap();
    });
}

/// §4: a future does not complete from an event that predates it, when what the event told of has been consumed.
#[test]
fn stale_readiness_completes_nothing() {
    guarded(|| {
        let (source, mut peer) = local_pair();
        let source = Arc::new(source);
        let (_, waker) = hits();
        for round in 0..100 {
            peer.write_all(b"x").unwrap();
            if round % 2 == 0 {
                foreign(source.readable()).unwrap();
            } else {
                foreign(wait_readable(&source)).unwrap();
            }
            assert_eq!(take_byte(&source).unwrap(), 1);
            let mut waiter = source.readable();
            let mut owned = source.clone().readable_owned();
            for _ in 0..10 {
                assert!(poll(&mut waiter, &waker).is_pending());
                assert!(poll(&mut owned, &waker).is_pending());
                std::thread::yield_now();
            }
        }
    });
}

/// §4: the same for writability.
#[test]
fn stale_writability_completes_nothing() {
    guarded(|| {
        let (source, mut peer) = local_pair();
        let (_, waker) = hits();
        for _ in 0..10 {
            foreign(source.writable()).unwrap();
            let queued = fill_for_good(source.get_ref());
            let mut waiter = source.writable();
            for _ in 0..10 {
                assert!(poll(&mut waiter, &waker).is_pending());
                std::thread::yield_now();
            }
            peer.read_exact(&mut vec![0; queued]).unwrap();
            foreign(waiter).unwrap();
        }
    });
}

/// §4: polling again after completion is Ready again.
#[test]
fn completed_futures_may_be_polled_again() {
    guarded(|| {
        let (source, mut peer) = local_pair();
        let source = Arc::new(source);
        peer.write_all(b"x").unwrap();
        foreign(async {
            let mut readable = pin!(source.readable());
            let mut writable = pin!(source.writable());
            let mut readable_owned = pin!(source.clone().readable_owned());
            let mut writable_owned = pin!(source.clone().writable_owned());
            for _ in 0..3 {
                readable.as_mut().await.unwrap();
                writable.as_mut().await.unwrap();
                readable_owned.as_mut().await.unwrap();
                writable_owned.as_mut().await.unwrap();
                // Also when there is nothing any more.
                _ = take_byte(&source);
            }
        });
    });
}

/// §4: a dropped future gives its waker back at once, and the event that may still arrive for it is ignored.
#[test]
fn a_dropped_future_gives_its_waker_back() {
    guarded(|| {
        let (source, mut peer) = local_pair();
        let source = Arc::new(source);
        fill_for_good(source.get_ref());
        let (hits, waker) = hits();
        let mut futures = (source.readable(), source.writable());
        let mut owned = (
            source.clone().readable_owned(),
            source.clone().writable_owned(),
        );
        assert!(poll(&mut futures.0, &waker).is_pending());
        assert!(poll(&mut futures.1, &waker).is_pending());
        assert!(poll(&mut owned.0, &waker).is_pending());
        assert!(poll(&mut owned.1, &waker).is_pending());
        assert_eq!(hits.held(1), 4);
        drop((futures, owned));
        assert_eq!(hits.held(1), 0);

        peer.write_all(b"x").unwrap();
        settle();
        assert_eq!(hits.count(), 0);
        foreign(source.readable()).unwrap();
        assert!(matches!(poll_now(source.writable()), Poll::Pending));
    });
}

/// §4: the owned futures keep the source alive, and only as long as they live.
#[test]
fn owned_futures_keep_the_source() {
    guarded(|| {
        let (source, mut peer) = local_pair();
        let source = Arc::new(source);
        let alive = Arc::downgrade(&source);
        let readable = source.clone().readable_owned();
        let writable = source.writable_owned();
        foreign(writable).unwrap();
        assert!(alive.upgrade().is_some());
        peer.write_all(b"x").unwrap();
        foreign(readable).unwrap();
        assert!(alive.upgrade().is_none());
    });
}

/// §4: Debug of the four futures is the name of the type.
#[test]
fn debug_names_the_type() {
    let (source, _peer) = local_pair();
    let source = Arc::new(source);
    assert_eq!(format!("{:?}", source.readable()), "Readable");
    assert_eq!(format!("{:?}", source.writable()), "Writable");
    assert_eq!(
        format!("{:?}", source.clone().readable_owned()),
        "ReadableOwned"
    );
    assert_eq!(
        format!("{:?}", source.clone().writable_owned()),
        "WritableOwned"
    );
}
