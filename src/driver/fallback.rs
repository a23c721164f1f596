//! The fallback thread, named `async-io`. It drives while no `block_on` does, and watches while one
//! does.

use super::policy::Policy;
use super::shell::{Shell, Turning, Workspace};
use super::thread::Thread;
use super::watch::AlarmClock;
use crate::core::clock::Deadline;
use crate::core::roles::{Claim, Lead, ThreadId};
use std::sync::Arc;

impl<R, A, P> Shell<R, A, P>
where
    R: Turning,
    A: AlarmClock<Buffer = R::Buffer>,
    P: Policy,
{
    /// Leads once, or stands by once. `absences` counts the consecutive alarms at which the leader
    /// was absent.
    pub(crate) fn fallback_round(
        &self,
        thread: &Arc<Thread>,
        workspace: &mut Workspace<R::Buffer>,
        absences: &mut u32,
    ) {
        let leaves_the_role = *absences > 0 && !P::displaces(*absences);
        if !leaves_the_role && self.fallback_leads(thread, workspace, Claim::Vacant, true) {
            *absences = 0;
        } else if self.stand_by(thread, workspace.buffer_mut()) {
            *absences = self.fallback_takes_over(thread, workspace, *absences);
        } else {
            *absences = 0;
        }
    }

    /// Takes over after the alarm has gone off, if the leader has stayed away. Returns the number
    /// of consecutive alarms at which the fallback thread has found the leader absent.
    fn fallback_takes_over(
        &self,
        thread: &Arc<Thread>,
        workspace: &mut Workspace<R::Buffer>,
        absences: u32,
    ) -> u32 {
        if self.roles.leader_waits() {
            self.watch.false_alarm();
            return 0;
        }
        if let Some(candidate) = self.roles.candidate() {
            // The fallback thread fetches events only if no `block_on` thread stands by. If the
            // candidate becomes busy before it leads, the alarm is set again when this thread
            // stands by.
            candidate.nudge();
            return 0;
        }
        // If another thread has led since the last alarm, the count restarts.
        let absences = if self.roles.was_last(ThreadId::FALLBACK) {
            absences + 1
        } else {
            1
        };
        self.fallback_leads(thread, workspace, Claim::Away, P::displaces(absences));
        absences
    }

    /// Offers to lead, and runs one turn if the role is granted. Returns whether it was granted.
    pub(crate) fn fallback_leads(
        &self,
        thread: &Thread,
        workspace: &mut Workspace<R::Buffer>,
        claim: Claim,
        waits: bool,
    ) -> bool {
        match self.roles.try_lead(thread.id(), claim) {
            Lead::Occupied => false,
            granted => {
                let limit = waits.then_some(Deadline::NEVER);
                self.lead(thread, granted, limit, workspace);
                true
            }
        }
    }
}

#[cfg(not(async_io_loom))]
pub(super) use starting::Fallback;

#[cfg(not(async_io_loom))]
mod starting {
    use super::super::Driver;
    use super::super::block_on;
    use super::{Arc, Thread, ThreadId};
    use crate::core::sync::Mutex;
    use crate::core::wake;
    use crate::sys::fork;
    use crate::{sys, trace};
    use std::io;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::time::Duration;

    const NAME: &str = "async-io";

    /// No process has this number.
    const NOWHERE: usize = usize::MAX;

    /// How long the thread pauses after user code (a `tracing` subscriber) has panicked.
    const REST_AFTER_PANIC: Duration = Duration::from_millis(1);

    /// The state of the fallback thread.
    #[derive(Debug)]
    pub(in super::super) struct Fallback {
        /// The process in which the thread runs, or [`NOWHERE`]. So one comparison tells that the thread
        /// runs, and that this is not a forked child, which does not have the thread.
        running: AtomicUsize,
        /// The thread, while it runs.
        thread: Mutex<Option<Arc<Thread>>>,
        /// Whether the thread ends. Written while `thread` is locked.
        ends: AtomicBool,
    }

    impl Fallback {
        pub(in super::super) fn new() -> Self {
            Fallback {
                running: AtomicUsize::new(NOWHERE),
                thread: Mutex::new(None),
                ends: AtomicBool::new(false),
            }
        }

        #[inline]
        pub(in super::super) fn is_running(&self) -> bool {
            // Relaxed: a caller that does not see the thread takes the lock and reads again, and its
            // number publishes no other data.
            self.running.load(Ordering::Relaxed) == fork::generation()
        }

        /// Starts the thread if it does not run yet. After a failure, the next call tries again.
        #[cold]
        pub(in super::super) fn start(&self, driver: &'static Driver) -> io::Result<()> {
            let mut started = self.thread.lock();
            if started.is_none() {
                let thread = Arc::new(Thread::new(driver.interrupt(), ThreadId::FALLBACK));
                let (name, instead) = match driver.name() {
                    Some(name) => (format!("{NAME}/{name}"), "`block_on` of this reactor"),
                    None => (NAME.to_owned(), "`async_io::block_on`"),
                };
                let own = Arc::clone(&thread);
                sys::thread::spawn(&name, move || run(driver, &own))
                    .map_err(|error| explain(&error, &name, instead))?;
                *started = Some(thread);
                self.running.store(fork::generation(), Ordering::Relaxed);
            }
            Ok(())
        }

        /// Makes the thread end, and the driver vacant after that. Returns false if no thread runs.
        pub(in super::super) fn end(&self) -> bool {
            let thread = self.thread.lock();
            let Some(thread) = &*thread else {
                return false;
            };
            self.ends.store(true, Ordering::Relaxed);
            // This also publishes the write above.
            thread.notify();
            true
        }

        fn has_to_end(&self) -> bool {
            self.ends.load(Ordering::Relaxed)
        }

        /// Records that the thread has ended.
        fn has_ended(&self) {
            let mut thread = self.thread.lock();
            *thread = None;
            self.ends.store(false, Ordering::Relaxed);
            self.running.store(NOWHERE, Ordering::Relaxed);
        }
    }

    fn explain(error: &io::Error, thread: &str, instead: &str) -> io::Error {
        let text = format!(
            "cannot start the thread `{thread}`, which drives I/O outside of `block_on`: {error}; \
             raise the limit on threads, or await inside {instead}"
        );
        // The system reports EAGAIN. As the kind of an I/O error, that would mean "would block".
        io::Error::other(text)
    }

    /// Drives and watches until nothing uses the reactor any more.
    fn run(driver: &'static Driver, thread: &Arc<Thread>) {
        // Timers need the poller to fire at their exact deadlines. Without one, the thread sleeps
        // on a condition variable.
        let _ = driver.engine.poller();
        let mut workspace = block_on::new_workspace();
        let mut absences = 0;
        loop {
            let rounds = AssertUnwindSafe(|| {
                let _span = trace::main_loop();
                while !driver.fallback.has_to_end() && driver.is_here() {
                    driver.fallback_round(thread, &mut workspace, &mut absences);
                }
            });
            // A round gives up its role when it unwinds, so the next round can start as usual.
            match catch_unwind(rounds) {
                Ok(()) => break,
                Err(payload) => {
                    wake::discard_payload(payload);
                    std::thread::sleep(REST_AFTER_PANIC);
                }
            }
        }
        if !driver.is_here() {
            return; // A waker has called `fork`, and this is the only thread of the child.
        }
        driver.retire(thread);
        driver.fallback.has_ended();
        driver.become_vacant();
    }
}
