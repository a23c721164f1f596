//! A wait that is polled again without a turn in between asks the kernel again.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use async_executor::LocalExecutor;
use async_io::{Async, Timer, block_on};
use futures_lite::future::{or, poll_once};
use futures_lite::{AsyncRead, AsyncWrite, StreamExt};

use crate::assert_no_fallback_thread;
use crate::support::*;

/// A function that polls a wait. Returns true when the wait is over.
type Wait<'a> = Box<dyn FnMut(&mut Context<'_>) -> bool + 'a>;

/// Creates a wait for one direction of a source.
type NewWait = for<'a> fn(&'a Arc<Async<Local>>) -> Wait<'a>;

fn wait_for<'a, F: Future + 'a>(future: F) -> Wait<'a> {
    let mut future = Box::pin(future);
    Box::new(move |cx| future.as_mut().poll(cx).is_ready())
}

const READING: [(&str, NewWait); 6] = [
    ("readable", |source| wait_for(source.readable())),
    ("readable_owned", |source| {
        wait_for(Arc::clone(source).readable_owned())
    }),
    ("poll_readable", |source| {
        Box::new(|cx| source.poll_readable(cx).is_ready())
    }),
    ("read_with", |source| {
        wait_for(source.read_with(|mut io| io.read(&mut [0; 8])))
    }),
    ("poll_read", |source| {
        Box::new(|cx| {
            let mut reader: &Async<Local> = source;
            Pin::new(&mut reader).poll_read(cx, &mut [0; 8]).is_ready()
        })
    }),
    ("two readable futures", |source| {
        let (mut first, mut second) = (source.readable(), source.readable());
        Box::new(move |cx| {
            let first = Pin::new(&mut first).poll(cx).is_ready();
            Pin::new(&mut second).poll(cx).is_ready() && first
        })
    }),
];

const WRITING: [(&str, NewWait); 5] = [
    ("writable", |source| wait_for(source.writable())),
    ("writable_owned", |source| {
        wait_for(Arc::clone(source).writable_owned())
    }),
    ("poll_writable", |source| {
        Box::new(|cx| source.poll_writable(cx).is_ready())
    }),
    ("write_with", |source| {
        wait_for(source.write_with(|mut io| io.write(&[0; 8])))
    }),
    ("poll_write", |source| {
        Box::new(|cx| {
            let mut writer: &Async<Local> = source;
            Pin::new(&mut writer).poll_write(cx, &[0; 8]).is_ready()
        })
    }),
];

/// A source that is not ready, and the means to make it ready.
struct Scene {
    name: &'static str,
    source: Arc<Async<Local>>,
    peer: Local,
    new_wait: NewWait,
    /// How many bytes the source has written. They fill the peer's buffer.
    written: usize,
}

impl Scene {
    /// Creates a scene for each kind of wait.
    fn all() -> Vec<Scene> {
        let reading = READING.map(|(name, new_wait)| Scene::new(name, new_wait, false));
        let writing = WRITING.map(|(name, new_wait)| Scene::new(name, new_wait, true));
        reading.into_iter().chain(writing).collect()
    }

    fn new(name: &'static str, new_wait: NewWait, is_full: bool) -> Scene {
        let (source, peer) = local_pair();
        let written = if is_full { fill(source.get_ref()) } else { 0 };
        Scene {
            name,
            source: Arc::new(source),
            peer,
            new_wait,
            written,
        }
    }

    fn wait(&self) -> Wait<'_> {
        (self.new_wait)(&self.source)
    }

    /// Makes the source ready immediately.
    fn make_ready(&self) {
        let mut peer = &self.peer;
        if self.written == 0 {
            peer.write_all(b"data").unwrap();
        } else {
            peer.read_exact(&mut vec![0; self.written]).unwrap();
        }
    }
}

/// The number of polls within which readiness from before the first of them must be reported. The
/// rule in `src/core/source/state.rs` allows one poll to miss it. The rest is slack.
const POLLS: usize = 4;

