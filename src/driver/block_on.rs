//! `block_on`: a future on this thread, and the reactor while the future has nothing to do.

use super::Driver;
use super::waker::{self, Thread};
use crate::core::roles::Seat;
use crate::reactor::Scratch;
use crate::trace;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// A future that always wakes itself never lets its thread wait. Every so many polls the reactor gets a turn without
/// waiting: often enough that I/O does not starve, seldom enough that it costs nothing next to the polls.
const SELF_WAKES_PER_TURN: u32 = 64;

/// Blocks the current thread on a future, processing I/O events and timers while it is idle.
///
/// Everything that is registered with this crate makes progress while the thread waits, not only what this future waits
/// for: one thread at a time polls the operating system for all. If no thread is in `block_on`, or the one that polls is
/// busy for more than about a millisecond, a thread named `async-io` takes over. It is started when the first wait needs
/// it: a program whose waits are all awaited directly in `block_on`, without an executor in between, never has one.
///
/// The future need not be `Send`, `'static` or `Unpin`. Calls may be nested, also from inside a waker.
///
/// # Cancellation
///
/// There is none: the call returns when the future is ready. To give up after some time, race the future with a
/// [`Timer`](crate::Timer).
///
/// # Errors
///
/// None. Where the system refuses a poller (no descriptors left, or a sandbox), the thread sleeps without one, and timers
/// still fire.
///
/// # Panics
///
/// Does not panic itself; a panic of the future is passed on, and later calls work.
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

/// What a thread needs for one `block_on`, kept for its next one.
struct Session {
    thread: Arc<Thread>,
    waker: Waker,
    /// Made when the thread waits for the first time: most of it is an event buffer.
    scratch: Option<Box<Scratch>>,
}

/// How many references to its thread a session holds itself.
const OWN_REFERENCES: usize = 2;

/// What a thread knows of its calls. One variable, because each access has its price.
struct Local {
    /// The session of the last call that ended on this thread. A nested call finds none and makes its own, so its waker
    /// is another one, and a wake-up of one call cannot be taken for a wake-up of the other.
    spare: Cell<Option<Session>>,
    /// The calls that are running on this thread, outermost first.
    running: RefCell<Vec<Seat>>,
    /// How often the innermost call has come back from a wait since it began.
    waits: Cell<u32>,
}

thread_local! {
    static LOCAL: Local = const {
        Local {
            spare: Cell::new(None),
            running: RefCell::new(Vec::new()),
            waits: Cell::new(0),
        }
    };
}

/// In the destructor of another thread-local there may be nothing to look at any more: then the default.
#[inline]
fn local<R: Default>(look: impl FnOnce(&Local) -> R) -> R {
    LOCAL.try_with(look).unwrap_or_default()
}

impl Session {
    fn take() -> Session {
        let session = local(|it| it.spare.take()).unwrap_or_else(Session::new);
        // A wake-up that was meant for an earlier call.
        session.thread.parker.state.take();
        session
    }

    fn keep(self) {
        local(|it| it.spare.set(Some(self)));
    }

    fn new() -> Session {
        let thread = Arc::new(Thread::new(Driver::global()));
        let waker = waker::waker(Arc::clone(&thread));
        Session {
            thread,
            waker,
            scratch: None,
        }
    }

    fn run<T>(&mut self, future: impl Future<Output = T>) -> T {
        let driver = self.thread.driver;
        let _call = Call::begin(&self.thread);
        let mut future = pin!(future);
        let mut context = Context::from_waker(&self.waker);
        let mut self_wakes = 0;
        loop {
            if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
                trace::completed();
                // The future is dropped first, and the call ends after that: what the future takes along into its grave
                // (the losers of a race) waits for nobody.
                return value;
            }
            if self.thread.parker.state.take() {
                trace::notified();
                self_wakes += 1;
                let overdue = self
                    .scratch
                    .as_ref()
                    .is_some_and(|it| driver.is_overdue(it));
                if self_wakes == SELF_WAKES_PER_TURN || overdue {
                    self_wakes = 0;
                    let scratch = self.scratch.get_or_insert_with(new_scratch);
                    driver.turn_without_waiting(&self.thread, scratch);
                }
            } else {
                self_wakes = 0;
                let scratch = self.scratch.get_or_insert_with(new_scratch);
                driver.wait_as(&self.thread, scratch);
                self.thread.parker.state.take();
                local(|it| it.waits.set(it.waits.get().wrapping_add(1).max(1)));
            }
        }
    }
}

fn new_scratch() -> Box<Scratch> {
    Box::new(Scratch::new())
}

/// A call of `block_on`, from its beginning until the future is ready or panics.
struct Call<'a> {
    thread: &'a Arc<Thread>,
    /// What the outer call had.
    outer_waits: u32,
}

impl<'a> Call<'a> {
    fn begin(thread: &'a Arc<Thread>) -> Self {
        let seat = thread.parker.seat;
        let outer_waits = local(|it| {
            it.running.borrow_mut().push(seat);
            it.waits.replace(0)
        });
        Call {
            thread,
            outer_waits,
        }
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        local(|it| {
            it.running.borrow_mut().pop();
            it.waits.set(self.outer_waits);
        });
        let waker_is_held = Arc::strong_count(self.thread) > OWN_REFERENCES;
        self.thread.driver.retire(self.thread, waker_is_held);
    }
}

/// Whether a read that is likely to find nothing may wait without looking. Only on a thread inside `block_on` that has waited
/// before in this call: it will most likely wait again, and hear of the data then. The first poll of a call must look:
/// a frame loop, `block_on(poll_once(read))`, waits for nothing and must get what is there.
#[inline]
pub(crate) fn will_wait() -> bool {
    waits() > 0
}

/// How often the call of `block_on` that this thread is in has come back from a wait: that many turns, at least, have told of
/// what had come before them. Zero outside of `block_on`.
#[inline]
pub(crate) fn waits() -> u32 {
    local(|it| it.waits.get())
}

/// Whether a waker belongs to a call of `block_on` that is running on this thread.
pub(super) fn is_own(waker: &Waker) -> bool {
    let Some(thread) = waker::thread_of(waker) else {
        return false;
    };
    let seat = thread.parker.seat;
    local(|it| it.running.borrow().contains(&seat))
}

/// Whether this thread is inside `block_on`.
pub(super) fn is_running() -> bool {
    local(|it| !it.running.borrow().is_empty())
}
