//! Many tasks that wait in `accept` on one listener.

use std::io;
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;

use async_executor::LocalExecutor;

use super::async_io::{Async, block_on};
use crate::harness::sample::Sample;
use crate::work::tally::Tally;

/// Accepts connections with so many tasks, and closes each of them at once. Measures `count`
/// connections.
pub(crate) fn serve(listener: TcpListener, acceptors: u64, count: u64) -> io::Result<Sample> {
    let listener = Arc::new(Async::new(listener)?);
    let tally = Rc::new(Tally::new(count));
    let (finished, finish) = async_channel::bounded::<()>(1);
    let executor = LocalExecutor::new();
    for _ in 0..acceptors {
        let (listener, tally, finished) = (listener.clone(), tally.clone(), finished.clone());
        let accept = async move {
            loop {
                if tally.accept(listener.accept()).await {
                    let _ = finished.try_send(());
                }
            }
        };
        executor.spawn(accept).detach();
    }
    // The tasks hold senders, so `recv` does not fail.
    let _ = block_on(executor.run(finish.recv()));
    Ok(tally.sample())
}
