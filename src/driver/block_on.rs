//! `block_on`: runs a future on the current thread, and drives the reactor while the future waits.

use super::Driver;
use super::policy::{self, Pace};
use super::shell::{Turning, Workspace};
use super::thread::{self, Thread};
use crate::core::roles::ThreadId;
use crate::core::wake::UncalledWakers;
use crate::engine::Engine;
use crate::sys::Poller;
use crate::trace;
use std::cell::{Cell, OnceCell, RefCell};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// Blocks the current thread on a future, processing I/O events and timers while it is idle.
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
/// In a forked child of a process that has used this crate, a call that has to wait may never
/// return. Call `exec` first.
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
    let _span = trace::block_on();
    let mut session = Session::take();
    let value = session.run(future);
    session.keep();
    value
}

type Buffer = <Engine<Poller> as Turning>::Buffer;

/// The state of a thread for a call of `block_on`. It is kept for the next call.
struct Session {
    driver: &'static Driver,
    thread: Arc<Thread>,
    waker: Waker,
    /// Created when the thread first waits or runs a turn, because it contains a large event
    /// buffer.
    workspace: Option<Workspace<Buffer>>,
    pace: Pace,
}

/// What a thread remembers about its calls of `block_on`. This is one variable, because each access
/// to a thread-local variable has a cost.
struct Local {
    /// The session of the latest call that has ended on this thread. A nested call finds none and
    /// creates its own, with its own waker. So a wake-up of one call is never mistaken for a
    /// wake-up of the other.
    spare: Cell<Option<Box<Session>>>,
    /// The calls that run on this thread, outermost first.
    running: RefCell<Vec<ThreadId>>,
    /// Whether the innermost call has waited.
    has_waited: Cell<bool>,
    /// Whether the reactor gets a turn before the innermost call polls its future again.
    turn_is_wanted: Cell<bool>,
    /// The wakers that this thread has yet to call.
    uncalled: OnceCell<Arc<UncalledWakers>>,
}

thread_local! {
    static LOCAL: Local = const {
        Local {
            spare: Cell::new(None),
            running: RefCell::new(Vec::new()),
            has_waited: Cell::new(false),
            turn_is_wanted: Cell::new(false),
            uncalled: OnceCell::new(),
        }
    };
}

/// Calls a function with the thread's `Local`. Returns the default if the variable was already
/// destroyed, which is possible in the destructor of another thread-local variable.
#[inline]
fn local<R: Default>(look: impl FnOnce(&Local) -> R) -> R {
    LOCAL.try_with(look).unwrap_or_default()
}

/// Creates the workspace of a thread that takes part in driving.
pub(super) fn new_workspace() -> Workspace<Buffer> {
    let uncalled = local(|it| Some(Arc::clone(it.uncalled.get_or_init(Arc::default))));
    Workspace::new(Engine::<Poller>::buffer(), uncalled.unwrap_or_default())
}

impl Session {
    fn take() -> Box<Session> {
        let session = local(|it| it.spare.take()).unwrap_or_else(Session::new);
        // Discards a notification that was meant for an earlier call.
        session.thread.parker.state.take();
        session
    }

    fn keep(self: Box<Self>) {
        local(|it| it.spare.set(Some(self)));
    }

    fn new() -> Box<Session> {
        let driver = Driver::global();
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

    fn run<T>(&mut self, future: impl Future<Output = T>) -> T {
        let _call = Call::begin(self.driver, &self.thread);
        let mut future = pin!(future);
        let mut context = Context::from_waker(&self.waker);
        loop {
            if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
                trace::completed();
                // `future` is declared after `_call`, so it is dropped before the call ends.
                return value;
            }
            if self.thread.parker.state.take() {
                trace::notified();
                let is_overdue = || {
                    let left_at = self.workspace.as_ref().and_then(|it| it.left_at);
                    let clock = self.driver.engine.clock();
                    left_at.is_some_and(|left_at| policy::is_overdue(clock, left_at))
                };
                let is_wanted = local(|it| it.turn_is_wanted.take());
                if self.pace.needs_turn(is_overdue) || is_wanted {
                    self.pace.reset();
                    let workspace = self.workspace.get_or_insert_with(new_workspace);
                    self.driver.turn_without_waiting(&self.thread, workspace);
                }
            } else {
                self.pace.reset();
                let workspace = self.workspace.get_or_insert_with(new_workspace);
                self.driver.wait_as(&self.thread, workspace);
                self.thread.parker.state.take();
                local(|it| it.has_waited.set(true));
            }
        }
    }
}

/// A call of `block_on`, from its start until the future is ready or panics.
struct Call<'a> {
    driver: &'static Driver,
    thread: &'a Thread,
    outer_has_waited: bool,
    outer_turn_is_wanted: bool,
}

impl<'a> Call<'a> {
    fn begin(driver: &'static Driver, thread: &'a Thread) -> Self {
        let (outer_has_waited, outer_turn_is_wanted) = local(|it| {
            let mut running = it.running.borrow_mut();
            if !running.is_empty() {
                // The call may run inside a waker that this thread has announced to call.
                driver.roles.end_calls();
            }
            running.push(thread.id());
            (
                it.has_waited.replace(false),
                it.turn_is_wanted.replace(false),
            )
        });
        Call {
            driver,
            thread,
            outer_has_waited,
            outer_turn_is_wanted,
        }
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        local(|it| {
            it.running.borrow_mut().pop();
            it.has_waited.set(self.outer_has_waited);
            it.turn_is_wanted.set(self.outer_turn_is_wanted);
        });
        self.driver.retire(self.thread);
    }
}

/// Returns whether this thread is inside a `block_on` that has waited.
///
/// Only then may the read after a short read wait without a system call: the thread will most
/// likely wait again, and then learns about new data. The first poll of a call must ask the kernel.
/// For example, a frame loop around `block_on(poll_once(read))` never waits, and must still get the
/// data that has arrived.
#[inline]
pub(crate) fn has_waited() -> bool {
    local(|it| it.has_waited.get())
}

/// Gives the reactor a turn before the innermost `block_on` on this thread polls its future again.
pub(crate) fn request_turn() {
    local(|it| it.turn_is_wanted.set(true));
}

/// Returns whether a waker belongs to a call of `block_on` that runs on this thread.
pub(super) fn is_own(waker: &Waker) -> bool {
    let Some(thread) = thread::thread_of(waker) else {
        return false;
    };
    local(|it| it.running.borrow().contains(&thread.id()))
}

/// Returns whether this thread is inside `block_on`.
pub(super) fn is_running() -> bool {
    local(|it| !it.running.borrow().is_empty())
}
