//! The driver on the poller of the platform: the one of the process, and those of private reactors.
//!
//! # Lifetime
//!
//! A driver is never freed, so `&'static Driver` is valid without a count per registration. A private
//! driver is *vacant* once its handles, sources and timers are gone and its fallback thread has ended.
//! The next private reactor takes it, with its poller and its memory. So a program pays for the
//! largest number of reactors that exist at the same time.
//!
//! What remains of a former reactor does no harm: a waker of an ended `block_on` ends no sleep, and a
//! waker of [`Turns`] causes one turn that finds nothing.
//!
//! # Forks
//!
//! A forked child gets a driver of its own, with a list of vacant drivers of its own. Each function
//! that takes a lock of a driver checks first that the driver belongs to this process.

use super::fallback::Fallback;
use super::handle::Handle;
use super::local;
use super::policy::Tuned;
use super::pool::Pool;
use super::shell::{Shell, Turning as _};
use super::thread::{Interrupt, thread_of};
use super::turn::Turns;
use super::watch::AlarmClock;
use crate::core::clock::{Clock, Deadline};
use crate::core::presence::{Holders, Presence};
use crate::core::sync::Mutex;
use crate::core::timers::{SHARDS, TimerKey};
use crate::core::wake::{self, WakeBatch};
use crate::engine::Engine;
use crate::engine::poller::{Poller as _, Until};
use crate::sys::Poller;
use crate::sys::fork::{self, PerProcess};
use std::io;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Waker;

/// An engine, the threads that drive it, and the fallback thread.
#[derive(Debug)]
pub(crate) struct Driver {
    shell: Shell<Engine<Poller>, Poller, Tuned>,
    pub(super) fallback: Fallback,
    pub(super) turns: Turns,
    /// `None` for the driver of the process.
    private: Option<Private>,
    /// The private drivers of this process that are not in use. Only the driver of the process has any.
    pool: Pool,
    /// The number of private reactors so far.
    created: AtomicUsize,
}

/// What only a private driver has.
#[derive(Debug)]
struct Private {
    holders: Holders,
    presence: Presence,
    name: Mutex<String>,
    /// Whether no thread is ever started.
    ///
    /// Relaxed: a thread that does not see the end of the restriction starts no thread, and the thread
    /// that has ended it does.
    manual: AtomicBool,
    /// Whether the fallback thread was needed and could not be started.
    ///
    /// Relaxed: only one thread gets to wake the tasks.
    has_no_thread: AtomicBool,
}

impl Private {
    fn vacant() -> Self {
        Private {
            holders: Holders::none(),
            presence: Presence::empty(),
            name: Mutex::default(),
            manual: AtomicBool::new(false),
            has_no_thread: AtomicBool::new(false),
        }
    }
}

/// What uses a private reactor besides one handle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Uses {
    pub(crate) handles: usize,
    pub(crate) sources: usize,
    pub(crate) timers: usize,
}

impl Deref for Driver {
    type Target = Shell<Engine<Poller>, Poller, Tuned>;

    #[inline]
    fn deref(&self) -> &Self::Target {
        &self.shell
    }
}

static GLOBAL: PerProcess<Driver> = PerProcess::new();

impl Driver {
    fn new(shards: usize, private: Option<Private>) -> Self {
        let engine = Engine::new(shards);
        let clock = engine.clock();
        Driver {
            shell: Shell::new(engine, clock),
            fallback: Fallback::new(),
            turns: Turns::default(),
            private,
            pool: Pool::default(),
            created: AtomicUsize::new(0),
        }
    }

