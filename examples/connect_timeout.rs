//! Connects to a host, or gives up after 10 seconds.
//!
//! `timeout` drops the connection attempt when the time is up, which closes its socket.
//!
//!     cargo run --example connect_timeout -- example.org:80
//!     # an address that never answers:
//!     cargo run --example connect_timeout -- 192.0.2.1:80 --seconds 2

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use async_io::{Async, block_on, timeout};

const HELP: &str = "usage: connect_timeout HOST:PORT [--seconds N]

Connects to HOST:PORT, or gives up after N seconds (default: 10).";

fn main() -> ExitCode {
    let (host, limit) = match arguments() {
        Ok(Some(arguments)) => arguments,
        Ok(None) => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("connect_timeout: {error}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };

    let started = Instant::now();
    match block_on(connect(&host, limit)) {
        Ok((_stream, address)) => {
            println!(
                "connected to {host} ({address}) in {:.1?}",
                started.elapsed()
            );
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!(
                "cannot connect to {host}: {error} (after {:.1?})",
                started.elapsed()
            );
            ExitCode::FAILURE
        }
    }
}

async fn connect(host: &str, limit: Duration) -> io::Result<(Async<TcpStream>, SocketAddr)> {
    timeout(limit, connect_any(host)).await?
}

/// Tries the addresses of `host` in order and returns the first connection, or the last error.
async fn connect_any(host: &str) -> io::Result<(Async<TcpStream>, SocketAddr)> {
    let mut outcome = Err(io::Error::new(
        io::ErrorKind::NotFound,
        "the host has no address",
    ));
    // The name lookup of the system blocks and cannot be cancelled. A program that has other tasks
    // to run should move it to a thread pool, for example with `blocking::unblock`.
    for address in host.to_socket_addrs()? {
        outcome = Async::<TcpStream>::connect(address)
            .await
            .map(|stream| (stream, address));
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

/// Returns the host and the time limit, or `None` if the user asked for help.
fn arguments() -> Result<Option<(String, Duration)>, lexopt::Error> {
    use lexopt::prelude::*;

    let (mut host, mut seconds) = (None, 10.0);
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(None),
            Long("seconds") => seconds = parser.value()?.parse()?,
            Value(value) if host.is_none() => host = Some(value.string()?),
            _ => return Err(argument.unexpected()),
        }
    }
    let limit =
        Duration::try_from_secs_f64(seconds).map_err(|error| format!("--seconds: {error}"))?;
    let host = host.ok_or("HOST:PORT is missing")?;
    Ok(Some((host, limit)))
}
