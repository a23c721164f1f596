//! Empty functions, which cost nothing.

use crate::core::clock::{Clock, Deadline};

/// A placeholder for an entered span.
pub(crate) struct Span;

#[inline(always)]
pub(crate) fn main_loop() -> Span {
    Span
}

#[inline(always)]
pub(crate) fn block_on() -> Span {
    Span
}

#[inline(always)]
pub(crate) fn react() -> Span {
    Span
}

#[inline(always)]
pub(crate) fn process_timers() -> Span {
    Span
}

#[inline(always)]
pub(crate) fn waiting_on_io() {}

#[inline(always)]
pub(crate) fn sleeping_until(_deadline: Deadline, _clock: Clock) {}

#[inline(always)]
pub(crate) fn sleeping() {}

#[inline(always)]
pub(crate) fn notified() {}

#[inline(always)]
pub(crate) fn completed() {}

#[inline(always)]
pub(crate) fn stops_hogging() {}

#[inline(always)]
pub(crate) fn ready_wakers(_count: usize) {}

#[inline(always)]
pub(crate) fn ready<R>(_event: &'static str, _raw: R) {}
