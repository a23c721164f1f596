//! Reads and parses the head of a request.

use std::io;
use std::net::TcpStream;
use std::time::Instant;

use async_io::{Async, timeout_at};
use futures_lite::AsyncReadExt;

use crate::status::Status;

const MAX_HEAD: usize = 16 * 1024;
const MAX_FIELDS: usize = 64;

pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) target: String,
    pub(crate) keep_alive: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Head,
    Other,
}

/// The reason why no request was read.
pub(crate) enum Refusal {
    /// The server responds with this status.
    Answer(Status),
    /// The connection has failed, and no response can be sent.
    Failed(io::Error),
}

impl Request {
    /// Stands for a request that could not be parsed. The connection is closed after the response.
    pub(crate) fn unreadable() -> Request {
        Request {
            method: Method::Other,
            target: String::new(),
            keep_alive: false,
        }
    }
}

/// Returns the next request, or `None` if the client sends no further request.
///
/// The deadline applies to the whole head. A client that sends single bytes slowly is disconnected
/// as early as a silent one.
pub(crate) async fn read(
    mut stream: &Async<TcpStream>,
    received: &mut Vec<u8>,
    deadline: Instant,
) -> Result<Option<Request>, Refusal> {
    loop {
        if let Some((request, length)) = parse(received).map_err(Refusal::Answer)? {
            received.drain(..length);
            return Ok(Some(request));
        }
        if received.len() >= MAX_HEAD {
            return Err(Refusal::Answer(Status::HEAD_TOO_LARGE));
        }

        let mut chunk = [0; 4096];
        match timeout_at(deadline, stream.read(&mut chunk)).await {
            Ok(Ok(0)) if received.is_empty() => return Ok(None),
            Ok(Ok(0)) => return Err(Refusal::Answer(Status::BAD_REQUEST)),
            Ok(Ok(length)) => received.extend_from_slice(&chunk[..length]),
            Ok(Err(error)) => return Err(Refusal::Failed(error)),
            // No request has begun. The client would take a response for the answer to its next
            // request.
            Err(_) if received.is_empty() => return Ok(None),
            Err(_) => return Err(Refusal::Answer(Status::REQUEST_TIMEOUT)),
        }
    }
}

/// Returns the request at the start of `bytes` and the length of its head, or `None` if the head is
/// incomplete.
fn parse(bytes: &[u8]) -> Result<Option<(Request, usize)>, Status> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut head = httparse::Request::new(&mut fields);
    let length = match head.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(Status::HEAD_TOO_LARGE),
        Err(httparse::Error::Version) => return Err(Status::VERSION),
        Err(_) => return Err(Status::BAD_REQUEST),
    };

    let values = |name: &'static str| {
        let named = head
            .headers
            .iter()
            .filter(move |field| field.name.eq_ignore_ascii_case(name));
        named.map(|field| field.value.trim_ascii())
    };
    let connection_says = |word: &str| {
        let mut words = values("connection").flat_map(|value| value.split(|&byte| byte == b','));
        words.any(|said| said.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
    };
    let is_1_1 = head.version == Some(1);
    if is_1_1 && values("host").count() != 1 {
        return Err(Status::BAD_REQUEST);
    }
    // This server does not read bodies. If a body may follow, the start of the next request is
    // unknown, so the connection is closed.
    let no_body = values("transfer-encoding").count() == 0
        && values("content-length").all(|value| value == b"0");
    let request = Request {
        method: match head.method {
            Some("GET") => Method::Get,
            Some("HEAD") => Method::Head,
            _ => Method::Other,
        },
        target: head.path.unwrap_or_default().to_owned(),
        keep_alive: no_body
            && if is_1_1 {
                !connection_says("close")
            } else {
                connection_says("keep-alive")
            },
    };
    Ok(Some((request, length)))
}
