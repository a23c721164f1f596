//! Chooses the thread that drives the reactor.
//!
//! * [`shell`]: carries out the protocol of `core::roles`. It is generic over the engine, the
//!   alarm clock and the policy, so that loom can run it unchanged.
//! * [`thread`]: a thread that takes part, and its waker.
//! * [`watch`]: how the watcher notices that a leader stays away.
//! * [`policy`]: the tuning.
//! * [`block_on`], [`turn`], [`fallback`]: the kinds of thread that take part.
//! * [`turn_requests`]: how a waker ends a call of `turn`.
//! * [`local`]: what a thread remembers about the reactors that it has entered, and its calls.
//! * [`concrete`]: the driver of this process and those of private reactors.
//! * [`pool`]: the drivers of former private reactors.
//! * [`handle`]: a counted handle of a driver.
//!
//! # Invariant
//!
//! Whenever a task waits (a source or a timer holds its waker), a thread is inside the reactor's
//! wait, or is certain to enter it within about a millisecond:
//!
//! * A wait is *local* if its waker belongs to a `block_on` that runs on the same thread and drives
//!   the same reactor. That thread will either poll its future again, or wait itself as the leader
//!   or standing by.
//! * A wait of a task on a thread inside a private reactor relies on that thread. The last thread that
//!   leaves the reactor looks for such waits, and starts the fallback thread if it finds one
//!   (`core::presence`). A thread that waits for another reactor in a nested call has left the outer
//!   one meanwhile.
//! * Any other wait starts the fallback thread (`Driver::promise`). From then on, the fallback thread
//!   leads, stands by, or is inside a wait.
//! * A leader that leaves its wait sets the watch's alarm if threads stand by. A thread that stands
//!   by has made sure that a leader waits, or that an alarm is pending.
//!
//! A manual reactor has no fallback thread. Its tasks make progress while the program drives it.
//!
//! A local wait that remains when `block_on` returns needs no thread: its waker can only notify a
//! call that has ended.

#[cfg(not(async_io_loom))]
pub(crate) mod block_on;
#[cfg(not(async_io_loom))]
mod concrete;
pub(crate) mod fallback;
#[cfg(not(async_io_loom))]
pub(crate) mod handle;
#[cfg(not(async_io_loom))]
pub(crate) mod local;
pub(crate) mod policy;
#[cfg(not(async_io_loom))]
mod pool;
pub(crate) mod shell;
pub(crate) mod thread;
#[cfg(not(async_io_loom))]
pub(crate) mod turn;
pub(crate) mod turn_requests;
pub(crate) mod watch;

#[cfg(not(async_io_loom))]
pub(crate) use concrete::{Driver, Uses};
