//! A transport that is written by hand, as QUIC and netlink libraries have it: a type with poll
//! functions around a socket, which its user combines with other things in one `poll`.
//!
//! `poll_read_with` and `poll_write_with` are the loop "try, and wait if the system says that the
//! call would block". The errors of the system stay what they are. If a peer is gone, an ICMP message
//! makes the next call fail on a connected UDP socket, and on Windows on any. The transport decides
//! that this is no reason to end.
//!
//!     cargo run --example transport

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, UdpSocket};
use std::process::ExitCode;
use std::task::{Context, Poll, ready};

use async_io::{Async, block_on};
use futures_lite::future;

const HELP: &str = "usage: transport

Sends ten messages to itself through a transport with poll functions.";
const MESSAGES: u32 = 10;

/// Sends and receives datagrams.
struct Transport {
    socket: Async<UdpSocket>,
    /// How often a peer was found to be gone.
    refusals: u32,
}

impl Transport {
    fn bind() -> io::Result<Self> {
        let socket = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0))?;
        Ok(Transport {
            socket,
            refusals: 0,
        })
    }

    fn address(&self) -> io::Result<SocketAddr> {
        self.socket.get_ref().local_addr()
    }

    /// Sends a datagram. A task that gets `Pending` is woken when there is room for one.
    fn poll_send(
        &self,
        cx: &mut Context<'_>,
        datagram: &[u8],
        to: SocketAddr,
    ) -> Poll<io::Result<usize>> {
        self.socket
            .poll_write_with(cx, |socket| socket.send_to(datagram, to))
    }

    /// Receives a datagram. A task that gets `Pending` is woken when one has arrived.
    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<(usize, SocketAddr)>> {
        loop {
            let received = self
                .socket
                .poll_read_with(cx, |socket| socket.recv_from(buffer));
            match ready!(received) {
                // A datagram that was sent earlier has not reached its peer. The system reports that
                // once. Another poll may find a datagram, or waits.
                Err(error) if is_refusal(&error) => self.refusals += 1,
                received => return Poll::Ready(received),
            }
        }
    }
}

fn is_refusal(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset
    )
}

fn main() -> ExitCode {
    if std::env::args().len() > 1 {
        println!("{HELP}");
        return ExitCode::SUCCESS;
    }
    match block_on(converse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("transport: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn converse() -> io::Result<()> {
    let (sender, mut receiver) = (Transport::bind()?, Transport::bind()?);
    let to = receiver.address()?;
    let send = async {
        for message in 1..=MESSAGES {
            let text = format!("message {message}");
            poll_fn(|cx| sender.poll_send(cx, text.as_bytes(), to)).await?;
        }
        Ok::<_, io::Error>(())
    };
    let receive = async {
        let mut buffer = [0; 1500];
        for _ in 1..=MESSAGES {
            let (length, from) = poll_fn(|cx| receiver.poll_receive(cx, &mut buffer)).await?;
            let text = String::from_utf8_lossy(&buffer[..length]);
            println!("{from} sent \"{text}\"");
        }
        Ok(receiver.refusals)
    };
    let ((), refusals) = future::try_zip(send, receive).await?;
    println!("{MESSAGES} messages, {refusals} refusals");
    Ok(())
}
