//! A wait that remains after its `block_on` has ended, cancelled or not, starts no thread: its
//! waker belongs to a call that is over.

use std::future::{Future, poll_fn};
use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use async_io::{Async, Timer, block_on};
use futures_lite::future::{or, poll_once};
use futures_lite::{AsyncReadExt, AsyncWriteExt, StreamExt};

use crate::support::procfs::thread_count;
use crate::support::*;

/// Runs waits of one kind, and fails if there are more threads afterwards.
fn needs_no_thread(name: &str, body: impl FnOnce()) {
    let before = thread_count();
    body();
    // A joined thread may still be listed for a moment.
    for _ in 0..100 {
        if thread_count() == before {
            return;
        }
        thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(thread_count(), before, "threads after {name}");
}

/// Runs a wait that never ends in a race that it loses, and as a single poll.
fn lose<F: Future>(mut wait: impl FnMut() -> F) {
    let limit = || async {
        Timer::after(Duration::from_millis(1)).await;
    };
    for _ in 0..3 {
        let race = or(async { _ = wait().await }, limit());
        block_on(race);
        assert!(block_on(poll_once(wait())).is_none());
    }
}

/// Creates a source that is never ready.
fn unready() -> (Async<Local>, Local) {
    let (source, peer) = local_pair();
    fill(source.get_ref());
    (source, peer)
}

#[test]
fn a_cancelled_read_needs_no_thread() {
    isolated("leftovers::a_cancelled_read_needs_no_thread", || {
        let (source, _peer) = unready();
        needs_no_thread("read", || {
            lose(|| async { (&source).read(&mut [0; 8]).await });
        });
        needs_no_thread("read_with", || {
            lose(|| source.read_with(|mut io| io.read(&mut [0; 8])));
        });
        let (tcp, _peer) = tcp_pair();
        needs_no_thread("read of TCP", || {
            lose(|| async { (&tcp).read(&mut [0; 8]).await });
        });
    });
}

#[test]
fn a_cancelled_write_needs_no_thread() {
    isolated("leftovers::a_cancelled_write_needs_no_thread", || {
        let (source, _peer) = unready();
        needs_no_thread("write", || {
            lose(|| async { (&source).write(&[0; 8]).await });
        });
        needs_no_thread("write_with", || {
            lose(|| source.write_with(|mut io| io.write(&[0; 8])));
        });
    });
}

#[test]
fn a_cancelled_wait_for_readiness_needs_no_thread() {
    isolated(
        "leftovers::a_cancelled_wait_for_readiness_needs_no_thread",
        || {
            let (source, _peer) = unready();
            needs_no_thread("readable", || lose(|| source.readable()));
            needs_no_thread("writable", || lose(|| source.writable()));
            needs_no_thread("poll_readable", || {
                lose(|| poll_fn(|cx| source.poll_readable(cx)));
            });
            needs_no_thread("poll_writable", || {
                lose(|| poll_fn(|cx| source.poll_writable(cx)));
            });
        },
    );
}

#[test]
fn a_cancelled_accept_needs_no_thread() {
    isolated("leftovers::a_cancelled_accept_needs_no_thread", || {
        let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0)).unwrap();
        needs_no_thread("accept", || lose(|| listener.accept()));
        needs_no_thread("incoming", || {
            lose(|| async { pin!(listener.incoming()).next().await });
            let mut incoming = pin!(listener.incoming());
            assert!(block_on(poll_once(incoming.next())).is_none());
        });
    });
}

#[test]
fn a_cancelled_receive_needs_no_thread() {
    isolated("leftovers::a_cancelled_receive_needs_no_thread", || {
        let socket = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0)).unwrap();
        needs_no_thread("recv_from", || {
            lose(|| async { socket.recv_from(&mut [0; 8]).await });
        });
        needs_no_thread("peek_from", || {
            lose(|| async { socket.peek_from(&mut [0; 8]).await });
        });
    });
}

#[test]
fn a_wait_that_outlives_its_block_on_needs_no_thread() {
    isolated(
        "leftovers::a_wait_that_outlives_its_block_on_needs_no_thread",
        || {
            let (source, _peer) = unready();
            let (mut readable, mut writable) = (source.readable(), source.writable());
            let mut timer = Timer::after(HOUR);
            let mut interval = Timer::interval(HOUR);
            needs_no_thread("a readable() that stays", || {
                assert!(block_on(poll_once(&mut readable)).is_none());
            });
            needs_no_thread("a writable() that stays", || {
                assert!(block_on(poll_once(&mut writable)).is_none());
            });
            needs_no_thread("a timer that stays", || {
                assert!(block_on(poll_once(&mut timer)).is_none());
            });
            needs_no_thread("an interval that stays", || {
                assert!(block_on(poll_once(interval.next())).is_none());
            });
        },
    );
}

/// A program may keep the waker of a `block_on` that has ended. It no longer wakes a task.
#[test]
fn a_kept_waker_needs_no_thread() {
    isolated("leftovers::a_kept_waker_needs_no_thread", || {
        let (source, _peer) = unready();
        let mut readable = source.readable();
        let mut timer = Timer::after(HOUR);
        let mut kept = Vec::new();
        needs_no_thread("waits left behind and a waker kept", || {
            for _ in 0..3 {
                block_on(poll_fn(|cx| {
                    kept.push(cx.waker().clone());
                    assert!(source.poll_writable(cx).is_pending());
                    assert!(Pin::new(&mut readable).poll(cx).is_pending());
                    assert!(Pin::new(&mut timer).poll(cx).is_pending());
                    Poll::Ready(())
                }));
            }
        });
        for waker in kept {
            waker.wake();
        }
    });
}

/// A wait that was left behind can be continued by the same thread, another thread, or a foreign
/// executor. Only the last one needs the fallback thread.
#[test]
fn a_wait_left_behind_can_be_taken_up_again() {
    isolated(
        "leftovers::a_wait_left_behind_can_be_taken_up_again",
        || {
            let (source, mut peer) = local_pair();
            let leave = || {
                let mut readable = source.readable();
                let mut timer = Timer::after(Duration::from_millis(2));
                let due = block_on(async {
                    assert!(poll_once(&mut readable).await.is_none());
                    poll_once(&mut timer).await.is_some()
                });
                (readable, timer, due)
            };
            let mut wait = |run: &dyn Fn(Pin<&mut (dyn Future<Output = ()> + Send)>)| {
                let (readable, timer, due) = leave();
                peer.write_all(b"x").unwrap();
                run(pin!(async {
                    readable.await.unwrap();
                    if !due {
                        timer.await;
                    }
                }));
                source.get_ref().read_exact(&mut [0]).unwrap();
            };
            needs_no_thread("waits that went on in block_on", || {
                for _ in 0..5 {
                    wait(&|future| block_on(future));
                    wait(&|future| {
                        thread::scope(|scope| {
                            scope.spawn(|| block_on(future)).join().unwrap();
                        });
                    });
                }
            });
            for _ in 0..5 {
                wait(&|future| foreign(future));
            }
        },
    );
}
