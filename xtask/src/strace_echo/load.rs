//! Requests for an echo server. They use blocking sockets, so that no code of this crate runs on
//! the client's side.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::shell::Outcome;

const MESSAGE: [u8; 64] = [b'e'; 64];

/// The time in which the server must answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sends at least `requests` messages over all connections, checks what comes back, and returns how
/// many were sent.
///
/// In each round every connection has one message in transit, so the server sees several of them
/// ready at once.
pub(super) fn run(address: SocketAddr, connections: usize, requests: usize) -> Outcome<usize> {
    let failed = |error: std::io::Error| format!("the server at {address} does not echo: {error}");
    let connect = |_| -> std::io::Result<TcpStream> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(stream)
    };
    let mut streams = (0..connections)
        .map(connect)
        .collect::<Result<Vec<_>, _>>()
        .map_err(failed)?;

    let rounds = requests.div_ceil(connections.max(1));
    for _ in 0..rounds {
        for stream in &mut streams {
            stream.write_all(&MESSAGE).map_err(failed)?;
        }
        for stream in &mut streams {
            let mut answer = [0; MESSAGE.len()];
            stream.read_exact(&mut answer).map_err(failed)?;
            if answer != MESSAGE {
                return Err(format!("the server at {address} echoes other bytes"));
            }
        }
    }
    Ok(rounds * connections)
}
