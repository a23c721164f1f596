//! Shares one connection between two tasks, without a lock and without splitting it.
//!
//! `&Async<T>` implements `AsyncRead` and `AsyncWrite` if `&T` implements `Read` and `Write`, as
//! sockets do. So two tasks only need an `Arc`: one sends questions without waiting for answers,
//! and the other receives the answers as they arrive.
//!
//!     cargo run --example share

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::Arc;

use async_executor::Executor;
use async_io::{Async, block_on};
use futures_lite::{AsyncBufReadExt, AsyncWriteExt, StreamExt, io::BufReader};

const QUESTIONS: u32 = 5;

fn main() -> ExitCode {
    if let Some(argument) = std::env::args_os().nth(1) {
        println!("usage: share\n\nTwo tasks share one TCP connection. There are no options.");
        return if argument == "--help" {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(2)
        };
    }
    let executor = Executor::new();
    match block_on(executor.run(pipeline(&executor))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("share: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn pipeline(executor: &Executor<'_>) -> io::Result<()> {
    let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
    let address = listener.get_ref().local_addr()?;
    let server = executor.spawn(square_numbers(listener));

    let stream = Arc::new(Async::<TcpStream>::connect(address).await?);
    let writer = executor.spawn(ask(stream.clone()));
    let reader = executor.spawn(listen(stream));
    writer.await?;
    reader.await?;
    server.await
}

async fn ask(stream: Arc<Async<TcpStream>>) -> io::Result<()> {
    for number in 1..=QUESTIONS {
        println!("> {number}");
        (&*stream)
            .write_all(format!("{number}\n").as_bytes())
            .await?;
    }
    // The other task holds the same connection, so dropping this `Arc` would not close it.
    stream.get_ref().shutdown(Shutdown::Write)
}

async fn listen(stream: Arc<Async<TcpStream>>) -> io::Result<()> {
    let mut answers = BufReader::new(&*stream).lines();
    while let Some(answer) = answers.next().await {
        println!("        < {}", answer?);
    }
    Ok(())
}

/// Answers each number with its square.
async fn square_numbers(listener: Async<TcpListener>) -> io::Result<()> {
    let (stream, _) = listener.accept().await?;
    let mut questions = BufReader::new(&stream).lines();
    while let Some(question) = questions.next().await {
        let number: u32 = question?.parse().map_err(io::Error::other)?;
        (&stream)
            .write_all(format!("{}\n", number * number).as_bytes())
            .await?;
    }
    Ok(())
}