/// Polls repeatedly without success, makes the source ready, and then polls repeatedly without a
/// wait in between.
#[track_caller]
fn polls_see_it(scene: &Scene, mut poll: impl FnMut() -> bool) {
    let name = scene.name;
    for _ in 0..10 {
        assert!(!poll(), "{name}: ready too early");
    }
    scene.make_ready();
    let polls = (1..1000).find(|_| poll());
    assert!(
        polls.is_some_and(|polls| polls <= POLLS),
        "{name}: seen by poll {polls:?}"
    );
}

/// A loop of frames, as in a game, in one poll of a `block_on` that never waits.
#[test]
fn a_wait_polled_by_a_frame_loop_sees_readiness() {
    isolated(
        "asking::a_wait_polled_by_a_frame_loop_sees_readiness",
        || {
            for scene in Scene::all() {
                let mut wait = scene.wait();
                block_on(poll_fn(|cx| {
                    polls_see_it(&scene, || wait(cx));
                    Poll::Ready(())
                }));
                assert_no_fallback_thread();
            }
        },
    );
}

/// The same in a `block_on` that has waited before. Only turns since the last poll of this wait
/// permit a poll to skip the system call.
#[test]
fn a_frame_loop_after_a_turn_sees_readiness() {
    isolated("asking::a_frame_loop_after_a_turn_sees_readiness", || {
        for scene in Scene::all() {
            let mut wait = scene.wait();
            block_on(async {
                assert!(!poll_fn(|cx| Poll::Ready(wait(cx))).await);
                Timer::after(Duration::from_millis(2)).await;
                poll_fn(|cx| {
                    polls_see_it(&scene, || wait(cx));
                    Poll::Ready(())
                })
                .await;
            });
            assert_no_fallback_thread();
        }
    });
}

/// A frame loop in which each frame is a call of `block_on`. The calls share one waker.
#[test]
fn a_wait_polled_once_per_block_on_sees_readiness() {
    isolated(
        "asking::a_wait_polled_once_per_block_on_sees_readiness",
        || {
            for scene in Scene::all() {
                let mut wait = scene.wait();
                polls_see_it(&scene, || block_on(poll_fn(|cx| Poll::Ready(wait(cx)))));
            }
        },
    );
}

/// A wait on a source on which an event has ended a previous wait.
#[test]
fn a_frame_loop_sees_data_after_data() {
    isolated("asking::a_frame_loop_sees_data_after_data", || {
        let (source, mut peer) = local_pair();
        block_on(async {
            for _ in 0..20 {
                let mut readable = source.readable();
                assert!(poll_once(&mut readable).await.is_none());
                peer.write_all(b"x").unwrap();
                readable.await.unwrap();
                source.get_ref().read_exact(&mut [0]).unwrap();
                let mut readable = source.readable();
                for _ in 0..3 {
                    assert!(poll_once(&mut readable).await.is_none());
                }
                peer.write_all(b"x").unwrap();
                let mut polls = 1;
                while poll_once(&mut readable).await.is_none() {
                    polls += 1;
                    assert!(polls <= POLLS, "not seen by {POLLS} polls");
                }
                source.get_ref().read_exact(&mut [0]).unwrap();
            }
        });
        assert_no_fallback_thread();
    });
}

/// Polls a future that only `make_ready` can complete.
async fn operation_in_frames(name: &str, operation: impl Future, make_ready: impl FnOnce()) {
    let mut operation = pin!(operation);
    // The first poll, a turn, and some more polls.
    assert!(poll_once(&mut operation).await.is_none(), "{name}: early");
    Timer::after(Duration::from_millis(2)).await;
    for _ in 0..10 {
        assert!(poll_once(&mut operation).await.is_none(), "{name}: early");
    }
    make_ready();
    let mut polls = 1;
    while poll_once(&mut operation).await.is_none() {
        polls += 1;
        assert!(polls <= POLLS, "{name}: not seen by {POLLS} polls");
    }
}

