//! Clients that connect, exchange one message, and reset the connection.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use crate::harness::Outcome;
use crate::harness::system::pin;
use crate::work::client::LoadOptions;

/// Runs the client process. Its threads make blocking calls, each on one connection at a time, with
/// `requests` connections in all.
pub(crate) fn run(options: &LoadOptions) -> Outcome<()> {
    pin(&options.cores)?;
    let share = options.requests.div_ceil(options.connections as u64);
    let clients: Vec<_> = (0..options.connections)
        .map(|_| {
            let port = options.port;
            std::thread::spawn(move || (0..share).try_for_each(|_| once(port)))
        })
        .collect();
    for client in clients {
        // The server exits when it has served enough connections. Failures after that are expected.
        let _ = client.join();
    }
    Ok(())
}

fn once(port: u16) -> io::Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    rustix::net::sockopt::set_socket_linger(&stream, Some(std::time::Duration::ZERO))?;
    stream.write_all(&[7; 64])?;
    stream.read_exact(&mut [0; 64])
}
