//! Requests for an echo server, from blocking sockets, so that what is counted has nothing of ours on the other side.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::shell::Outcome;

const MESSAGE: [u8; 64] = [b'e'; 64];

/// A server that does not answer for so long never will.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sends at least `requests` messages over all connections, checks what comes back, and returns how many were sent.
///
/// Each round has one message on its way in every connection, so the server sees several of them ready at once.
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
                return Err(format!("the server at {address} changes what it echoes"));
            }
        }
    }
    Ok(rounds * connections)
}
