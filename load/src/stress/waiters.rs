//! Many tasks that wait for one source, on several threads. Some of the waits are cancelled.

use std::future::{Future, poll_fn};
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::pin::pin;
use std::sync::Arc;
use std::thread;

use async_executor::Executor;
use async_io::Async;
use fastrand::Rng;
use futures_lite::future;

use super::end::watched;
use super::runner::Runner;
use crate::watchdog;

struct Waiter {
    source: Arc<Async<UnixStream>>,
    by_slot: bool,
    /// Receives a message when the waiter waits, or was ready at once.
    begun: async_channel::Sender<()>,
    seen: async_channel::Sender<u64>,
    /// Receives a message when the byte of the last round has been read.
    next: async_channel::Receiver<()>,
    rng: Rng,
}

/// Runs rounds. In each round one byte arrives, and every waiter must be woken before the byte is
/// read.
pub(crate) fn segment(rng: &mut Rng, wakeups: u64) {
    let count = rng.u64(2..40);
    let rounds = wakeups.div_ceil(count);
    let (local, mut peer) = UnixStream::pair().unwrap();
    let source = watched(local).unwrap();
    let ((begun, all_begun), (seen, all_seen)) =
        (async_channel::unbounded(), async_channel::unbounded());
    let executor = Executor::new();
    let (mut tasks, mut gates) = (Vec::new(), Vec::new());
    for number in 0..count {
        let (gate, next) = async_channel::bounded(1);
        let waiter = Waiter {
            source: source.clone(),
            by_slot: number == 0,
            begun: begun.clone(),
            seen: seen.clone(),
            next,
            rng: rng.fork(),
        };
        tasks.push(executor.spawn(waiter.wait_rounds(rounds)));
        gates.push(gate);
    }
    let (stop, stopped) = async_channel::bounded::<()>(1);
    let runners: Vec<Runner> = (0..rng.usize(1..4)).map(|_| Runner::any(rng)).collect();
    let director = Runner::any(rng);
    thread::scope(|scope| {
        for runner in runners {
            let (executor, stopped) = (&executor, stopped.clone());
            scope.spawn(move || runner.block_on(executor.run(stopped.recv())));
        }
        director.block_on(async {
            for round in 1..=rounds {
                // The byte is sent while the waiters begin to wait, or when all of them wait.
                let early = if rng.u8(..4) == 0 {
                    rng.u64(..count)
                } else {
                    count
                };
                for number in 0..=count {
                    if number == early {
                        peer.write_all(b"x").unwrap();
                    }
                    if number < count {
                        all_begun.recv().await.unwrap();
                    }
                }
                for _ in 0..count {
                    assert_eq!(all_seen.recv().await.unwrap(), round);
                }
                source.get_ref().read_exact(&mut [0]).unwrap();
                for gate in &gates {
                    gate.try_send(()).unwrap();
                }
            }
            for task in tasks {
                task.await;
            }
        });
        drop(stop);
    });
}

impl Waiter {
    async fn wait_rounds(mut self, rounds: u64) {
        for round in 1..=rounds {
            if self.rng.u8(..4) == 0 {
                // A cancelled wait must not take the event from the others.
                let _ = future::poll_once(self.source.readable()).await;
            }
            let by_slot = poll_fn(|cx| self.source.poll_readable(cx));
            if self.by_slot {
                self.wait(by_slot).await;
            } else if self.rng.bool() {
                self.wait(self.source.readable()).await;
            } else {
                self.wait(self.source.clone().readable_owned()).await;
            }
            // A waiter must not be woken for the byte of the previous round, which has been read.
            // The byte of this round must be present.
            let waiting = rustix::io::ioctl_fionread(self.source.get_ref()).unwrap();
            assert_eq!(waiting, 1, "woken in round {round} without its byte");
            self.seen.send(round).await.unwrap();
            self.next.recv().await.unwrap();
        }
    }
    async fn wait(&self, readable: impl Future<Output = io::Result<()>>) {
        let mut readable = pin!(readable);
        let at_once = future::poll_once(readable.as_mut()).await;
        self.begun.send(()).await.unwrap();
        match at_once {
            Some(result) => result.unwrap(),
            None => {
                readable.await.unwrap();
                watchdog::progress();
            }
        }
    }
}
