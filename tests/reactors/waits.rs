//! A wait ends, whatever thread made it and wherever its object belongs.

use std::future::poll_fn;
use std::io::{Read, Write};
use std::sync::mpsc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use async_io::{Async, Reactor, Timer};

use crate::support::{
    Counter, HOUR, Local, foreign, guarded, own_waker, poll, poll_readable, wait_readable, waker_fn,
};
use crate::{SHORT, manual, named, pair_in, timer_in};

/// Waits for a source and for a timer of `reactor`, with each function that waits.
async fn waits(reactor: &Reactor) {
    timer_in(reactor, SHORT).await;
    let (source, peer) = pair_in(reactor);
    let write = |delay| {
        let mut peer = peer.try_clone().unwrap();
        thread::spawn(move || {
            thread::sleep(delay);
            peer.write_all(b"x").unwrap();
        })
    };
    for delay in [Duration::ZERO, Duration::from_micros(100), SHORT] {
        let writer = write(delay);
        source.readable().await.unwrap();
        writer.join().unwrap();
        source.get_ref().read_exact(&mut [0]).unwrap();
        let writer = write(delay);
        wait_readable(&source).await.unwrap();
        writer.join().unwrap();
        source.get_ref().read_exact(&mut [0]).unwrap();
        let writer = write(delay);
        let mut byte = [0];
        let count = source.read_with(|mut it| it.read(&mut byte)).await;
        assert_eq!(count.unwrap(), 1);
        writer.join().unwrap();
    }
    source.writable().await.unwrap();
}

/// In the executor of another library, in `block_on` of the reactor itself, in that of another
/// private one, and in that of the global one.
#[test]
fn rule_3_a_task_may_wait_in_any_executor() {
    guarded(|| {
        let (a, b) = (named("a"), named("b"));
        for reactor in [&a, &Reactor::global()] {
            foreign(waits(reactor));
            a.block_on(waits(reactor));
            b.block_on(waits(reactor));
            async_io::block_on(waits(reactor));
            a.block_on(async { b.block_on(waits(reactor)) });
            let entered = b.enter();
            foreign(waits(reactor));
            async_io::block_on(waits(reactor));
            drop(entered);
        }
    });
}

/// Many threads wait for objects of one reactor: some drive it, some drive another one, and some none.
#[test]
fn rule_3_any_thread_may_wait() {
    guarded(|| {
        let (a, b) = (named("a"), named("b"));
        thread::scope(|scope| {
            for number in 0..8 {
                let (a, b) = (&a, &b);
                scope.spawn(move || match number % 4 {
                    0 => foreign(waits(a)),
                    1 => a.block_on(waits(a)),
                    2 => b.block_on(waits(a)),
                    _ => async_io::block_on(waits(a)),
                });
            }
        });
    });
}

/// A wait is handed from one executor to another while it is pending.
#[test]
fn rule_3_a_pending_wait_may_move_between_executors() {
    guarded(|| {
        let (a, b) = (named("a"), named("b"));
        let (source, mut peer) = pair_in(&a);
        let mut timer = timer_in(&a, SHORT);
        let mut readable = source.readable();
        let once = async |timer: &mut Timer, readable: &mut async_io::Readable<'_, Local>| {
            let waker = own_waker().await;
            assert!(poll(readable, &waker).is_pending());
            _ = poll(timer, &waker);
        };
        a.block_on(once(&mut timer, &mut readable));
        foreign(once(&mut timer, &mut readable));
        b.block_on(once(&mut timer, &mut readable));
        a.block_on(once(&mut timer, &mut readable));
        peer.write_all(b"x").unwrap();
        b.block_on(async {
            readable.await.unwrap();
            timer.set_after(SHORT);
            timer.await;
        });
    });
}

