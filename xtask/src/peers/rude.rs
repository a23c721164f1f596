//! Peers that leave early, ask for too much, or arrive all at once.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::Command;
use std::time::Duration;

use super::server::{Kind, Server};
use crate::shell::Outcome;

fn text(error: std::io::Error) -> String {
    error.to_string()
}

pub(super) fn nothing_said(server: &Server) -> Outcome<String> {
    for _ in 0..500 {
        drop(server.connect()?);
    }
    Ok("500 connections".into())
}

/// Sends an empty message, or requests an empty file.
pub(super) fn empty_messages(server: &Server) -> Outcome<String> {
    for _ in 0..100 {
        let mut stream = server.connect()?;
        stream.write_all(&[]).map_err(text)?;
        let request: &[u8] = match server.kind {
            Kind::Echo => &[],
            Kind::Web => b"GET /empty HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        };
        stream.write_all(request).map_err(text)?;
        stream.shutdown(Shutdown::Write).map_err(text)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).map_err(text)?;
        let right = match server.kind {
            Kind::Echo => answer.is_empty(),
            Kind::Web => answer.starts_with(b"HTTP/1.1 200 ") && answer.ends_with(b"\r\n\r\n"),
        };
        if !right {
            return Err("a wrong answer to an empty message".into());
        }
    }
    Ok("100 connections".into())
}

/// Closes a connection with a reset instead of an end of stream.
fn reset(stream: TcpStream) -> Outcome {
    rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO))
        .map_err(|error| format!("cannot ask for a reset: {error}"))
}

/// Brings a new connection to one of the moments.
type Prepare = fn(&Server, &mut TcpStream) -> std::io::Result<()>;

/// The moments at which a connection is reset.
const MOMENTS: &[(&str, Prepare)] = &[
    ("connected", |_, _| Ok(())),
    ("half a request sent", |server, stream| {
        let request = server.request("ordinary");
        stream.write_all(&request[..request.len().min(1000) / 2])
    }),
    ("a request sent, nothing read", |server, stream| {
        let request = server.request("ordinary");
        stream.write_all(&request[..request.len().min(10_000)])
    }),
    ("in the middle of the answer", |server, stream| {
        let request = server.request("ordinary");
        stream.write_all(&request[..request.len().min(10_000)])?;
        stream.read_exact(&mut [0; 100])
    }),
    ("half-closed", |server, stream| {
        let request = server.request("ordinary");
        stream.write_all(&request[..request.len().min(10_000)])?;
        stream.shutdown(Shutdown::Write)
    }),
    ("half-closed, the answer begun", |server, stream| {
        let request = server.request("ordinary");
        stream.write_all(&request[..request.len().min(10_000)])?;
        stream.shutdown(Shutdown::Write)?;
        stream.read_exact(&mut [0; 100])
    }),
];

pub(super) fn resets(server: &Server) -> Outcome<String> {
    const EACH: usize = 100;
    for (moment, prepare) in MOMENTS {
        for _ in 0..EACH {
            let mut stream = server.connect()?;
            prepare(server, &mut stream).map_err(|error| format!("{moment}: {error}"))?;
            reset(stream)?;
        }
    }
    Ok(format!(
        "{} connections in {} states",
        EACH * MOMENTS.len(),
        MOMENTS.len()
    ))
}

pub(super) fn huge(server: &Server) -> Outcome<String> {
    let length = server.exchange("huge")?;
    Ok(format!("{length} bytes, all correct"))
}

/// After this many failed attempts to connect, the queue is considered full.
const REFUSED: usize = 5;
const MOST: usize = 10_000;

/// Stops the process of the server while clients connect, until the queue of its socket is full,
/// and then continues it.
pub(super) fn flood(server: &Server) -> Outcome<String> {
    signal(server, "-STOP")?;
    let (mut crowd, mut refused) = (Vec::new(), 0);
    while refused < REFUSED && crowd.len() < MOST {
        match TcpStream::connect_timeout(&server.address, Duration::from_millis(200)) {
            Ok(stream) => crowd.push(stream),
            // Running out of descriptors also counts. The flood cannot become larger then.
            Err(_) => refused += 1,
        }
    }
    signal(server, "-CONT")?;
    let came = crowd.len();
    // The last client of the flood must be served like any other.
    let mut last = crowd.pop().ok_or("no client could connect")?;
    drop(crowd);
    last.set_read_timeout(Some(Duration::from_secs(60)))
        .map_err(text)?;
    let request: &[u8] = match server.kind {
        Kind::Echo => b"hello",
        Kind::Web => b"GET /empty HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    };
    last.write_all(request).map_err(text)?;
    last.shutdown(Shutdown::Write).map_err(text)?;
    let mut answer = Vec::new();
    last.read_to_end(&mut answer).map_err(text)?;
    let start: &[u8] = if server.kind == Kind::Echo {
        b"hello"
    } else {
        b"HTTP/1.1 200 "
    };
    if !answer.starts_with(start) {
        return Err("the last client got a wrong answer".into());
    }
    Ok(format!(
        "{came} connected, {refused} found the queue full; the last connected one is served"
    ))
}

fn signal(server: &Server, signal: &str) -> Outcome {
    crate::shell::run(Command::new("kill").args([signal, &server.id().to_string()]))
}
