//! Chooses the thread that drives the reactor.
//!
//! * [`shell`]: carries out the protocol of `core::roles`. It is generic over the engine, the
//!   alarm clock and the policy, so that loom can run it unchanged.
//! * [`thread`]: a thread that takes part, and its waker.
//! * [`watch`]: how the watcher notices that a leader stays away.
//! * [`policy`]: the tuning.
//! * [`block_on`], [`fallback`]: the two kinds of thread that take part.
//! * [`global`]: the driver of this process.
//!
//! # Invariant
//!
//! Whenever a task waits (a source or a timer holds its waker), a thread is inside the reactor's
//! wait, or is certain to enter it within about a millisecond:
//!
//! * A wait whose waker belongs to a `block_on` that runs on the same thread is *local*. That
//!   thread will either poll its future again, or wait itself as the leader or standing by. Any
//!   other wait starts the fallback thread (`Driver::promise`). From then on, the fallback thread
//!   leads, stands by, or is inside a wait.
//! * A leader that leaves its wait sets the watch's alarm if threads stand by. A thread that stands
//!   by has made sure that a leader waits, or that an alarm is pending.
//!
//! A local wait that remains when `block_on` returns needs no thread: its waker can only notify a
//! call that has ended.

#[cfg(not(async_io_loom))]
pub(crate) mod block_on;
pub(crate) mod fallback;
#[cfg(not(async_io_loom))]
mod global;
pub(crate) mod policy;
pub(crate) mod shell;
pub(crate) mod thread;
pub(crate) mod watch;

#[cfg(not(async_io_loom))]
pub(crate) use global::Driver;