/// Operations of this crate that run their system call themselves.
#[test]
fn an_operation_polled_by_a_frame_loop_sees_readiness() {
    isolated(
        "asking::an_operation_polled_by_a_frame_loop_sees_readiness",
        || {
            block_on(async {
                let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0)).unwrap();
                let address = listener.get_ref().local_addr().unwrap();
                let connect = || drop(TcpStream::connect(address).unwrap());
                operation_in_frames("accept", listener.accept(), connect).await;
                let mut incoming = pin!(listener.incoming());
                operation_in_frames("incoming", incoming.next(), connect).await;

                let socket = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0)).unwrap();
                let address = socket.get_ref().local_addr().unwrap();
                let sender = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
                let send = || _ = sender.send_to(b"x", address).unwrap();
                operation_in_frames("recv_from", socket.recv_from(&mut [0; 8]), send).await;
                operation_in_frames("peek_from", socket.peek_from(&mut [0; 8]), send).await;

                let (stream, mut peer) = tcp_pair();
                let write = || peer.write_all(b"x").unwrap();
                operation_in_frames("peek", stream.peek(&mut [0; 8]), write).await;
            });
            assert_no_fallback_thread();
        },
    );
}

/// The duration of a slow step, after which the task yields.
const STEP_TIME: Duration = Duration::from_millis(5);

/// Runs a wait beside a task that yields `fast` times immediately and then after each slow step.
/// Makes the source ready in the first slow step, and returns how many slow steps follow until the
/// wait is over.
fn slow_steps_until_seen(fast: usize, wait: impl Future, make_ready: impl FnOnce()) -> usize {
    let slow = Cell::new(0);
    let (mut polls, mut make_ready) = (0, Some(make_ready));
    let steps = poll_fn(|cx| {
        polls += 1;
        if polls > fast {
            slow.set(slow.get() + 1);
            thread::sleep(STEP_TIME);
            if let Some(make_ready) = make_ready.take() {
                make_ready();
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    });
    let wait = async {
        wait.await;
    };
    block_on(or(wait, steps));
    slow.get() - 1
}

fn each_wait_beside_slow_steps(fast: usize, limit: usize) {
    for scene in Scene::all() {
        let mut wait = scene.wait();
        let wait = poll_fn(|cx| {
            if wait(cx) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        });
        let steps = slow_steps_until_seen(fast, wait, || scene.make_ready());
        assert!(steps <= limit, "{}: seen after {steps} steps", scene.name);
        assert_no_fallback_thread();
    }
}

#[test]
fn a_wait_beside_slow_yields_is_seen_after_a_few_of_them() {
    isolated(
        "asking::a_wait_beside_slow_yields_is_seen_after_a_few_of_them",
        || each_wait_beside_slow_steps(0, 4),
    );
}

/// Yields in the distant past do not decide how often the reactor gets a turn.
#[test]
fn a_wait_beside_yields_that_become_slow_is_seen() {
    isolated(
        "asking::a_wait_beside_yields_that_become_slow_is_seen",
        || each_wait_beside_slow_steps(1025, 20),
    );
}

/// A wait with the waker of a task in an executor: the task is polled only after its event has been
/// dispatched.
#[test]
fn a_task_beside_slow_yields_is_woken_after_a_few_of_them() {
    isolated(
        "asking::a_task_beside_slow_yields_is_woken_after_a_few_of_them",
        || {
            let (source, mut peer) = local_pair();
            let executor = LocalExecutor::new();
            let task = executor.spawn(async move { source.readable().await.unwrap() });
            // `task` is polled at each step, and `source` is not.
            let steps = slow_steps_until_seen(3, executor.run(task), || {
                peer.write_all(b"x").unwrap();
            });
            assert!(steps <= 20, "woken after {steps} steps");
        },
    );
}

/// A timer that is due ends at the next poll of its task.
#[test]
fn a_timer_beside_slow_yields_ends_after_a_few_of_them() {
    isolated(
        "asking::a_timer_beside_slow_yields_ends_after_a_few_of_them",
        || {
            let deadline = Instant::now() + 4 * STEP_TIME;
            let late = Cell::new(0);
            let steps = poll_fn(|cx| {
                if Instant::now() >= deadline {
                    late.set(late.get() + 1);
                }
                thread::sleep(STEP_TIME);
                cx.waker().wake_by_ref();
                Poll::Pending
            });
            let timer = async {
                Timer::at(deadline).await;
            };
            block_on(or(timer, steps));
            assert!(late.get() <= 4, "ended after {} steps", late.get());
            assert_no_fallback_thread();
        },
    );
}
