//! The output: a progress bar, then a summary.

use std::io::{IsTerminal, stderr};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use indicatif::{ProgressBar, ProgressStyle};

use crate::load::Load;
use crate::options::{Mode, Options};

/// Shows the progress until all threads have sent their results, and returns the sum of the
/// results.
///
/// The calling thread waits on a channel, not in `block_on`: it must not drive the reactor, because
/// that would distort the measurement.
pub(crate) fn progress(
    started: Instant,
    duration: Duration,
    done: &AtomicUsize,
    results: &Receiver<Load>,
) -> Load {
    let terminal = stderr().is_terminal();
    let bar = if terminal {
        ProgressBar::new(duration.as_millis() as u64)
    } else {
        ProgressBar::hidden()
    };
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {msg}") {
        bar.set_style(style);
    }
    let interval = Duration::from_millis(if terminal { 100 } else { 1000 });

    let (mut total, mut last) = (Load::default(), (started, 0));
    loop {
        match results.recv_timeout(interval) {
            Ok(load) => total.add(load),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                let (now, count) = (Instant::now(), done.load(Ordering::Relaxed));
                let rate = count.wrapping_sub(last.1) as f64 / (now - last.0).as_secs_f64();
                let line = format!(
                    "{:4.1} s  {rate:>8.0} requests/s",
                    (now - started).as_secs_f64()
                );
                last = (now, count);
                bar.set_position((now - started).as_millis() as u64);
                bar.set_message(line.clone());
                if !terminal {
                    eprintln!("{line}");
                }
            }
        }
    }
    bar.finish_and_clear();
    total
}

impl Load {
    fn add(&mut self, other: Load) {
        self.latencies
            .add(other.latencies)
            .expect("all histograms have the same bounds");
        self.failed += other.failed;
        self.first_error = self.first_error.take().or(other.first_error);
        self.cpu = self.cpu.zip(other.cpu).map(|(a, b)| a + b);
    }
}

/// Prints the summary and returns whether all requests succeeded.
pub(crate) fn print(
    address: SocketAddr,
    options: &Options,
    load: &Load,
    server_cpu: Option<Duration>,
) -> bool {
    let requests = load.latencies.len();
    let rate = requests as f64 / load.elapsed.as_secs_f64();
    println!(
        "{address}: {} connections, {} bytes, {} thread(s) per side, {:.1?}",
        options.connections, options.size, options.threads, load.elapsed
    );
    println!("requests     {requests} answered, every byte compared");
    println!(
        "rate         {rate:.0} requests/s, {:.1} MB/s each way",
        rate * options.size as f64 / 1e6
    );
    if requests > 0 {
        print_latencies(&load.latencies);
        print_cpu(options, load, server_cpu);
    }
    if let Some(error) = &load.first_error {
        println!(
            "FAILED       {} of {} connections; first error: {error}",
            load.failed, options.connections
        );
    } else if requests == 0 {
        println!("FAILED       no request was answered in time: increase --seconds");
    }
    load.failed == 0 && requests > 0
}

fn print_latencies(latencies: &Histogram<u64>) {
    let at = |quantile| Duration::from_nanos(latencies.value_at_quantile(quantile));
    println!(
        "latency      p50 {:.1?}, p90 {:.1?}, p99 {:.1?}, p99.9 {:.1?}, max {:.1?}",
        at(0.5),
        at(0.9),
        at(0.99),
        at(0.999),
        Duration::from_nanos(latencies.max())
    );

    for magnitude in 3..13 {
        for (low, high) in [(1, 2), (2, 5), (5, 10)] {
            print_row(
                latencies,
                low * 10_u64.pow(magnitude),
                high * 10_u64.pow(magnitude),
            );
        }
    }
}

/// Prints one row of the histogram: the requests that took from `low` to `high` nanoseconds.
fn print_row(latencies: &Histogram<u64>, low: u64, high: u64) {
    let count = latencies.count_between(low, high - 1);
    if count > 0 {
        let share = count as f64 / latencies.len() as f64;
        let range = format!(
            "{:?} to {:?}",
            Duration::from_nanos(low),
            Duration::from_nanos(high)
        );
        let bar = "#".repeat((share * 40.0).round() as usize);
        println!(
            "{}",
            format!("  {range:>16} {:6.2} % {bar}", share * 100.0).trim_end()
        );
    }
}

fn print_cpu(options: &Options, load: &Load, server: Option<Duration>) {
    let each = |cpu: Duration| {
        format!(
            "{:.2} us",
            cpu.as_secs_f64() * 1e6 / load.latencies.len() as f64
        )
    };
    let (Some(process), Some(clients)) = (load.process_cpu, load.cpu) else {
        println!("CPU/request  unknown on this platform");
        return;
    };
    print!("CPU/request  {}", each(process));
    if let (Mode::Both, Some(server)) = (options.mode, server) {
        let rest = process.saturating_sub(server + clients);
        print!(
            " (server {}, load {}, other threads {})",
            each(server),
            each(clients),
            each(rest)
        );
    }
    println!();
}
