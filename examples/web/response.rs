//! Writes responses: a head, followed by nothing, by a page, or by a file in chunks.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::net::TcpStream;
use std::time::Duration;

use async_io::Async;
use futures_lite::{AsyncWriteExt, future};

use crate::status::Status;

/// The number of bytes of a file that are read and sent at a time.
///
/// A regular file is always ready: a read blocks the thread, and with it all tasks of the thread.
/// If the file is cached or on a fast disk, reading a chunk takes well under a millisecond. A
/// server with slow disks should move the reads to a thread pool, for example with the crate
/// `blocking`.
const CHUNK: usize = 128 * 1024;

pub(crate) struct Response {
    status: Status,
    fields: String,
    body: Body,
}

enum Body {
    Page(String),
    File(File, u64),
}

impl Response {
    pub(crate) fn file(file: File, length: u64, content_type: &str) -> Response {
        let fields = format!("Content-Type: {content_type}\r\n");
        Response {
            status: Status::OK,
            fields,
            body: Body::File(file, length),
        }
    }

    pub(crate) fn page(status: Status, page: String) -> Response {
        let fields = "Content-Type: text/html; charset=utf-8\r\n".to_owned();
        Response {
            status,
            fields,
            body: Body::Page(page),
        }
    }

    pub(crate) fn moved(location: String) -> Response {
        let mut response = Response::error(Status::MOVED);
        response
            .fields
            .push_str(&format!("Location: {location}\r\n"));
        response
    }

    pub(crate) fn error(status: Status) -> Response {
        let Status(code, reason) = status;
        let page =
            format!("<!doctype html><title>{code} {reason}</title><h1>{code} {reason}</h1>\n");
        let mut response = Response::page(status, page);
        if code == Status::METHOD_NOT_ALLOWED.0 {
            response.fields.push_str("Allow: GET, HEAD\r\n");
        }
        response
    }

    /// Writes the response. Fails if the client accepts no byte for the duration of `timeout`.
    pub(crate) async fn send(
        self,
        stream: &Async<TcpStream>,
        with_body: bool,
        keep_alive: bool,
        timeout: Duration,
    ) -> io::Result<()> {
        let Status(code, reason) = self.status;
        let length = match &self.body {
            Body::Page(page) => page.len() as u64,
            Body::File(_, length) => *length,
        };
        let connection = if keep_alive { "keep-alive" } else { "close" };
        let mut head = format!(
            "HTTP/1.1 {code} {reason}\r\n{}Content-Length: {length}\r\nConnection: {connection}\r\n\r\n",
            self.fields
        );
        match self.body {
            Body::File(file, length) if with_body => {
                return send_file(stream, head.into_bytes(), file, length, timeout).await;
            }
            Body::Page(page) if with_body => head.push_str(&page),
            _ => {}
        }
        write_all(stream, head.as_bytes(), timeout).await
    }
}

async fn send_file(
    stream: &Async<TcpStream>,
    head: Vec<u8>,
    mut file: File,
    length: u64,
    timeout: Duration,
) -> io::Result<()> {
    let mut left = length;
    // The head is sent with the first chunk, so a small file takes one write.
    let mut filled = head.len();
    let mut buffer = head;
    buffer.resize(
        CHUNK.min(filled.saturating_add(usize::try_from(length).unwrap_or(CHUNK))),
        0,
    );
    loop {
        let room = (buffer.len() - filled).min(usize::try_from(left).unwrap_or(CHUNK));
        let count = file.read(&mut buffer[filled..filled + room])?;
        if count == 0 && left > 0 {
            // The file has become shorter than the announced length. Closing the connection signals
            // this to the client.
            return Err(ErrorKind::UnexpectedEof.into());
        }
        write_all(stream, &buffer[..filled + count], timeout).await?;
        left -= count as u64;
        if left == 0 {
            return Ok(());
        }
        filled = 0;
        // If the client reads as fast as this task writes, no write ever waits. So yield to other
        // tasks.
        future::yield_now().await;
    }
}

async fn write_all(
    mut stream: &Async<TcpStream>,
    mut bytes: &[u8],
    timeout: Duration,
) -> io::Result<()> {
    while !bytes.is_empty() {
        match async_io::timeout(timeout, stream.write(bytes)).await?? {
            0 => return Err(ErrorKind::WriteZero.into()),
            count => bytes = &bytes[count..],
        }
    }
    Ok(())
}
