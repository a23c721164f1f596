//! `EINTR`: signals arrive continuously on every thread that waits.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use async_io::{Async, Timer};
use futures_lite::future::zip;

use crate::support::raw::{Target, interrupt_by_sigusr1};
use crate::support::{Runner, isolated, shared_pair, stress};

/// Two threads pass a byte and set timers while a third interrupts both as fast as it can. No
/// wake-up is lost, no timer is early, and no wait ends with an error.
#[test]
fn continuous_signals_lose_no_wake_up() {
    isolated("signals::continuous_signals_lose_no_wake_up", || {
        interrupt_by_sigusr1();
        storm(Runner::Ours, Runner::Ours);
        storm(Runner::Ours, Runner::Foreign);
    });
}

fn storm(one_runs: Runner, two_runs: Runner) {
    let (one, two) = shared_pair();
    let two = Arc::new(Async::new(two).unwrap());
    let rounds = stress(1_000);
    (&mut one.get_ref()).write_all(b"x").unwrap();
    (&mut two.get_ref()).write_all(b"x").unwrap();
    let (targets, known) = mpsc::channel();
    let workers = [(one, one_runs), (two, two_runs)].map(|(source, runner)| {
        let targets = targets.clone();
        thread::spawn(move || {
            targets.send(Target::current()).unwrap();
            pass_on(&source, runner, rounds);
            // Kept open until the other thread has finished its rounds.
            source
        })
    });
    let targets: Vec<Target> = known.iter().take(workers.len()).collect();
    // Signals may still be sent to a thread that has ended but has not been joined.
    while !workers.iter().all(|worker| worker.is_finished()) {
        targets.iter().for_each(|target| target.interrupt());
        thread::yield_now();
    }
    for worker in workers {
        drop(worker.join().unwrap());
    }
}

fn pass_on(source: &Async<UnixStream>, runner: Runner, rounds: usize) {
    for _ in 0..rounds {
        let (start, span) = (Instant::now(), Duration::from_micros(50));
        let mut byte = [0];
        let read = source.read_with(|mut stream| stream.read(&mut byte));
        let (count, _) = runner.block_on(zip(read, Timer::after(span)));
        assert!(start.elapsed() >= span);
        assert_eq!((count.unwrap(), byte), (1, *b"x"));
        (&mut source.get_ref()).write_all(&byte).unwrap();
    }
}
