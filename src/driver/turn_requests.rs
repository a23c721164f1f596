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
}

#[derive(Debug)]
struct Call {
    thread: Arc<Thread>,
    /// Whether a request has ended it.
    has_ended: bool,
}

impl TurnRequests {
    /// Makes a request. Returns whether it has ended a call.
    pub(crate) fn make(&self) -> bool {
        let mut record = self.0.lock();
        record.pending = !mutation!("request_is_not_recorded");
        let mark = |call: &mut Call| {
            call.has_ended = !mutation!("ended_call_is_not_marked");
            Arc::clone(&call.thread)
        };
        let ended: Vec<_> = record.calls.iter_mut().map(mark).collect();
        drop(record);
        for thread in &ended {
            thread.notify();
        }
        !ended.is_empty()
    }

    /// Begins a call. Returns whether there was a request, so that the call must not wait.
    pub(crate) fn begin(&self, thread: &Arc<Thread>) -> bool {
        let mut record = self.0.lock();
        record.calls.push(Call {
            thread: Arc::clone(thread),
            has_ended: false,
        });
        std::mem::take(&mut record.pending)
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
        let Record { calls, pending } = &mut *record;
        let is_own = |call: &Call| Arc::ptr_eq(&call.thread, thread);
        let Some(index) = calls.iter().position(is_own) else {
            return;
        };
        if calls.swap_remove(index).has_ended && calls.is_empty() {
            *pending = false;
        }
    }

    pub(crate) fn is_pending(&self) -> bool {
        self.0.lock().pending
    }

    /// Forgets a request. No call is in progress.
    pub(crate) fn reset(&self) {
        self.0.lock().pending = false;
    }
}
