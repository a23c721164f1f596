//! An idle server.

use std::io;
use std::time::Duration;

use tokio::net::TcpListener;

use super::runtime;

/// Runs a server without clients: awaits a timer, then waits for a connection.
pub(crate) fn wait_for_ever(is_idle: &dyn Fn()) -> io::Result<()> {
    runtime()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        tokio::time::sleep(Duration::from_millis(10)).await;
        is_idle();
        listener.accept().await.map(drop)
    })
}
