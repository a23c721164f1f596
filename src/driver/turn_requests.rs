//! Requests that end calls of `turn`.
//!
//! # Orderings
//!
//! A request is recorded, and then ends the calls that are known. A call makes itself known, and then
//! looks for a request. Both happen under one lock, so at least one of the two sees the other: the
//! call does not wait, or it is notified. If no call is known, the next one sees the request.
//!
//! A thread may also be notified by a waker of an earlier call. So a call that was notified takes the
//! notification, and then asks whether a request has ended it. A request marks the call before it
//! notifies, so a call that has taken a notification of a request sees the mark.
//!
//! # Foreign loops
//!
//! A request must also end the wait of a foreign event loop, which a notification of the poller does. But
//! another thread that waits for the poller may use up that notification. So the request is a *debt* to
//! the loop. `prepare` reports it, and notifies the poller as well. It is paid when the loop's thread runs a
//! turn, or prepares again after the report. Until then, each thread that leaves the reactor notifies the
//! poller again.
//!
//! The thread that has prepared last is the loop's. Before the first `prepare`, no thread pays: a task of the
//! loop may wait already. So the first `prepare` may report a request that a turn has seen.
//!
//! If the loop's thread is gone, the debt stays, and each turn of another thread runs one more pass. If a loop
//! runs its turns on other threads than it prepares on, it makes one more round for each request.

use super::thread::Thread;
use crate::core::sync::Mutex;
use std::sync::Arc;

#[derive(Debug, Default)]
pub(crate) struct TurnRequests(Mutex<Record>);

#[derive(Debug, Default)]
struct Record {
    /// The calls in progress.
    calls: Vec<Call>,
    /// Whether the next call does not wait.
    pending: bool,
    /// The thread of a foreign event loop.
    loops_on: Option<CallerId>,
    debt: Debt,
}

/// Whether a foreign event loop may not have noticed a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Debt {
    #[default]
    None,
    /// There was a request that no turn of the loop's thread has seen.
    Owed,
    /// `prepare` has told the loop.
    Reported,
}

/// Identifies the thread that calls `turn` or `prepare`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CallerId(pub(crate) usize);

#[derive(Debug)]
struct Call {
    thread: Arc<Thread>,
    caller: CallerId,
    /// Whether a request has ended it.
    has_ended: bool,
}

impl TurnRequests {
    /// Makes a request. Returns whether the poller must be notified as well: the request has ended no
    /// call, or a foreign event loop waits for it.
    pub(crate) fn make(&self) -> bool {
        let mut record = self.0.lock();
        record.pending = !mutation!("request_is_not_recorded");
        let mark = |call: &mut Call| {
            call.has_ended = !mutation!("ended_call_is_not_marked");
            Arc::clone(&call.thread)
        };
        let ended: Vec<_> = record.calls.iter_mut().map(mark).collect();
        let loops_on = record.loops_on;
        let is_of_the_loop = |call: &Call| loops_on == Some(call.caller);
        let is_owed = !record.calls.iter().any(is_of_the_loop);
        if is_owed && !mutation!("request_is_not_owed") {
            record.debt = Debt::Owed;
        }
        drop(record);
        for thread in &ended {
            thread.notify();
        }
        ended.is_empty() || is_owed && loops_on.is_some()
    }

    /// Begins a call. Returns whether there was a request, so that the call must not wait.
    pub(crate) fn begin(&self, thread: &Arc<Thread>, caller: CallerId) -> bool {
        let mut record = self.0.lock();
        record.calls.push(Call {
            thread: Arc::clone(thread),
            caller,
            has_ended: false,
        });
        let is_of_the_loop = record.loops_on == Some(caller);
        let pays = is_of_the_loop && std::mem::take(&mut record.debt) != Debt::None;
        std::mem::take(&mut record.pending) || pays
    }

    /// Returns whether a request has ended the call of this thread.
    pub(crate) fn has_ended(&self, thread: &Arc<Thread>) -> bool {
        let record = self.0.lock();
        let mut calls = record.calls.iter();
        calls.any(|call| call.has_ended && Arc::ptr_eq(&call.thread, thread))
    }

    /// Ends a call. A request that has ended this call does not end the next one.
    pub(crate) fn end(&self, thread: &Arc<Thread>) {
        let mut record = self.0.lock();
        let Record { calls, pending, .. } = &mut *record;
        let is_own = |call: &Call| Arc::ptr_eq(&call.thread, thread);
        let Some(index) = calls.iter().position(is_own) else {
            return;
        };
        if calls.swap_remove(index).has_ended && calls.is_empty() {
            *pending = false;
        }
    }

    /// Records that the caller prepares for a wait of its event loop. Returns whether there is a
    /// request, so that the loop must not wait.
    pub(crate) fn prepare(&self, caller: CallerId) -> bool {
        let mut record = self.0.lock();
        record.loops_on = Some(caller);
        let reports = record.pending || record.debt == Debt::Owed;
        record.debt = if reports && !mutation!("report_pays_the_debt") {
            Debt::Reported
        } else {
            Debt::None
        };
        reports
    }

    /// Returns whether a foreign event loop may not have noticed a request. The caller, which leaves the
    /// reactor, then notifies the poller.
    pub(crate) fn owes_the_loop(&self) -> bool {
        let record = self.0.lock();
        record.loops_on.is_some() && record.debt != Debt::None
    }

    /// Forgets a request and the foreign event loop. No call is in progress.
    pub(crate) fn reset(&self) {
        *self.0.lock() = Record::default();
    }
}
