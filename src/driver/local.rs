//! What a thread remembers: the reactors that it has entered, and its calls of `block_on` and
//! `turn`.
//!
//! # Idea
//!
//! The *current* driver is that of the last guard of `Reactor::enter` or `block_on` that has not ended.
//! The *innermost* call names the driver that the thread drives while it waits. Both are kept in plain
//! cells, which need no destructor. So they can be read until the end of the thread, and reading them
//! is cheap.
//!
//! A list, outermost first, has an entry for each guard and for each call. It tells what is current
//! again after one of them has ended.
//!
//! # Rules
//!
//! * An entry has a handle, so a reactor that a thread has entered stays alive, even if the guard is
//!   forgotten. The entry of a forgotten guard is removed when the thread ends.
//! * Entries may be removed in any order.
//! * The outermost call for the global reactor has no entry until another call is nested in it. It
//!   needs none, and most programs have no other calls.
//! * In the destructors of other thread-local values, the list may be gone. An entry is then not
//!   recorded: waits may start the fallback thread without need, and a nested call does not leave the
//!   outer ones.

use super::Driver;
use super::block_on::Session;
use super::handle::Handle;
use super::thread::{Thread, thread_of};
use super::turn_requests::CallerId;
use crate::core::wake::UncalledWakers;
use crate::sys::fork::Home;
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::task::Waker;

thread_local! {
    static STATE: State = const {
        State {
            current: Cell::new(None),
            innermost: Cell::new(None),
            has_waited: Cell::new(false),
            turn_is_wanted: Cell::new(false),
            in_turn: Cell::new(None),
            guards: Cell::new(0),
            is_out_of_order: Cell::new(false),
        }
    };
    static OWNED: Owned = const {
        Owned {
            spare: Cell::new(None),
            entries: RefCell::new(Vec::new()),
            uncalled: RefCell::new(None),
        }
    };
}

/// The part that needs no destructor.
struct State {
    current: Cell<Option<&'static Driver>>,
    innermost: Cell<Option<Innermost>>,
    /// Whether the innermost call has waited.
    has_waited: Cell<bool>,
    /// Whether the reactor gets a turn before the innermost call polls its future again.
    turn_is_wanted: Cell<bool>,
    /// The driver of which the innermost call runs a turn or waits.
    in_turn: Cell<Option<&'static Driver>>,
    /// The number of guards so far.
    guards: Cell<usize>,
    /// Whether guards that could not be recorded were dropped out of order. Then no reactor is current
    /// after them, because the former one may have ended.
    is_out_of_order: Cell<bool>,
}

/// The innermost call.
#[derive(Clone, Copy)]
struct Innermost {
    driver: &'static Driver,
    mark: Mark,
}

struct Owned {
    /// The session of the latest call that has ended on this thread. A nested call finds none and
    /// creates its own, with its own waker. So a wake-up of one call is never mistaken for a
    /// wake-up of the other.
    spare: Cell<Option<Box<Session>>>,
    entries: RefCell<Vec<Entry>>,
    /// The wakers that this thread has yet to call. After a fork, their lock may be held by a thread
    /// that the child does not have.
    uncalled: RefCell<Option<(Home, Arc<UncalledWakers>)>>,
}

impl Drop for Owned {
    fn drop(&mut self) {
        // The forgotten guards end.
        STATE.with(|it| it.current.set(None));
    }
}

struct Entry {
    handle: Handle,
    mark: Mark,
    /// The call that waits for another reactor, if this call does not count as inside meanwhile.
    left_by: Option<Mark>,
}

impl Entry {
    fn new(handle: Handle, mark: Mark) -> Self {
        Entry {
            handle,
            mark,
            left_by: None,
        }
    }

    fn is_of(&self, driver: &Driver) -> bool {
        std::ptr::eq(self.handle.driver(), driver)
    }
}

/// Names a guard or a call of a thread: the number of a guard, or the address of the `Thread` of a
/// call. The two lowest bits, which are zero in an address, tell the kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark(usize);

const BLOCK_ON: usize = 0;
const TURN: usize = 1;
const GUARD: usize = 2;
const KIND: usize = 3;

