//! Short connections: one exchange on each.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use async_executor::LocalExecutor;
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use rustix::net::sockopt::set_socket_linger;

use super::async_io::{Async, block_on};
use crate::harness::Outcome;
use crate::harness::usage::{Moment, Spent};
use crate::work::threads::Progress;
use crate::work::warm_up::warm_up;

/// Accepts and measures `count` connections, each in a task of its own, after a warm-up.
pub(crate) fn serve(listener: TcpListener, count: u64) -> io::Result<Spent> {
    let listener = Async::new(listener)?;
    let executor = LocalExecutor::new();
    block_on(executor.run(async {
        let warm_up = warm_up(count);
        let mut start = Moment::now();
        for accepted in 0..warm_up + count {
            if accepted == warm_up {
                start = Moment::now();
            }
            let (stream, _) = listener.accept().await?;
            // Clients reset their connections on purpose, so the result of the task is ignored.
            executor.spawn(exchange(stream)).detach();
        }
        Ok(start.spent())
    }))
}

/// Makes short connections on one of several threads, until it is stopped.
pub(crate) fn connect_until_stopped(address: SocketAddr, progress: &Progress) -> Outcome<()> {
    block_on(async {
        while progress.add(1) {
            let mut stream = Async::<TcpStream>::connect(address).await?;
            // Resets the connection, so that no address remains in TIME_WAIT.
            set_socket_linger(stream.get_ref(), Some(Duration::ZERO))?;
            stream.write_all(&[7; 64]).await?;
            receive(&mut stream).await?;
        }
        Ok(())
    })
}

/// Receives an answer. It uses `read`, as all echo programs do: with `read_exact`, the compiler no
/// longer inlines the read into the future of `read`. The guards count the instructions of that future.
async fn receive(stream: &mut Async<TcpStream>) -> io::Result<()> {
    let mut buffer = [0; 64];
    let mut missing = buffer.len();
    while missing > 0 {
        match stream.read(&mut buffer).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            length => missing -= length,
        }
    }
    Ok(())
}

async fn exchange(mut stream: Async<TcpStream>) -> io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        let length = stream.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..length]).await?;
    }
}
