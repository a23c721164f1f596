//! Ping-pong of one byte through a Unix socket pair.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;

use async_executor::LocalExecutor;
use futures_lite::{AsyncReadExt, AsyncWriteExt};

use super::async_io::{Async, block_on};
use crate::harness::usage::{Moment, Spent};
use crate::work::warm_up::warm_up;

async fn serve(stream: &mut Async<UnixStream>, rounds: u64) -> io::Result<()> {
    stream.write_all(&[1]).await?;
    answer(stream, rounds - 1).await?;
    stream.read(&mut [0; 64]).await.map(drop)
}

async fn answer(stream: &mut Async<UnixStream>, rounds: u64) -> io::Result<()> {
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
    let (left, right) = UnixStream::pair()?;
    let (mut left, mut right) = (Async::new(left)?, Async::new(right)?);
    let executor = LocalExecutor::new();
    block_on(executor.run(async {
        let warm_up = warm_up(rounds);
        let other = executor.spawn(async move { answer(&mut right, warm_up + rounds).await });
        serve(&mut left, warm_up).await?;
        let start = Moment::now();
        serve(&mut left, rounds).await?;
        let spent = start.spent();
        other.await?;
        Ok(spent)
    }))
}

/// Runs two threads, each in its own `block_on`.
pub(crate) fn two_threads(rounds: u64) -> io::Result<Spent> {
    let (left, right) = UnixStream::pair()?;
    let (mut left, mut right) = (Async::new(left)?, Async::new(right)?);
    let warm_up = warm_up(rounds);
    let other = std::thread::spawn(move || block_on(answer(&mut right, warm_up + rounds)));
    block_on(serve(&mut left, warm_up))?;
    let spent = block_on(async {
        let start = Moment::now();
        serve(&mut left, rounds).await?;
        io::Result::Ok(start.spent())
    })?;
    other
        .join()
        .map_err(|_| io::Error::other("a thread panicked"))??;
    Ok(spent)
}

/// Runs one side in an executor that is not the library's, and the other in a thread that makes
/// blocking calls.
pub(crate) fn against_blocking(rounds: u64) -> io::Result<Spent> {
    let (left, mut right) = UnixStream::pair()?;
    let mut left = Async::new(left)?;
    let warm_up = warm_up(rounds);
    let other = std::thread::spawn(move || {
        for _ in 0..warm_up + rounds {
            right.read_exact(&mut [0])?;
            right.write_all(&[1])?;
        }
        io::Result::Ok(())
    });
    futures_lite::future::block_on(serve(&mut left, warm_up))?;
    let start = Moment::now();
    futures_lite::future::block_on(serve(&mut left, rounds))?;
    let spent = start.spent();
    other
        .join()
        .map_err(|_| io::Error::other("a thread panicked"))??;
    Ok(spent)
}
