//! Timers that are set, reset, cancelled and moved between threads, many at a time.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use async_executor::Executor;
use async_io::Timer;
use fastrand::Rng;
use futures_lite::{FutureExt, future};

use super::runner::Runner;
use super::woken;

const HOUR: Duration = Duration::from_secs(3600);

/// Runs tasks on an executor of several threads, so that a timer is polled on different threads.
pub(crate) fn segment(rng: &mut Rng, wakeups: u64) {
    let tasks = rng.u64(1..100);
    let rounds = wakeups.div_ceil(tasks);
    let executor = Executor::new();
    let running: Vec<_> = (0..tasks)
        .map(|_| executor.spawn(rounds_of(rounds, rng.fork())))
        .collect();
    let (stop, stopped) = async_channel::bounded::<()>(1);
    let runners: Vec<Runner> = (0..rng.usize(1..4)).map(|_| Runner::any(rng)).collect();
    thread::scope(|scope| {
        for runner in runners {
            let (executor, stopped) = (&executor, stopped.clone());
            scope.spawn(move || runner.block_on(executor.run(stopped.recv())));
        }
        set_from_outside(rng, rounds);
        async_io::block_on(async {
            for task in running {
                task.await;
            }
        });
        drop(stop);
    });
}

async fn rounds_of(rounds: u64, mut rng: Rng) {
    for _ in 0..rounds {
        let (start, span) = (Instant::now(), Duration::from_nanos(rng.u64(..300_000)));
        match rng.u8(..4) {
            0 => {
                // The timer is first scheduled with another deadline, by polling it.
                let mut timer = Timer::after(if rng.bool() { HOUR } else { span / 2 });
                let _ = future::poll_once(&mut timer).await;
                timer.set_after(span);
                woken(timer).await;
            }
            1 => {
                let far = async {
                    Timer::after(HOUR).await;
                    unreachable!("an hour has passed")
                };
                woken(Timer::after(span)).or(far).await;
            }
            _ => {
                woken(Timer::after(span)).await;
                assert!(start.elapsed() >= span, "{span:?} ended early");
            }
        }
    }
}

/// A timer that one thread waits for and another thread sets.
struct Shared(Arc<Mutex<Timer>>);

impl Future for Shared {
    type Output = Instant;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Instant> {
        self.0.lock().unwrap().poll(cx)
    }
}

/// Sets a timer that another thread waits for. The other thread would otherwise wait for an hour.
fn set_from_outside(rng: &mut Rng, rounds: u64) {
    let timer = Arc::new(Mutex::new(Timer::after(HOUR)));
    let (runner, waited) = (Runner::any(rng), timer.clone());
    let (done, is_done) = std::sync::mpsc::sync_channel(0);
    let waiting = thread::spawn(move || {
        for _ in 0..rounds {
            runner.block_on(woken(Shared(waited.clone())));
            // The timer has fired, so it keeps no waker. The next poll sees any deadline that is
            // set after this.
            waited.lock().unwrap().set_after(HOUR);
            done.send(()).unwrap();
        }
    });
    for _ in 0..rounds {
        timer
            .lock()
            .unwrap()
            .set_after(Duration::from_nanos(rng.u64(..20_000)));
        is_done.recv().unwrap();
    }
    waiting.join().unwrap();
}
