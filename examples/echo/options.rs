//! The command line.

use std::fmt::Display;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use lexopt::prelude::*;

pub(crate) const HELP: &str = "\
usage: echo [--serve-only | --connect] [OPTION]...

An echo server and its load generator. Without options it takes about 5 seconds.

  --address IP:PORT   address of the server (default: 127.0.0.1:0; port 0 lets the system choose)
  --connections N     number of concurrent connections (default: 64)
  --size BYTES        length of a message (default: 64)
  --seconds N         duration of the measurement (default: 4.5)
  --threads N         number of server threads, and of load threads (default: 1)
  --timeout MS        time limit of each read in milliseconds (default: 5000; 0: no limit)
  --serve-only        run only the server, until it is stopped (default of --timeout: no limit)
  --connect           run only the load, against a server that listens on --address
  -h, --help          print this help";

#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) mode: Mode,
    pub(crate) address: SocketAddr,
    pub(crate) connections: usize,
    pub(crate) size: usize,
    pub(crate) duration: Duration,
    pub(crate) threads: usize,
    /// The time limit of each read by a client.
    pub(crate) load_timeout: Option<Duration>,
    /// The time limit of each read by the server. An idle client is not an error for the server, so
    /// there is no limit unless `--timeout` is given.
    pub(crate) server_timeout: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Both,
    Serve,
    Connect,
}

/// Returns the options, or `None` if the user asked for help.
pub(crate) fn parse() -> Result<Option<Options>, lexopt::Error> {
    let (mut mode, mut address) = (Mode::Both, None);
    let (mut connections, mut size, mut threads) = (64, 64, 1);
    let (mut seconds, mut timeout) = (4.5, None);
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(None),
            Long("address") => address = Some(value("address", &mut parser)?),
            Long("connections") => connections = within(1, 1_000_000, "connections", &mut parser)?,
            Long("size") => size = within(1, 1 << 30, "size", &mut parser)?,
            Long("threads") => threads = within(1, 1024, "threads", &mut parser)?,
            Long("seconds") => seconds = value("seconds", &mut parser)?,
            Long("timeout") => {
                timeout = Some(Duration::from_millis(value("timeout", &mut parser)?))
            }
            Long("serve-only") if mode == Mode::Both => mode = Mode::Serve,
            Long("connect") if mode == Mode::Both => mode = Mode::Connect,
            Long("serve-only" | "connect") => {
                return Err("choose one of --serve-only and --connect".into());
            }
            _ => return Err(argument.unexpected()),
        }
    }
    if !(0.01..=86_400.0).contains(&seconds) {
        return Err("--seconds must be between 0.01 and 86400".into());
    }
    if mode == Mode::Connect && address.is_none_or(|address: SocketAddr| address.port() == 0) {
        return Err("--connect requires the address of the server: add --address IP:PORT".into());
    }
    let limit = |timeout: Duration| Some(timeout).filter(|timeout| !timeout.is_zero());
    Ok(Some(Options {
        mode,
        address: address.unwrap_or(([127, 0, 0, 1], 0).into()),
        connections,
        size,
        duration: Duration::from_secs_f64(seconds),
        threads,
        load_timeout: limit(timeout.unwrap_or(Duration::from_secs(5))),
        server_timeout: timeout.and_then(limit).filter(|_| mode == Mode::Serve),
    }))
}

fn within(
    least: usize,
    most: usize,
    name: &str,
    parser: &mut lexopt::Parser,
) -> Result<usize, lexopt::Error> {
    let number = value(name, parser)?;
    if !(least..=most).contains(&number) {
        return Err(format!("--{name} must be between {least} and {most}, not {number}").into());
    }
    Ok(number)
}

/// Returns the value of the option `name`. An error message includes the name.
fn value<T>(name: &str, parser: &mut lexopt::Parser) -> Result<T, lexopt::Error>
where
    T: FromStr<Err: Display>,
{
    let value = parser.value()?.string()?;
    (value.parse()).map_err(|error| format!("--{name} {value}: {error}").into())
}
