//! The echo server on compio.

use std::io;

use compio::BufResult;
use compio::io::{AsyncRead, AsyncWriteExt};
use compio::net::TcpStream;
use compio::runtime::Runtime;

/// Serves these connections until they are closed.
pub(crate) fn serve(streams: Vec<std::net::TcpStream>) -> io::Result<()> {
    Runtime::new()?.block_on(async {
        let mut tasks = Vec::with_capacity(streams.len());
        for stream in streams {
            // Otherwise io_uring would report `WouldBlock` where it has to wait.
            stream.set_nonblocking(false)?;
            tasks.push(compio::runtime::spawn(plain(TcpStream::from_std(stream)?)));
        }
        for task in tasks {
            task.await
                .map_err(|_| io::Error::other("a task panicked"))??;
        }
        Ok(())
    })
}

async fn plain(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(4096);
    loop {
        let BufResult(read, filled) = stream.read(buffer).await;
        if read? == 0 {
            return Ok(());
        }
        let BufResult(written, given_back) = stream.write_all(filled).await;
        written?;
        buffer = given_back;
    }
}