/// A task of an executor waits on the only thread inside, which then leaves. The task is woken.
#[test]
fn rule_4_never_a_silent_hang_after_the_last_thread_has_left() {
    guarded(|| {
        for round in 0..20 {
            let reactor = named("left");
            let (source, mut peer) = pair_in(&reactor);
            let (counter, waker) = Counter::new();
            let mut timer = timer_in(&reactor, SHORT);
            let mut readable = source.readable();
            reactor.block_on(async {
                assert!(poll(&mut readable, &waker).is_pending());
                assert!(poll_readable(&source, &waker).is_pending());
                assert!(poll(&mut timer, &waker).is_pending() || round > 0);
            });
            counter.wait_for(1);
            let before = counter.wakes();
            peer.write_all(b"x").unwrap();
            counter.wait_for(before + 2);
        }
    });
}

/// The same after a turn. A reactor that is not manual works without the thread.
#[test]
fn rule_4_never_a_silent_hang_after_a_turn() {
    guarded(|| {
        let reactor = named("turn");
        let (source, mut peer) = pair_in(&reactor);
        let (second, mut second_peer) = pair_in(&reactor);
        let (counter, waker) = Counter::new();
        // The task that the turn wakes waits again, inside the turn.
        let task = waker_fn(move || assert!(poll_readable(&second, &waker).is_pending()));
        reactor.block_on(async { assert!(poll_readable(&source, &task).is_pending()) });
        peer.write_all(b"x").unwrap();
        // The fallback thread may be faster.
        reactor.turn(Some(Duration::from_millis(1))).unwrap();
        second_peer.write_all(b"x").unwrap();
        counter.wait_for(1);
    });
}

/// While a nested call waits for B, the thread does not drive A. A task that waits for an object of A
/// is woken nevertheless, whether it waits on this thread or on another one.
#[test]
fn rule_4_never_a_silent_hang_below_a_nested_call() {
    guarded(|| {
        let (a, b) = (named("a"), named("b"));
        for depth in 1..4 {
            let (source, mut peer) = pair_in(&a);
            a.block_on(async {
                let (woken, wait) = async_channel::unbounded();
                let on_event = woken.clone();
                let task = waker_fn(move || _ = on_event.try_send(()));
                assert!(poll_readable(&source, &task).is_pending());
                let timer = timer_in(&a, SHORT);
                let other_thread = thread::spawn(move || {
                    foreign(timer);
                    woken.try_send(()).unwrap();
                });
                // The event comes once this thread waits for B, or shortly before.
                let writer = thread::spawn(move || {
                    thread::sleep(SHORT);
                    peer.write_all(b"x").unwrap();
                    peer
                });
                nest(&b, depth, &wait);
                other_thread.join().unwrap();
                writer.join().unwrap();
            });
        }
    });
}

/// Waits for two messages, inside nested calls.
fn nest(reactor: &Reactor, depth: usize, messages: &async_channel::Receiver<()>) {
    reactor.block_on(async {
        if depth > 1 {
            return nest(reactor, depth - 1, messages);
        }
        messages.recv().await.unwrap();
        messages.recv().await.unwrap();
    });
}

/// A future of B polls an object of A inside a short `block_on` of A, with the waker of the outer call
/// of B. After the inner call has ended, no thread is inside A, but the outer call still waits.
#[test]
fn rule_4_never_a_silent_hang_with_the_waker_of_an_outer_call() {
    guarded(|| {
        let (a, b) = (named("a"), named("b"));
        let mut timer = timer_in(&a, SHORT);
        let mut polled = false;
        b.block_on(poll_fn(|cx| {
            if std::mem::replace(&mut polled, true) {
                return Poll::Ready(());
            }
            a.block_on(async { assert!(poll(&mut timer, cx.waker()).is_pending()) });
            Poll::Pending
        }));
    });
}

/// The same for an object and a thread that drives the global reactor.
#[test]
fn rule_4_never_a_silent_hang_with_the_waker_of_the_global_reactor() {
    guarded(|| {
        let reactor = named("a");
        let (source, mut peer) = pair_in(&reactor);
        let mut polled = false;
        async_io::block_on(poll_fn(|cx| {
            if std::mem::replace(&mut polled, true) {
                return Poll::Ready(());
            }
            reactor.block_on(async {
                assert!(poll_readable(&source, cx.waker()).is_pending());
            });
            peer.write_all(b"x").unwrap();
            Poll::Pending
        }));
    });
}

