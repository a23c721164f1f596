//! Programs that hang if the rule about which thread drives the reactor is too simple.

use std::future::Future;
use std::io::{Read, Write};
use std::net::UdpSocket;
use std::os::unix::net::UnixStream;
use std::pin::pin;
use std::sync::{Arc, mpsc};
use std::task::{Context, Waker};
use std::time::Duration;

use async_executor::Executor;
use async_io::{Async, Timer};
use futures_lite::AsyncReadExt;
use futures_lite::future::{pending, poll_once};

use crate::support::{Counter, Runner, foreign, guarded, poll, tcp_streams, until, waker_fn};

/// One executor is run by `block_on` and by a foreign executor. The first thread then blocks on a
/// channel until a task is done that the second thread runs. The wait of that task may have been
/// polled inside `block_on`, but a thread that blocks elsewhere cannot drive it.
#[test]
fn an_executor_shared_with_a_foreign_block_on_makes_progress() {
    for wait_for_io in [false, true] {
        guarded(move || {
            for _ in 0..20 {
                shared_executor(wait_for_io);
            }
        });
    }
}

fn shared_executor(wait_for_io: bool) {
    let executor = Arc::new(Executor::new());
    let (local, mut peer) = UnixStream::pair().unwrap();
    let source = Async::new(local).unwrap();
    let (stop, stopped) = async_channel::bounded::<()>(1);
    let other = {
        let executor = executor.clone();
        std::thread::spawn(move || foreign(executor.run(stopped.recv())))
    };
    let (done, is_done) = mpsc::channel();
    let task = executor.spawn(async move {
        if wait_for_io {
            source.readable().await.unwrap();
        } else {
            Timer::after(Duration::from_millis(2)).await;
        }
        done.send(()).unwrap();
    });
    async_io::block_on(async {
        // Runs one step, unless the other thread was faster. `run` would be an error of the
        // program: the executor would rely on this thread, which blocks afterwards.
        executor.try_tick();
        // Fails if the timer has already fired and the task has dropped the other end.
        let _ = peer.write_all(b"x");
        is_done.recv().unwrap();
    });
    foreign(task);
    drop(stop);
    let _ = other.join().unwrap();
}

/// The same on one thread after the other: the task is polled only inside `block_on`, which then
/// blocks.
#[test]
fn a_wait_polled_by_a_thread_that_then_blocks_ends() {
    guarded(|| {
        let executor = Arc::new(Executor::new());
        let (done, is_done) = mpsc::channel();
        executor
            .spawn(async move {
                Timer::after(Duration::from_millis(5)).await;
                done.send(()).unwrap();
            })
            .detach();
        let (foreign_may_run, foreign_runs) = mpsc::channel();
        let (stop, stopped) = async_channel::bounded::<()>(1);
        let other = {
            let executor = executor.clone();
            std::thread::spawn(move || {
                foreign_runs.recv().unwrap();
                foreign(executor.run(stopped.recv()))
            })
        };
        async_io::block_on(async {
            // The task has been polled only here so far.
            assert!(executor.try_tick());
            assert!(poll_once(pending::<()>()).await.is_none());
            foreign_may_run.send(()).unwrap();
            is_done.recv().unwrap();
        });
        drop(stop);
        let _ = other.join().unwrap();
    });
}

/// A program that checks once per frame for data. Data that was sent before a frame must be seen in
/// that frame.
#[test]
fn a_frame_loop_sees_what_was_sent() {
    guarded(|| {
        let (local, mut peer) = tcp_streams();
        let mut stream = Async::new(local).unwrap();
        let mut buffer = [0; 64];
        for frame in 0..20_u8 {
            peer.write_all(&[frame; 10]).unwrap();
            // The kernel may need a moment to transfer the data. The library must not add a delay.
            stream.get_ref().set_nonblocking(false).unwrap();
            stream.get_ref().peek(&mut buffer).unwrap();
            stream.get_ref().set_nonblocking(true).unwrap();
            let read = async_io::block_on(poll_once(stream.read(&mut buffer)));
            assert_eq!(read.expect("the frame's data").unwrap(), 10);
            assert_eq!(buffer[..10], [frame; 10]);
            // A frame without data.
            let read = async_io::block_on(poll_once(stream.read(&mut buffer)));
            assert!(read.is_none());
        }
    });
}

