//! One client: sends messages, one at a time, and compares each echo with its message.

use std::cell::RefCell;
use std::io::{self, ErrorKind};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_io::Async;
use futures_lite::{AsyncReadExt, AsyncWriteExt, future};

use crate::load::Load;
use crate::options::Options;

/// Sends requests until the connection fails or the future is dropped.
pub(crate) async fn client(
    stream: Async<TcpStream>,
    seed: usize,
    done: &AtomicUsize,
    options: &Options,
    load: &RefCell<Load>,
) {
    let mut message: Vec<u8> = (0..options.size).map(|i| (i * 31 + seed) as u8).collect();
    let mut reply = vec![0; options.size];
    let mut started = Instant::now();
    loop {
        // Each message differs from the previous one, so that a stale echo is detected.
        message[0] = message[0].wrapping_add(1);
        let outcome = request(&stream, &message, &mut reply, options.load_timeout).await;
        let now = Instant::now();
        let mut load = load.borrow_mut();
        if let Err(error) = outcome {
            load.failed += 1;
            load.first_error.get_or_insert(error);
            return;
        }
        load.latencies
            .saturating_record((now - started).as_nanos() as u64);
        done.fetch_add(1, Ordering::Relaxed);
        started = now;
    }
}

/// Sends one message and compares the echo.
///
/// Writes and reads concurrently: if a message is larger than the socket buffers, the server sends
/// back its beginning before the client has sent its end.
async fn request(
    stream: &Async<TcpStream>,
    message: &[u8],
    reply: &mut [u8],
    timeout: Option<Duration>,
) -> io::Result<()> {
    let (mut reader, mut writer) = (stream, stream);
    let write = writer.write_all(message);
    let read = async {
        let mut received = 0;
        while received < reply.len() {
            match async_io::timeout(timeout, reader.read(&mut reply[received..])).await?? {
                0 => {
                    return Err(io::Error::new(
                        ErrorKind::UnexpectedEof,
                        "the server closed the connection",
                    ));
                }
                length => received += length,
            }
        }
        Ok(())
    };
    future::try_zip(write, read).await?;
    if reply != message {
        return Err(io::Error::new(
            ErrorKind::InvalidData,
            "the echo differs from the message",
        ));
    }
    Ok(())
}
