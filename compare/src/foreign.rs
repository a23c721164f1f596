//! A wait that is pending in an executor which is not the library's: it keeps the fallback thread alive.

use std::future::Future;
use std::io;
use std::os::unix::net::UnixStream;
use std::pin::pin;
use std::task::Poll;

use ours::Async;

/// Starts a thread whose read never ends, and returns when it waits.
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
