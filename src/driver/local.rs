//! What a thread remembers: the reactors that it has entered, and its calls of `block_on` and
//! `turn`.
//!
//! # Idea
//!
//! One list, outermost first, has an entry for each guard of `Reactor::enter` and for each call. The
//! last guard or `block_on` names the *current* reactor of the thread. The last call names the
//! reactor that the thread drives while it waits.
//!
//! # Rules
//!
//! * An entry has a handle, so a reactor that a thread has entered stays alive, even if the guard is
//!   forgotten. The entry of a forgotten guard is removed when the thread ends.
//! * Entries may be removed in any order.
//! * The current driver is kept in a variable of its own. It needs no destructor, so it can be read
//!   until the end of the thread, and reading it is cheap.
//! * In the destructors of other thread-local values, the list may be gone. An entry is then not
//!   recorded: the thread counts as outside of all reactors, and waits start the fallback thread.

use super::Driver;
use super::block_on::Session;
use super::handle::Handle;
use super::thread::{Thread, thread_of};
use crate::core::wake::UncalledWakers;
use crate::sys::fork::Home;
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::task::Waker;

thread_local! {
    static CURRENT: Cell<Option<&'static Driver>> = const { Cell::new(None) };
    static LOCAL: Local = const {
        Local {
            spare: Cell::new(None),
            entries: RefCell::new(Vec::new()),
            guards: Cell::new(0),
            has_waited: Cell::new(false),
            turn_is_wanted: Cell::new(false),
            in_turn: Cell::new(None),
            uncalled: RefCell::new(None),
        }
    };
}

/// This is one variable, because each access to a thread-local variable has a cost.
pub(super) struct Local {
    /// The session of the latest call that has ended on this thread. A nested call finds none and
    /// creates its own, with its own waker. So a wake-up of one call is never mistaken for a
    /// wake-up of the other.
    spare: Cell<Option<Box<Session>>>,
    entries: RefCell<Vec<Entry>>,
    /// The number of guards so far.
    guards: Cell<usize>,
    /// Whether the innermost call has waited.
    pub(super) has_waited: Cell<bool>,
    /// Whether the reactor gets a turn before the innermost call polls its future again.
    pub(super) turn_is_wanted: Cell<bool>,
    /// The driver of which the innermost call runs a turn or waits.
    pub(super) in_turn: Cell<Option<&'static Driver>>,
    /// The wakers that this thread has yet to call. After a fork, their lock may be held by a thread
    /// that the child does not have.
    uncalled: RefCell<Option<(Home, Arc<UncalledWakers>)>>,
}

impl Drop for Local {
    fn drop(&mut self) {
        // The forgotten guards end.
        CURRENT.set(None);
    }
}

struct Entry {
    handle: Handle,
    mark: Mark,
    /// The call that waits for another reactor, if this call does not count as inside meanwhile.
    left_by: Option<Mark>,
}

/// Names an entry of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// A guard: its number.
    Guard(usize),
    /// A call of `block_on`: the address of its `Thread`.
    BlockOn(usize),
    /// A call of `turn`: the address of its `Thread`.
    Turn(usize),
}

impl Mark {
    pub(super) fn block_on(thread: &Thread) -> Mark {
        Mark::BlockOn(address(thread))
    }

    pub(super) fn turn(thread: &Thread) -> Mark {
        Mark::Turn(address(thread))
    }

    fn is_call(self) -> bool {
        !matches!(self, Mark::Guard(_))
    }

    /// Returns whether the entry determines the current reactor.
    fn enters(self) -> bool {
        !matches!(self, Mark::Turn(_))
    }
}

fn address(thread: &Thread) -> usize {
    std::ptr::from_ref(thread).addr()
}

/// Calls a function with the thread's `Local`. Returns the default if the variable was already
/// destroyed, which is possible in the destructor of another thread-local variable.
#[inline]
pub(super) fn local<R: Default>(look: impl FnOnce(&Local) -> R) -> R {
    LOCAL.try_with(look).unwrap_or_default()
}

/// Returns the driver of the reactor that this thread has entered last, if any.
#[inline]
pub(super) fn current() -> Option<&'static Driver> {
    CURRENT.get()
}

/// An entry of this thread. Dropping this value removes the entry.
pub(crate) struct Scope {
    mark: Mark,
    /// What was current before, if the entry could not be recorded.
    unrecorded: Option<(Handle, Option<&'static Driver>)>,
}

impl Scope {
    /// Adds an entry for a guard.
    pub(crate) fn guard(handle: Handle) -> Scope {
        let number = local(|it| it.guards.replace(it.guards.get().wrapping_add(1)));
        Scope::new(handle, Mark::Guard(number))
    }

