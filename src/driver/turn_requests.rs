//! Requests that end calls of `turn`.
//!
//! # Orderings
//!
//! A request is recorded, and then ends the calls that are known. A call makes itself known, and then
//! looks for a request. Both happen under one lock, so at least one of the two sees the other: the
//! call does not wait, or it is notified. If no call is known, the next one sees the request.

use super::thread::Thread;
use crate::core::sync::Mutex;
use std::sync::Arc;

#[derive(Debug, Default)]
pub(crate) struct TurnRequests(Mutex<Record>);

#[derive(Debug, Default)]
struct Record {
    /// The calls in progress.
    calls: Vec<Arc<Thread>>,
    /// Whether the next call does not wait.
    pending: bool,
}

impl TurnRequests {
    /// Makes a request. Returns whether it has ended a call.
    pub(crate) fn make(&self) -> bool {
        let mut record = self.0.lock();
        record.pending = !mutation!("request_is_not_recorded");
        let calls = record.calls.clone();
        drop(record);
        for call in &calls {
            call.notify();
        }
        !calls.is_empty()
    }

    /// Begins a call. Returns whether there was a request, so that the call must not wait.
    pub(crate) fn begin(&self, call: &Arc<Thread>) -> bool {
        let mut record = self.0.lock();
        record.calls.push(Arc::clone(call));
        std::mem::take(&mut record.pending)
    }

    /// Ends a call. A request that has ended this call does not end the next one.
    pub(crate) fn end(&self, call: &Arc<Thread>) {
        let mut record = self.0.lock();
        record.calls.retain(|other| !Arc::ptr_eq(call, other));
        if call.parker.state.is_notified() && record.calls.is_empty() {
            record.pending = false;
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
