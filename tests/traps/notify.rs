//! Interrupting a wait from another thread: overflowing counters, sticky flags, stores that are not
//! visible.

use std::future::poll_fn;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use async_io::{Async, Timer};
use futures_lite::FutureExt;

use crate::support::{Noise, guarded, stress, until};

/// The state that a waking thread and a thread in `block_on` share.
#[derive(Default)]
struct Shared {
    waker: OnceLock<Waker>,
    asked: AtomicUsize,
    seen: AtomicUsize,
}

/// Counts up to `rounds` on a thread in `block_on`. The calling thread wakes it `burst` times for
/// each number and continues when the number was seen, so a single lost wake-up stops the count.
/// With `in_reactor` the counting thread also waits for a timer, so that it sleeps in the reactor
/// and does not park.
pub(crate) fn count_up(
    rounds: usize,
    burst: usize,
    in_reactor: bool,
    mut before_each: impl FnMut(usize),
) {
    let shared = Arc::new(Shared::default());
    let counting = shared.clone();
    let counter = thread::spawn(move || {
        let mut far = in_reactor.then(|| Timer::after(Duration::from_secs(600)));
        async_io::block_on(poll_fn(|cx| {
            counting.waker.get_or_init(|| cx.waker().clone());
            if let Some(timer) = &mut far {
                assert!(timer.poll(cx).is_pending());
            }
            // Relaxed on purpose: waking the task publishes the values that were stored before.
            let asked = counting.asked.load(Ordering::Relaxed);
            counting.seen.store(asked, Ordering::Release);
            if asked == rounds {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        }));
    });
    until("the counting thread has stored its waker", || {
        shared.waker.get().is_some()
    });
    let waker = shared.waker.get().unwrap();
    let mut noise = Noise::new(7);
    for round in 1..=rounds {
        before_each(round);
        noise.dawdle();
        shared.asked.store(round, Ordering::Relaxed);
        for _ in 0..burst {
            waker.wake_by_ref();
        }
        until("the counting thread sees the number", || {
            shared.seen.load(Ordering::Acquire) == round
        });
    }
    counter.join().unwrap();
}

/// A million wake-ups in a row, whether or not the waiting thread reads the notifications.
#[test]
fn none_of_a_million_wake_ups_is_lost() {
    guarded(|| count_up(stress(10_000), 100, true, |_| {}));
}

/// Events and notifications that coincide: handling one must not mark the other as handled.
#[test]
fn a_notification_that_meets_an_event_is_not_lost() {
    guarded(|| {
        let rounds = stress(10_000);
        let (local, mut peer) = UnixStream::pair().unwrap();
        let seen = Arc::new(AtomicUsize::new(0));
        let (ask, asked) = async_channel::bounded(1);
        let reader_seen = seen.clone();
        let reader = thread::spawn(move || {
            let source = Async::new(local).unwrap();
            async_io::block_on(async {
                for round in 0..rounds {
                    let number = pin!(asked.recv());
                    let byte = pin!(source.read_with(|mut stream| stream.read(&mut [0])));
                    let (number, byte) = futures_lite::future::zip(number, byte).await;
                    assert_eq!((number.unwrap(), byte.unwrap()), (round, 1));
                    reader_seen.store(round + 1, Ordering::Release);
                }
            });
        });
        let mut noise = Noise::new(8);
        for round in 0..rounds {
            let byte_first = noise.below(2) == 0;
            if byte_first {
                peer.write_all(b"x").unwrap();
                noise.dawdle();
            }
            ask.try_send(round).unwrap();
            if !byte_first {
                noise.dawdle();
                peer.write_all(b"x").unwrap();
            }
            until("both are seen", || seen.load(Ordering::Acquire) > round);
        }
        reader.join().unwrap();
    });
}

/// A value that was stored before a wake-up is visible to the poll that the wake-up causes, even if
/// the wake-up was one of several.
#[test]
fn a_wake_up_publishes_what_was_stored_before_it() {
    guarded(|| count_up(stress(20_000), 3, false, |_| {}));
}
