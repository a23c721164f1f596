//! The role of driving the reactor moves between threads and is never lost.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use async_io::{Async, Timer};
use futures_lite::future::or;

use crate::support::{Noise, Runner, guarded, stress};

/// A thread that answers each byte with the same byte, after a short timer.
struct Echo {
    peer: UnixStream,
    thread: JoinHandle<()>,
}

impl Echo {
    fn start(runner: Runner) -> Self {
        let (local, peer) = UnixStream::pair().unwrap();
        let thread = thread::spawn(move || {
            let source = Async::new(local).unwrap();
            runner.block_on(async {
                let mut byte = [0];
                while source
                    .read_with(|mut stream| stream.read(&mut byte))
                    .await
                    .unwrap()
                    > 0
                {
                    Timer::after(Duration::from_micros(200)).await;
                    source
                        .write_with(|mut stream| stream.write(&byte))
                        .await
                        .unwrap();
                }
            });
        });
        Self { peer, thread }
    }

    fn ask(&mut self, byte: u8) {
        self.peer.write_all(&[byte]).unwrap();
        let mut answer = [0];
        self.peer.read_exact(&mut answer).unwrap();
        assert_eq!(answer, [byte]);
    }

    fn stop(self) {
        drop(self.peer);
        self.thread.join().unwrap();
    }
}

/// Starts a thread that waits in `block_on` for a byte and then computes until `stop` is set.
fn computing(stop: Arc<AtomicBool>) -> (UnixStream, mpsc::Receiver<()>, JoinHandle<()>) {
    let (local, peer) = UnixStream::pair().unwrap();
    let (computes, does_compute) = mpsc::channel();
    let thread = thread::spawn(move || {
        let source = Async::new(local).unwrap();
        async_io::block_on(async {
            source.readable().await.unwrap();
            computes.send(()).unwrap();
            while !stop.load(Ordering::Acquire) {
                std::hint::spin_loop();
            }
        });
    });
    (peer, does_compute, thread)
}

/// A long computation inside one `block_on` delays no other thread: all others are served before it
/// ends. The computing thread may or may not have been driving the reactor.
#[test]
fn a_long_computation_delays_no_other_thread() {
    for computing_first in [true, false] {
        guarded(move || {
            let stop = Arc::new(AtomicBool::new(false));
            let early = computing_first.then(|| computing(stop.clone()));
            let mut echoes = [Runner::Ours, Runner::Foreign, Runner::Ours].map(Echo::start);
            // All threads sleep in their waits, and each of them was the last to enter once.
            for byte in 0..10 {
                echoes.iter_mut().for_each(|echo| echo.ask(byte));
            }
            let (mut peer, computes, thread) = early.unwrap_or_else(|| computing(stop.clone()));
            peer.write_all(b"x").unwrap();
            computes.recv().unwrap();
            for byte in 0..50 {
                echoes.iter_mut().for_each(|echo| echo.ask(byte));
            }
            stop.store(true, Ordering::Release);
            thread.join().unwrap();
            echoes.into_iter().for_each(Echo::stop);
        });
    }
}

/// The same with a single other thread, which sleeps in `block_on`. No further thread could take
/// over.
#[test]
fn a_long_computation_does_not_delay_a_single_sleeper() {
    guarded(|| {
        for _ in 0..20 {
            let stop = Arc::new(AtomicBool::new(false));
            let (mut peer, computes, thread) = computing(stop.clone());
            let mut echo = Echo::start(Runner::Ours);
            echo.ask(1);
            peer.write_all(b"x").unwrap();
            computes.recv().unwrap();
            for byte in 0..10 {
                echo.ask(byte);
            }
            stop.store(true, Ordering::Release);
            thread.join().unwrap();
            echo.stop();
        }
    });
}

/// A `block_on` thread that blocks on a lock or channel of the program behaves like a computing
/// one.
#[test]
fn a_blocked_thread_delays_no_other_thread() {
    guarded(|| {
        let (local, mut peer) = UnixStream::pair().unwrap();
        let (release, released) = mpsc::channel::<()>();
        let (blocks, does_block) = mpsc::channel();
        let blocked = thread::spawn(move || {
            let source = Async::new(local).unwrap();
            async_io::block_on(async {
                source.readable().await.unwrap();
                blocks.send(()).unwrap();
                let _ = released.recv();
            });
        });
        let mut echoes = Runner::BOTH.map(Echo::start);
        peer.write_all(b"x").unwrap();
        does_block.recv().unwrap();
        for byte in 0..50 {
            echoes.iter_mut().for_each(|echo| echo.ask(byte));
        }
        drop(release);
        blocked.join().unwrap();
        echoes.into_iter().for_each(Echo::stop);
    });
}

/// One `block_on` ends while another sleeps. Events of the other one are still delivered.
#[test]
fn events_arrive_after_another_call_has_ended() {
    guarded(|| {
        let mut echo = Echo::start(Runner::Ours);
        for round in 0..stress(300) {
            let (local, mut peer) = UnixStream::pair().unwrap();
            let source = Async::new(local).unwrap();
            let ending = thread::spawn(move || async_io::block_on(source.readable()));
            echo.ask(round as u8);
            peer.write_all(b"x").unwrap();
            ending.join().unwrap().unwrap();
            echo.ask(round as u8);
        }
        echo.stop();
    });
}

/// The same if the end coincides with an event of the other one.
#[test]
fn events_arrive_while_another_call_ends() {
    guarded(|| {
        let mut echo = Echo::start(Runner::Ours);
        let mut noise = Noise::new(9);
        for round in 0..stress(1_000) {
            let (stop, stopped) = async_channel::bounded::<()>(1);
            let ending = thread::spawn(move || {
                let far = async {
                    Timer::after(Duration::from_secs(600)).await;
                };
                let end = async {
                    let _ = stopped.recv().await;
                };
                async_io::block_on(or(end, far));
            });
            noise.dawdle();
            drop(stop);
            noise.dawdle();
            echo.ask(round as u8);
            ending.join().unwrap();
        }
        echo.stop();
    });
}

/// Many threads start and end, each with a few waits. Different threads drive the reactor one after
/// another.
#[test]
fn events_arrive_while_threads_start_and_end() {
    guarded(|| {
        let worker = |seed: u64| {
            let mut noise = Noise::new(seed);
            for _ in 0..stress(100) {
                let runner = Runner::BOTH[noise.below(2)];
                let (local, mut peer) = UnixStream::pair().unwrap();
                let source = Async::new(local).unwrap();
                let writer = thread::spawn(move || {
                    let pause = Duration::from_micros(noise.below(200) as u64);
                    runner.block_on(Timer::after(pause));
                    peer.write_all(b"x").unwrap();
                    noise
                });
                runner.block_on(source.readable()).unwrap();
                noise = writer.join().unwrap();
            }
        };
        let workers = [10, 11, 12, 13].map(|seed| thread::spawn(move || worker(seed)));
        for worker in workers {
            worker.join().unwrap();
        }
    });
}
