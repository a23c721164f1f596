//! The two protocols: lines that are echoed, and HTTP/1.1 without bodies in requests.

use std::cell::Cell;
use std::io;
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use async_io::{Async, timeout};
use futures_lite::{AsyncReadExt, AsyncWriteExt, future};

/// A client that sends nothing for so long is disconnected.
const IDLE: Duration = Duration::from_secs(30);

/// The longest head of a request.
const MAX_HEAD: usize = 8 * 1024;

#[derive(Clone, Copy)]
pub(crate) enum Protocol {
    Echo,
    Http,
}

/// What one core has served.
#[derive(Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) connections: u64,
    pub(crate) requests: u64,
}

/// The counts of the core that this task runs on. All its tasks run on one thread.
type Shared<'a> = &'a Cell<Counts>;

pub(crate) async fn serve(
    protocol: Protocol,
    stream: Async<TcpStream>,
    core: usize,
    counts: Shared<'_>,
) {
    let before = counts.get();
    counts.set(Counts {
        connections: before.connections + 1,
        ..before
    });
    // An error concerns only this connection, which is closed in any case.
    let _ = match protocol {
        Protocol::Echo => echo(&stream, counts).await,
        Protocol::Http => http(&stream, core, counts).await,
    };
}

fn count_requests(counts: Shared<'_>, more: usize) {
    let before = counts.get();
    counts.set(Counts {
        requests: before.requests + more as u64,
        ..before
    });
}

/// Sends back what is received. Each line counts as a request.
async fn echo(mut stream: &Async<TcpStream>, counts: Shared<'_>) -> io::Result<()> {
    stream.get_ref().set_nodelay(true)?;
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let length = timeout(IDLE, stream.read(&mut buffer)).await??;
        if length == 0 {
            return Ok(());
        }
        let received = &buffer[..length];
        timeout(IDLE, stream.write_all(received)).await??;
        let lines = received.iter().filter(|&&byte| byte == b'\n');
        count_requests(counts, lines.count());
    }
}

/// Answers requests until either side closes the connection.
async fn http(mut stream: &Async<TcpStream>, core: usize, counts: Shared<'_>) -> io::Result<()> {
    stream.get_ref().set_nodelay(true)?;
    // Bytes that were received and not yet parsed. A client may pipeline its requests.
    let mut received = Vec::new();
    loop {
        let (answer, length) = match parse(&received) {
            Parsed::Request(request, length) => (respond(&request, core), length),
            Parsed::Refused(status) => (Answer::error(status), received.len()),
            Parsed::Incomplete => {
                let mut chunk = [0; 4096];
                let length = timeout(IDLE, stream.read(&mut chunk)).await??;
                if length == 0 {
                    return Ok(());
                }
                received.extend_from_slice(&chunk[..length]);
                continue;
            }
        };
        received.drain(..length);
        timeout(IDLE, stream.write_all(answer.text.as_bytes())).await??;
        count_requests(counts, 1);
        if !answer.keep_alive {
            return part(stream).await;
        }
    }
}

enum Parsed {
    /// A request, and the length of its head.
    Request(Request, usize),
    Incomplete,
    /// The request is not understood. The connection is closed after this status.
    Refused(&'static str),
}

struct Request {
    is_get: bool,
    is_head: bool,
    is_for_root: bool,
    keep_alive: bool,
}

fn parse(received: &[u8]) -> Parsed {
    let mut fields = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Request::new(&mut fields);
    let length = match head.parse(received) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if received.len() < MAX_HEAD => return Parsed::Incomplete,
        Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
            return Parsed::Refused("431 Request Header Fields Too Large");
        }
        Err(httparse::Error::Version) => return Parsed::Refused("505 HTTP Version Not Supported"),
        Err(_) => return Parsed::Refused("400 Bad Request"),
    };
    let values = |name: &'static str| {
        let fields = head.headers.iter();
        let named = fields.filter(move |field| field.name.eq_ignore_ascii_case(name));
        named.map(|field| field.value.trim_ascii())
    };
    let connection_says = |word: &str| {
        let mut words = values("connection").flat_map(|value| value.split(|&byte| byte == b','));
        words.any(|said| said.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
    };
    let is_1_1 = head.version == Some(1);
    if is_1_1 && values("host").count() != 1 {
        return Parsed::Refused("400 Bad Request");
    }
    // This server does not read bodies. If a body may follow, the start of the next request is
    // unknown, so the connection is closed.
    let has_no_body = values("transfer-encoding").count() == 0
        && values("content-length").all(|value| value == b"0");
    let wants_more = match is_1_1 {
        true => !connection_says("close"),
        false => connection_says("keep-alive"),
    };
    let request = Request {
        is_get: head.method == Some("GET"),
        is_head: head.method == Some("HEAD"),
        is_for_root: head.path == Some("/"),
        keep_alive: has_no_body && wants_more,
    };
    Parsed::Request(request, length)
}

struct Answer {
    text: String,
    keep_alive: bool,
}

impl Answer {
    fn new(status: &str, fields: &str, body: &str, request: &Request) -> Answer {
        let keep_alive = request.keep_alive;
        let connection = if keep_alive { "keep-alive" } else { "close" };
        let length = body.len();
        let sent = if request.is_head { "" } else { body };
        let text = format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n{fields}\
             Connection: {connection}\r\n\r\n{sent}"
        );
        Answer { text, keep_alive }
    }

    /// Returns the last answer of a connection.
    fn error(status: &str) -> Answer {
        let unreadable = Request {
            is_get: false,
            is_head: false,
            is_for_root: false,
            keep_alive: false,
        };
        Answer::new(status, "", status, &unreadable)
    }
}

fn respond(request: &Request, core: usize) -> Answer {
    if !request.is_get && !request.is_head {
        let status = "405 Method Not Allowed";
        Answer::new(status, "Allow: GET, HEAD\r\n", status, request)
    } else if !request.is_for_root {
        Answer::new("404 Not Found", "", "404 Not Found", request)
    } else {
        Answer::new("200 OK", "", &format!("this is core {core}\n"), request)
    }
}

/// Closes a connection such that the client receives the answer.
///
/// If a socket is closed while it has unread data, such as a body, TCP resets the connection, and
/// the client may lose the answer. So this shuts down the write side first, and then discards what
/// the client sends for up to two seconds.
async fn part(mut stream: &Async<TcpStream>) -> io::Result<()> {
    stream.get_ref().shutdown(Shutdown::Write)?;
    let mut ignored = [0; 4096];
    timeout(Duration::from_secs(2), async {
        while stream.read(&mut ignored).await? > 0 {
            future::yield_now().await;
        }
        Ok(())
    })
    .await?
}
