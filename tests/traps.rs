//! Ways in which reactors are known to lose wake-ups, to spin, to leak or to die; each with a test named after it.
//!
//! The list itself, with the public threads in which each trap was met, is the project's list of traps; `tNN` is its
//! row NN, `upN` the Nth of those met in async-io 2.6.0. Rows about orderings have their proof in the loom models;
//! here is what they look like from outside, under load. `ASYNC_IO_STRESS=10` makes the loads ten times as long.
//!
//! | rows | where |
//! |---|---|
//! | 1, 2, 3, 34, 45 | `readiness`: remembered wrongly, cleared wrongly |
//! | 31, 32, 33, 35 | `outside`: what the library does not see happen |
//! | 4, 5, 7 to 11, 50 | `hangup`: half closes, hang-ups, errors |
//! | 6, 42, 43, 44 | `shortcut`: short reads that prove nothing |
//! | 13 to 16, up1 | `identity`: descriptors reused, copied, closed, inherited |
//! | 17, 18, 19, up3 | `wakers`: lost, kept, woken alone |
//! | 20, up2 | `reentry`: wakers that use the library, or panic |
//! | 21, 22, 25, 26 | `timers`: deadlines |
//! | 28, 29, 37 | `notify`: interrupting a wait |
//! | 30, 39, up4, up5 | `errors`: limits, missing calls, refused files |
//! | 23, 28, 51, up4 | `own`: our own descriptors closed, full, failing |
//! | 36 (second half), 39 | `sandbox`: missing and forbidden system calls |
//! | 12, 41, 46 | `quiet`: readiness that nobody can use |
//! | 36, 38, 48, 49 | `tests/driver.rs`: who turns the reactor |
//!
//! Rows that cannot occur here:
//!
//! - 22: timers are in one queue, there is no minimum over several; the test shows concurrent inserts all the same.
//! - 24: there is no timer wheel that could wrap around; deadlines are compared as they are, in a heap.
//! - 27: `EVFILT_USER` exists with kqueue only.
//! - 40: `/dev/tty` in kqueue, and descriptors that vanish from it, are matters of macOS and OpenBSD.
//! - 47: that long time-outs are stretched by a thousandth is a matter of comparison and not of right or wrong: timers
//!   may be late. That they are never early is tested in `timers`.

#![cfg(all(target_os = "linux", not(async_io_loom)))]

#[path = "traps/errors.rs"]
mod errors;
#[path = "traps/hangup.rs"]
mod hangup;
#[path = "traps/identity.rs"]
mod identity;
#[cfg(not(any(polling_test_poll_backend, polling_test_epoll_pipe)))]
#[path = "traps/interrupts.rs"]
mod interrupts;
#[path = "traps/notify.rs"]
mod notify;
#[path = "traps/outside.rs"]
mod outside;
#[cfg(not(polling_test_poll_backend))]
#[path = "traps/own.rs"]
mod own;
#[path = "traps/quiet.rs"]
mod quiet;
#[path = "traps/readiness.rs"]
mod readiness;
#[path = "traps/reentry.rs"]
mod reentry;
#[path = "traps/sandbox.rs"]
mod sandbox;
#[path = "traps/shortcut.rs"]
mod shortcut;
#[path = "traps/support.rs"]
mod support;
#[path = "traps/timers.rs"]
mod timers;
#[path = "traps/wakers.rs"]
mod wakers;