/// A program polls, learns without the reactor that data was sent, and polls again. A new operation
/// always asks the kernel.
#[test]
fn new_operation_asks_the_kernel() {
    guarded(|| {
        async_io::block_on(async {
            let socket = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0)).unwrap();
            let address = socket.get_ref().local_addr().unwrap();
            let (local, mut peer) = UnixStream::pair().unwrap();
            let mut stream = Async::new(local).unwrap();
            let mut buffer = [0; 8];
            for _ in 0..20 {
                Timer::after(Duration::from_micros(50)).await;
                assert!(poll_once(socket.recv(&mut buffer)).await.is_none());
                socket.get_ref().send_to(b"x", address).unwrap();
                assert!(poll_once(socket.recv(&mut buffer)).await.is_some());

                // Another task has polled the stream.
                let (_counter, waker) = Counter::new();
                assert!(poll(&mut stream.read(&mut buffer), &waker).is_pending());
                peer.write_all(b"x").unwrap();
                assert!(poll_once(stream.read(&mut buffer)).await.is_some());

                // This task has polled the stream and no longer waits.
                assert!(poll_once(stream.read(&mut buffer)).await.is_none());
                peer.write_all(b"x").unwrap();
                assert!(poll_once(stream.read(&mut buffer)).await.is_some());
            }
            drop(peer);
            assert!(poll_once(stream.read(&mut buffer)).await.is_some());
        });
    });
}

/// The same with one operation that is polled several times. A poll skips the system call if
/// another thread has begun a turn since the previous poll, so the second poll may miss the
/// datagram. A later poll asks the kernel: either a turn has delivered the event, or no further
/// turn has begun.
#[test]
fn operation_that_is_polled_without_a_wait_asks_the_kernel() {
    guarded(|| {
        async_io::block_on(async {
            let socket = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0)).unwrap();
            let address = socket.get_ref().local_addr().unwrap();
            let mut buffer = [0; 8];
            for _ in 0..200 {
                let mut receive = pin!(socket.recv(&mut buffer));
                assert!(poll_once(&mut receive).await.is_none());
                socket.get_ref().send_to(b"x", address).unwrap();
                let mut polls = 1;
                while poll_once(&mut receive).await.is_none() {
                    polls += 1;
                    assert!(polls < 10, "no poll asked the kernel");
                }
            }
        });
    });
}

/// A frame loop with a short read before it, in the same call: the following read may wait without
/// a system call.
#[test]
fn a_frame_loop_sees_data_after_short_reads() {
    guarded(|| {
        let (local, mut peer) = tcp_streams();
        let mut stream = Async::new(local).unwrap();
        let mut buffer = [0; 64];
        for frame in 0..20_u8 {
            peer.write_all(&[frame; 10]).unwrap();
            async_io::block_on(async {
                assert_eq!(stream.read(&mut buffer).await.unwrap(), 10);
                assert!(poll_once(stream.read(&mut buffer)).await.is_none());
            });
            peer.write_all(&[frame; 20]).unwrap();
            stream.get_ref().set_nonblocking(false).unwrap();
            stream.get_ref().peek(&mut [0]).unwrap();
            stream.get_ref().set_nonblocking(true).unwrap();
            let read = async_io::block_on(poll_once(stream.read(&mut buffer)));
            assert_eq!(read.expect("the frame's data").unwrap(), 20);
        }
    });
}

/// A frame loop with datagrams and writes.
#[test]
fn a_frame_loop_sees_datagrams() {
    guarded(|| {
        let (local, peer) = std::os::unix::net::UnixDatagram::pair().unwrap();
        let source = Async::new(local).unwrap();
        let mut buffer = [0; 8];
        for frame in 0..20_u8 {
            peer.send(&[frame; 2]).unwrap();
            let recv = async_io::block_on(poll_once(source.recv(&mut buffer)));
            assert_eq!(recv.expect("the frame's data").unwrap(), 2);
            let sent = async_io::block_on(poll_once(source.send(&[frame])));
            assert_eq!(sent.expect("there is room").unwrap(), 1);
            assert_eq!(peer.recv(&mut buffer).unwrap(), 1);
        }
    });
}

/// Creates a waker that waits, in `block_on`, for what only the reactor can deliver: a timer and a
/// byte. The counter counts the wake-ups that have ended.
fn waiting_waker(source: &Arc<Async<UnixStream>>) -> (Arc<Counter>, Waker) {
    let (counter, counting) = Counter::new();
    let source = Arc::downgrade(source);
    let waker = waker_fn(move || {
        async_io::block_on(Timer::after(Duration::from_millis(1)));
        if let Some(source) = source.upgrade() {
            async_io::block_on(source.readable()).unwrap();
        }
        counting.wake_by_ref();
    });
    (counter, waker)
}

