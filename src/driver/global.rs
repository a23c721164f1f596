//! The driver of this process.

use super::block_on;
use super::fallback::Fallback;
use super::policy::Tuned;
use super::shell::Shell;
use super::thread::Interrupt;
use super::watch::AlarmClock;
use crate::core::clock::{Clock, Deadline};
use crate::core::timers::TimerKey;
use crate::core::wake;
use crate::engine::Engine;
use crate::engine::poller::{Poller as _, Until};
use crate::sys::Poller;
use std::io;
use std::ops::Deref;
use std::sync::LazyLock;
use std::task::Waker;

/// An engine, the threads that drive it, and the fallback thread.
#[derive(Debug)]
pub(crate) struct Driver {
    shell: Shell<Engine<Poller>, Poller, Tuned>,
    fallback: Fallback,
}

impl Deref for Driver {
    type Target = Shell<Engine<Poller>, Poller, Tuned>;

    #[inline]
    fn deref(&self) -> &Self::Target {
        &self.shell
    }
}

impl Driver {
    fn new() -> Self {
        let engine = Engine::new();
        let clock = engine.clock();
        Driver {
            shell: Shell::new(engine, clock),
            fallback: Fallback::new(),
        }
    }

    /// Returns the driver of this process.
    #[inline]
    pub(crate) fn global() -> &'static Driver {
        static GLOBAL: LazyLock<Driver> = LazyLock::new(Driver::new);
        &GLOBAL
    }

    pub(super) fn interrupt(&'static self) -> &'static dyn Interrupt {
        &self.shell
    }

    /// Makes sure that a thread drives a wait with this waker.
    ///
    /// # Errors
    ///
    /// Returns an error if the fallback thread is needed and cannot be started. Inside `block_on`,
    /// that is not an error, because the current thread drives whenever it is idle. The next call
    /// tries again.
    #[inline]
    pub(crate) fn promise(&'static self, waker: &Waker) -> io::Result<()> {
        if self.fallback.is_running() || block_on::is_own(waker) {
            return Ok(());
        }
        match self.start_fallback() {
            Err(_) if block_on::is_running() => Ok(()),
            result => result,
        }
    }

    /// Starts the fallback thread if it does not run.
    pub(crate) fn start_fallback(&'static self) -> io::Result<()> {
        self.fallback.start(self)
    }

    /// Schedules a timer: the pending one with this key, or else a new one with this waker. A
    /// pending timer keeps its waker. Returns the key of the scheduled timer, or `None` if there
    /// are too many.
    #[inline]
    pub(crate) fn schedule(
        &self,
        pending: Option<TimerKey>,
        deadline: Deadline,
        waker: &Waker,
    ) -> Option<TimerKey> {
        let timers = &self.engine.timers;
        if let Some(key) = pending {
            if let Some(is_earliest) = timers.reset(key, deadline) {
                if is_earliest {
                    self.earliest_moved(deadline);
                }
                return Some(key);
            }
        }
        // `clone` is user code, so it is called before a lock is taken.
        match timers.insert(deadline, waker.clone()) {
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
