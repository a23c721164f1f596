//! Keeps a client connected to a server that goes away and comes back.
//!
//! The pause between two attempts doubles, so that a server that is down is not flooded. Half of it
//! is random ("jitter"): otherwise all clients that lost their connection at the same moment would
//! return at the same moment. It starts again at the shortest pause after an answer, not after a
//! connection. A server that accepts connections and closes them at once is not working yet.
//!
//!     cargo run --example reconnect

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use async_channel::{Receiver, Sender};
use async_io::{Async, Timer, block_on};
use futures_lite::{AsyncBufReadExt, AsyncWriteExt, StreamExt, future, io::BufReader};

const QUESTIONS: u32 = 6;
const SHORTEST: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    if let Some(argument) = std::env::args_os().nth(1) {
        println!(
            "usage: reconnect\n\nA client survives a restart of its server. There are no options."
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
            eprintln!("reconnect: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> io::Result<()> {
    let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
    let address = listener.get_ref().local_addr()?;
    let (failures, failed) = async_channel::unbounded();
    future::try_zip(serve(listener, failed), ask_all(address, failures)).await?;
    Ok(())
}

/// Asks all questions, over as many connections as it takes. `failures` receives a message for each
/// failed session, for the server of this demonstration.
async fn ask_all(address: SocketAddr, failures: Sender<()>) -> io::Result<()> {
    let mut answered = 0;
    let mut pause = SHORTEST;
    loop {
        let before = answered;
        let Err(error) = session(address, &mut answered).await else {
            return Ok(());
        };
        if answered > before {
            pause = SHORTEST;
        }
        let jittered = pause.mul_f64(0.5 + 0.5 * random());
        println!("client: {error}; trying again in {jittered:.1?}");
        // Fails if the server has completed, which is then no longer interested.
        let _ = failures.try_send(());
        Timer::after(jittered).await;
        pause = LONGEST.min(pause * 2);
    }
}

/// Connects and asks what is not yet answered. A question may be asked twice, so the questions must
/// be safe to repeat.
async fn session(address: SocketAddr, answered: &mut u32) -> io::Result<()> {
    let stream = Async::<TcpStream>::connect(address).await?;
    // If no socket listens on a local port, TCP may connect a socket to itself.
    if stream.get_ref().local_addr()? == address {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    println!("client: connected");
    let mut answers = BufReader::new(&stream).lines();
    while *answered < QUESTIONS {
        let question = *answered + 1;
        (&stream)
            .write_all(format!("{question}\n").as_bytes())
            .await?;
        let answer = answers
            .next()
            .await
            .ok_or(io::ErrorKind::ConnectionReset)??;
        println!("client: the square of {question} is {answer}");
        *answered = question;
    }
    Ok(())
}

/// Returns a random number from 0 to 1. The standard library picks random keys for its hash maps,
/// which are good enough for this purpose.
fn random() -> f64 {
    RandomState::new().hash_one(()) as f64 / u64::MAX as f64
}

/// Answers half of the questions, goes away until the client has failed three times, and comes
/// back.
async fn serve(listener: Async<TcpListener>, failed: Receiver<()>) -> io::Result<()> {
    let address = listener.get_ref().local_addr()?;
    answer(listener, QUESTIONS / 2).await?;
    println!("server: gone");
    for _ in 0..3 {
        failed.recv().await.map_err(io::Error::other)?;
    }
    let listener = Async::<TcpListener>::bind(address)?;
    println!("server: back");
    answer(listener, QUESTIONS).await
}

/// Accepts one client and answers at most `limit` questions. Then it closes everything.
async fn answer(listener: Async<TcpListener>, limit: u32) -> io::Result<()> {
    let (stream, _) = listener.accept().await?;
    let mut questions = BufReader::new(&stream).lines().take(limit as usize);
    while let Some(question) = questions.next().await {
        let number: u32 = question?.parse().map_err(io::Error::other)?;
        (&stream)
            .write_all(format!("{}\n", number * number).as_bytes())
            .await?;
    }
    Ok(())
}
