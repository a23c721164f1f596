//! A million timers, each in its own task, and storms of waits that are cancelled together.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use async_io::{Async, Timer};
use fastrand::Rng;

use super::count::Counted;
use super::{STOP, Shared};

pub(crate) static ALIVE: AtomicUsize = AtomicUsize::new(0);
pub(crate) static FIRED: AtomicU64 = AtomicU64::new(0);
pub(crate) static CANCELLED: AtomicU64 = AtomicU64::new(0);
pub(crate) static STORMS: AtomicU64 = AtomicU64::new(0);

/// The longest duration of a timer in milliseconds. The average duration is half of it.
const LONGEST: u64 = 120_000;

/// Waits for one timer after another. One in four is reset before it fires.
pub(crate) async fn one(shared: Arc<Shared>, seed: u64) {
    let _alive = Counted::new(&ALIVE);
    let mut rng = Rng::with_seed(seed);
    loop {
        let span = Duration::from_millis(rng.u64(1..LONGEST));
        let start = Instant::now();
        let mut timer = Timer::after(span);
        if rng.u8(..4) == 0 {
            let polled = futures_lite::future::poll_once(&mut timer).await;
            timer.set_after(span);
            CANCELLED.fetch_add(u64::from(polled.is_none()), Ordering::Relaxed);
        }
        timer.await;
        let waited = start.elapsed();
        if waited < span {
            shared.fail(format!(
                "a timer of {span:?} fired after {waited:?}, seed {seed}"
            ));
        }
        FIRED.fetch_add(1, Ordering::Relaxed);
    }
}

/// A waker that does nothing. Unlike the no-op waker of the standard library, it can be counted.
struct Inert;

impl Wake for Inert {
    fn wake(self: Arc<Self>) {
        drop(self);
    }
}

const STORM: usize = 20_000;

/// Runs storms of waits. Half of the waits are timers, and half are readers of one source. Each
/// wait is polled once, so that the reactor holds its waker, and then dropped.
pub(crate) async fn storms(shared: Arc<Shared>, seed: u64) {
    let mut rng = Rng::with_seed(seed);
    let quiet = std::os::unix::net::UnixStream::pair();
    let Ok((Ok(source), _other_end)) = quiet.map(|(one, two)| (Async::new(one), two)) else {
        return shared.fail("no sockets for the storms".into());
    };
    while !STOP.load(Ordering::Acquire) {
        Timer::after(Duration::from_millis(rng.u64(200..2000))).await;
        let inert = Arc::new(Inert);
        let waker = Waker::from(inert.clone());
        let mut context = Context::from_waker(&waker);
        let mut waits: Vec<Pin<Box<dyn Future<Output = ()> + Send + '_>>> = Vec::new();
        for number in 0..STORM {
            let mut wait: Pin<Box<dyn Future<Output = ()> + Send + '_>> = if number % 2 == 0 {
                let span = Duration::from_secs(rng.u64(100..1000));
                Box::pin(async move {
                    Timer::after(span).await;
                })
            } else {
                Box::pin(async {
                    let _ = source.readable().await;
                })
            };
            if wait.as_mut().poll(&mut context) == Poll::Pending {
                waits.push(wait);
            }
        }
        rng.shuffle(&mut waits);
        let pending = waits.len();
        drop(waits);
        drop(waker);
        // One reference belongs to this function. Every other one is a waker that was not released.
        let left = Arc::strong_count(&inert) - 1;
        if left != 0 || pending != STORM {
            shared.fail(format!(
                "{left} wakers are left of {pending} cancelled waits, seed {seed}"
            ));
        }
        STORMS.fetch_add(1, Ordering::Relaxed);
    }
}
