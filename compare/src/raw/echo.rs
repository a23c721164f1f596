//! The echo server.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;

use super::{Epoll, has_closed, index};

/// Serves these connections until they are closed.
pub(crate) fn serve(streams: Vec<TcpStream>) -> io::Result<()> {
    let mut epoll = Epoll::new()?;
    for (index, stream) in streams.iter().enumerate() {
        epoll.add(stream, index)?;
    }
    let mut open = streams.len();
    let mut streams: Vec<Option<TcpStream>> = streams.into_iter().map(Some).collect();
    let mut buffer = [0; 4096];
    while open > 0 {
        for event in epoll.wait(None)? {
            let slot = &mut streams[index(event)];
            let Some(stream) = slot else {
                continue;
            };
            if !echo(stream, &mut buffer, has_closed(event))? {
                // Closing the stream removes it from the epoll set.
                *slot = None;
                open -= 1;
            }
        }
    }
    Ok(())
}

/// Echoes the data that has arrived. Returns `false` at the end of the stream.
fn echo(mut stream: &TcpStream, buffer: &mut [u8], closed: bool) -> io::Result<bool> {
    loop {
        let length = match stream.read(buffer) {
            Ok(0) => return Ok(false),
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
            Err(error) => return Err(error),
        };
        // The client has only few requests outstanding, so their answers always fit into the
        // socket's buffer.
        stream.write_all(&buffer[..length])?;
        if length < buffer.len() && !closed {
            return Ok(true);
        }
    }
}
