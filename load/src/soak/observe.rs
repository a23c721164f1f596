//! Observation of a run: live objects, stuck waits, and the final counts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::memory::Samples;
use super::{Options, SHORT_AT_ONCE, Shared, VISITS, client, timers, watch};
use crate::system;

/// Observes a run until its end: memory, stuck waits, failures.
pub(super) fn observe(
    options: &Options,
    shared: &Shared,
    processes: [u32; 2],
) -> Result<(), String> {
    let end = Instant::now() + Duration::from_secs_f64(options.minutes * 60.0);
    let mut samples = [Samples::default(), Samples::default()];
    let mut seconds = 0;
    // The run ends only after all short connections have ended, however long they take.
    let short = options.short / SHORT_AT_ONCE as u64 * SHORT_AT_ONCE as u64;
    while Instant::now() < end || client::SHORT.load(Ordering::Acquire) < short {
        thread::sleep(Duration::from_secs(1));
        seconds += 1;
        for (samples, process) in samples.iter_mut().zip(processes) {
            samples.push(system::resident_kib(process));
        }
        shared.check()?;
        give_up_if_stuck(shared)?;
        if seconds % 30 == 0 {
            let (messages, fired) = (&client::MESSAGES, &timers::FIRED);
            println!(
                "soak: {seconds} s: {} messages, {} short connections, {} timers fired",
                messages.load(Ordering::Relaxed),
                client::SHORT.load(Ordering::Relaxed),
                fired.load(Ordering::Relaxed),
            );
        }
    }
    for (samples, name) in samples.iter().zip(["client", "server"]) {
        let (before, after) = samples
            .judge()
            .map_err(|error| format!("{name}: {error}"))?;
        println!(
            "soak: {name}: {before} KiB resident in the second quarter, {after} KiB in the last"
        );
    }
    Ok(())
}

fn give_up_if_stuck(shared: &Shared) -> Result<(), String> {
    let stuck = shared.watch.stuck();
    for one in stuck.iter().take(20) {
        eprintln!("soak: stuck: {one}");
    }
    match stuck.len() {
        0 => Ok(()),
        count => Err(format!(
            "{count} connections wait for an answer that does not come"
        )),
    }
}

pub(super) fn wait_until(
    shared: &Shared,
    what: &str,
    mut done: impl FnMut() -> bool,
) -> Result<(), String> {
    let start = Instant::now();
    while !done() {
        shared.check()?;
        give_up_if_stuck(shared)?;
        if start.elapsed() > 3 * watch::PATIENCE {
            return Err(format!("timed out waiting for {what}"));
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

pub(super) fn sum_up(shared: &Shared, options: &Options) -> Result<u64, String> {
    shared.check()?;
    let get = |counter: &AtomicU64| counter.load(Ordering::Acquire);
    let (sent, received) = (get(&client::SENT), get(&client::RECEIVED));
    println!(
        "soak: {} messages, {sent} bytes sent, {received} received; {} short connections; \
         {} reads cancelled",
        get(&client::MESSAGES),
        get(&client::SHORT),
        get(&client::GIVEN_UP),
    );
    println!(
        "soak: {} timers fired, {} reset; {} storms of cancelled waits; {} short-lived threads",
        get(&timers::FIRED),
        get(&timers::CANCELLED),
        get(&timers::STORMS),
        get(&VISITS),
    );
    if sent != received {
        return Err("not all bytes were echoed".into());
    }
    let early = options.minutes * 60.0 > 5.0 && get(&timers::FIRED) == 0 && options.timers > 1000;
    if get(&client::MESSAGES) == 0 || early {
        return Err("nothing happened".into());
    }
    Ok(sent)
}
