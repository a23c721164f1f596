//! An idle server, and a thread that drives I/O but computes for long stretches.

use std::io::{self, Read};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use futures_lite::AsyncReadExt;

use super::async_io::{Async, Timer, block_on};
use crate::work::lateness::Lateness;

/// Runs a server without clients: awaits a timer, then waits for a connection.
pub(crate) fn wait_for_ever(is_idle: &dyn Fn()) -> io::Result<()> {
    let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
    block_on(async {
        Timer::after(Duration::from_millis(10)).await;
        is_idle();
        listener.accept().await.map(drop)
    })
}

/// Drives I/O and computes by turns on this thread, until another thread has all its messages.
/// Returns how late that thread received them.
pub(crate) fn compute(
    messages: u64,
    stretch: Duration,
    near: usize,
    far: usize,
) -> io::Result<Lateness> {
    let epoch = Instant::now();
    let (mut sender, receiver) = UnixStream::pair()?;
    let reader = std::thread::spawn(move || {
        crate::harness::system::pin(&[far])?;
        let mut receiver = Async::new(receiver)?;
        let mut lateness = Lateness::new();
        block_on(async {
            for _ in 0..messages {
                let mut sent = [0; 8];
                receiver.read_exact(&mut sent).await?;
                lateness.since(epoch + Duration::from_nanos(u64::from_le_bytes(sent)))?;
            }
            io::Result::Ok(lateness)
        })
    });
    let sending = std::thread::spawn(move || {
        crate::harness::system::pin(&[far])?;
        for _ in 0..messages {
            std::thread::sleep(Duration::from_millis(7));
            let now = epoch.elapsed().as_nanos() as u64;
            std::io::Write::write_all(&mut sender, &now.to_le_bytes())?;
        }
        sender.shutdown(std::net::Shutdown::Write)?;
        // Keep the stream open until the reader has ended.
        sender.read(&mut [0]).map(drop)
    });
    crate::harness::system::pin(&[near])?;
    block_on(async {
        while !reader.is_finished() {
            Timer::after(Duration::from_millis(1)).await;
            let start = Instant::now();
            while start.elapsed() < stretch {
                std::hint::spin_loop();
            }
        }
    });
    let panicked = |_| io::Error::other("a thread panicked");
    // First the reader: if it fails, the sender fails only because of that.
    let lateness = reader.join().map_err(panicked)??;
    sending.join().map_err(panicked)??;
    Ok(lateness)
}
