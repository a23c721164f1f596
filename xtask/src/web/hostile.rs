//! Clients that are incorrect, slow or silent, or that reset connections.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::TIMEOUT_MS;
use super::server::Server;
use super::site::{LARGE, Site};
use crate::shell::Outcome;

/// Requests, with the status that each must be answered with.
const ANSWERS: &[(&str, &str)] = &[
    (
        "GET /page%20one.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "200",
    ),
    ("GET /page%20one.txt?query HTTP/1.0\r\n\r\n", "200"),
    (
        "GET http://a/page%20one.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "200",
    ),
    (
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "200",
    ),
    (
        "GET //small HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "301",
    ),
    ("GET /page%2 HTTP/1.0\r\n\r\n", "400"),
    ("GET /%00 HTTP/1.0\r\n\r\n", "400"),
    ("GET / HTTP/1.1\r\n\r\n", "400"),
    ("nonsense\r\n\r\n", "400"),
    ("GET /../secret.txt HTTP/1.0\r\n\r\n", "403"),
    (
        "GET /small/%2e%2e/%2e%2e/secret.txt HTTP/1.0\r\n\r\n",
        "403",
    ),
    ("GET /..%2fsecret.txt HTTP/1.0\r\n\r\n", "403"),
    ("GET /nothing HTTP/1.0\r\n\r\n", "404"),
    ("GET /page%20one.txt/ HTTP/1.0\r\n\r\n", "404"),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n12345",
        "405",
    ),
    ("GET / HTTP/3.7\r\n\r\n", "505"),
];

pub(super) fn connect(server: &Server) -> Outcome<TcpStream> {
    let stream =
        TcpStream::connect(server.address).map_err(|error| format!("cannot connect: {error}"))?;
    // A server that never answers must not block this process forever.
    let limit = Some(Duration::from_secs(30));
    stream
        .set_read_timeout(limit)
        .and_then(|()| stream.set_write_timeout(limit))
        .map_err(|error| error.to_string())?;
    Ok(stream)
}

/// Sends `bytes` and reads until the server closes the connection.
fn exchange(server: &Server, bytes: &[u8]) -> Outcome<Vec<u8>> {
    let mut stream = connect(server)?;
    stream
        .write_all(bytes)
        .map_err(|error| format!("cannot send: {error}"))?;
    read_all(&mut stream)
}

fn read_all(stream: &mut TcpStream) -> Outcome<Vec<u8>> {
    let mut answer = Vec::new();
    stream
        .read_to_end(&mut answer)
        .map_err(|error| format!("after {} bytes: {error}", answer.len()))?;
    Ok(answer)
}

fn expect(server: &Server, request: &str, status: &str) -> Outcome {
    let answer = exchange(server, request.as_bytes())
        .map_err(|error| format!("{}: {error}", excerpt(request)))?;
    let answer = String::from_utf8_lossy(&answer);
    if answer.starts_with(&format!("HTTP/1.1 {status} ")) {
        return Ok(());
    }
    let line = answer.lines().next().unwrap_or("nothing");
    Err(format!(
        "{} was answered with {line:?}, not with {status}",
        excerpt(request)
    ))
}

/// Returns the beginning of a request, for messages.
fn excerpt(request: &str) -> String {
    format!("{:?}", request.chars().take(60).collect::<String>())
}

pub(super) fn refusals(_: &Site, server: &Server) -> Outcome<String> {
    for (request, status) in ANSWERS {
        expect(server, request, status)?;
    }
    let long = "x".repeat(20_000);
    expect(
        server,
        &format!("GET / HTTP/1.1\r\nHost: a\r\nLong: {long}\r\n\r\n"),
        "431",
    )?;
    expect(
        server,
        &format!(
            "GET / HTTP/1.1\r\nHost: a\r\n{}\r\n",
            "Field: x\r\n".repeat(100)
        ),
        "431",
    )?;
    // The server answers before it has read the whole request. The answer must still arrive.
    let body = "x".repeat(1_000_000);
    expect(
        server,
        &format!("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n{body}"),
        "405",
    )?;
    let mut count = ANSWERS.len() + 3;
    if cfg!(unix) {
        expect(server, "GET /way-out HTTP/1.0\r\n\r\n", "403")?;
        count += 1;
    }
    Ok(format!("{count} requests answered correctly"))
}

