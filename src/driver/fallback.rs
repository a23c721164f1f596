//! The thread named `async-io`: it drives when no `block_on` does, and watches when one does.

use super::Driver;
use super::roles::{Lead, Seat};
use super::waker::Thread;
use crate::reactor::Scratch;
use crate::sync::Mutex;
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

/// Drives and watches for ever.
fn run(driver: &'static Driver, thread: &Arc<Thread>) {
    let _span = trace::main_loop();
    // The exact deadlines of timers need the poller; without one the thread sleeps on a condition variable.
    let _ = driver.reactor.poller();
    let mut scratch = Scratch::new();
    loop {
        driver.roles.fallback_enters();
        if driver.roles.try_lead_vacant(Seat::FALLBACK) == Lead::Granted {
            driver.lead(thread, true, &mut scratch);
            continue;
        }
        driver.roles.fallback_is_out();
        if driver.sit(thread, &mut scratch.events) {
            take_over(driver, thread, &mut scratch);
        }
    }
}

/// The alarm went off: whoever leads may have stayed away.
fn take_over(driver: &Driver, thread: &Thread, scratch: &mut Scratch) {
    if driver.roles.leader_waits() {
        driver.watch.false_alarm();
    } else if let Some(candidate) = driver.roles.candidate() {
        // Events are this thread's own business only if nobody is there who waits for some. Should the candidate be busy
        // in the next moment, the alarm is set again when this thread sits down.
        candidate.nudge();
    } else {
        driver.roles.fallback_enters();
        if driver.roles.try_lead(Seat::FALLBACK) == Lead::Granted {
            driver.lead(thread, true, scratch);
        } else {
            driver.roles.fallback_is_out();
        }
    }
}
