//! Connections that live for one exchange.

use std::io;
use std::net::{TcpListener, TcpStream};

use async_executor::LocalExecutor;
use futures_lite::{AsyncReadExt, AsyncWriteExt};

use super::async_io::{Async, block_on};
use crate::harness::usage::{Moment, Spent};

/// Accepts so many connections, each in a task of its own, and measures all but the first tenth.
pub(crate) fn serve(listener: TcpListener, count: u64) -> io::Result<Spent> {
    let listener = Async::new(listener)?;
    let executor = LocalExecutor::new();
    block_on(executor.run(async {
        let mut start = Moment::now();
        for accepted in 0..count + count / 10 {
            if accepted == count / 10 {
                start = Moment::now();
            }
            let (stream, _) = listener.accept().await?;
            // A client that resets its connection is what this is about: no error.
            executor.spawn(exchange(stream)).detach();
        }
        Ok(start.spent())
    }))
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
