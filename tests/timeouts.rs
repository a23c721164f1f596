//! `timeout`, `timeout_at` and the error `TimedOut`.

mod support;

use std::cell::Cell;
use std::error::Error;
use std::future::{self, Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use async_io::{TimedOut, Timeout, Timer, block_on, timeout, timeout_at};
use futures_lite::future::{or, yield_now};
use static_assertions::{assert_impl_all, assert_not_impl_any};
use support::*;

const SHORT: Duration = Duration::from_millis(10);
const LONG: Duration = Duration::from_secs(3600);

assert_impl_all!(Timeout<future::Pending<()>>: Send, Sync, Unpin);
assert_impl_all!(TimedOut: Error, Copy, Eq, Send, Sync);
// Neither `Send` nor `Unpin` if the future is not.
assert_not_impl_any!(Timeout<Rc<()>>: Send);
assert_not_impl_any!(Timeout<std::marker::PhantomPinned>: Unpin);

/// Becomes a future that is never ready, in more than the short limit.
struct Slow;

impl future::IntoFuture for Slow {
    type Output = usize;
    type IntoFuture = Counted;
    fn into_future(self) -> Counted {
        std::thread::sleep(2 * SHORT);
        never()
    }
}

/// A future that counts its polls, and is ready from one of them on.
struct Counted {
    polls: usize,
    ready_at: usize,
}

impl Future for Counted {
    type Output = usize;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<usize> {
        self.polls += 1;
        if self.polls >= self.ready_at {
            Poll::Ready(self.polls)
        } else {
            Poll::Pending
        }
    }
}

fn never() -> Counted {
    counted(usize::MAX)
}

fn counted(ready_at: usize) -> Counted {
    Counted { polls: 0, ready_at }
}

/// Returns a timeout that was pending when it was first polled. On a busy machine the short limit may
/// be over before that.
fn pending_once(ready_at: usize, waker: &Waker) -> Timeout<Counted> {
    loop {
        let mut limited = timeout(SHORT, counted(ready_at));
        if poll(&mut limited, waker).is_pending() {
            return limited;
        }
    }
}

#[test]
fn result_that_is_ready_is_never_discarded() {
    guarded(|| {
        let past = Instant::now();
        // The limit is over before the first poll.
        assert_eq!(block_on(timeout(Duration::ZERO, counted(1))), Ok(1));
        assert_eq!(block_on(timeout_at(past, counted(1))), Ok(1));
        // The limit ends between two polls.
        let mut limited = pending_once(2, Waker::noop());
        std::thread::sleep(2 * SHORT);
        assert_eq!(poll(&mut limited, Waker::noop()), Poll::Ready(Ok(2)));
    });
}

#[test]
fn future_is_polled_once_if_the_limit_is_zero() {
    guarded(|| {
        let mut limited = timeout(Duration::ZERO, never());
        assert!(block_on(&mut limited).is_err());
        assert_eq!(limited.get_ref().polls, 1);
        let mut limited = timeout_at(Instant::now(), never());
        assert!(block_on(&mut limited).is_err());
        assert_eq!(limited.into_inner().polls, 1);
    });
}

#[test]
fn without_a_limit_the_future_takes_as_long_as_it_takes() {
    guarded(|| {
        for limit in [None, Some(Duration::MAX), Some(Duration::MAX / 2)] {
            let mut limited = timeout(limit, never());
            for _ in 0..3 {
                assert!(poll(&mut limited, Waker::noop()).is_pending());
            }
            limited.get_mut().ready_at = 4;
            assert_eq!(block_on(limited), Ok(4));
        }
        assert_eq!(block_on(timeout_at(None, Timer::after(SHORT))).err(), None);
    });
}

#[test]
fn limit_counts_from_the_call() {
    guarded(|| {
        let mut limited = timeout(SHORT, never());
        std::thread::sleep(2 * SHORT);
        assert!(ready(poll(&mut limited, Waker::noop())).is_err());
        // Also if the conversion into a future takes its time.
        let mut limited = timeout(SHORT, Slow);
        assert!(ready(poll(&mut limited, Waker::noop())).is_err());
    });
}

#[test]
fn limit_never_ends_early() {
    guarded(|| {
        for limit in [Duration::from_nanos(1), Duration::from_micros(300), SHORT] {
            let start = Instant::now();
            let error = foreign(timeout(limit, future::pending::<()>())).unwrap_err();
            assert!(start.elapsed() >= limit);
            assert_eq!(error.limit(), Some(limit));
            let at = Instant::now() + limit;
            assert!(block_on(timeout_at(at, future::pending::<()>())).is_err());
            assert!(Instant::now() >= at);
        }
    });
}

#[test]
fn task_is_woken_when_the_limit_ends() {
    guarded(|| {
        let (counter, waker) = Counter::new();
        let mut limited = pending_once(usize::MAX, &waker);
        counter.wait_for(1);
        assert!(ready(poll(&mut limited, &waker)).is_err());
    });
}

#[test]
fn shorter_one_of_two_nested_timeouts_ends_first() {
    guarded(|| {
        let inner = block_on(timeout(LONG, timeout(SHORT, never())));
        assert_eq!(inner.unwrap().unwrap_err().limit(), Some(SHORT));
        let outer = block_on(timeout(SHORT, timeout(LONG, never())));
        assert_eq!(outer.unwrap_err().limit(), Some(SHORT));
    });
}

#[test]
fn each_poll_after_the_limit_polls_the_future_once_more() {
    guarded(|| {
        let mut limited = timeout(Duration::ZERO, counted(4));
        for polls in 1..4 {
            assert!(ready(poll(&mut limited, Waker::noop())).is_err());
            assert_eq!(limited.get_ref().polls, polls);
        }
        assert_eq!(ready(poll(&mut limited, Waker::noop())), Ok(4));
    });
}

#[test]
fn future_continues_without_its_limit() {
    guarded(|| {
        let mut limited = timeout(Duration::ZERO, yield_now());
        assert!(block_on(&mut limited).is_err());
        block_on(limited.into_inner());
    });
}

#[test]
fn dropping_releases_the_future_and_the_waker() {
    guarded(|| {
        let (counter, waker) = Counter::new();
        let shared = Arc::new(());
        let kept = Arc::clone(&shared);
        let mut limited = timeout(
            LONG,
            poll_fn(move |_| {
                let _kept = &kept;
                Poll::<()>::Pending
            }),
        );
        assert!(poll(&mut limited, &waker).is_pending());
        assert!(counter.held(1) > 0);
        drop(limited);
        assert_eq!(Arc::strong_count(&shared), 1);
        assert_eq!(counter.held(1), 0);
    });
}

#[test]
fn future_that_panics_leaves_nothing_behind() {
    guarded(|| {
        let (counter, waker) = Counter::new();
        let polls = AtomicUsize::new(0);
        let mut limited = Box::pin(timeout(LONG, async {
            yield_now().await;
            polls.fetch_add(1, Ordering::Relaxed);
            panic!("expected by the test");
        }));
        assert!(poll(&mut limited, &waker).is_pending());
        let panics = std::panic::AssertUnwindSafe(|| {
            let _: Poll<Result<(), _>> = poll(&mut limited, &waker);
        });
        assert!(std::panic::catch_unwind(panics).is_err());
        drop(limited);
        assert_eq!(polls.load(Ordering::Relaxed), 1);
        assert_eq!(counter.held(1), 0);
    });
}

#[test]
fn question_mark_converts_the_error() {
    #[derive(Debug)]
    struct Own(TimedOut);
    impl From<TimedOut> for Own {
        fn from(error: TimedOut) -> Self {
            Own(error)
        }
    }
    async fn as_io() -> io::Result<()> {
        let slow = async {
            future::pending::<()>().await;
            io::Result::Ok(())
        };
        timeout(SHORT, slow).await??;
        Ok(())
    }
    async fn as_own() -> Result<(), Own> {
        timeout(SHORT, future::pending()).await?
    }
    async fn as_any() -> Result<(), Box<dyn Error + Send + Sync>> {
        timeout_at(Instant::now(), future::pending::<()>()).await?;
        Ok(())
    }
    guarded(|| {
        let error = block_on(as_io()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(error.to_string(), "timed out after 10ms");
        let source = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<TimedOut>());
        assert_eq!(source.and_then(TimedOut::limit), Some(SHORT));
        assert_eq!(block_on(as_own()).unwrap_err().0.limit(), Some(SHORT));
        assert_eq!(
            block_on(as_any()).unwrap_err().to_string(),
            "deadline passed"
        );
    });
}

#[test]
fn anything_that_becomes_a_future_can_be_limited() {
    struct Request;
    impl future::IntoFuture for Request {
        type Output = u8;
        type IntoFuture = future::Ready<u8>;
        fn into_future(self) -> Self::IntoFuture {
            future::ready(5)
        }
    }
    assert_eq!(block_on(timeout(LONG, Request)), Ok(5));
}

/// The race of a future with a timer, as it would be written by hand.
async fn by_hand<F: Future>(limit: Duration, future: F) -> Result<F::Output, ()> {
    let timer = async {
        Timer::after(limit).await;
        Err(())
    };
    or(async { Ok(future.await) }, timer).await
}

#[test]
fn timeout_is_smaller_than_a_race_with_a_timer() {
    let done = Cell::new(false);
    let work = || async { done.set(true) };
    let (one, other) = (timeout(LONG, work()), by_hand(LONG, work()));
    assert!(size_of_val(&one) < size_of_val(&other));
    // The future itself, the timer, and the limit for the error.
    let parts = size_of_val(one.get_ref()) + size_of::<Timer>() + size_of::<Duration>();
    assert!(size_of_val(&one) < parts + align_of::<Timer>());
    block_on(async {
        assert!(pin!(one).await.is_ok() && other.await.is_ok());
    });
    assert!(done.get());
}
