//! Keeps a server alive that runs out of descriptors (`EMFILE`, `ENFILE`).
//!
//! A failed `accept` leaves the connection in the queue of the listener. A loop that ends there
//! stops the server, and one that tries again immediately uses up a processor. This one pauses
//! between 10 ms and 1 s. Meanwhile the other tasks serve their connections, and each connection
//! that they close frees a descriptor.
//!
//!     cargo run --example accept_backoff

use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(argument) = std::env::args_os().nth(1) {
        println!(
            "usage: accept_backoff\n\nA server runs out of descriptors. There are no options."
        );
        return if argument == "--help" {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(2)
        };
    }
    match platform::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("accept_backoff: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(all(unix, not(target_os = "redox")))]
mod platform {
    use std::fs::File;
    use std::io;
    use std::net::{TcpListener, TcpStream};
    use std::time::Duration;

    use async_channel::{Receiver, Sender};
    use async_executor::Executor;
    use async_io::{Async, Timer, block_on};
    use futures_lite::{AsyncReadExt, AsyncWriteExt, future, io::copy};
    use rustix::io::Errno;
    use rustix::process::{Resource, getrlimit, setrlimit};

    const SHORTEST: Duration = Duration::from_millis(10);
    const LONGEST: Duration = Duration::from_secs(1);
    const WAITING: usize = 8;

    pub(crate) fn run() -> io::Result<()> {
        let executor = Executor::new();
        let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
        let (pauses, paused) = async_channel::unbounded();
        let demonstration = demonstrate(&listener, paused);
        let server = accept_all(&listener, &executor, pauses);
        // The server never completes. It is dropped at the end of the demonstration.
        block_on(executor.run(future::or(demonstration, server)))
    }

    /// Starts a task for each connection. `pauses` receives each pause, for the demonstration.
    async fn accept_all(
        listener: &Async<TcpListener>,
        executor: &Executor<'_>,
        pauses: Sender<Duration>,
    ) -> io::Result<()> {
        let mut pause = SHORTEST;
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    pause = SHORTEST;
                    executor.spawn(echo(stream)).detach();
                }
                Err(error) if is_exhausted(&error) => {
                    println!("server: {error}; pausing for {pause:?}");
                    // Fails after the demonstration, which is then no longer interested.
                    let _ = pauses.try_send(pause);
                    Timer::after(pause).await;
                    pause = LONGEST.min(pause * 2);
                }
                // The client has disconnected before it was accepted.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether the process or the system has no descriptor left, which is temporary.
    fn is_exhausted(error: &io::Error) -> bool {
        matches!(
            Errno::from_io_error(error),
            Some(Errno::MFILE | Errno::NFILE)
        )
    }

    async fn echo(stream: Async<TcpStream>) {
        // An error concerns this client only.
        let _ = copy(&stream, &mut &stream).await;
    }

    async fn demonstrate(
        listener: &Async<TcpListener>,
        paused: Receiver<Duration>,
    ) -> io::Result<()> {
        let address = listener.get_ref().local_addr()?;
        let first = Async::<TcpStream>::connect(address).await?;
        ask("client 1", &first).await?;

        // The blocking `connect` does not let the server run. The system completes the connections.
        // There are several, because this crate opens and closes a few descriptors on its own
        // thread: those may let the server accept a client or two.
        let connect = |_| Async::new(TcpStream::connect(address)?);
        let waiting = (0..WAITING).map(connect).collect::<io::Result<Vec<_>>>()?;
        let hoard = take_all_descriptors()?;
        println!("{WAITING} more clients are connected, but not accepted");
        for _ in 0..4 {
            paused.recv().await.map_err(io::Error::other)?;
            ask("client 1", &first).await?;
        }
        drop(hoard);
        println!("descriptors are free again");
        for client in &waiting {
            ask("a waiting client", client).await?;
        }
        Ok(())
    }

    async fn ask(name: &str, mut stream: &Async<TcpStream>) -> io::Result<()> {
        stream.write_all(b"echo").await?;
        stream.read_exact(&mut [0; 4]).await?;
        println!("{name}: served");
        Ok(())
    }

    /// Lowers the limit of this process and opens files until it is reached.
    fn take_all_descriptors() -> io::Result<Vec<File>> {
        let mut limit = getrlimit(Resource::Nofile);
        limit.current = Some(limit.current.unwrap_or(u64::MAX).min(100));
        setrlimit(Resource::Nofile, limit)?;
        let mut files = Vec::new();
        loop {
            match File::open("/dev/null") {
                Ok(file) => files.push(file),
                Err(error) if is_exhausted(&error) => return Ok(files),
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(not(all(unix, not(target_os = "redox"))))]
mod platform {
    pub(crate) fn run() -> std::io::Result<()> {
        println!("This platform has no limit on descriptors that a program can lower.");
        Ok(())
    }
}
