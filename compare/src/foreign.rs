//! A wait that is pending in an executor other than `async_io::block_on`. It keeps the fallback
//! thread alive.

use std::future::Future;
use std::io;
use std::os::unix::net::UnixStream;
use std::pin::pin;
use std::task::Poll;

use ours::Async;

/// Starts a thread that waits for a byte that never arrives. Returns once the wait is pending.
pub(crate) fn start() -> io::Result<()> {
    let (silent, reader) = UnixStream::pair()?;
    let (waits, waiting) = std::sync::mpsc::channel();
    std::thread::Builder::new()
        .name("foreign".into())
        .spawn(move || {
            let reader = Async::new(reader)?;
            let mut readable = pin!(reader.readable());
            futures_lite::future::block_on(std::future::poll_fn(|context| {
                let poll: Poll<io::Result<()>> = readable.as_mut().poll(context);
                let _ = waits.send(());
                poll
            }))?;
            drop(silent);
            io::Result::Ok(())
        })?;
    waiting.recv().map_err(io::Error::other)
}
