//! Waits for the next line of a socket and for the next tick of a `Timer`, in one loop with
//! `select!`.
//!
//! The streams live outside of the loop, and each round asks both for their next item. The branch
//! that loses the round is dropped and loses nothing: an unfinished line stays in `lines`, and a
//! tick stays in the timer. `select!` requires fused streams: a `Timer` is one, and the lines are made
//! one by `fuse`.
//!
//!     cargo run --example select

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use async_io::{Async, MissedTicks, Timer, block_on};
use futures_lite::{AsyncBufReadExt, AsyncWriteExt, future, io::BufReader};
use futures_util::{StreamExt, select};

const PERIOD: Duration = Duration::from_millis(50);

fn main() -> ExitCode {
    if let Some(argument) = std::env::args_os().nth(1) {
        println!(
            "usage: select\n\nA client receives lines and sends heartbeats. There are no options."
        );
        return if argument == "--help" {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(2)
        };
    }
    match block_on(run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("select: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> io::Result<()> {
    let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
    let stream = Async::<TcpStream>::connect(listener.get_ref().local_addr()?).await?;
    future::try_zip(serve(&listener), listen(stream)).await?;
    Ok(())
}

/// Prints the lines that arrive, and sends a heartbeat in each period.
async fn listen(stream: Async<TcpStream>) -> io::Result<()> {
    let mut lines = BufReader::new(&stream).lines().fuse();
    let mut ticks = Timer::interval(PERIOD);
    // After a pause, one heartbeat says as much as several.
    ticks.set_missed_ticks(MissedTicks::Skip);
    let mut heartbeats = 0;
    loop {
        select! {
            line = lines.next() => match line {
                Some(line) => println!("received \"{}\"", line?),
                None => break,
            },
            _ = ticks.next() => {
                // No branch is polled while this one runs. That is fine for a few bytes. A task of
                // its own has to write what may take long.
                (&stream).write_all(b"heartbeat\n").await?;
                heartbeats += 1;
            }
        }
    }
    println!("the server has finished, after {heartbeats} heartbeats");
    Ok(())
}

/// Sends a line after every second heartbeat, in two parts. It finishes after three lines.
async fn serve(listener: &Async<TcpListener>) -> io::Result<()> {
    let (stream, _) = listener.accept().await?;
    let mut heartbeats = BufReader::new(&stream).lines();
    for number in 1..=3 {
        for part in ["news ".to_owned(), format!("{number}\n")] {
            if heartbeats.next().await.transpose()?.is_none() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            (&stream).write_all(part.as_bytes()).await?;
        }
    }
    // Closing the connection now could reset it, because a heartbeat may be on its way.
    stream.get_ref().shutdown(Shutdown::Write)?;
    while heartbeats.next().await.transpose()?.is_some() {}
    Ok(())
}
