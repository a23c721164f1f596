//! Peers that send or read slowly, or that half-close the connection.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::thread;
use std::time::Duration;

use super::server::{Kind, Server};
use crate::shell::Outcome;

fn text(error: std::io::Error) -> String {
    error.to_string()
}

/// Opens thirty connections, each of which sends its request byte by byte.
pub(super) fn writer(server: &Server) -> Outcome<String> {
    const CONNECTIONS: usize = 30;
    let request = match server.kind {
        Kind::Echo => b"a message of some thirty bytes, slowly".to_vec(),
        Kind::Web => server.request("empty"),
    };
    let mut streams = (0..CONNECTIONS)
        .map(|_| server.connect())
        .collect::<Outcome<Vec<_>>>()?;
    for byte in &request {
        for stream in &mut streams {
            stream.write_all(&[*byte]).map_err(text)?;
        }
        thread::sleep(Duration::from_millis(10));
    }
    for stream in &mut streams {
        stream.shutdown(Shutdown::Write).map_err(text)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).map_err(text)?;
        let right = match server.kind {
            Kind::Echo => answer == request,
            Kind::Web => answer.starts_with(b"HTTP/1.1 200 "),
        };
        if !right {
            return Err("a wrong answer".into());
        }
    }
    Ok(format!("{CONNECTIONS} connections answered"))
}

/// Reads small pieces with pauses, so that the server's buffers stay full, and then reads the rest.
pub(super) fn reader(server: &Server) -> Outcome<String> {
    let mut stream = server.connect()?;
    let mut writer = stream.try_clone().map_err(text)?;
    let request = server.request("huge");
    let closes = server.kind == Kind::Echo;
    let writing = thread::spawn(move || {
        writer.write_all(&request)?;
        if closes {
            writer.shutdown(Shutdown::Write)
        } else {
            Ok(())
        }
    });
    let mut received = Vec::new();
    for _ in 0..200 {
        let mut piece = [0; 1000];
        let count = stream.read(&mut piece).map_err(text)?;
        received.extend_from_slice(&piece[..count]);
        thread::sleep(Duration::from_millis(5));
    }
    stream.read_to_end(&mut received).map_err(text)?;
    writing
        .join()
        .map_err(|_| "the writer panicked")?
        .map_err(text)?;
    let length = server.check("huge", &received)?;
    Ok(format!(
        "{length} bytes, the first 200 pieces slowly, all correct"
    ))
}

/// Half-closes without a request. The server must answer with its own end of stream.
pub(super) fn half_closed_silent(server: &Server) -> Outcome<String> {
    for _ in 0..100 {
        let mut stream = server.connect()?;
        stream.shutdown(Shutdown::Write).map_err(text)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).map_err(text)?;
        if !answer.is_empty() {
            return Err("an answer without a request".into());
        }
    }
    Ok("100 connections closed by the server".into())
}

/// Sends the end of the stream right after the request. The answer must still be complete.
pub(super) fn half_closed(server: &Server) -> Outcome<String> {
    for _ in 0..50 {
        let mut stream = server.connect()?;
        let mut writer = stream.try_clone().map_err(text)?;
        let request = server.request("ordinary");
        let writing = thread::spawn(move || {
            writer.write_all(&request)?;
            writer.shutdown(Shutdown::Write)
        });
        let mut received = Vec::new();
        stream.read_to_end(&mut received).map_err(text)?;
        writing
            .join()
            .map_err(|_| "the writer panicked")?
            .map_err(text)?;
        server.check("ordinary", &received)?;
    }
    Ok("50 connections answered completely".into())
}