/// A thread must not hold the role of driving the reactor while it runs wakers. async-io 2.6.0
/// hangs here.
#[test]
fn wakers_may_call_block_on() {
    for runner in Runner::BOTH {
        guarded(move || {
            let (inner, mut inner_peer) = UnixStream::pair().unwrap();
            let inner = Arc::new(Async::new(inner).unwrap());
            inner_peer.write_all(b"x").unwrap();
            let (counter, waker) = waiting_waker(&inner);

            let (local, mut peer) = UnixStream::pair().unwrap();
            let source = Async::new(local).unwrap();
            let mut readable = source.readable();
            let mut timer = Timer::after(Duration::from_millis(1));
            assert!(poll(&mut readable, &waker).is_pending());
            let due = poll(&mut timer, &waker).is_ready();
            peer.write_all(b"x").unwrap();
            // Makes the wakers run on this thread with one runner, and on the fallback thread with
            // the other.
            runner.block_on(Timer::after(Duration::from_millis(20)));
            counter.wait_for(if due { 1 } else { 2 });
            runner.block_on(readable).unwrap();
        });
    }
}

/// A wait from a `block_on` that has ended continues under another waker, on another thread.
#[test]
fn cancelled_waits_are_polled_elsewhere() {
    for runner in Runner::BOTH {
        guarded(move || {
            let (local, mut peer) = UnixStream::pair().unwrap();
            let source = Arc::new(Async::new(local).unwrap());
            for _ in 0..50 {
                let mut timer = Timer::after(Duration::from_millis(1));
                let mut readable = source.clone().readable_owned();
                let reading = source.clone();
                let mut read =
                    Box::pin(
                        async move { reading.read_with(|mut stream| stream.read(&mut [0])).await },
                    );
                async_io::block_on(async {
                    let _ = poll_once(&mut timer).await;
                    assert!(poll_once(&mut readable).await.is_none());
                    assert!(poll_once(&mut read).await.is_none());
                });
                let timer_is_over = !timer.will_fire();
                let elsewhere = std::thread::spawn(move || {
                    runner.block_on(async {
                        if !timer_is_over {
                            timer.await;
                        }
                        readable.await.unwrap();
                        read.await.unwrap();
                    });
                });
                peer.write_all(b"x").unwrap();
                elsewhere.join().unwrap();
            }
        });
    }
}

/// The same while the first thread of the wait is in `block_on` again and busy with other work.
#[test]
fn a_wait_ends_elsewhere_while_its_first_thread_is_blocked() {
    guarded(|| {
        let (local, mut peer) = UnixStream::pair().unwrap();
        let source = Arc::new(Async::new(local).unwrap());
        let mut readable = source.clone().readable_owned();
        assert!(async_io::block_on(poll_once(&mut readable)).is_none());
        let (done, is_done) = mpsc::channel();
        let elsewhere = std::thread::spawn(move || {
            foreign(readable).unwrap();
            done.send(()).unwrap();
        });
        async_io::block_on(async {
            assert!(
                poll_once(Timer::after(Duration::from_secs(600)))
                    .await
                    .is_none()
            );
            peer.write_all(b"x").unwrap();
            // Blocks the thread that polled the wait first.
            is_done.recv().unwrap();
        });
        elsewhere.join().unwrap();
    });
}

/// A wait that holds the waker of an ended `block_on` wakes no task, but must not take the event
/// from other waits.
#[test]
fn an_abandoned_wait_takes_no_event_from_other_waits() {
    guarded(|| {
        let (local, mut peer) = UnixStream::pair().unwrap();
        let source = Async::new(local).unwrap();
        let mut abandoned = pin!(source.readable());
        let first = async_io::block_on(poll_once(abandoned.as_mut()));
        assert!(first.is_none());
        let (counter, waker) = Counter::new();
        let mut readable = source.readable();
        assert!(poll(&mut readable, &waker).is_pending());
        peer.write_all(b"x").unwrap();
        counter.wait_for(1);
        foreign(readable).unwrap();
        until("the abandoned wait ends as well", || {
            let mut context = Context::from_waker(Waker::noop());
            abandoned.as_mut().poll(&mut context).is_ready()
        });
    });
}
