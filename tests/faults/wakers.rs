//! Wakers that are slow, and wakers that outlive the objects that they were made for.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::thread;
use std::time::{Duration, Instant};

use async_io::{Async, Timer};

use crate::support::{
    Counter, Runner, deliver_event, foreign, guarded, own_waker, poll, shared_pair, waker_fn,
};

/// Creates a waker that sleeps before it counts.
fn slow_waker() -> (Arc<Counter>, Waker) {
    let (counter, counting) = Counter::new();
    let waker = waker_fn(move || {
        thread::sleep(Duration::from_millis(30));
        counting.wake_by_ref();
    });
    (counter, waker)
}

/// A waker that blocks the driving thread for long does not delay other waits without bound.
/// Another thread serves them meanwhile, and the later wakers of the same batch are called
/// afterwards.
#[test]
fn slow_wakers_do_not_delay_other_waits_without_bound() {
    for runner in Runner::BOTH {
        guarded(move || {
            let (slow, slow_waker) = slow_waker();
            let (quick, quick_waker) = Counter::new();
            let sources: Vec<_> = (0..4).map(|_| shared_pair()).collect();
            let mut waits: Vec<_> = sources
                .iter()
                .map(|(source, _)| source.readable())
                .collect();
            for (number, wait) in waits.iter_mut().enumerate() {
                let waker = if number % 2 == 0 {
                    &slow_waker
                } else {
                    &quick_waker
                };
                assert!(poll(wait, waker).is_pending());
            }
            for (_, peer) in &sources {
                (&mut &*peer).write_all(b"x").unwrap();
            }
            // The wait of a thread that is unrelated to these sources.
            let start = Instant::now();
            let span = Duration::from_millis(5);
            runner.block_on(Timer::after(span));
            assert!(start.elapsed() >= span);
            slow.wait_for(2);
            quick.wait_for(2);
        });
    }
}

/// Wakers of `block_on` that are woken and dropped after the call, its thread and its sources have
/// ended.
#[test]
fn wakers_may_outlive_their_thread() {
    guarded(|| {
        let ended = thread::spawn(|| {
            let nested = async_io::block_on(async {
                Timer::after(Duration::from_millis(1)).await;
                async_io::block_on(own_waker())
            });
            let outer = async_io::block_on(async {
                Timer::after(Duration::from_millis(1)).await;
                own_waker().await
            });
            [outer, nested]
        });
        let wakers = ended.join().unwrap();
        for waker in &wakers {
            waker.wake_by_ref();
            let copy = waker.clone();
            thread::spawn(move || copy.wake()).join().unwrap();
        }
        async_io::block_on(Timer::after(Duration::from_millis(1)));
        drop(wakers);
        async_io::block_on(Timer::after(Duration::from_millis(1)));
    });
}

/// A waker that an ended task leaves with a source is dropped with the source, neither earlier nor
/// later. Waking it afterwards is harmless.
#[test]
fn a_waker_left_with_a_source_is_dropped_with_it() {
    for runner in Runner::BOTH {
        guarded(move || {
            let (local, mut peer) = UnixStream::pair().unwrap();
            let source = Async::new(local).unwrap();
            let waker = thread::scope(|scope| {
                let left = scope.spawn(|| {
                    runner.block_on(async {
                        let waker = own_waker().await;
                        let polled = source.poll_readable(&mut Context::from_waker(&waker));
                        assert!(polled.is_pending());
                        waker
                    })
                });
                left.join().unwrap()
            });
            // The task and its thread have ended. The event wakes no task, and the next reader gets
            // the byte.
            peer.write_all(b"x").unwrap();
            let mut byte = [0];
            let read = source.read_with(|mut stream| stream.read(&mut byte));
            assert_eq!(foreign(read).unwrap(), 1);
            // Delivers one more event, so that no event is pending when the references are counted.
            deliver_event(&source, &peer);
            source.get_ref().read_exact(&mut [0]).unwrap();
            let (counter, own) = Counter::new();
            let before = Arc::strong_count(&counter);
            let mut context = Context::from_waker(&own);
            // The shared waiter may have recorded that event. If so, the first poll is ready, and
            // only that one.
            let told = source.poll_readable(&mut context).is_ready();
            assert!(!told || source.poll_readable(&mut context).is_pending());
            assert_eq!(Arc::strong_count(&counter), before + 1);
            drop(source);
            assert_eq!(Arc::strong_count(&counter), before);
            assert_eq!(counter.wakes(), 0);
            waker.wake();
        });
    }
}
