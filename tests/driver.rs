//! Who turns the reactor: `block_on` threads, the fallback thread, and the moments between them.
//!
//! The invariant behind all of these: there is never a moment at which somebody waits and nobody turns the reactor
//! or is certain to.

#![cfg(all(target_os = "linux", not(async_io_loom)))]

#[path = "driver/block_on.rs"]
mod block_on;
#[path = "driver/hand_over.rs"]
mod hand_over;
#[path = "driver/hangs.rs"]
mod hangs;
#[path = "driver/idle.rs"]
mod idle;
#[path = "traps/support.rs"]
mod support;
#[path = "driver/thread.rs"]
mod thread;