/// Threads enter and leave without pause, and each leaves a waiting task behind. None is forgotten.
#[test]
fn rule_4_never_a_silent_hang_while_threads_enter_and_leave() {
    guarded(|| {
        let rounds = crate::support::stress(200);
        for _ in 0..10 {
            let reactor = named("leave");
            thread::scope(|scope| {
                for _ in 0..3 {
                    scope.spawn(|| {
                        for _ in 0..rounds / 10 {
                            let (source, mut peer) = pair_in(&reactor);
                            let (counter, waker) = Counter::new();
                            reactor.block_on(async {
                                assert!(poll_readable(&source, &waker).is_pending());
                            });
                            peer.write_all(b"x").unwrap();
                            counter.wait_for(1);
                        }
                    });
                }
            });
        }
    });
}

/// A manual reactor that the program does not drive delays its waits, and continues when it is driven.
#[test]
fn rule_4_a_manual_reactor_stands_still_until_it_is_driven() {
    guarded(|| {
        let reactor = manual("still");
        let (source, mut peer) = pair_in(&reactor);
        let (counter, waker) = Counter::new();
        let mut timer = timer_in(&reactor, SHORT);
        reactor.block_on(async {
            assert!(poll_readable(&source, &waker).is_pending());
        });
        assert!(poll(&mut timer, &waker).is_pending());
        peer.write_all(b"x").unwrap();
        thread::sleep(4 * SHORT);
        assert_eq!(counter.wakes(), 0);
        reactor.turn(None).unwrap();
        assert_eq!(counter.wakes(), 2);
        assert!(poll(&mut timer, &waker).is_ready());
    });
}

/// Two tasks on the threads of two reactors exchange messages over a socket each.
#[test]
fn rule_3_reactors_exchange_messages() {
    guarded(|| {
        let rounds = crate::support::stress(500);
        let (ours, theirs) = crate::support::pair();
        let echo = |reactor: Reactor, stream: Local, starts: bool| {
            thread::spawn(move || {
                let entered = reactor.enter();
                let stream = Async::new(stream).unwrap();
                drop(entered);
                reactor.block_on(async {
                    for round in 0..rounds {
                        if starts || round > 0 {
                            stream.write_with(|mut it| it.write(b"x")).await.unwrap();
                        }
                        if !starts || round + 1 < rounds {
                            let mut byte = [0];
                            stream.read_with(|mut it| it.read(&mut byte)).await.unwrap();
                        }
                    }
                });
            })
        };
        let threads = [
            echo(named("a"), ours, true),
            echo(manual("b"), theirs, false),
        ];
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

/// A thread in the `block_on` of a reactor is held up by a future of its own. Tasks that other threads
/// run are served by the reactor's thread.
#[test]
fn rule_4_a_busy_thread_inside_delays_nothing_for_long() {
    guarded(|| {
        let reactor = named("busy");
        let (release, released) = mpsc::channel::<()>();
        let (inside, is_inside) = mpsc::channel();
        let busy = thread::spawn({
            let reactor = reactor.clone();
            move || {
                reactor.block_on(async {
                    Timer::after(SHORT).await;
                    inside.send(()).unwrap();
                    // Blocks the thread, and does not return to the reactor.
                    _ = released.recv();
                });
            }
        });
        is_inside.recv().unwrap();
        foreign(waits(&reactor));
        let mut never = timer_in(&reactor, HOUR);
        assert!(poll(&mut never, std::task::Waker::noop()).is_pending());
        drop(release);
        busy.join().unwrap();
    });
}

/// A timer that has fired, and is set again after all threads have left, wakes its task once more.
#[test]
fn rule_4_never_a_silent_hang_after_a_timer_was_set_again() {
    guarded(|| {
        for reactor in [named("again"), Reactor::global()] {
            let (counter, waker) = Counter::new();
            let mut timer = timer_in(&reactor, SHORT);
            reactor.block_on(async {
                assert!(poll(&mut timer, &waker).is_pending());
                while counter.wakes() == 0 {
                    Timer::after(SHORT).await;
                }
            });
            timer.set_after(SHORT);
            counter.wait_for(2);
        }
    });
}
