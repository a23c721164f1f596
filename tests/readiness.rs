//! Which tasks readiness wakes, when, and how long their wakers are kept. (`readiness_events.rs`
//! tests which events count as readiness.)
//!
//! Not tested here, because this crate deliberately differs from async-io 2.6. There, the first
//! call and the first poll are always pending; here, a wait may end immediately if the kernel
//! reports readiness. There, each `readable()` causes two wake-ups. There, a failed re-arm loses
//! the remaining events of the turn. `construct_kinds.rs` tests the errors of a wait.

mod support;

use std::io::{self, Read, Write};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, Waker};

use async_io::Async;
use support::*;

/// Reads one byte directly from the object, as users of `get_ref` do.
fn take_byte(source: &Async<Local>) -> io::Result<usize> {
    source.get_ref().read(&mut [0])
}

/// `poll_readable` is ready once the system has reported an event, and the task is woken for it.
#[test]
fn poll_readable_waits_for_an_event() {
    guarded(|| {
        let (source, mut peer) = local_pair();
        let (counter, waker) = Counter::new();
        for _ in 0..20 {
            // Taken before the poll: a pending event may cause a spurious wake-up as soon as the
            // task waits.
            let before = counter.wakes();
            assert!(poll_readable(&source, &waker).is_pending());
            peer.write_all(b"x").unwrap();
            counter.wait_for(before + 1);
            foreign(wait_readable(&source)).unwrap();
            assert_eq!(take_byte(&source).unwrap(), 1);
        }
    });
}

/// The same for `poll_writable`.
#[test]
fn poll_writable_waits_for_an_event() {
    guarded(|| {
        let (source, mut peer) = local_pair();
        let (counter, waker) = Counter::new();
        for _ in 0..5 {
            let queued = fill_for_good(source.get_ref());
            assert!(poll_writable(&source, &waker).is_pending());
            let before = counter.wakes();
            peer.read_exact(&mut vec![0; queued]).unwrap();
            counter.wait_for(before + 1);
            foreign(std::future::poll_fn(|cx| source.poll_writable(cx))).unwrap();
        }
    });
}

/// Both patterns work: "try, on `WouldBlock` call `poll_readable`, repeat" and "call
/// `poll_readable`, then try".
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

/// A source that is still ready after a `Ready` is reported again without a new event.
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

/// A poll with a different waker wakes the stored one and replaces it. A poll with the same waker
/// has no effect.
#[test]
fn the_poll_slot_holds_one_waker() {
    guarded(|| {
        let (source, mut peer) = local_pair();
        let ((first, first_waker), (second, second_waker)) = (Counter::new(), Counter::new());
        assert!(poll_readable(&source, &first_waker).is_pending());
        assert!(poll_readable(&source, &first_waker).is_pending());
        assert!(poll_readable(&source, &first_waker.clone()).is_pending());
        settle();
        assert_eq!((first.wakes(), first.held(1)), (0, 1));

        assert!(poll_readable(&source, &second_waker).is_pending());
        assert_eq!((first.wakes(), first.held(1)), (1, 0));
        assert_eq!(second.wakes(), 0);

        peer.write_all(b"x").unwrap();
        second.wait_for(1);
        settle();
        assert_eq!(first.wakes(), 1);
    });
}

/// Two tasks that share `poll_readable` wake each other alternately, and both make progress.
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

/// The two directions are independent.
#[test]
fn directions_are_independent() {
    guarded(|| {
        let (source, mut peer) = local_pair();
        let queued = fill_for_good(source.get_ref());
        let ((read, read_waker), (write, write_waker)) = (Counter::new(), Counter::new());
        assert!(poll_writable(&source, &write_waker).is_pending());
        assert!(poll_readable(&source, &read_waker).is_pending());
        assert_eq!(write.wakes(), 0);

        peer.write_all(b"x").unwrap();
        read.wait_for(1);
        foreign(source.readable()).unwrap();
        settle();
        assert_eq!(write.wakes(), 0);
        assert!(poll_writable(&source, &write_waker).is_pending());

        // The writer still waits after the reader was served, and is served in turn.
        peer.read_exact(&mut vec![0; queued]).unwrap();
        write.wait_for(1);
        foreign(source.writable()).unwrap();
    });
}

/// The futures are lazy: a future that is never polled is not woken, holds no waker, and does not
/// affect other waiters.
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

/// Each future is a waiter of its own. A poll with another waker replaces its waker without waking
/// the old one and does not affect other waiters. One event wakes all futures and the shared waiter
/// of `poll_readable`.
#[test]
fn one_event_wakes_every_future_and_the_slot() {
    guarded(|| {
        let (source, mut peer) = local_pair();
        let source = Arc::new(source);
        let ((slot, slot_waker), (old, old_waker)) = (Counter::new(), Counter::new());
        let others: [(Arc<Counter>, Waker); 3] = [Counter::new(), Counter::new(), Counter::new()];
        assert!(poll_readable(&source, &slot_waker).is_pending());
        let mut futures = [source.readable(), source.readable()];
        let mut owned = source.clone().readable_owned();
        assert!(poll(&mut futures[0], &old_waker).is_pending());
        assert!(poll(&mut futures[1], &others[1].1).is_pending());
        assert!(poll(&mut owned, &others[2].1).is_pending());

        assert!(poll(&mut futures[0], &others[0].1).is_pending());
        assert_eq!((old.wakes(), old.held(1)), (0, 0));

        peer.write_all(b"x").unwrap();
        slot.wait_for(1);
        for (counter, _) in &others {
            counter.wait_for(1);
        }
        assert_eq!(old.wakes(), 0);
        let [first, second] = futures;
        foreign(first).unwrap();
        foreign(second).unwrap();
        foreign(owned).unwrap();
        foreign(wait_readable(&source)).unwrap();
    });
}

/// An event from before the first poll does not complete a future if its data has been consumed.
#[test]
fn stale_readiness_completes_nothing() {
    guarded(|| {
        let (source, mut peer) = local_pair();
        let source = Arc::new(source);
        let (_, waker) = Counter::new();
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

/// The same for writability.
#[test]
fn stale_writability_completes_nothing() {
    guarded(|| {
        let (source, mut peer) = local_pair();
        let (_, waker) = Counter::new();
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

/// A completed future that is polled again is ready again.
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
                // Ready even if there is no more data.
                _ = take_byte(&source);
            }
        });
    });
}

/// A dropped future releases its waker immediately, and an event that arrives for it later is
/// ignored.
#[test]
fn a_dropped_future_gives_its_waker_back() {
    guarded(|| {
        let (source, mut peer) = local_pair();
        let source = Arc::new(source);
        fill_for_good(source.get_ref());
        let (counter, waker) = Counter::new();
        let mut futures = (source.readable(), source.writable());
        let mut owned = (
            source.clone().readable_owned(),
            source.clone().writable_owned(),
        );
        assert!(poll(&mut futures.0, &waker).is_pending());
        assert!(poll(&mut futures.1, &waker).is_pending());
        assert!(poll(&mut owned.0, &waker).is_pending());
        assert!(poll(&mut owned.1, &waker).is_pending());
        assert_eq!(counter.held(1), 4);
        drop((futures, owned));
        assert_eq!(counter.held(1), 0);

        peer.write_all(b"x").unwrap();
        settle();
        assert_eq!(counter.wakes(), 0);
        foreign(source.readable()).unwrap();
        assert!(matches!(poll_now(source.writable()), Poll::Pending));
    });
}

/// The owned futures keep the source alive until they are dropped.
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

/// The `Debug` output of the four futures is the name of the type.
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
