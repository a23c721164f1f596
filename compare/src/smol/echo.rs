//! Echo servers, one task per connection.

use std::future::poll_fn;
use std::io::{self, Read};
use std::net::TcpStream;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_executor::{Executor, LocalExecutor};
use futures_lite::{AsyncReadExt, AsyncWriteExt, FutureExt};

use super::async_io::{Async, Timer, block_on};
use crate::work::echo::Style;

/// Serves these connections until they are closed.
pub(crate) fn serve(streams: Vec<TcpStream>, style: Style) -> io::Result<()> {
    match style {
        Style::Threads(threads) => return serve_on_threads(streams, threads),
        Style::Alone => {
            let mut streams = streams.into_iter();
            return streams.try_for_each(|stream| block_on(plain(Async::new_nonblocking(stream)?)));
        }
        Style::Plain | Style::Timeout | Style::Readable | Style::PerCore(_) => {}
    }
    let executor = LocalExecutor::new();
    let mut tasks = Vec::with_capacity(streams.len());
    for stream in streams {
        let stream = Async::new_nonblocking(stream)?;
        tasks.push(match style {
            Style::Timeout => executor.spawn(with_timeout(stream)),
            Style::Readable => executor.spawn(through_readable(stream)),
            _ => executor.spawn(plain(stream)),
        });
    }
    block_on(executor.run(async {
        for task in tasks {
            task.await?;
        }
        Ok(())
    }))
}

fn serve_on_threads(streams: Vec<TcpStream>, threads: usize) -> io::Result<()> {
    let executor = Executor::new();
    let mut tasks = Vec::with_capacity(streams.len());
    for stream in streams {
        tasks.push(executor.spawn(plain(Async::new_nonblocking(stream)?)));
    }
    let (finished, finish) = async_channel::bounded::<()>(1);
    std::thread::scope(|scope| {
        for _ in 1..threads {
            // `recv` fails once the sender is dropped, after the last connection has closed.
            scope.spawn(|| block_on(executor.run(finish.recv())));
        }
        let result = block_on(executor.run(async {
            for task in tasks {
                task.await?;
            }
            Ok(())
        }));
        drop(finished);
        result
    })
}

async fn plain(mut stream: Async<TcpStream>) -> io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        let length = stream.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..length]).await?;
    }
}

async fn with_timeout(mut stream: Async<TcpStream>) -> io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        let timeout = async {
            Timer::after(Duration::from_secs(10)).await;
            Err(io::ErrorKind::TimedOut.into())
        };
        let length = stream.read(&mut buffer).or(timeout).await?;
        if length == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..length]).await?;
    }
}

/// Serves a connection in the way of async-net. The stream is shared, its operations are made on
/// the inner object, and an owned future that lives across polls waits for readiness.
async fn through_readable(stream: Async<TcpStream>) -> io::Result<()> {
    let stream = Arc::new(stream);
    let mut buffer = [0; 4096];
    let mut waiting = None;
    loop {
        let read = poll_fn(|context| {
            loop {
                match stream.get_ref().read(&mut buffer) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    result => {
                        waiting = None;
                        return std::task::Poll::Ready(result);
                    }
                }
                let ready = waiting.get_or_insert_with(|| stream.clone().readable_owned());
                std::task::ready!(Pin::new(ready).poll(context))?;
                waiting = None;
            }
        });
        let length = read.await?;
        if length == 0 {
            return Ok(());
        }
        (&*stream).write_all(&buffer[..length]).await?;
    }
}
