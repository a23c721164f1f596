//! Ways in which reactors are known to lose wake-ups, to use a processor without need, to leak or
//! to crash.
//!
//! Each test shows from outside, under load, that one of them does not occur. Orderings between
//! threads are checked by the loom models. `ASYNC_IO_STRESS=10` makes the loads ten times as long.
//!
//! | module | faults |
//! |---|---|
//! | `readiness` | readiness is remembered or cleared wrongly |
//! | `outside` | changes of readiness that the library cannot observe |
//! | `hangup` | half-closes, hang-ups, errors |
//! | `shortcut` | short reads after which data is left |
//! | `identity` | descriptors are reused, copied, closed by other code, inherited |
//! | `wakers` | wakers are lost, kept too long, woken alone |
//! | `reentry` | wakers use the library, or panic |
//! | `timers` | deadlines |
//! | `notify`, `interrupts` | interrupting a wait |
//! | `errors` | limits, missing system calls, refused files |
//! | `own` | the reactor's own descriptors are closed, full, or fail |
//! | `sandbox` | system calls are missing or forbidden |
//! | `quiet` | readiness that no task waits for |
//! | `tests/driver.rs` | which thread drives the reactor |
//!
//! Known faults that cannot occur here:
//!
//! - A wrong minimum over several timer queues: all timers are in one queue. `timers` tests
//!   concurrent insertions nevertheless.
//! - A timer wheel that wraps around: deadlines are compared directly, in a heap.
//! - Faults of `EVFILT_USER`, which exists only with kqueue.
//! - Faults of `/dev/tty` in kqueue, and descriptors that vanish from a kqueue. They concern macOS
//!   and OpenBSD.
//! - Long time-outs that are extended by a thousandth: timers may be late, so this is not an error.
//!   `timers` tests that timers are never early.

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
mod support;
#[path = "traps/timers.rs"]
mod timers;
#[path = "traps/wakers.rs"]
mod wakers;
