//! Wakers that are lost, kept too long, woken alone, or called at the wrong moment.

use std::future::poll_fn;
use std::io::Write;
use std::net::UdpSocket;
use std::sync::Arc;
use std::task::Context;
use std::thread;
use std::time::Duration;

use async_io::{Async, Timer};
use futures_lite::future::or;

use crate::support::{
    Counter, Runner, drain, fill, foreign, guarded, poll, raw, ready, shared_pair,
};

/// A future that is polled by one task and then by another wakes the second one.
#[test]
fn a_future_wakes_the_task_that_polled_it_last() {
    guarded(|| {
        for runner in Runner::BOTH {
            let (source, mut peer) = shared_pair();
            let (first, first_waker) = Counter::new();
            let (second, second_waker) = Counter::new();
            let mut timer = Timer::after(Duration::from_millis(5));
            let mut readable = source.readable();
            let mut owned = source.clone().readable_owned();
            for waker in [&first_waker, &second_waker] {
                assert!(poll(&mut readable, waker).is_pending());
                assert!(poll(&mut owned, waker).is_pending());
            }
            // On a busy machine the timer may already be due. Then no wake-up is needed.
            let waits = poll(&mut timer, &first_waker).is_pending()
                && poll(&mut timer, &second_waker).is_pending();
            if waits {
                second.wait_for(1);
                runner.block_on(timer);
            }
            let before = second.wakes();
            assert!(poll(&mut readable, &second_waker).is_pending());
            assert!(poll(&mut owned, &second_waker).is_pending());
            peer.write_all(b"x").unwrap();
            second.wait_for(before + 1);
            runner.block_on(readable).unwrap();
            runner.block_on(owned).unwrap();
            assert_eq!(first.wakes(), 0, "wake-ups of the first task");
        }
    });
}

/// The same for `poll_readable`, which has one shared waiter, and between threads.
#[test]
fn poll_readable_wakes_the_task_that_polled_last() {
    guarded(|| {
        for runner in Runner::BOTH {
            let (source, mut peer) = shared_pair();
            let (_first, waker) = Counter::new();
            let polled = source.poll_readable(&mut Context::from_waker(&waker));
            assert!(polled.is_pending());
            let mut timer = Timer::after(Duration::from_millis(5));
            let timer_was_due = poll(&mut timer, &waker).is_ready();
            let mover = thread::spawn(move || {
                runner.block_on(async {
                    poll_fn(|cx| source.poll_readable(cx)).await.unwrap();
                    if !timer_was_due {
                        timer.await;
                    }
                });
            });
            peer.write_all(b"x").unwrap();
            mover.join().unwrap();
        }
    });
}

/// Waiters that are dropped after the event must not consume it.
#[test]
fn a_dropped_waiter_does_not_consume_the_event() {
    guarded(|| {
        for runner in Runner::BOTH {
            for keep in 0..5 {
                let (source, mut peer) = shared_pair();
                let mut waiters: Vec<_> = (0..5)
                    .map(|_| (source.readable(), Counter::new()))
                    .collect();
                for (readable, (_, waker)) in &mut waiters {
                    assert!(poll(readable, waker).is_pending());
                }
                peer.write_all(b"x").unwrap();
                waiters[(keep + 1) % 5].1.0.wait_for(1);
                let (readable, (counter, _)) = waiters.swap_remove(keep);
                drop(waiters);
                counter.wait_for(1);
                runner.block_on(readable).unwrap();
            }
        }
    });
}

/// A dropped waiter releases its waker immediately and is not woken.
#[test]
fn a_dropped_waiter_releases_its_waker() {
    guarded(|| {
        let (source, mut peer) = shared_pair();
        let (kept, kept_waker) = Counter::new();
        let mut kept_readable = source.readable();
        assert!(poll(&mut kept_readable, &kept_waker).is_pending());
        let (dropped, waker) = Counter::new();
        let mut readable = source.readable();
        let mut owned = source.clone().readable_owned();
        assert!(poll(&mut readable, &waker).is_pending());
        assert!(poll(&mut owned, &waker).is_pending());
        drop((readable, owned, waker));
        assert_eq!(Arc::strong_count(&dropped), 1, "the source keeps a waker");
        peer.write_all(b"x").unwrap();
        kept.wait_for(1);
        assert_eq!(dropped.wakes(), 0);
    });
}