pub(super) fn pipelined(_: &Site, server: &Server) -> Outcome<String> {
    let get = "GET /page%20one.txt HTTP/1.1\r\nHost: a\r\n\r\n";
    let head = get.replace("GET", "HEAD");
    let last = get.replace("Host: a", "Host: a\r\nConnection: close");
    let answer = exchange(server, [get, &head, &last].concat().as_bytes())?;
    let answer = String::from_utf8_lossy(&answer);
    let (answers, bodies) = (
        answer.matches("HTTP/1.1 200 OK").count(),
        answer.matches("\r\n\r\nfound\n").count(),
    );
    if (answers, bodies) != (3, 2) {
        return Err(format!(
            "expected three answers and two bodies, got {answers} and {bodies}"
        ));
    }
    Ok("three requests in one piece, three answers".into())
}

pub(super) fn half_a_request(_: &Site, server: &Server) -> Outcome<String> {
    expect(server, "GET / HTTP/1.1\r\nHo", "408")?;
    Ok("answered with 408".into())
}

pub(super) fn reads_nothing(_: &Site, server: &Server) -> Outcome<String> {
    let mut stream = connect(server)?;
    let request = "GET /large.bin HTTP/1.0\r\n\r\n";
    stream
        .write_all(request.as_bytes())
        .map_err(|error| format!("cannot send: {error}"))?;
    thread::sleep(Duration::from_millis(3 * TIMEOUT_MS));

    // The data in the buffers of the system still arrives, followed by the end of the stream.
    let mut received = 0;
    let mut buffer = vec![0; 1 << 16];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => received += count,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            Err(error) => return Err(format!("the server did not close the connection: {error}")),
        }
    }
    if received >= LARGE {
        return Err("the server waited longer than it should".into());
    }
    Ok(format!("given up after {received} bytes"))
}

/// Resets connections in the middle of an answer: closing a socket with unread data resets its
/// connection.
pub(super) fn resets(_: &Site, server: &Server) -> Outcome<String> {
    for _ in 0..200 {
        let mut stream = connect(server)?;
        let request = "GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n";
        stream
            .write_all(request.as_bytes())
            .map_err(|error| format!("cannot send: {error}"))?;
        stream
            .read_exact(&mut [0; 100])
            .map_err(|error| format!("no answer: {error}"))?;
    }
    expect(server, ANSWERS[0].0, "200")?;
    Ok("200 clients, and the next one is served".into())
}

/// Checks that the server has closed the connection of a client that never sent anything.
pub(super) fn is_hung_up(mut silent: TcpStream, server: &Server) -> Outcome<String> {
    let answer = read_all(&mut silent)
        .map_err(|error| format!("the server still waits for a silent client: {error}"))?;
    if !answer.is_empty() {
        return Err("a silent client got an answer".into());
    }
    expect(server, ANSWERS[0].0, "200")?;
    Ok("its connection is closed, and the next client is served".into())
}

/// Connects more clients than the server has descriptors for. A waiting client must be served after
/// others have left.
pub(super) fn no_descriptors(program: &Path, site: &Site) -> Outcome<String> {
    let server = Server::start(program, &site.root, Some(40))?;
    let crowd = (0..100)
        .map(|_| connect(&server))
        .collect::<Outcome<Vec<_>>>()?;
    let mut waiting = connect(&server)?;
    waiting
        .write_all(ANSWERS[0].0.as_bytes())
        .map_err(|error| format!("cannot send: {error}"))?;
    for client in &crowd {
        client
            .shutdown(Shutdown::Both)
            .map_err(|error| error.to_string())?;
    }
    let answer = read_all(&mut waiting)?;
    if !answer.starts_with(b"HTTP/1.1 200 ") {
        return Err("the waiting client was not served".into());
    }
    server.stop()?;
    Ok("100 clients on 40 descriptors, and the next one is served".into())
}