    pub(super) fn new(handle: Handle, mark: Mark) -> Scope {
        let driver = handle.driver();
        let mut handle = Some(handle);
        let _ = LOCAL.try_with(|it| {
            it.entries
                .borrow_mut()
                .extend(handle.take().map(|handle| Entry {
                    handle,
                    mark,
                    left_by: None,
                }));
        });
        let unrecorded = handle.map(|handle| (handle, CURRENT.get()));
        if mark.enters() {
            CURRENT.set(Some(driver));
        }
        Scope { mark, unrecorded }
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        if let Some((_, before)) = &self.unrecorded {
            CURRENT.set(*before);
            return;
        }
        // The entry is dropped last: that may free the driver.
        let _removed = local(|it| {
            let mut entries = it.entries.borrow_mut();
            let index = entries.iter().rposition(|entry| entry.mark == self.mark)?;
            let removed = entries.remove(index);
            let mut rest = entries.iter().rev();
            let last = rest.find(|entry| entry.mark.enters());
            CURRENT.set(last.map(|entry| entry.handle.driver()));
            Some(removed)
        });
    }
}

/// Takes the session that was kept for this driver.
pub(super) fn take_session(driver: &'static Driver) -> Option<Box<Session>> {
    let session = local(|it| it.spare.take())?;
    if std::ptr::eq(session.driver(), driver) {
        return Some(session);
    }
    local(|it| it.spare.set(Some(session)));
    None
}

/// Keeps a session for the next call.
pub(super) fn keep_session(session: Box<Session>) {
    let former = local(|it| it.spare.replace(Some(session)));
    drop(former);
}

/// Returns the list of the wakers that this thread has yet to call.
pub(super) fn uncalled() -> Arc<UncalledWakers> {
    let known = local(|it| {
        let mut uncalled = it.uncalled.borrow_mut();
        let (_, list) = match uncalled.take_if(|(home, _)| !home.is_here()) {
            None => uncalled.get_or_insert_with(|| (Home::new(), Arc::default())),
            // Leaked, because dropping its wakers may take a lock.
            Some(parents) => {
                std::mem::forget(parents);
                uncalled.insert((Home::new(), Arc::default()))
            }
        };
        Some(Arc::clone(list))
    });
    known.unwrap_or_default()
}

/// Returns whether a waker belongs to a call of `block_on` or `turn` that runs on this thread and
/// drives this driver.
#[inline]
pub(super) fn is_own(driver: &Driver, waker: &Waker) -> bool {
    let Some(thread) = thread_of(waker).map(address) else {
        return false;
    };
    local(|it| {
        let entries = it.entries.borrow();
        let mut own = entries.iter().filter(|entry| match entry.mark {
            Mark::BlockOn(call) | Mark::Turn(call) => call == thread,
            Mark::Guard(_) => false,
        });
        own.any(|entry| std::ptr::eq(entry.handle.driver(), driver))
    })
}

/// Returns whether a call runs on this thread that drives this driver.
pub(super) fn is_inside(driver: &Driver) -> bool {
    local(|it| {
        let entries = it.entries.borrow();
        let mut calls = entries.iter().filter(|entry| entry.mark.is_call());
        calls.any(|entry| std::ptr::eq(entry.handle.driver(), driver))
    })
}

/// Returns whether the innermost call on this thread drives this driver.
pub(super) fn is_innermost(driver: &Driver) -> bool {
    local(|it| {
        let entries = it.entries.borrow();
        let call = entries.iter().rfind(|entry| entry.mark.is_call());
        call.is_some_and(|entry| std::ptr::eq(entry.handle.driver(), driver))
    })
}

/// Returns whether this thread runs any call.
pub(super) fn is_in_call() -> bool {
    local(|it| {
        let entries = it.entries.borrow();
        entries.iter().any(|entry| entry.mark.is_call())
    })
}

/// Returns whether this function runs inside a turn of this driver, in a waker.
pub(super) fn is_in_turn(driver: &Driver) -> bool {
    local(|it| {
        let in_turn = it.in_turn.get();
        let entries = it.entries.borrow();
        let mut turns = entries
            .iter()
            .filter(|entry| matches!(entry.mark, Mark::Turn(_)));
        in_turn.is_some_and(|it| std::ptr::eq(it, driver))
            || turns.any(|entry| std::ptr::eq(entry.handle.driver(), driver))
    })
}

/// Leaves the drivers of the outer calls that differ from that of a call, which is about to wait.
/// While it waits, this thread does not drive the others.
pub(super) fn leave_others(call: Mark, driver: &'static Driver) {
    let left = local(|it| {
        let mut entries = it.entries.borrow_mut();
        if entries.len() == 1 {
            return Vec::new();
        }
        let others = entries.iter_mut().filter(|entry| {
            let differs = !std::ptr::eq(entry.handle.driver(), driver);
            entry.mark.is_call() && differs && entry.left_by.is_none()
        });
        let leave = |entry: &mut Entry| {
            entry.left_by = Some(call);
            entry.handle.driver()
        };
        others.map(leave).collect()
    });
    for driver in left {
        driver.leave();
    }
}

/// Enters the drivers again that this call has left.
pub(super) fn return_to_others(call: Mark) {
    local(|it| {
        let mut entries = it.entries.borrow_mut();
        for entry in entries.iter_mut().filter(|it| it.left_by == Some(call)) {
            entry.left_by = None;
            entry.handle.driver().enter();
        }
    });
}
