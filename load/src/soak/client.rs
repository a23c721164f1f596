//! Connections that send messages and compare the echo byte by byte.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use async_io::{Async, Timer, timeout};
use fastrand::Rng;
use futures_lite::future::try_zip;
use futures_lite::{AsyncReadExt, AsyncWriteExt};

use super::count::Counted;
use super::watch::Entry;
use super::{STOP, Shared};

pub(crate) static SENT: AtomicU64 = AtomicU64::new(0);
pub(crate) static RECEIVED: AtomicU64 = AtomicU64::new(0);
pub(crate) static MESSAGES: AtomicU64 = AtomicU64::new(0);
pub(crate) static SHORT: AtomicU64 = AtomicU64::new(0);
pub(crate) static GIVEN_UP: AtomicU64 = AtomicU64::new(0);
/// Connection tasks that have not ended.
pub(crate) static TASKS: AtomicUsize = AtomicUsize::new(0);

/// The longest message. It is longer than the server's buffer, so that it comes back in pieces.
const LONGEST: usize = 6000;

/// The longest pause of a steady connection between two messages, in milliseconds.
const LONGEST_PAUSE: u64 = 2000;

/// Returns one of many addresses of the server. With many addresses there are enough ports,
/// although closed connections still occupy some.
fn address(port: u16, rng: &mut Rng) -> SocketAddr {
    (Ipv4Addr::new(127, 0, rng.u8(..), rng.u8(1..)), port).into()
}

async fn connect(port: u16, rng: &mut Rng) -> io::Result<Arc<Async<TcpStream>>> {
    let stream = Async::<TcpStream>::connect(address(port, rng)).await?;
    stream.get_ref().set_nodelay(true)?;
    Ok(Arc::new(stream))
}

/// Runs a connection that stays open for the whole run and sends a message now and then.
pub(crate) async fn steady(shared: Arc<Shared>, seed: u64) {
    let _alive = Counted::new(&TASKS);
    let mut rng = Rng::with_seed(seed);
    if let Err(error) = steady_rounds(&shared, &mut rng).await {
        shared.fail(format!("connection with seed {seed}: {error}"));
    }
}

async fn steady_rounds(shared: &Shared, rng: &mut Rng) -> io::Result<()> {
    let stream = connect(shared.port, rng).await?;
    let entry = shared.watch.enter(&stream);
    shared.connected.fetch_add(1, Ordering::AcqRel);
    let _here = shared.all_here.recv().await;
    while !STOP.load(Ordering::Acquire) {
        Timer::after(Duration::from_millis(rng.u64(..LONGEST_PAUSE))).await;
        let length = if rng.u8(..8) == 0 {
            rng.usize(1..LONGEST)
        } else {
            rng.usize(1..200)
        };
        exchange(&stream, &entry, length, rng).await?;
    }
    Ok(())
}

/// Runs a connection for one message. It ends with a half-close or with a reset.
pub(crate) async fn short(shared: Arc<Shared>, seed: u64) {
    let _alive = Counted::new(&TASKS);
    let mut rng = Rng::with_seed(seed);
    let result = async {
        let stream = connect(shared.port, &mut rng).await?;
        let entry = shared.watch.enter(&stream);
        let length = rng.usize(1..200);
        exchange(&stream, &entry, length, &mut rng).await?;
        if rng.bool() {
            stream.get_ref().shutdown(Shutdown::Write)?;
            let count = (&mut &*stream).read(&mut [0]).await?;
            if count != 0 {
                return Err(io::Error::other("received a byte after the echo"));
            }
        } else {
            let at_once = Some(Duration::ZERO);
            rustix::net::sockopt::set_socket_linger(stream.get_ref(), at_once)?;
        }
        Ok::<_, io::Error>(())
    };
    match result.await {
        Ok(()) => drop(SHORT.fetch_add(1, Ordering::AcqRel)),
        Err(error) => shared.fail(format!("short connection with seed {seed}: {error}")),
    }
}

/// Sends a message and reads the echo at the same time. Reads may be cancelled and repeated, which
/// must not lose a byte.
async fn exchange(
    stream: &Async<TcpStream>,
    entry: &Entry,
    length: usize,
    rng: &mut Rng,
) -> io::Result<()> {
    let mut message = vec![0; length];
    rng.fill(&mut message);
    let mut rng = rng.fork();
    entry.waits();
    let write = async {
        let mut writer = stream;
        writer.write_all(&message).await?;
        SENT.fetch_add(length as u64, Ordering::AcqRel);
        Ok(())
    };
    let read = async {
        let mut received = 0;
        let mut buffer = [0; 1024];
        while received < length {
            let limit = buffer.len().min(length - received);
            let count = read_impatiently(stream, &mut buffer[..limit], &mut rng).await?;
            if count == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            if buffer[..count] != message[received..][..count] {
                let place = format!(
                    "the echo differs in bytes {received} to {}",
                    received + count
                );
                return Err(io::Error::new(ErrorKind::InvalidData, place));
            }
            received += count;
        }
        RECEIVED.fetch_add(received as u64, Ordering::AcqRel);
        Ok(())
    };
    try_zip(write, read).await?;
    entry.rests();
    MESSAGES.fetch_add(1, Ordering::AcqRel);
    Ok(())
}

async fn read_impatiently(
    stream: &Async<TcpStream>,
    buffer: &mut [u8],
    rng: &mut Rng,
) -> io::Result<usize> {
    while rng.u8(..4) == 0 {
        let mut reader = stream;
        let limit = Duration::from_micros(rng.u64(..500));
        match timeout(limit, reader.read(buffer)).await {
            Ok(count) => return count,
            Err(_) => drop(GIVEN_UP.fetch_add(1, Ordering::AcqRel)),
        }
    }
    let mut reader = stream;
    reader.read(buffer).await
}
