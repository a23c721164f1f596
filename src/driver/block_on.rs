//! `block_on`: runs a future on the current thread, and drives the reactor while the future waits.

use super::Driver;
use super::local::{self, Frame, Mark};
use super::policy::{self, Pace};
use super::shell::{Turning, Workspace};
use super::thread::{self, Thread};
use crate::engine::Engine;
use crate::sys::Poller;
use crate::trace;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// The pause between two polls of a future in a forked child.
const PAUSE_IN_CHILD: Duration = Duration::from_millis(1);

/// Blocks the current thread on a future, processing I/O events and timers while it is idle.
///
/// This drives the [current reactor](crate::Reactor::current) of the thread: the global one, unless
/// another one was entered.
///
/// Everything that is registered with this crate makes progress while the thread waits, not only
/// what this future waits for: one thread at a time polls the operating system for all threads. If
/// the polling thread is busy for more than about a millisecond, another thread that waits in
/// `block_on` takes over. If there is none, a thread named `async-io` does. That thread is started
/// by the first wait that needs it. A program that awaits everything directly in `block_on`,
/// without an executor in between, never has such a thread.
///
/// The future does not have to be `Send`, `'static` or `Unpin`. Calls can be nested, even inside the
/// `wake` function of a waker.
///
/// A future that keeps waking itself never lets its thread wait. The thread still processes I/O and
/// timers after a number of polls, or after a few milliseconds if the polls are slow.
///
/// # Cancellation
///
/// The call returns when the future is ready, and cannot be cancelled. To give up after some time,
/// race the future with a [`Timer`](crate::Timer).
///
/// If the system refuses to create a poller (because no file descriptors are left, or in a
/// sandbox), the thread sleeps without one, and timers still fire.
///
/// # Forked processes
///
/// A forked child has a reactor of its own, so `block_on` works there. If the future itself has called
/// `fork`, the child polls it every millisecond. The objects of the parent return errors there.
///
/// # Panics
///
/// Panics only if the future panics. Later calls are unaffected.
///
/// # Examples
///
/// ```
/// use async_io::Timer;
/// use std::time::Duration;
///
/// async_io::block_on(async {
///     Timer::after(Duration::from_millis(5)).await;
/// });
/// ```
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    run(Driver::current().0, future)
}

/// Runs a future on the current thread, and drives this driver while the future waits.
pub(crate) fn run<T>(driver: &'static Driver, future: impl Future<Output = T>) -> T {
    let _span = trace::block_on();
    let mut session = Session::take(driver);
    let value = session.run(future);
    local::keep_session(session);
    value
}

type Buffer = <Engine<Poller> as Turning>::Buffer;

/// The state of a thread for a call of `block_on` or `turn`. It is kept for the next call.
pub(super) struct Session {
    driver: &'static Driver,
    pub(super) thread: Arc<Thread>,
    pub(super) waker: Waker,
    /// Created when the thread first waits or runs a turn, because it contains a large event
    /// buffer.
    workspace: Option<Workspace<Buffer>>,
    pace: Pace,
}

/// Creates the workspace of a thread that takes part in driving.
pub(super) fn new_workspace() -> Workspace<Buffer> {
    Workspace::new(Engine::<Poller>::buffer(), local::uncalled())
}

impl Session {
    pub(super) fn take(driver: &'static Driver) -> Box<Session> {
        let session = local::take_session(driver).unwrap_or_else(|| Session::new(driver));
        // Discards a notification that was meant for an earlier call.
        session.thread.parker.state.take();
        session
    }

    fn new(driver: &'static Driver) -> Box<Session> {
        let thread = Arc::new(Thread::new(driver.interrupt(), driver.next_thread_id()));
        let waker = thread::waker(Arc::clone(&thread));
        Box::new(Session {
            driver,
            thread,
            waker,
            workspace: None,
            pace: Pace::new(),
        })
    }

    pub(super) fn driver(&self) -> &'static Driver {
        self.driver
    }

    pub(super) fn workspace(&mut self) -> &mut Workspace<Buffer> {
        self.workspace.get_or_insert_with(new_workspace)
    }

    fn run<T>(&mut self, future: impl Future<Output = T>) -> T {
        let mut call = Call::begin(self.driver, &self.thread, Mark::block_on(&self.thread));
        let mut future = pin!(future);
        let mut context = Context::from_waker(&self.waker);
        loop {
            if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
                trace::completed();
                // `future` is declared after `call`, so it is dropped before the call ends.
                return value;
            }
            if !self.driver.is_here() {
                // The future called `fork`, and this is the child. The locks of the driver may be held
                // by threads that the child does not have.
                std::thread::sleep(PAUSE_IN_CHILD);
                self.thread.parker.state.take();
            } else if self.thread.parker.state.take() {
                trace::notified();
                let is_overdue = || {
                    let left_at = self.workspace.as_ref().and_then(|it| it.left_at);
                    let clock = self.driver.engine.clock();
                    left_at.is_some_and(|left_at| policy::is_overdue(clock, left_at))
                };
                let is_wanted = local::take_requested_turn();
                if self.pace.needs_turn(is_overdue) || is_wanted {
                    self.pace.reset();
                    let workspace = self.workspace.get_or_insert_with(new_workspace);
                    let driver = self.driver;
                    call.in_turn(|| driver.turn_without_waiting(&self.thread, workspace));
                }
            } else {
                self.pace.reset();
                let workspace = self.workspace.get_or_insert_with(new_workspace);
                let driver = self.driver;
                call.leaves_others();
                call.in_turn(|| driver.wait_as(&self.thread, workspace));
                self.thread.parker.state.take();
                local::set_has_waited();
            }
        }
    }
}

/// A call of `block_on` or `turn`, from its start to its end or its panic.
pub(super) struct Call<'a> {
    driver: &'static Driver,
    thread: &'a Thread,
    mark: Mark,
    has_left_others: bool,
    frame: Frame,
}

impl<'a> Call<'a> {
    #[inline(always)] // As `Frame::begin`.
    pub(super) fn begin(driver: &'static Driver, thread: &'a Thread, mark: Mark) -> Self {
        let frame = Frame::begin(driver, mark);
        if frame.is_nested() && driver.is_here() {
            // The call may run inside a waker that this thread has announced to call.
            driver.roles.end_calls();
        }
        driver.enter();
        Call {
            driver,
            thread,
            mark,
            has_left_others: false,
            frame,
        }
    }

    /// Leaves the reactors of the outer calls, because the thread is about to wait for this one.
    #[inline]
    pub(super) fn leaves_others(&mut self) {
        if self.frame.is_nested() && !self.has_left_others {
            self.has_left_others = true;
            local::leave_others(self.mark, self.driver);
        }
    }

    /// Runs a turn, or waits.
    #[inline]
    pub(super) fn in_turn<R>(&self, turn: impl FnOnce() -> R) -> R {
        self.frame.begin_turn(self.driver);
        let result = turn();
        self.frame.end_turn();
        result
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.frame.end();
        if self.has_left_others {
            local::return_to_others(self.mark);
        }
        if self.driver.is_here() {
            self.driver.retire(self.thread);
            self.driver.leave();
        }
        self.frame.remove_entries(self.mark);
    }
}
