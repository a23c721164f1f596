//! The thread named `async-io`: it drives when no `block_on` does, and watches when one does.

use super::Driver;
use super::waker::Thread;
use crate::core::roles::{Lead, Roles, Seat};
use crate::core::sync::Mutex;
use crate::reactor::Scratch;
use crate::sys;
use crate::trace;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const NAME: &str = "async-io";

#[derive(Debug)]
pub(super) struct Fallback {
    running: AtomicBool,
    starting: Mutex<()>,
}

impl Fallback {
    pub(super) fn new() -> Self {
        Fallback {
            running: AtomicBool::new(false),
            starting: Mutex::new(()),
        }
    }

    #[inline]
    pub(super) fn is_running(&self) -> bool {
        // Relaxed: whoever reads "no" goes through the lock, and "yes" publishes nothing but itself.
        self.running.load(Ordering::Relaxed)
    }

    /// Starts the thread, once. After a failure the next call tries again.
    pub(super) fn start(&self, driver: &'static Driver) -> io::Result<()> {
        let _starting = self.starting.lock();
        if !self.is_running() {
            let thread = Arc::new(Thread::fallback(driver));
            sys::thread::spawn(NAME, move || run(driver, &thread)).map_err(explain)?;
            self.running.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}

fn explain(error: io::Error) -> io::Error {
    let text = format!(
        "cannot start the `async-io` thread, which drives I/O outside of `block_on`: {error}; raise the limit on \
         threads, or await inside `async_io::block_on`"
    );
    // The system says EAGAIN, which among I/O errors would mean "wait and try again".
    io::Error::other(text)
}

/// When the thread looks at the reactor for a leader that stays away, it leaves the role where it was; at this time in a row it
/// takes the place of the leader. In between it sleeps on the watch, 1.5 ms at a time.
///
/// A leader that is merely slow (a batch of a thousand requests) would lose much by being displaced: each event would come
/// through this thread, by itself. One that is blocked must not keep this thread waking up for ever.
const PASSES: u32 = 8;

/// Drives and watches for ever.
fn run(driver: &'static Driver, thread: &Arc<Thread>) {
    let _span = trace::main_loop();
    // The exact deadlines of timers need the poller; without one the thread sleeps on a condition variable.
    let _ = driver.reactor.poller();
    let mut scratch = Scratch::new();
    let mut passes = 0;
    loop {
        let resting = 0 < passes && passes < PASSES;
        if !resting && lead(driver, thread, true, Roles::try_lead_vacant, &mut scratch) {
            passes = 0;
        } else if driver.sit(thread, &mut scratch.events) {
            passes = take_over(driver, thread, &mut scratch, passes);
        } else {
            passes = 0;
        }
    }
}

/// The alarm went off: whoever leads may have stayed away. Returns how often this thread has looked for it now.
fn take_over(driver: &Driver, thread: &Thread, scratch: &mut Scratch, passes: u32) -> u32 {
    if driver.roles.leader_waits() {
        driver.watch.false_alarm();
        return 0;
    }
    if let Some(candidate) = driver.roles.candidate() {
        // Events are this thread's own business only if nobody is there who waits for some. Should the candidate be busy
        // in the next moment, the alarm is set again when this thread sits down.
        candidate.nudge();
        return 0;
    }
    // If somebody has had the role since the last look, the count starts again.
    let passes = if driver.roles.was_last(Seat::FALLBACK) {
        passes + 1
    } else {
        1
    };
    lead(driver, thread, passes >= PASSES, Roles::try_lead, scratch);
    passes
}

/// Offers to lead in one of the two ways, and does so if granted.
fn lead(
    driver: &Driver,
    thread: &Thread,
    wait: bool,
    offer: fn(&Roles<Arc<Thread>>, Seat) -> Lead,
    scratch: &mut Scratch,
) -> bool {
    driver.roles.fallback_enters();
    if offer(&driver.roles, Seat::FALLBACK) == Lead::Granted {
        driver.lead(thread, wait, scratch);
        return true;
    }
    driver.roles.fallback_is_out();
    false
}
