//! What the event loops host, and the checks that are the same for each of them.
//!
//! A [`Guest`] is a manual reactor with tasks: an echo server, an interval, and a task that receives
//! values from another thread. The loop calls [`Guest::prepare`] before it waits for the reactor's
//! descriptor, and [`Guest::turn`] when the descriptor is readable. It uses no time limit, so the
//! descriptor alone must announce all three.
//!
//! [`exercise`] makes the guest work, then counts the wake-ups of the loop while nothing is due, and
//! then makes the guest work again.

mod guest;
mod work;

use std::io;
use std::time::Duration;

pub use guest::Guest;

const IDLE: Duration = Duration::from_millis(300);

/// An event loop with a guest.
pub trait Host {
    /// Waits until something happens, and handles it.
    fn round(&mut self) -> io::Result<()>;

    /// Schedules an alarm in the loop, with a timer of the loop itself.
    fn set_alarm(&mut self, after: Duration) -> io::Result<()>;

    /// Whether the alarm has gone off.
    fn has_alarmed(&self) -> bool;
}

/// Runs the work of the guest, an idle phase, and the work again. Fails if a result is wrong.
pub fn exercise(host: &mut impl Host, guest: &Guest) -> io::Result<()> {
    work_once(host, guest)?;
    let wakeups = count_idle_wakeups(host, guest)?;
    println!("  {wakeups} wake-ups in {IDLE:?} without work");
    if wakeups != 0 {
        return Err(io::Error::other("the loop has woken while nothing was due"));
    }
    work_once(host, guest)
}

fn work_once(host: &mut impl Host, guest: &Guest) -> io::Result<()> {
    let work = guest.start_work()?;
    let mut rounds = 0;
    while !guest.is_done()? {
        host.round()?;
        rounds += 1;
    }
    work.join()?;
    let counts = guest.take_counts()?;
    println!("  {counts}; {rounds} rounds of the loop");
    Ok(())
}

/// Returns how often the loop wakes before its own alarm ends the phase.
fn count_idle_wakeups(host: &mut impl Host, guest: &Guest) -> io::Result<u32> {
    host.set_alarm(IDLE)?;
    let mut wakeups = 0;
    loop {
        host.round()?;
        guest.check()?;
        if host.has_alarmed() {
            return Ok(wakeups);
        }
        // The first rounds may finish what was woken before, and do not wait.
        wakeups += u32::from(guest.has_waited());
    }
}
