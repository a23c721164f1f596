//! Faults caused by the system or by the program itself: which error the user gets, and that
//! nothing else is lost.
//!
//! `tests/traps.rs` tests further faults. `cargo xtask faults` runs both and prints which test
//! covers which fault. Faults that affect a whole process run in a process of their own.

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
mod support;
#[path = "faults/wakers.rs"]
mod wakers;
