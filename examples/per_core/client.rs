//! The clients: each sends requests, one at a time, and checks the answers.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use async_io::{Async, timeout};
use futures_lite::{AsyncReadExt, AsyncWriteExt};

use crate::connection::Protocol;
use crate::load::Tally;

/// An answer must arrive within this time.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends requests until the time is up, and waits for the answer to each.
pub(crate) async fn run(
    protocol: Protocol,
    address: SocketAddr,
    end: Instant,
    tally: &Tally,
) -> io::Result<()> {
    let mut stream = timeout(PATIENCE, Async::<TcpStream>::connect(address)).await??;
    stream.get_ref().set_nodelay(true)?;
    let mut number = 0_u64;
    // A client that connects late still makes one request.
    while number == 0 || Instant::now() < end {
        number += 1;
        tally.sent();
        let exchange = async {
            match protocol {
                Protocol::Echo => echo(&mut stream, number).await,
                Protocol::Http => http(&mut stream).await,
            }
        };
        timeout(PATIENCE, exchange).await??;
        tally.answered();
    }
    Ok(())
}

async fn echo(stream: &mut Async<TcpStream>, number: u64) -> io::Result<()> {
    // Each line differs from the previous one, so that a stale echo is detected.
    let line = format!("{number:063}\n");
    stream.write_all(line.as_bytes()).await?;
    let mut echo = [0; 64];
    stream.read_exact(&mut echo).await?;
    check(echo == line.as_bytes(), "the echo differs from the line")
}

async fn http(stream: &mut Async<TcpStream>) -> io::Result<()> {
    let request = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    stream.write_all(request).await?;
    let mut received = Vec::new();
    let mut chunk = [0; 1024];
    loop {
        let length = stream.read(&mut chunk).await?;
        check(length > 0, "the server closed the connection")?;
        received.extend_from_slice(&chunk[..length]);
        if let Some(body) = body(&received)? {
            return check(body.starts_with(b"this is core "), "an unexpected body");
        }
    }
}

/// Returns the body of an answer, or `None` if the answer is incomplete.
fn body(received: &[u8]) -> io::Result<Option<&[u8]>> {
    let mut fields = [httparse::EMPTY_HEADER; 16];
    let mut head = httparse::Response::new(&mut fields);
    let start = match head.parse(received).map_err(io::Error::other)? {
        httparse::Status::Complete(start) => start,
        httparse::Status::Partial => return Ok(None),
    };
    check(head.code == Some(200), "the status is not 200")?;
    let mut fields = head.headers.iter();
    let length = fields
        .find(|field| field.name.eq_ignore_ascii_case("content-length"))
        .and_then(|field| std::str::from_utf8(field.value).ok()?.parse().ok());
    let length: usize = length.ok_or_else(|| invalid("the answer has no length"))?;
    let body = &received[start..];
    check(
        body.len() <= length,
        "bytes follow the answer without a request",
    )?;
    Ok(Some(body).filter(|body| body.len() == length))
}

fn check(condition: bool, problem: &'static str) -> io::Result<()> {
    if condition {
        Ok(())
    } else {
        Err(invalid(problem))
    }
}

fn invalid(problem: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, problem)
}
