//! Measures how many timers per second threads set, poll and drop, by the number of threads, with
//! this crate and with async-io 2.6.0.
//!
//! Each thread runs its own `block_on`. Each number of threads is measured three times with either
//! crate in turn, and the median counts. With a number as argument only this crate is measured, with
//! so many threads, for use under `strace -c -f` or `perf`.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

const THREADS: &[usize] = &[1, 2, 4, 8, 16, 32, 64];
const ROUNDS: usize = 3;
const ROUND: Duration = Duration::from_millis(700);
const TIMEOUT: Duration = Duration::from_secs(60);

/// Sets timers until `stop` is true. Returns how many.
async fn set_timers<T: Future + Unpin>(after: fn(Duration) -> T, stop: &AtomicBool) -> u64 {
    let mut count = 0;
    while !stop.load(Ordering::Relaxed) {
        for _ in 0..64 {
            let mut timer = after(TIMEOUT);
            poll_fn(|cx| {
                let _ = Pin::new(&mut timer).poll(cx);
                Poll::Ready(())
            })
            .await;
        }
        count += 64;
    }
    count
}

/// Returns the millions of timers per second that so many threads set.
fn rate(threads: usize, part: fn(&AtomicBool) -> u64) -> f64 {
    let stop = Arc::new(AtomicBool::new(false));
    let start = Instant::now();
    let running: Vec<_> = (0..threads)
        .map(|_| {
            let stop = Arc::clone(&stop);
            thread::spawn(move || part(&stop))
        })
        .collect();
    thread::sleep(ROUND);
    stop.store(true, Ordering::Relaxed);
    let counts = running.into_iter().filter_map(|thread| thread.join().ok());
    counts.sum::<u64>() as f64 / start.elapsed().as_secs_f64() / 1e6
}

fn ours(stop: &AtomicBool) -> u64 {
    ours::block_on(set_timers(ours::Timer::after, stop))
}

fn published(stop: &AtomicBool) -> u64 {
    upstream::block_on(set_timers(upstream::Timer::after, stop))
}

fn main() -> ExitCode {
    if let Some(argument) = std::env::args().nth(1) {
        let Ok(threads) = argument.parse() else {
            eprintln!("{argument:?} is not a number of threads");
            return ExitCode::FAILURE;
        };
        println!("{:.2} million timers per second", rate(threads, ours));
        return ExitCode::SUCCESS;
    }
    println!("| threads | this crate | async-io 2.6.0 |\n|---|---|---|");
    for &threads in THREADS {
        let mut rates = [Vec::new(), Vec::new()];
        for _ in 0..ROUNDS {
            rates[0].push(rate(threads, ours));
            rates[1].push(rate(threads, published));
        }
        let [ours, published] = rates.map(|mut rates| {
            rates.sort_by(f64::total_cmp);
            rates[ROUNDS / 2]
        });
        println!("| {threads} | {ours:.1} | {published:.1} |");
    }
    ExitCode::SUCCESS
}
