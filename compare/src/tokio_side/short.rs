//! Short connections: one exchange on each.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::task::spawn_local;

use super::run_local;
use crate::harness::Outcome;
use crate::harness::usage::{Moment, Spent};
use crate::work::threads::Progress;
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

/// Makes short connections on one of several threads, in `block_on` of a shared pool, until it is
/// stopped.
pub(crate) fn connect_until_stopped(
    pool: &Handle,
    address: SocketAddr,
    progress: &Progress,
) -> Outcome<()> {
    pool.block_on(async {
        while progress.add(1) {
            let mut stream = TcpStream::connect(address).await?;
            // Resets the connection, so that no address remains in TIME_WAIT.
            set_socket_linger(&stream, Some(Duration::ZERO))?;
            stream.write_all(&[7; 64]).await?;
            stream.read_exact(&mut [0; 64]).await?;
        }
        Ok(())
    })
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
