//! Loops of an operation and a wait for readiness, which programs write around their own system
//! calls.
//!
//! If each time the kernel reports "ready" and the operation returns "would block", the loop must
//! let other tasks run and must not keep a processor busy. If the operation succeeds each time,
//! nothing must slow it down.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind, Read};
use std::net::{Shutdown, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::task::Context;
use std::thread;
use std::time::{Duration, Instant};

use async_executor::LocalExecutor;
use async_io::{Async, Timer, block_on};
use futures_lite::future::{or, zip};
use rustix::event::{PollFd, PollFlags, Timespec};

use crate::support::*;

/// Counts the iterations of a loop, and fails the test if the loop lets nothing else run.
#[derive(Default)]
struct Iterations(Cell<usize>);

impl Iterations {
    fn count(&self) {
        self.0.set(self.0.get() + 1);
        assert!(self.0.get() < 1_000_000, "the loop starves its thread");
    }

    /// Checks that the loop has run.
    #[track_caller]
    fn assert_some(&self, what: &str) {
        assert!(self.0.get() > 1, "{what}: no loop");
    }

    /// Checks that a loop without success has paused.
    #[track_caller]
    fn assert_few(&self, what: &str, span: Duration) {
        let (count, millis) = (self.0.get(), span.as_millis() as usize);
        self.assert_some(what);
        assert!(
            count <= 20 * millis,
            "{what}: {count} iterations in {millis} ms"
        );
    }
}

fn would_block<T>(result: &io::Result<T>) -> bool {
    matches!(result, Err(error) if error.kind() == ErrorKind::WouldBlock)
}

/// The ways in which a loop can wait for readiness.
#[derive(Clone, Copy, Debug)]
enum Means {
    Future,
    OwnedFuture,
    Poll,
}

const MEANS: [Means; 3] = [Means::Future, Means::OwnedFuture, Means::Poll];

impl Means {
    async fn readable<T>(self, source: &Arc<Async<T>>) {
        match self {
            Means::Future => source.readable().await,
            Means::OwnedFuture => source.clone().readable_owned().await,
            Means::Poll => poll_fn(|cx| source.poll_readable(cx)).await,
        }
        .unwrap();
    }

    async fn writable<T>(self, source: &Arc<Async<T>>) {
        match self {
            Means::Future => source.writable().await,
            Means::OwnedFuture => source.clone().writable_owned().await,
            Means::Poll => poll_fn(|cx| source.poll_writable(cx)).await,
        }
        .unwrap();
    }
}

const DATAGRAMS: usize = 100;

async fn send_all(means: Means, path: &Path, iterations: &Iterations) {
    let sender = Arc::new(Async::new(UnixDatagram::unbound().unwrap()).unwrap());
    for _ in 0..DATAGRAMS {
        loop {
            iterations.count();
            let sent = sender.get_ref().send_to(b"x", path);
            if !would_block(&sent) {
                sent.unwrap();
                break;
            }
            // The sender's own buffer has room. The buffer of the receiver is full, which readiness
            // of the sender does not show.
            means.writable(&sender).await;
        }
    }
}

async fn receive_all(receiver: &Async<UnixDatagram>) {
    for _ in 0..DATAGRAMS {
        receiver.recv(&mut [0; 8]).await.unwrap();
    }
}

/// The receiver runs in the same task as the loop of the sender.
#[test]
fn a_loop_around_writable_lets_a_receiver_in_its_task_run() {
    for means in MEANS {
        isolated(
            "loops::a_loop_around_writable_lets_a_receiver_in_its_task_run",
            move || {
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("receiver");
                let receiver = Async::<UnixDatagram>::bind(&path).unwrap();
                let iterations = Iterations::default();
                let send = send_all(means, &path, &iterations);
                block_on(zip(send, receive_all(&receiver)));
                foreign(zip(
                    send_all(means, &path, &iterations),
                    receive_all(&receiver),
                ));
            },
        );
    }
}

/// The receiver is another task of the executor.
#[test]
fn a_loop_around_writable_lets_a_receiver_on_its_thread_run() {
    isolated(
        "loops::a_loop_around_writable_lets_a_receiver_on_its_thread_run",
        || {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("receiver");
            let receiver = Async::<UnixDatagram>::bind(&path).unwrap();
            for means in MEANS {
                let iterations = Iterations::default();
                let executor = LocalExecutor::new();
                let receive = executor.spawn(receive_all(&receiver));
                let send = executor.spawn(send_all(means, &path, &iterations));
                block_on(executor.run(zip(receive, send)));
            }
        },
    );
}

/// Creates a connected datagram socket that is readable forever although no datagram can be
/// received. The peer keeps it connected.
fn shut_down_udp() -> (UdpSocket, UdpSocket) {
    let socket = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    let peer = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    socket.connect(peer.local_addr().unwrap()).unwrap();
    socket.set_nonblocking(true).unwrap();
    let socket: socket2::Socket = socket.into();
    socket.shutdown(Shutdown::Read).unwrap();
    (socket.into(), peer)
}

/// Returns whether this system reports such a socket as the tests need it: "ready", and "would
/// block".
fn contradicts(socket: &UdpSocket) -> bool {
    let mut asked = [PollFd::new(socket, PollFlags::IN)];
    let ready = rustix::event::poll(&mut asked, Some(&Timespec::default())).unwrap();
    ready == 1 && would_block(&socket.recv(&mut [0; 8]))
}

/// Runs a loop that never ends until a timer fires, and returns the elapsed time.
fn until_a_timer_fires(runner: Runner, endless: impl Future) -> Duration {
    let start = Instant::now();
    let timer = async {
        Timer::after(Duration::from_millis(100)).await;
    };
    let endless = async {
        endless.await;
    };
    runner.block_on(or(endless, timer));
    start.elapsed()
}

#[test]
fn a_loop_around_readable_lets_a_timer_end_it() {
    isolated("loops::a_loop_around_readable_lets_a_timer_end_it", || {
        let (socket, _peer) = shut_down_udp();
        if !contradicts(&socket) {
            return;
        }
        let source = Arc::new(Async::new(socket).unwrap());
        for means in MEANS {
            for runner in Runner::BOTH {
                let iterations = Iterations::default();
                let endless = async {
                    loop {
                        iterations.count();
                        let received = source.get_ref().recv(&mut [0; 8]);
                        assert!(would_block(&received));
                        means.readable(&source).await;
                    }
                };
                let span = until_a_timer_fires(runner, endless);
                iterations.assert_few(&format!("{means:?}"), span);
            }
        }
    });
}

/// The receiver never reads, so the loop has to pause. Each refused attempt causes a new event.
#[test]
fn a_loop_around_writable_pauses_while_the_receiver_is_full() {
    isolated(
        "loops::a_loop_around_writable_pauses_while_the_receiver_is_full",
        || {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("receiver");
            let _receiver = UnixDatagram::bind(&path).unwrap();
            for means in MEANS {
                for runner in Runner::BOTH {
                    let sender = Arc::new(Async::new(UnixDatagram::unbound().unwrap()).unwrap());
                    while sender.get_ref().send_to(b"x", &path).is_ok() {}
                    let iterations = Iterations::default();
                    let endless = async {
                        loop {
                            iterations.count();
                            let sent = sender.get_ref().send_to(b"x", &path);
                            assert!(would_block(&sent));
                            means.writable(&sender).await;
                        }
                    };
                    let span = until_a_timer_fires(runner, endless);
                    iterations.assert_few(&format!("{means:?} in {runner:?}"), span);
                }
            }
        },
    );
}

/// A loop that waits first. Each wait has a fresh waker, as in some executors.
#[test]
fn a_loop_around_readable_with_changing_wakers_lets_a_timer_end_it() {
    isolated(
        "loops::a_loop_around_readable_with_changing_wakers_lets_a_timer_end_it",
        || {
            let (socket, _peer) = shut_down_udp();
            if !contradicts(&socket) {
                return;
            }
            let source = Arc::new(Async::new(socket).unwrap());
            let iterations = Iterations::default();
            let endless = async {
                loop {
                    iterations.count();
                    let mut readable = source.readable();
                    poll_fn(|cx| {
                        let own = cx.waker().clone();
                        poll(&mut readable, &waker_fn(move || own.wake_by_ref()))
                    })
                    .await
                    .unwrap();
                }
            };
            let span = until_a_timer_fires(Runner::Ours, endless);
            iterations.assert_few("changing wakers", span);
        },
    );
}

/// Waits repeatedly for readiness that is present: for one direction, for two alternately, and on
/// two sources. The objects are ready and would not refuse an operation, so the waits yield and do
/// not pause.
#[test]
fn a_loop_of_waits_alone_lets_a_timer_end_it() {
    async fn loop_of_waits(first: impl AsyncFn(), second: impl AsyncFn(), count: &Iterations) {
        loop {
            count.count();
            first().await;
            second().await;
        }
    }

    isolated("loops::a_loop_of_waits_alone_lets_a_timer_end_it", || {
        let ready_pair = || {
            let (source, peer) = local_pair();
            (&peer).write_byte();
            (Arc::new(source), peer)
        };
        let (source, _peer) = ready_pair();
        let (other, _other_peer) = ready_pair();
        for means in MEANS {
            let read = async || means.readable(&source).await;
            let write = async || means.writable(&source).await;
            let read_other = async || means.readable(&other).await;
            for runner in Runner::BOTH {
                let count = Iterations::default();
                until_a_timer_fires(runner, loop_of_waits(read, read, &count));
                count.assert_some(&format!("reading, {means:?}"));
                let count = Iterations::default();
                until_a_timer_fires(runner, loop_of_waits(write, write, &count));
                count.assert_some(&format!("writing, {means:?}"));
                let count = Iterations::default();
                until_a_timer_fires(runner, loop_of_waits(read, write, &count));
                count.assert_some(&format!("both directions, {means:?}"));
                let count = Iterations::default();
                until_a_timer_fires(runner, loop_of_waits(read, read_other, &count));
                count.assert_some(&format!("two sources, {means:?}"));
            }
        }
    });
}

/// The same with an operation of this crate instead of the loop.
#[test]
fn a_receive_after_shutdown_lets_a_timer_end_it() {
    isolated(
        "loops::a_receive_after_shutdown_lets_a_timer_end_it",
        || {
            let (socket, _peer) = shut_down_udp();
            if !contradicts(&socket) {
                return;
            }
            let source = Async::new(socket).unwrap();
            for runner in Runner::BOTH {
                let endless = async { source.recv(&mut [0; 8]).await.unwrap() };
                until_a_timer_fires(runner, endless);
                let calls = Iterations::default();
                let endless = source.read_with(|socket| {
                    calls.count();
                    socket.recv(&mut [0; 8])
                });
                let span = until_a_timer_fires(runner, endless);
                calls.assert_few("read_with", span);
            }
        },
    );
}

/// How often a task was not finished after a poll, by kind.
#[derive(Debug, Default)]
struct Pauses {
    /// The task has woken itself and is polled again immediately.
    yields: usize,
    /// The task waits for a timer, or for another thread that is about to call its waker. The second
    /// case happens if that thread fetches an event while the task asks the kernel.
    pauses: usize,
}

/// A loop that pauses does so in nearly every round. A loop that does not pause may seem to pause in
/// at most one of this many rounds.
const SELDOM: usize = 10;

/// Polls a task to its end and counts its pauses.
fn count_pauses(task: impl Future) -> Pauses {
    let mut found = Pauses::default();
    let (counter, waker) = Counter::new();
    let mut task = pin!(task);
    loop {
        let before = counter.wakes();
        if task
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_ready()
        {
            return found;
        }
        if counter.wakes() > before {
            found.yields += 1;
        } else {
            found.pauses += 1;
            counter.wait_for(before + 1);
        }
    }
}

/// Creates a socket with a queue of datagrams, all of which arrive before the first is received.
fn queued_datagrams(count: usize) -> (Async<UdpSocket>, usize) {
    let socket = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    let sender = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    sender.connect(socket.local_addr().unwrap()).unwrap();
    for _ in 0..count {
        sender.send(b"x").unwrap();
    }
    (Async::new(socket).unwrap(), count)
}

const QUEUED: usize = 200;

/// Each wait is followed by an operation of this crate that succeeds, so there is no contradiction.
#[test]
fn a_loop_that_receives_each_time_does_not_pause() {
    guarded(|| {
        let (socket, count) = queued_datagrams(QUEUED);
        let found = count_pauses(async {
            for _ in 0..count {
                socket.readable().await.unwrap();
                socket.recv(&mut [0; 8]).await.unwrap();
            }
        });
        assert!(
            found.pauses <= count / SELDOM,
            "{found:?} for {count} datagrams"
        );
    });
}

/// The operation is the program's own, so its success cannot be observed. Pauses must be rare
/// nevertheless.
#[test]
fn a_loop_with_its_own_receive_seldom_pauses() {
    guarded(|| {
        let (socket, count) = queued_datagrams(QUEUED);
        let found = count_pauses(async {
            for _ in 0..count {
                socket.readable().await.unwrap();
                socket.get_ref().recv(&mut [0; 8]).unwrap();
            }
        });
        assert!(
            found.pauses <= count / SELDOM,
            "{found:?} for {count} datagrams"
        );
    });
}

const SENT: usize = 10_000;

#[test]
fn a_loop_that_sends_each_time_does_not_pause() {
    guarded(|| {
        let socket = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
        let peer = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
        socket.connect(peer.local_addr().unwrap()).unwrap();
        let socket = Async::new(socket).unwrap();
        // The peer never receives. The kernel drops what does not fit, and the socket stays
        // writable.
        let found = count_pauses(async {
            for _ in 0..SENT {
                socket.writable().await.unwrap();
                socket.send(b"x").await.unwrap();
            }
        });
        assert!(
            found.pauses <= SENT / SELDOM,
            "{found:?} for {SENT} datagrams"
        );
        let found = count_pauses(async {
            for _ in 0..SENT {
                socket.writable().await.unwrap();
                socket.get_ref().send(b"x").unwrap();
            }
        });
        assert!(
            found.pauses <= SENT / SELDOM,
            "{found:?} for {SENT} datagrams"
        );
    });
}

/// The peer reads continuously. The buffer of the stream is large enough for all writes, so waits
/// for room are not counted as pauses.
#[test]
fn a_loop_that_writes_each_time_does_not_pause() {
    use futures_lite::AsyncWriteExt;
    guarded(|| {
        let (source, mut peer) = tcp_pair();
        let reader = thread::spawn(move || io::copy(&mut peer.by_ref(), &mut io::sink()).unwrap());
        let found = count_pauses(async {
            for _ in 0..SENT {
                source.writable().await.unwrap();
                assert_eq!((&source).write(b"x").await.unwrap(), 1);
            }
        });
        assert!(found.pauses <= SENT / SELDOM, "{found:?} for {SENT} writes");
        drop(source);
        assert_eq!(reader.join().unwrap(), SENT as u64);
    });
}

/// A wait is not a repetition if its source has become unready in between.
#[test]
fn a_wait_after_a_wait_for_news_does_not_pause() {
    guarded(|| {
        let (source, peer) = local_pair();
        for _ in 0..200 {
            (&peer).write_byte();
            let mut polls = 0;
            let mut readable = source.readable();
            let counted = poll_fn(|cx| {
                polls += 1;
                poll(&mut readable, cx.waker())
            });
            block_on(counted).unwrap();
            assert_eq!(source.get_ref().read_byte(), b'x');
            assert!(polls <= 3, "{polls} polls for data that was there");
        }
    });
}

trait Bytes {
    fn write_byte(self);
    fn read_byte(self) -> u8;
}

impl Bytes for &Local {
    fn write_byte(mut self) {
        io::Write::write_all(&mut self, b"x").unwrap();
    }

    fn read_byte(mut self) -> u8 {
        let mut byte = [0];
        self.read_exact(&mut byte).unwrap();
        byte[0]
    }
}
