//! The server of the soak test: an echo server in a separate process, so that each process has one
//! descriptor per connection. It runs until its standard input ends.

use std::io::{self, Read};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use async_executor::Executor;
use async_io::{Async, Timer, block_on};
use futures_lite::{AsyncReadExt, AsyncWriteExt};

use super::count::Counted;
use crate::system;

/// The number of threads that run the connections.
const THREADS: usize = 2;

/// Connections that have not ended.
static OPEN: AtomicUsize = AtomicUsize::new(0);
static ECHOED: AtomicU64 = AtomicU64::new(0);
static ACCEPTED: AtomicU64 = AtomicU64::new(0);

/// Runs the server. It first prints its port. At the end it prints how many bytes it has echoed,
/// how many connections it has accepted, and how many are still open.
pub(crate) fn run(_: &mut lexopt::Parser) -> Result<(), String> {
    serve().map_err(|error| format!("soak server: {error}"))
}

fn serve() -> io::Result<()> {
    system::raise_descriptor_limit();
    let listener = Async::<TcpListener>::bind(([0, 0, 0, 0], 0))?;
    println!("port {}", listener.get_ref().local_addr()?.port());
    let executor = Arc::new(Executor::new());
    let accepting = executor.spawn(accept(executor.clone(), listener));
    let (stop, stopped) = async_channel::bounded::<()>(1);
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let (executor, stopped) = (executor.clone(), stopped.clone());
            thread::spawn(move || block_on(executor.run(stopped.recv())))
        })
        .collect();
    // The input ends when the client exits, for whatever reason.
    io::stdin().read_to_end(&mut Vec::new())?;
    // The client has already closed all connections, but the last ends of streams may still be in
    // transit.
    for _ in 0..100 {
        if OPEN.load(Ordering::Acquire) == 0 {
            break;
        }
        thread::sleep(Duration::from_millis(100));
    }
    let (echoed, accepted) = (
        ECHOED.load(Ordering::Acquire),
        ACCEPTED.load(Ordering::Acquire),
    );
    println!(
        "echoed {echoed} accepted {accepted} open {}",
        OPEN.load(Ordering::Acquire)
    );
    drop((accepting, stop));
    for thread in threads {
        let _ = thread.join();
    }
    Ok(())
}

async fn accept(executor: Arc<Executor<'static>>, listener: Async<TcpListener>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                ACCEPTED.fetch_add(1, Ordering::AcqRel);
                let open = Counted::new(&OPEN);
                let serve = async move {
                    // The client may reset the connection, so errors are expected. The client
                    // checks what it receives.
                    let _ = echo(stream).await;
                    drop(open);
                };
                executor.spawn(serve).detach();
            }
            Err(error) => {
                eprintln!("soak server: cannot accept: {error}");
                Timer::after(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn echo(mut stream: Async<TcpStream>) -> io::Result<()> {
    stream.get_ref().set_nodelay(true)?;
    // Small, because there are ten thousand buffers.
    let mut buffer = [0; 2048];
    loop {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..count]).await?;
        ECHOED.fetch_add(count as u64, Ordering::AcqRel);
    }
}
