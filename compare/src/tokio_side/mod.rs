//! The same work on tokio, written as users of tokio would write it.

use std::future::Future;
use std::io;

use tokio::runtime::{Builder, Runtime};
use tokio::task::LocalSet;

pub(crate) mod accept;
pub(crate) mod alarms;
pub(crate) mod echo;
pub(crate) mod idle;
pub(crate) mod ping_pong;
pub(crate) mod short;
pub(crate) mod sources;
pub(crate) mod timers;

pub(crate) fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

pub(crate) fn pool(threads: usize) -> io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
}

/// Runs a future on this thread, in a `LocalSet` for its local tasks.
pub(crate) fn run_local<T>(future: impl Future<Output = T>) -> io::Result<T> {
    let tasks = LocalSet::new();
    Ok(tasks.block_on(&runtime()?, future))
}