/// The same for a timer. async-io 2.6.0 keeps the waker until the next turn of the reactor.
#[test]
fn a_dropped_timer_releases_its_waker() {
    guarded(|| {
        for _ in 0..100 {
            let (counter, waker) = Counter::new();
            let mut timer = Timer::after(Duration::from_secs(600));
            assert!(poll(&mut timer, &waker).is_pending());
            drop((timer, waker));
            assert_eq!(Arc::strong_count(&counter), 1, "the queue keeps a waker");
        }
    });
}

/// One event wakes all its waiters, in whatever way they wait.
#[test]
fn one_event_wakes_all_waiters() {
    guarded(|| {
        let (source, mut peer) = shared_pair();
        let filled = fill(source.get_ref());
        let counters: Vec<_> = (0..5).map(|_| Counter::new()).collect();
        let mut readables: Vec<_> = (0..3).map(|_| source.readable()).collect();
        for (readable, (_, waker)) in readables.iter_mut().zip(&counters) {
            assert!(poll(readable, waker).is_pending());
        }
        let mut slot = Context::from_waker(&counters[3].1);
        assert!(source.poll_readable(&mut slot).is_pending());
        let mut write = Box::pin(source.write_with(|mut stream| stream.write(b"w")));
        assert!(poll(&mut write, &counters[4].1).is_pending());

        peer.write_all(b"x").unwrap();
        for (counter, _) in &counters[..4] {
            counter.wait_for(1);
        }
        drain(&mut peer, filled);
        counters[4].0.wait_for(1);
        for readable in readables {
            foreign(readable).unwrap();
        }
        foreign(write).unwrap();
    });
}

/// With `SO_PEEK_OFF` each peek begins where the last one ended. So a peek finds nothing although a
/// datagram is there, and the receiver that the same event has woken must get it.
#[test]
fn a_peek_that_finds_nothing_leaves_a_datagram_to_the_receiver() {
    guarded(|| {
        let source = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0)).unwrap();
        raw::set_option(source.get_ref(), libc::SOL_SOCKET, libc::SO_PEEK_OFF, 0);
        let address = source.get_ref().local_addr().unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        for _ in 0..10 {
            let [(peeks, peeking), (receives, receiving)] = [(); 2].map(|()| Counter::new());
            let (mut peeked, mut received) = ([0; 8], [0; 8]);
            let mut receive = Box::pin(source.recv_from(&mut received));
            let mut peek = Box::pin(source.peek_from(&mut peeked));
            assert!(poll(&mut receive, &receiving).is_pending());
            assert!(poll(&mut peek, &peeking).is_pending());
            sender.send_to(b"hi", address).unwrap();
            peeks.wait_for(1);
            receives.wait_for(1);
            assert_eq!(ready(poll(&mut peek, &peeking)).unwrap().0, 2);
            let mut peeked = [0; 8];
            let mut peek = Box::pin(source.peek_from(&mut peeked));
            assert!(poll(&mut peek, &peeking).is_pending());
            assert_eq!(ready(poll(&mut receive, &receiving)).unwrap().0, 2);
        }
    });
}

/// Two tasks that share `poll_readable` wake each other alternately, and both make progress.
#[test]
fn two_tasks_on_the_shared_waiter_make_progress() {
    guarded(|| {
        let (source, mut peer) = shared_pair();
        let tasks = Runner::BOTH.map(|runner| {
            let source = source.clone();
            thread::spawn(move || {
                for _ in 0..50 {
                    runner
                        .block_on(poll_fn(|cx| source.poll_readable(cx)))
                        .unwrap();
                }
            })
        });
        peer.write_all(b"x").unwrap();
        for task in tasks {
            task.join().unwrap();
        }
    });
}

/// async-io 2.6.0 takes a new event for a stale one, and delays `poll_writable` until another event
/// occurs. Here that event would be a timer after a second.
#[test]
fn writability_is_not_delayed() {
    for runner in Runner::BOTH {
        guarded(move || {
            let (source, _peer) = shared_pair();
            let ticks = async {
                loop {
                    Timer::after(Duration::from_secs(1)).await;
                }
            };
            let work = async {
                for _ in 0..300 {
                    poll_fn(|cx| source.poll_writable(cx)).await.unwrap();
                    source.writable().await.unwrap();
                    // As a sink does: calls `poll_writable` until it is ready.
                    let mut asked = 0;
                    poll_fn(|cx| {
                        asked += 1;
                        let ready = source.poll_writable(cx);
                        assert!(asked < 1_000, "never ready");
                        ready
                    })
                    .await
                    .unwrap();
                }
            };
            runner.block_on(or(work, ticks));
        });
    }
}
