//! Short connections: one exchange on each.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::spawn_local;

use super::run_local;
use crate::harness::usage::{Moment, Spent};
use crate::work::warm_up::warm_up;

/// Accepts and measures `count` connections, each in a task of its own, after a warm-up.
pub(crate) fn serve(listener: std::net::TcpListener, count: u64) -> io::Result<Spent> {
    listener.set_nonblocking(true)?;
    run_local(async {
        let listener = TcpListener::from_std(listener)?;
        let warm_up = warm_up(count);
        let mut start = Moment::now();
        for accepted in 0..warm_up + count {
            if accepted == warm_up {
                start = Moment::now();
            }
            let (stream, _) = listener.accept().await?;
            spawn_local(exchange(stream));
        }
        Ok(start.spent())
    })?
}

async fn exchange(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        let length = stream.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..length]).await?;
    }
}
