//! Ping-pong of one byte through a Unix socket pair.

use std::io;
use std::os::unix::net::UnixStream as Blocking;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::task::spawn_local;

use super::{run_local, runtime};
use crate::harness::usage::{Moment, Spent};
use crate::work::warm_up::warm_up;

async fn serve(stream: &mut UnixStream, rounds: u64) -> io::Result<()> {
    stream.write_all(&[1]).await?;
    answer(stream, rounds - 1).await?;
    stream.read(&mut [0; 64]).await.map(drop)
}

async fn answer(stream: &mut UnixStream, rounds: u64) -> io::Result<()> {
    for _ in 0..rounds {
        if stream.read(&mut [0; 64]).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        stream.write_all(&[1]).await?;
    }
    Ok(())
}

/// Runs two tasks on one thread.
pub(crate) fn one_thread(rounds: u64) -> io::Result<Spent> {
    run_local(async {
        let (mut left, mut right) = UnixStream::pair()?;
        let warm_up = warm_up(rounds);
        let other = spawn_local(async move { answer(&mut right, warm_up + rounds).await });
        serve(&mut left, warm_up).await?;
        let start = Moment::now();
        serve(&mut left, rounds).await?;
        let spent = start.spent();
        other.await??;
        Ok(spent)
    })?
}

/// Runs two threads, each with its own runtime.
pub(crate) fn two_threads(rounds: u64) -> io::Result<Spent> {
    let (left, right) = Blocking::pair()?;
    left.set_nonblocking(true)?;
    right.set_nonblocking(true)?;
    let warm_up = warm_up(rounds);
    let other = std::thread::spawn(move || {
        runtime()?.block_on(async {
            let mut right = UnixStream::from_std(right)?;
            answer(&mut right, warm_up + rounds).await
        })
    });
    let spent = runtime()?.block_on(async {
        let mut left = UnixStream::from_std(left)?;
        serve(&mut left, warm_up).await?;
        let start = Moment::now();
        serve(&mut left, rounds).await?;
        io::Result::Ok(start.spent())
    })?;
    other
        .join()
        .map_err(|_| io::Error::other("a thread panicked"))??;
    Ok(spent)
}
