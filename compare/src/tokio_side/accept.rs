//! Many tasks that wait in `accept` on one listener.

use std::io;
use std::rc::Rc;

use tokio::net::TcpListener;
use tokio::task::spawn_local;

use super::run_local;
use crate::harness::sample::Sample;
use crate::work::tally::Tally;

/// Accepts connections with so many tasks, and closes each of them at once. Measures `count`
/// connections.
pub(crate) fn serve(
    listener: std::net::TcpListener,
    acceptors: u64,
    count: u64,
) -> io::Result<Sample> {
    listener.set_nonblocking(true)?;
    run_local(async {
        let listener = Rc::new(TcpListener::from_std(listener)?);
        let tally = Rc::new(Tally::new(count));
        let (finished, finish) = async_channel::bounded::<()>(1);
        for _ in 0..acceptors {
            let (listener, tally, finished) = (listener.clone(), tally.clone(), finished.clone());
            spawn_local(async move {
                loop {
                    if tally.accept(listener.accept()).await {
                        let _ = finished.try_send(());
                    }
                }
            });
        }
        // The tasks hold senders, so `recv` does not fail.
        let _ = finish.recv().await;
        Ok(tally.sample())
    })?
}
