//! Interrupting a wait from another thread: counters that overflow, flags that stick, stores that are not seen.

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

use crate::support::{Noise, eventually, guard, stress};

/// What a waking thread and a thread in `block_on` know of each other.
#[derive(Default)]
struct Shared {
    waker: OnceLock<Waker>,
    asked: AtomicUsize,
    seen: AtomicUsize,
}

/// Counts up to `rounds` on a thread in `block_on`; this thread wakes it for every number, `burst` times, and goes on
/// when it was seen. A single wake-up that is lost stops the count. With `in_reactor` the other thread waits for
/// timers and I/O too, so that it sleeps in the reactor and not in a parker.
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
            // Relaxed on purpose: to wake is to publish what was stored before.
            let asked = counting.asked.load(Ordering::Relaxed);
            counting.seen.store(asked, Ordering::Release);
            if asked == rounds {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        }));
    });
    eventually("the waker", || shared.waker.get().is_some());
    let waker = shared.waker.get().unwrap();
    let mut noise = Noise::new(7);
    for round in 1..=rounds {
        before_each(round);
        noise.dawdle();
        shared.asked.store(round, Ordering::Relaxed);
        for _ in 0..burst {
            waker.wake_by_ref();
        }
        eventually("a wake-up that is not lost", || {
            shared.seen.load(Ordering::Acquire) == round
        });
    }
    counter.join().unwrap();
}

/// A million wake-ups in a row, whether or not somebody reads what is written for them.
#[test]
fn t28_a_million_wake_ups() {
    guard(|| count_up(stress(10_000), 100, true, |_| {}));
}

/// Events and notifications at the same moment: one must not make the other pass for delivered.
#[test]
fn t29_notifications_that_meet_events() {
    guard(|| {
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
            eventually("both are seen", || seen.load(Ordering::Acquire) > round);
        }
        reader.join().unwrap();
    });
}

/// Whatever was stored before a wake-up is seen by the poll that it causes, also when the wake-up was one of many.
#[test]
fn t37_wake_ups_publish_what_was_stored() {
    guard(|| count_up(stress(20_000), 3, false, |_| {}));
}
