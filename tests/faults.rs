//! Faults that the system, or the program itself, may cause: what the user gets, and that nothing else is lost.
//!
//! Many are traps as well and tested in `tests/traps.rs`; `cargo xtask faults` runs both, and prints which fault is
//! tested where. Faults that concern a whole process are caused in one of their own.

#![cfg(all(target_os = "linux", not(async_io_loom)))]

#[path = "faults/clock.rs"]
mod clock;
#[cfg(not(any(async_io_portable, polling_test_poll_backend)))]
#[path = "faults/epoll_ctl.rs"]
mod epoll_ctl;
#[path = "faults/limits.rs"]
mod limits;
#[cfg(not(any(async_io_portable, polling_test_poll_backend)))]
#[path = "faults/process.rs"]
mod process;
#[path = "faults/signals.rs"]
mod signals;
#[path = "traps/support.rs"]
mod support;
#[path = "faults/wakers.rs"]
mod wakers;
