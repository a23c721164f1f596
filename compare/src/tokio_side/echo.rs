//! Echo servers, one task per connection.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::{spawn, spawn_local};

use super::{pool, run_local};
use crate::work::echo::Style;

/// Serves these connections until they are closed.
pub(crate) fn serve(streams: Vec<std::net::TcpStream>, style: Style) -> io::Result<()> {
    run_local(async {
        let mut tasks = Vec::with_capacity(streams.len());
        for stream in streams {
            let stream = TcpStream::from_std(stream)?;
            tasks.push(match style {
                Style::Timeout => spawn_local(with_timeout(stream)),
                _ => spawn_local(plain(stream)),
            });
        }
        for task in tasks {
            task.await??;
        }
        Ok(())
    })?
}

/// Serves these connections with a pool of so many threads.
pub(crate) fn serve_on_threads(
    streams: Vec<std::net::TcpStream>,
    threads: usize,
) -> io::Result<()> {
    pool(threads)?.block_on(async {
        let mut tasks = Vec::with_capacity(streams.len());
        for stream in streams {
            tasks.push(spawn(plain(TcpStream::from_std(stream)?)));
        }
        for task in tasks {
            task.await??;
        }
        Ok(())
    })
}

async fn plain(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        let length = stream.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..length]).await?;
    }
}

async fn with_timeout(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        let read = tokio::time::timeout(Duration::from_secs(10), stream.read(&mut buffer));
        let length = read.await??;
        if length == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..length]).await?;
    }
}
