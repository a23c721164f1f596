//! The echo server on monoio.

use std::io;

use monoio::io::{AsyncReadRent, AsyncWriteRentExt};
use monoio::net::TcpStream;
use monoio::{IoUringDriver, RuntimeBuilder};

/// Serves these connections until they are closed.
pub(crate) fn serve(streams: Vec<std::net::TcpStream>) -> io::Result<()> {
    RuntimeBuilder::<IoUringDriver>::new()
        .build()?
        .block_on(async {
            let mut tasks = Vec::with_capacity(streams.len());
            for stream in streams {
                // Otherwise io_uring would report `WouldBlock` where it has to wait.
                stream.set_nonblocking(false)?;
                tasks.push(monoio::spawn(plain(TcpStream::from_std(stream)?)));
            }
            for task in tasks {
                task.await?;
            }
            Ok(())
        })
}

async fn plain(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(4096);
    loop {
        let (read, filled) = stream.read(buffer).await;
        if read? == 0 {
            return Ok(());
        }
        let (written, given_back) = stream.write_all(filled).await;
        written?;
        buffer = given_back;
    }
}