    /// Returns the driver of this process.
    #[inline]
    pub(crate) fn global() -> &'static Driver {
        GLOBAL.get(|| Driver::new(SHARDS, None))
    }

    /// Returns the driver of the last reactor that the thread has entered, or else that of this process.
    /// Returns whether it is private or may belong to another process. Only a driver of this kind
    /// counts its holders.
    #[inline]
    pub(crate) fn current() -> (&'static Driver, bool) {
        match local::current() {
            None => (Driver::global(), false),
            Some(driver) => {
                let driver = driver.or_global();
                (driver, !driver.is_global())
            }
        }
    }

    /// Returns the driver of this process if this is the one of its parent.
    #[cold]
    fn or_global(&'static self) -> &'static Driver {
        if self.private.is_none() && !self.is_here() {
            Driver::global()
        } else {
            self
        }
    }

    /// Returns a driver for a private reactor.
    ///
    /// # Errors
    ///
    /// The system refuses to create a poller.
    pub(crate) fn private(name: Option<String>, manual: bool) -> io::Result<Handle> {
        let global = Driver::global();
        let driver = Driver::ready(&global.pool).map_err(|error| {
            io::Error::new(
                error.kind(),
                format!(
                    "cannot create a reactor: {error}; close descriptors, or raise their limit"
                ),
            )
        })?;
        if let Some(private) = &driver.private {
            // Relaxed: only a running number.
            let number = global.created.fetch_add(1, Ordering::Relaxed) + 1;
            *private.name.lock() = name.unwrap_or_else(|| number.to_string());
            private.manual.store(manual, Ordering::Relaxed);
        }
        Ok(Handle::new(driver))
    }

    /// Returns a driver that is ready for use: one of a former reactor, or else a new one.
    fn ready(pool: &Pool) -> io::Result<&'static Driver> {
        if let Some(former) = pool.take() {
            match former.refresh() {
                Ok(()) => return Ok(former),
                // The program has closed the descriptors of the poller, which cannot open them again.
                Err(_) if former.engine.has_poller() => pool.put_last(former),
                Err(error) => {
                    pool.put_first(former);
                    return Err(error);
                }
            }
        }
        // One shard: the timers of a reactor fire in one order.
        let driver: &Driver = Box::leak(Box::new(Driver::new(1, Some(Private::vacant()))));
        if let Err(error) = driver.engine.poller() {
            pool.put_first(driver);
            return Err(error);
        }
        Ok(driver)
    }

    /// Returns the name of a private reactor, or `None` for the one of the process.
    pub(crate) fn name(&self) -> Option<String> {
        let private = self.private.as_ref()?;
        Some(if self.is_here() {
            private.name.lock().clone()
        } else {
            // Another thread of the parent may have held the lock.
            "of the parent process".to_owned()
        })
    }

    /// Returns whether this process created the driver. If not, none of its locks may be taken.
    #[inline]
    pub(crate) fn is_here(&self) -> bool {
        self.engine.is_here()
    }

    #[inline]
    pub(crate) fn check_home(&self) -> io::Result<()> {
        if self.is_here() {
            Ok(())
        } else {
            Err(fork::error())
        }
    }

    pub(super) fn interrupt(&'static self) -> &'static dyn Interrupt {
        &self.shell
    }

    /// Returns whether this is the driver of this process. If so, it is not private, and its locks may
    /// be taken.
    #[inline]
    pub(crate) fn is_global(&self) -> bool {
        GLOBAL.is(self)
    }

    /// Returns whether no thread is ever started for this reactor.
    pub(crate) fn is_manual(&self) -> bool {
        let private = self.private.as_ref();
        private.is_some_and(|it| it.manual.load(Ordering::Relaxed))
    }

    /// Makes sure that a thread drives a wait with this waker, which the caller registers next.
    ///
    /// # Errors
    ///
    /// Returns an error in a forked child of the process that created the driver. Returns an error if
    /// the fallback thread is needed and cannot be started. Inside `block_on`, that is not an error,
    /// because the current thread drives whenever it is idle. The next call tries again.
    #[inline]
    pub(crate) fn promise(&'static self, waker: &Waker) -> io::Result<()> {
        if self.fallback.is_running() {
            return Ok(());
        }
        if local::is_of_innermost(self, waker) && self.is_here() {
            return Ok(());
        }
        self.promise_for_task(waker)
    }

    fn promise_for_task(&'static self, waker: &Waker) -> io::Result<()> {
        self.check_home()?;
        if local::is_own(self, waker) {
            return Ok(());
        }
        if let Some(private) = &self.private {
            if local::is_innermost(self) {
                private.presence.note_task();
                return Ok(());
            }
            if self.is_manual() {
                return Ok(());
            }
        }
        match self.start_fallback() {
            Err(_) if local::is_inside(self) => Ok(()),
            result => result,
        }
    }

    /// Makes the same promise for a task that has waited before, and that waits again without a
    /// poll. A `block_on` that drives this reactor needs none.
    pub(crate) fn promise_again(&'static self, waker: &Waker) {
        if self.is_task(waker) {
            // If the thread cannot be started, the next poll handles that.
            let _ = self.promise(waker);
        }
    }

    /// Starts the fallback thread if it does not run.
    pub(crate) fn start_fallback(&'static self) -> io::Result<()> {
        self.fallback.start(self)
    }

    /// Returns whether another thread is inside.
    pub(super) fn is_driven_elsewhere(&self) -> bool {
        let private = self.private.as_ref();
        private.is_some_and(|it| it.presence.count() > local::count_calls(self))
    }

    /// Counts this thread as inside.
    #[inline]
    pub(super) fn enter(&self) {
        if let Some(private) = &self.private {
            private.presence.enter();
        }
    }

    /// Counts this thread as outside. If it was the last one and tasks wait, the fallback thread
    /// starts.
    #[inline]
    pub(super) fn leave(&'static self) {
        if let Some(private) = &self.private {
            if private.presence.leave() {
                self.look_after_tasks(private);
            }
            if self.is_manual() {
                self.call_the_loop();
            }
        }
    }

    /// Ends the wait of a foreign event loop if this thread may have used up a notification for it.
    #[cold]
    fn call_the_loop(&self) {
        if self.is_here() && self.turns.requests.owes_the_loop() {
            self.engine.notify();
        }
    }

    #[cold]
    fn look_after_tasks(&'static self, private: &Private) {
        if !self.is_here() || self.fallback.is_running() || self.is_manual() {
            return;
        }
        if self.any_task_waits() {
            self.leave_to_fallback(private);
        } else {
            private.presence.erase_note();
        }
    }

    /// Returns whether a waker belongs to a task, and not to a `block_on` of this driver.
    fn is_task(&self, waker: &Waker) -> bool {
        thread_of(waker).is_none_or(|it| !it.drives(&self.shell))
    }

    /// Returns whether a task waits that no `block_on` of this driver polls. The waker of such a
    /// `block_on` belongs to a call that has ended: while one runs, a thread is inside, or the fallback
    /// thread runs. A `block_on` of another driver counts as a task, because it does not drive this one.
    fn any_task_waits(&self) -> bool {
        let is_task = |waker: &Waker| self.is_task(waker);
        let engine = &self.engine;
        engine.timers.any_waker(is_task) || engine.any_source(|it| it.waiters.any_waker(is_task))
    }

    pub(super) fn add_handle(&self) {
        if let Some(private) = &self.private {
            private.holders.add_handle();
        }
    }

    pub(super) fn remove_handle(&'static self) {
        let Some(private) = &self.private else {
            return;
        };
        if private.holders.remove_handle() && self.is_here() {
            self.end_restriction(private);
        }
        if private.holders.remove_root() {
            self.vacate();
        }
    }

    /// Lets a thread drive what remains of a manual reactor without handles.
    fn end_restriction(&'static self, private: &Private) {
        let (_, objects) = private.holders.count();
        if objects > 0 && private.manual.swap(false, Ordering::Relaxed) {
            self.roles.remove_foreign_loop();
            self.leave_to_fallback(private);
        }
    }

    /// Starts the fallback thread for tasks that wait already. If that fails, wakes them: they try again,
    /// and get the error. Wakes them only once. Otherwise tasks that wait inside short calls of `block_on`
    /// would be woken after each call.
    fn leave_to_fallback(&'static self, private: &Private) {
        let failed = self.start_fallback().is_err();
        if failed && !private.has_no_thread.swap(true, Ordering::Relaxed) {
            let mut batch = WakeBatch::default();
            self.engine.wake_all(&mut batch);
            batch.run();
        }
    }

    /// Adds a source or a timer.
    #[cold]
    pub(crate) fn add_holder(&self) {
        if let Some(private) = &self.private {
            private.holders.add_object();
        }
    }

    /// Removes a source or a timer.
    #[cold]
    pub(crate) fn remove_holder(&'static self) {
        if let Some(private) = &self.private {
            if private.holders.remove_object() {
                self.vacate();
            }
        }
    }

    /// Ends the fallback thread, and makes the driver vacant after that. In a forked child, the
    /// driver of the parent is leaked.
    #[cold]
    fn vacate(&'static self) {
        if self.is_here() {
            Driver::global().pool.expect();
            if !self.fallback.end() {
                self.become_vacant();
            }
        }
    }

    /// Makes the driver vacant. Nothing holds it, and no thread is inside it.
    pub(super) fn become_vacant(&'static self) {
        self.shell.reset();
        Driver::global().pool.add(self);
    }

    /// Makes a vacant driver ready for use.
    fn refresh(&self) -> io::Result<()> {
        self.engine.refresh()?.expect_nothing();
        self.turns.requests.reset();
        if let Some(private) = &self.private {
            private.presence.erase_note();
            private.has_no_thread.store(false, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Returns what uses the reactor besides one handle. Returns `None` for the reactor of the process,
    /// which is always in use.
    pub(crate) fn count_uses(&self) -> Option<Uses> {
        let private = self.private.as_ref()?;
        let (handles, objects) = private.holders.count();
        let mut sources = 0;
        if self.is_here() {
            self.engine.any_source(|_| {
                sources += 1;
                false
            });
        }
        Some(Uses {
            handles: handles.saturating_sub(1),
            sources: sources.min(objects),
            timers: objects.saturating_sub(sources),
        })
    }

    /// Schedules a new timer with this waker. Returns its key, or `None` if there are too many.
    #[inline]
    pub(crate) fn schedule(&self, deadline: Deadline, waker: &Waker) -> Option<TimerKey> {
        // `clone` is user code, so it is called before a lock is taken.
        match self.engine.timers.insert(deadline, waker.clone()) {
            Ok((key, is_earliest)) => {
                if is_earliest {
                    self.earliest_moved(deadline);
                }
                Some(key)
            }
            Err(unused) => {
                wake::discard(Some(unused));
                None
            }
        }
    }

    /// Schedules the pending timer with this key, which keeps its waker, or else a new one. Returns the
    /// key of the scheduled timer, or `None` if there are too many.
    pub(crate) fn reschedule(
        &self,
        key: TimerKey,
        deadline: Deadline,
        waker: &Waker,
    ) -> Option<TimerKey> {
        match self.engine.timers.reset(key, deadline) {
            Some(is_earliest) => {
                if is_earliest {
                    self.earliest_moved(deadline);
                }
                Some(key)
            }
            None => self.schedule(deadline, waker),
        }
    }

    /// Cancels a timer and drops its waker.
    #[inline]
    pub(crate) fn cancel(&self, key: TimerKey) {
        wake::discard(self.engine.timers.remove(key));
    }
}

/// A poller without sources. Only its alarm and a notification end its wait.
impl AlarmClock for Poller {
    type Buffer = <Poller as crate::engine::poller::Poller>::Events;

    fn open(clock: Clock) -> io::Result<Self> {
        Poller::new(clock)
    }

    fn now(&self, clock: Clock) -> Deadline {
        clock.now()
    }

    fn set_alarm(&self, at: Deadline) {
        self.program_alarm(at);
    }

    fn cancel_alarm(&self) {
        self.expect_nothing();
    }

    fn sleep(&self, events: &mut Self::Buffer) -> io::Result<bool> {
        match self.wait(events, Until::Deadline(Deadline::NEVER)) {
            Ok(()) => Ok(false),
            Err(_) => self.reopen(events).map(|_| true),
        }
    }

    fn ring(&self) {
        self.notify();
    }
}
