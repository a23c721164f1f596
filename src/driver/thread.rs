//! A thread that takes part in driving, and the waker of `block_on`, which is a counted reference
//! to such a thread.
//!
//! The waker is built from a `RawWaker` and not with `std::task::Wake`, because the driver must
//! recognise its own wakers: a wait with the waker of the `block_on` that runs on the same thread
//! needs no other thread (see `Driver::promise`). A waker is recognised by the address of the only
//! vtable below.

#![allow(unsafe_code)]

use crate::core::park::{Parker, Sleep};
use crate::core::roles::ThreadId;
use std::fmt::Debug;
use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{RawWaker, RawWakerVTable, Waker};

/// Ends the sleeps that are not on a thread's own condition variable.
pub(crate) trait Interrupt: Debug + Send + Sync {
    /// Records that a sleep ends.
    fn count_ended_sleep(&self);

    /// Ends the reactor's wait.
    fn end_wait(&self);

    /// Ends the sleep on the watch.
    fn end_watch(&self);
}

/// A thread that takes part in driving. The wakers of its `block_on` point to it.
#[derive(Debug)]
pub(crate) struct Thread {
    driver: &'static dyn Interrupt,
    pub(crate) parker: Parker,
    /// Whether the thread runs a call of `turn`.
    ///
    /// Relaxed: read by the thread itself, and for a count.
    in_turn: AtomicBool,
}

impl Thread {
    pub(crate) fn new(driver: &'static dyn Interrupt, id: ThreadId) -> Self {
        Thread {
            driver,
            parker: Parker::new(id),
            in_turn: AtomicBool::new(false),
        }
    }

    pub(crate) fn id(&self) -> ThreadId {
        self.parker.id
    }

    /// Returns whether the thread takes part in driving this driver.
    pub(crate) fn drives(&self, driver: &dyn Interrupt) -> bool {
        std::ptr::addr_eq(self.driver, driver)
    }

    pub(crate) fn is_in_turn(&self) -> bool {
        self.in_turn.load(Ordering::Relaxed)
    }

    pub(crate) fn set_in_turn(&self, in_turn: bool) {
        self.in_turn.store(in_turn, Ordering::Relaxed);
    }

    /// Ends the sleep of the thread, of whatever kind, and makes it poll its future again.
    pub(crate) fn notify(&self) {
        self.end(self.parker.state.notify());
    }

    /// Makes a standby thread look at the roles again.
    pub(crate) fn nudge(&self) {
        self.end(self.parker.state.nudge());
    }

    fn end(&self, sleep: Option<Sleep>) {
        let Some(sleep) = sleep else { return };
        self.driver.count_ended_sleep();
        match sleep {
            Sleep::Polling => self.driver.end_wait(),
            Sleep::Watching => self.driver.end_watch(),
            Sleep::Parked => self.parker.unpark(),
        }
    }
}

static TABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, drop_reference);

pub(crate) fn waker(thread: Arc<Thread>) -> Waker {
    let data = Arc::into_raw(thread).cast();
    // SAFETY: `data` is one counted reference to a `Thread`, which is what the functions of `TABLE`
    // expect. `Thread` is `Send` and `Sync`, so they may be called from any thread.
    unsafe { Waker::from_raw(RawWaker::new(data, &TABLE)) }
}

/// Returns the thread that a waker of `block_on` notifies, or `None` for any other waker.
#[inline]
pub(crate) fn thread_of(waker: &Waker) -> Option<&Thread> {
    if !std::ptr::eq(waker.vtable(), &TABLE) {
        return None;
    }
    // SAFETY: only `waker` and `clone` create wakers with this table, from a counted reference to a
    // `Thread`. The count that `waker` holds keeps the `Thread` alive for as long as the borrow.
    Some(unsafe { &*waker.data().cast::<Thread>() })
}

/// # Safety
/// `data` must be a counted reference. The caller keeps the count, so the result must not be
/// dropped.
unsafe fn borrowed(data: *const ()) -> ManuallyDrop<Arc<Thread>> {
    // SAFETY: the pointer came from `Arc::into_raw`, and `ManuallyDrop` leaves the count as it is.
    ManuallyDrop::new(unsafe { Arc::from_raw(data.cast()) })
}

unsafe fn clone(data: *const ()) -> RawWaker {
    // SAFETY: the waker that is cloned holds a count.
    let thread = unsafe { borrowed(data) };
    let data = Arc::into_raw(Arc::clone(&thread)).cast();
    RawWaker::new(data, &TABLE)
}

unsafe fn wake(data: *const ()) {
    // SAFETY: this call takes over the count of the waker.
    let thread: Arc<Thread> = unsafe { Arc::from_raw(data.cast()) };
    thread.notify();
}

unsafe fn wake_by_ref(data: *const ()) {
    // SAFETY: the waker holds a count for as long as this call.
    unsafe { borrowed(data) }.notify();
}

unsafe fn drop_reference(data: *const ()) {
    // SAFETY: this call takes over the count of the waker.
    drop(unsafe { Arc::<Thread>::from_raw(data.cast()) });
}

// `waker` relies on this, because a `Waker` can be used on any thread.
const _: fn() = || {
    fn assert_shareable<T: Send + Sync>() {}
    assert_shareable::<Thread>();
};
