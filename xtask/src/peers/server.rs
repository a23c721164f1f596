//! The two examples as processes, and the answers that an ordinary client must receive.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::shell::{self, Outcome};
use crate::web::site::noise;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Echo,
    Web,
}

/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// The number of bytes that an ordinary client sends to the echo server or requests from the web
/// server.
const ORDINARY: usize = 300_000;

pub(super) const HUGE: usize = 64_000_000;

pub(super) struct Server {
    pub(super) kind: Kind,
    pub(super) address: SocketAddr,
    process: Child,
}

impl Server {
    pub(super) fn start(kind: Kind, folder: &Path) -> Outcome<Server> {
        let name = if kind == Kind::Echo { "echo" } else { "web" };
        let program = shell::built(&["--release", "--example", name])?;
        let mut command = Command::new(program);
        match kind {
            Kind::Echo => command.args(["--serve-only", "--threads", "2"]),
            Kind::Web => {
                fs::write(folder.join("ordinary"), noise(1, ORDINARY))
                    .and_then(|()| fs::write(folder.join("huge"), noise(2, HUGE)))
                    .and_then(|()| fs::write(folder.join("empty"), []))
                    .map_err(|error| format!("cannot write into {}: {error}", folder.display()))?;
                command.arg(folder)
            }
        };
        command.args(["--address", "127.0.0.1:0"]);
        let mut process = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot start {name}: {error}"))?;
        let mut line = String::new();
        if let Some(output) = process.stdout.take() {
            let read = BufReader::new(output).read_line(&mut line);
            read.map_err(|error| format!("cannot read the output of the server: {error}"))?;
        }
        let mut words = line.split([' ', ',', '/', '\n']);
        let address = words.find_map(|word| word.parse().ok());
        let server = Server {
            kind,
            address: address.unwrap_or(([127, 0, 0, 1], 0).into()),
            process,
        };
        match address {
            Some(_) => Ok(server),
            None => Err(format!("the server did not print its address: {line:?}")),
        }
    }

    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Ends the server. Fails if it has already exited.
    pub(super) fn stop(mut self) -> Outcome {
        match self.process.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(format!("the server has already exited: {status}")),
            Err(error) => Err(format!("cannot get the status of the server: {error}")),
        }
    }

    pub(super) fn connect(&self) -> Outcome<TcpStream> {
        let stream = TcpStream::connect_timeout(&self.address, PATIENCE)
            .map_err(|error| format!("cannot connect: {error}"))?;
        stream
            .set_read_timeout(Some(PATIENCE))
            .and_then(|()| stream.set_write_timeout(Some(PATIENCE)))
            .and_then(|()| stream.set_nodelay(true))
            .map_err(|error| error.to_string())?;
        Ok(stream)
    }

    /// Returns the bytes of a request.
    pub(super) fn request(&self, what: &str) -> Vec<u8> {
        match (self.kind, what) {
            (Kind::Echo, "huge") => noise(2, HUGE),
            (Kind::Echo, _) => noise(1, ORDINARY),
            (Kind::Web, _) => {
                format!("GET /{what} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").into()
            }
        }
    }

    /// Checks that the received bytes are the answer to a request. Returns the length of the answer
    /// without its HTTP header.
    pub(super) fn check(&self, what: &str, received: &[u8]) -> Outcome<usize> {
        let expected = if what == "huge" {
            noise(2, HUGE)
        } else {
            noise(1, ORDINARY)
        };
        let body = match self.kind {
            Kind::Echo => received,
            Kind::Web => {
                let end = received.windows(4).position(|bytes| bytes == b"\r\n\r\n");
                let end = end.ok_or("the header of the answer has no end")?;
                if !received.starts_with(b"HTTP/1.1 200 ") {
                    return Err("the status of the answer is not 200".into());
                }
                &received[end + 4..]
            }
        };
        if body == expected {
            return Ok(body.len());
        }
        let at = body
            .iter()
            .zip(&expected)
            .take_while(|(a, b)| a == b)
            .count();
        let (got, due) = (body.len(), expected.len());
        Err(format!(
            "received {got} of {due} bytes, which differ from byte {at} on"
        ))
    }

    /// Runs an ordinary client. It sends its request, and reads at the same time until the end of
    /// the stream.
    pub(super) fn exchange(&self, what: &str) -> Outcome<usize> {
        let mut stream = self.connect()?;
        let mut writer = stream.try_clone().map_err(|error| error.to_string())?;
        let request = self.request(what);
        let closes = self.kind == Kind::Echo;
        let writing = thread::spawn(move || {
            writer.write_all(&request)?;
            if closes {
                writer.shutdown(Shutdown::Write)
            } else {
                Ok(())
            }
        });
        let mut received = Vec::new();
        let read = stream.read_to_end(&mut received);
        let written = writing.join().map_err(|_| "the writer panicked")?;
        written.map_err(|error| format!("cannot send: {error}"))?;
        read.map_err(|error| format!("after {} bytes: {error}", received.len()))?;
        self.check(what, &received)
    }

    pub(super) fn is_well(&self) -> Outcome<usize> {
        self.exchange("ordinary")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // If this fails, the server has already exited.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