impl Mark {
    #[inline]
    pub(super) fn block_on(thread: &Thread) -> Mark {
        const { assert!(align_of::<Thread>() > KIND) };
        Mark(address(thread) | BLOCK_ON)
    }

    pub(super) fn turn(thread: &Thread) -> Mark {
        Mark(address(thread) | TURN)
    }

    fn guard(number: usize) -> Mark {
        Mark(number << 2 | GUARD)
    }

    fn is_call(self) -> bool {
        self.0 & KIND != GUARD
    }

    fn is_turn(self) -> bool {
        self.0 & KIND == TURN
    }

    /// Returns whether the reactor becomes the current one.
    fn enters(self) -> bool {
        !self.is_turn()
    }

    /// Returns whether this is the call of the thread at this address.
    #[inline]
    fn is_call_of(self, thread: usize) -> bool {
        self.0 & !TURN == thread
    }
}

#[inline]
fn address(thread: &Thread) -> usize {
    std::ptr::from_ref(thread).addr()
}

/// Calls a function with the part that has a destructor. Returns the default if it was already
/// destroyed, which is possible in the destructor of another thread-local variable.
#[inline]
fn owned<R: Default>(look: impl FnOnce(&Owned) -> R) -> R {
    OWNED.try_with(look).unwrap_or_default()
}

/// Returns the driver of the last reactor that this thread has entered, if any.
#[inline]
pub(super) fn current() -> Option<&'static Driver> {
    STATE.with(|it| it.current.get())
}

/// Inserts an entry at this place of the list, or at its end. Returns the handle if the list is gone.
fn insert_entry(place: usize, handle: Handle, mark: Mark) -> Option<Handle> {
    let mut handle = Some(handle);
    let _ = OWNED.try_with(|it| {
        let mut entries = it.entries.borrow_mut();
        if let Some(handle) = handle.take() {
            let place = place.min(entries.len());
            entries.insert(place, Entry::new(handle, mark));
        }
    });
    handle
}

/// Adds an entry. Returns the handle if the list is gone.
fn add_entry(handle: Handle, mark: Mark) -> Option<Handle> {
    let driver = handle.driver();
    let handle = insert_entry(usize::MAX, handle, mark);
    if mark.enters() {
        STATE.with(|it| it.current.set(Some(driver)));
    }
    handle
}

/// Removes an entry. This may make its driver vacant.
fn remove_entry(mark: Mark) {
    let removed = owned(|it| {
        let mut entries = it.entries.borrow_mut();
        let index = entries.iter().rposition(|entry| entry.mark == mark)?;
        let removed = entries.remove(index);
        let last = entries.iter().rfind(|entry| entry.mark.enters());
        let current = last.map(|entry| entry.handle.driver());
        STATE.with(|it| it.current.set(current));
        Some(removed)
    });
    // Not while the list is borrowed.
    drop(removed);
}

/// A guard on this thread. Dropping this value ends it.
pub(crate) struct Scope {
    mark: Mark,
    /// The handle, and what was current before, if the list is gone.
    unrecorded: Option<(Handle, Option<&'static Driver>)>,
}

impl Scope {
    pub(crate) fn new(handle: Handle) -> Scope {
        let number = STATE.with(|it| it.guards.replace(it.guards.get().wrapping_add(1)));
        let (mark, before) = (Mark::guard(number), current());
        Scope {
            mark,
            unrecorded: add_entry(handle, mark).map(|handle| (handle, before)),
        }
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        match &self.unrecorded {
            Some((handle, before)) => STATE.with(|it| {
                let is_last = it
                    .current
                    .get()
                    .is_some_and(|it| std::ptr::eq(it, handle.driver()));
                if !is_last {
                    it.is_out_of_order.set(true);
                }
                let before = before.filter(|_| !it.is_out_of_order.get());
                it.current.set(before);
            }),
            None => remove_entry(self.mark),
        }
    }
}

/// What a call on this thread has replaced.
pub(super) struct Frame {
    innermost: Option<Innermost>,
    has_waited: bool,
    turn_is_wanted: bool,
    in_turn: Option<&'static Driver>,
    entry: FrameEntry,
}

/// How a call is recorded.
#[derive(Clone, Copy)]
enum FrameEntry {
    /// It needs no entry.
    None,
    /// It has an entry. Possibly it has also added that of the outer call.
    Listed { with_outer: bool },
    /// The list is gone. This was current before.
    Unlisted(Option<&'static Driver>),
}

impl Frame {
    /// Begins a call.
    #[inline(always)] // A copy of the result would cost a tenth of a short `block_on`.
    pub(super) fn begin(driver: &'static Driver, mark: Mark) -> Frame {
        let mut frame = Frame {
            innermost: STATE.with(|it| it.innermost.replace(Some(Innermost { driver, mark }))),
            has_waited: STATE.with(|it| it.has_waited.replace(false)),
            turn_is_wanted: STATE.with(|it| it.turn_is_wanted.replace(false)),
            in_turn: STATE.with(|it| it.in_turn.get()),
            entry: FrameEntry::None,
        };
        let is_plain = frame.innermost.is_none() && current().is_none();
        if !is_plain || !driver.is_global() {
            frame.entry = frame.record(driver, mark);
        }
        frame
    }

