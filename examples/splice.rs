//! Relays bytes between two TCP sockets through a pipe with splice(2), without copying them into
//! the program (Linux).
//!
//! A refused splice does not say which side refused it: the socket, or the pipe. Waiting for the
//! wrong one can take forever. Here the state of the pipe is known, because no other task uses it:
//! an empty pipe never refuses to be filled, and one with data never refuses to be emptied. So
//! `WouldBlock` always means the socket, and only the sockets are registered with the reactor.
//!
//!     cargo run --release --example splice

use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(argument) = std::env::args_os().nth(1) {
        println!("usage: splice\n\nRelays data through a pipe. There are no options.");
        return if argument == "--help" {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(2)
        };
    }
    match platform::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("splice: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(target_os = "linux")]
mod platform {
    use std::io;
    use std::net::{Shutdown, TcpListener, TcpStream};

    use async_io::{Async, block_on};
    use futures_lite::{AsyncReadExt, AsyncWriteExt, future, io::copy};
    use rustix::pipe::{PipeFlags, SpliceFlags, pipe_with, splice};

    /// Enough that a splice is refused both because there is no data and because there is no room.
    const LENGTH: usize = 8 << 20;
    /// The capacity of a pipe on Linux, unless it is changed.
    const CAPACITY: usize = 64 << 10;

    pub(crate) fn run() -> io::Result<()> {
        block_on(async {
            let echo = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
            let front = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
            let client = Async::<TcpStream>::connect(front.get_ref().local_addr()?).await?;
            let server = future::try_zip(serve(&echo), relay(&front, &echo));
            future::try_zip(server, converse(&client)).await?;
            Ok(())
        })
    }

    /// Connects one client with the server behind the relay, in both directions.
    async fn relay(front: &Async<TcpListener>, server: &Async<TcpListener>) -> io::Result<()> {
        let (client, _) = front.accept().await?;
        let server = Async::<TcpStream>::connect(server.get_ref().local_addr()?).await?;
        let there = forward(&client, &server);
        let (there, back) = future::try_zip(there, forward(&server, &client)).await?;
        println!("relayed {there} bytes to the server and {back} bytes back");
        Ok(())
    }

    /// Moves all bytes of `from` into `to`, and then passes the end of the stream on.
    async fn forward(from: &Async<TcpStream>, to: &Async<TcpStream>) -> io::Result<usize> {
        // The pipe must not block the thread, and the flag of `splice` covers only the pipe. The
        // sockets are nonblocking because they are in an `Async`.
        let (outlet, inlet) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        let flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
        let mut total = 0;
        loop {
            // The pipe is empty, so `WouldBlock` means that the socket has no data.
            let fill = |from: &TcpStream| Ok(splice(from, None, &inlet, None, CAPACITY, flags)?);
            let mut in_pipe = from.read_with(fill).await?;
            if in_pipe == 0 {
                break;
            }
            total += in_pipe;
            while in_pipe > 0 {
                // The pipe has data, so `WouldBlock` means that the socket has no room.
                let drain = |to: &TcpStream| Ok(splice(&outlet, None, to, None, in_pipe, flags)?);
                in_pipe -= to.write_with(drain).await?;
            }
        }
        to.get_ref().shutdown(Shutdown::Write)?;
        Ok(total)
    }

    /// Echoes what one client sends.
    async fn serve(listener: &Async<TcpListener>) -> io::Result<()> {
        let (stream, _) = listener.accept().await?;
        copy(&stream, &mut &stream).await.map(|_| ())
    }

    async fn converse(stream: &Async<TcpStream>) -> io::Result<()> {
        let text: Vec<u8> = (0..LENGTH / 4)
            .flat_map(|i| (i as u32).to_le_bytes())
            .collect();
        let write = async {
            (&*stream).write_all(&text).await?;
            stream.get_ref().shutdown(Shutdown::Write)
        };
        let mut answer = Vec::new();
        future::try_zip(write, (&*stream).read_to_end(&mut answer)).await?;
        if answer != text {
            return Err(io::Error::other("the answer is not what was sent"));
        }
        println!(
            "sent {} bytes, received the same {} bytes",
            text.len(),
            answer.len()
        );
        Ok(())
    }
}

#[cfg(not(target_os = "linux"))]
mod platform {
    pub(crate) fn run() -> std::io::Result<()> {
        println!("splice exists only on Linux.");
        Ok(())
    }
}
