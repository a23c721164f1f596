//! Spans and events at level TRACE. Users filter by their names and targets, so these must not
//! change.

use crate::core::clock::{Clock, Deadline};
use crate::sys::raw::{self, RawSource};
use tracing::span::EnteredSpan;
use tracing::{trace, trace_span};

const DRIVER: &str = "async_io::driver";
const REACTOR: &str = "async_io::reactor";

pub(crate) fn main_loop() -> EnteredSpan {
    trace_span!(target: DRIVER, "async_io::main_loop").entered()
}

pub(crate) fn block_on() -> EnteredSpan {
    trace_span!(target: DRIVER, "async_io::block_on").entered()
}

pub(crate) fn react() -> EnteredSpan {
    trace_span!(target: REACTOR, "react").entered()
}

pub(crate) fn process_timers() -> EnteredSpan {
    trace_span!(target: REACTOR, "process_timers").entered()
}

pub(crate) fn waiting_on_io() {
    trace!(target: DRIVER, "waiting on I/O");
}

pub(crate) fn sleeping_until(deadline: Deadline, clock: Clock) {
    if !deadline.is_never() && tracing::enabled!(target: REACTOR, tracing::Level::TRACE) {
        let micros = deadline.after(clock.now()).as_micros();
        trace!(target: REACTOR, "sleeping for {} us", micros);
    }
}

pub(crate) fn sleeping() {
    trace!(target: DRIVER, "sleep until notification");
}

pub(crate) fn notified() {
    trace!(target: DRIVER, "notified");
}

pub(crate) fn completed() {
    trace!(target: DRIVER, "completed");
}

pub(crate) fn stops_hogging() {
    trace!(target: DRIVER, "stops hogging the reactor");
}

pub(crate) fn ready_wakers(count: usize) {
    trace!(target: REACTOR, "{} ready wakers", count);
}

/// Records that a wait for readiness has ended. `event` is the name of the function that started
/// it.
pub(crate) fn ready(event: &'static str, raw: RawSource) {
    let raw = raw::number(raw);
    match event {
        "readable" => trace!(target: REACTOR, fd = raw, "readable"),
        "readable_owned" => trace!(target: REACTOR, fd = raw, "readable_owned"),
        "writable" => trace!(target: REACTOR, fd = raw, "writable"),
        _ => trace!(target: REACTOR, fd = raw, "writable_owned"),
    }
}