    /// Adds the entries of the call.
    #[cold]
    #[inline(never)]
    fn record(&self, driver: &'static Driver, mark: Mark) -> FrameEntry {
        let before = current();
        let outer = self.innermost.filter(|outer| {
            let is_known = |entry: &Entry| entry.mark == outer.mark;
            !any_entry(is_known)
        });
        // Only the outermost call has no entry, so that comes before what it has entered.
        let with_outer = outer
            .is_some_and(|outer| insert_entry(0, Handle::new(outer.driver), outer.mark).is_none());
        match add_entry(Handle::new(driver), mark) {
            None => FrameEntry::Listed { with_outer },
            Some(_) => FrameEntry::Unlisted(before),
        }
    }

    /// Returns whether the call is nested in another one.
    #[inline]
    pub(super) fn is_nested(&self) -> bool {
        self.innermost.is_some()
    }

    /// Records that the call runs a turn or waits.
    #[inline]
    pub(super) fn begin_turn(&self, driver: &'static Driver) {
        STATE.with(|it| it.in_turn.set(Some(driver)));
    }

    #[inline]
    pub(super) fn end_turn(&self) {
        STATE.with(|it| it.in_turn.set(self.in_turn));
    }

    /// Ends the call, except for its entries.
    #[inline]
    pub(super) fn end(&self) {
        STATE.with(|it| {
            it.innermost.set(self.innermost);
            it.has_waited.set(self.has_waited);
            it.turn_is_wanted.set(self.turn_is_wanted);
            it.in_turn.set(self.in_turn);
        });
    }

    /// Removes the entries of the call. This may make its driver vacant.
    #[inline]
    pub(super) fn remove_entries(&self, mark: Mark) {
        if !matches!(self.entry, FrameEntry::None) {
            self.remove_own_entry(mark);
        }
    }

