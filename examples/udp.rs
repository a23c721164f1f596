//! Exchanges datagrams between two UDP sockets, and sends lost ones again.
//!
//! UDP does not guarantee delivery, so each answer is awaited with a timeout. To demonstrate this,
//! the answering side ignores every third datagram.
//!
//!     cargo run --example udp

use std::io;
use std::net::UdpSocket;
use std::process::ExitCode;
use std::time::Duration;

use async_io::{Async, block_on, timeout};
use futures_lite::future;

const ROUNDS: u32 = 6;
const PATIENCE: Duration = Duration::from_millis(200);

fn main() -> ExitCode {
    if let Some(argument) = std::env::args_os().nth(1) {
        println!(
            "usage: udp\n\nTwo UDP sockets exchange {ROUNDS} pings and pongs. There are no options."
        );
        return if argument == "--help" {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(2)
        };
    }
    match block_on(ping_pong()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("udp: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn ping_pong() -> io::Result<()> {
    let player = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0))?;
    let partner = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0))?;
    // A connected socket sends to this address only, and receives no datagrams from other
    // addresses.
    player.get_ref().connect(partner.get_ref().local_addr()?)?;

    // `answer` never completes. It is dropped when `play` completes.
    future::or(play(&player), answer(&partner)).await
}

async fn play(socket: &Async<UdpSocket>) -> io::Result<()> {
    for round in 1..=ROUNDS {
        let pong = ask(socket, format!("ping {round}").as_bytes()).await?;
        println!("got \"{}\"", String::from_utf8_lossy(&pong));
    }
    Ok(())
}

/// Sends `question` until an answer arrives, and returns the answer.
async fn ask(socket: &Async<UdpSocket>, question: &[u8]) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; 1500];
    loop {
        socket.send(question).await?;
        match timeout(PATIENCE, socket.recv(&mut buffer)).await {
            Ok(length) => {
                buffer.truncate(length?);
                return Ok(buffer);
            }
            Err(error) => println!("{error} without an answer, sending again"),
        }
    }
}

async fn answer(socket: &Async<UdpSocket>) -> io::Result<()> {
    let mut buffer = [0; 1500];
    for count in 1_u32.. {
        let (length, sender) = socket.recv_from(&mut buffer).await?;
        if count % 3 != 0 {
            let question = String::from_utf8_lossy(&buffer[..length]);
            socket
                .send_to(question.replace("ping", "pong").as_bytes(), sender)
                .await?;
        }
    }
    Ok(())
}
