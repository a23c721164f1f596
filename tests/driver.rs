//! Which thread drives the reactor: threads in `block_on`, the fallback thread, and the hand-over
//! between them.
//!
//! The invariant behind all of these tests: whenever a task waits, some thread drives the reactor
//! or is certain to drive it.

#![cfg(all(target_os = "linux", not(async_io_loom)))]

#[path = "driver/block_on.rs"]
mod block_on;
#[path = "driver/hand_over.rs"]
mod hand_over;
#[path = "driver/hangs.rs"]
mod hangs;
#[path = "driver/idle.rs"]
mod idle;
mod support;
#[path = "driver/thread.rs"]
mod thread;