    #[cold]
    fn remove_own_entry(&self, mark: Mark) {
        match self.entry {
            FrameEntry::None => {}
            FrameEntry::Listed { with_outer } => {
                remove_entry(mark);
                if let Some(outer) = self.innermost.filter(|_| with_outer) {
                    remove_entry(outer.mark);
                }
            }
            FrameEntry::Unlisted(before) => STATE.with(|it| it.current.set(before)),
        }
    }
}

/// Identifies this thread, for as long as it runs.
pub(super) fn caller() -> CallerId {
    STATE.with(|it| CallerId(std::ptr::from_ref(it).addr()))
}

/// Takes the session that was kept for this driver.
#[inline]
pub(super) fn take_session(driver: &'static Driver) -> Option<Box<Session>> {
    owned(|it| {
        let session = it.spare.take()?;
        if std::ptr::eq(session.driver(), driver) {
            return Some(session);
        }
        it.spare.set(Some(session));
        None
    })
}

/// Keeps a session for the next call.
#[inline]
pub(super) fn keep_session(session: Box<Session>) {
    owned(|it| it.spare.set(Some(session)));
}

/// Returns the list of the wakers that this thread has yet to call.
pub(super) fn uncalled() -> Arc<UncalledWakers> {
    let known = owned(|it| {
        let mut uncalled = it.uncalled.borrow_mut();
        if let Some(parents) = uncalled.take_if(|(home, _)| !home.is_here()) {
            // Leaked, because dropping the wakers may take a lock.
            std::mem::forget(parents);
        }
        let (_, list) = uncalled.get_or_insert_with(|| (Home::new(), Arc::default()));
        Some(Arc::clone(list))
    });
    known.unwrap_or_default()
}

/// Returns whether this thread is inside a `block_on` that has waited.
///
/// Only then may the read after a short read wait without a system call: the thread will most
/// likely wait again, and then learns about new data. The first poll of a call must ask the kernel.
/// For example, a frame loop around `block_on(poll_once(read))` never waits, and must still get the
/// data that has arrived.
#[inline]
pub(crate) fn has_waited() -> bool {
    STATE.with(|it| it.has_waited.get())
}

/// Records that the innermost call has waited.
#[inline]
pub(super) fn set_has_waited() {
    STATE.with(|it| it.has_waited.set(true));
}

/// Gives the reactor a turn before the innermost `block_on` on this thread polls its future again.
pub(crate) fn request_turn() {
    STATE.with(|it| it.turn_is_wanted.set(true));
}

/// Returns whether such a turn was requested. The request is taken.
#[inline]
pub(super) fn take_requested_turn() -> bool {
    STATE.with(|it| it.turn_is_wanted.take())
}

/// Returns whether a waker belongs to the innermost call on this thread, and that call drives this
/// driver.
#[inline]
pub(super) fn is_of_innermost(driver: &Driver, waker: &Waker) -> bool {
    let Some(call) = STATE.with(|it| it.innermost.get()) else {
        return false;
    };
    let thread = thread_of(waker).map(address);
    thread.is_some_and(|thread| call.mark.is_call_of(thread)) && std::ptr::eq(call.driver, driver)
}

/// Returns whether a waker belongs to a call of `block_on` or `turn` that runs on this thread and
/// drives this driver.
pub(super) fn is_own(driver: &Driver, waker: &Waker) -> bool {
    let Some(thread) = thread_of(waker).map(address) else {
        return false;
    };
    let is_own = |entry: &Entry| entry.mark.is_call_of(thread) && entry.is_of(driver);
    is_of_innermost(driver, waker) || any_entry(is_own)
}

fn any_entry(condition: impl FnMut(&Entry) -> bool) -> bool {
    owned(|it| it.entries.borrow().iter().any(condition))
}

/// Returns whether a call runs on this thread that drives this driver.
pub(super) fn is_inside(driver: &Driver) -> bool {
    is_innermost(driver) || any_entry(|entry| entry.mark.is_call() && entry.is_of(driver))
}

/// Returns the number of calls by which this thread is inside this driver.
pub(super) fn count_calls(driver: &Driver) -> usize {
    owned(|it| {
        let entries = it.entries.borrow();
        let is_inside =
            |entry: &&Entry| entry.mark.is_call() && entry.is_of(driver) && entry.left_by.is_none();
        entries.iter().filter(is_inside).count()
    })
}

/// Returns whether the innermost call on this thread drives this driver.
#[inline]
pub(super) fn is_innermost(driver: &Driver) -> bool {
    let call = STATE.with(|it| it.innermost.get());
    call.is_some_and(|call| std::ptr::eq(call.driver, driver))
}

/// Returns whether this function runs inside a turn of this driver, in a waker.
pub(super) fn is_in_turn(driver: &Driver) -> bool {
    let in_turn = STATE.with(|it| it.in_turn.get());
    in_turn.is_some_and(|it| std::ptr::eq(it, driver))
        || any_entry(|entry| entry.mark.is_turn() && entry.is_of(driver))
}

/// Leaves the drivers of the outer calls that differ from that of a call, which is about to wait.
/// While it waits, this thread does not drive the others.
pub(super) fn leave_others(call: Mark, driver: &'static Driver) {
    let left: Vec<_> = owned(|it| {
        let mut entries = it.entries.borrow_mut();
        let others = entries.iter_mut().filter(|entry| {
            entry.mark.is_call() && !entry.is_of(driver) && entry.left_by.is_none()
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
    owned(|it| {
        let mut entries = it.entries.borrow_mut();
        for entry in entries.iter_mut().filter(|it| it.left_by == Some(call)) {
            entry.left_by = None;
            entry.handle.driver().enter();
        }
    });
}
