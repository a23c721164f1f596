//! The command line.

use std::fmt::Display;
use std::net::SocketAddr;
use std::str::FromStr;
use std::thread;
use std::time::Duration;

use lexopt::prelude::*;

use crate::distribution::Distribution;

pub(crate) const HELP: &str = "\
usage: per_core [OPTION]...

An echo and HTTP server with one reactor per core, and its clients. Without options it takes about
3 seconds.

  --distribute HOW    reuseport, shared or acceptor: how the cores get their connections
                      (default: reuseport on Linux and Android, shared elsewhere)
  --cores N           number of server threads, and of client threads (default: the processors)
  --connections N     number of clients, half of them for each protocol (default: 64)
  --seconds N         duration of the load (default: 3)
  --echo IP:PORT      address of the echo server (default: 127.0.0.1:0; port 0: the system chooses)
  --http IP:PORT      address of the HTTP server (default: 127.0.0.1:0)
  --serve-only        run only the server, until it is stopped
  -h, --help          print this help";

#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) distribution: Distribution,
    pub(crate) cores: usize,
    pub(crate) connections: usize,
    pub(crate) duration: Duration,
    pub(crate) echo: SocketAddr,
    pub(crate) http: SocketAddr,
    pub(crate) serve_only: bool,
}

/// Returns the options, or `None` if the user asked for help.
pub(crate) fn parse() -> Result<Option<Options>, lexopt::Error> {
    let mut options = Options {
        distribution: Distribution::default(),
        cores: thread::available_parallelism().map_or(1, usize::from),
        connections: 64,
        duration: Duration::from_secs(3),
        echo: ([127, 0, 0, 1], 0).into(),
        http: ([127, 0, 0, 1], 0).into(),
        serve_only: false,
    };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(None),
            Long("distribute") => options.distribution = value("distribute", &mut parser)?,
            Long("cores") => options.cores = within(1, 1024, "cores", &mut parser)?,
            Long("connections") => {
                options.connections = within(2, 100_000, "connections", &mut parser)?;
            }
            Long("seconds") => {
                let seconds: f64 = value("seconds", &mut parser)?;
                if !(0.01..=86_400.0).contains(&seconds) {
                    return Err("--seconds must be between 0.01 and 86400".into());
                }
                options.duration = Duration::from_secs_f64(seconds);
            }
            Long("echo") => options.echo = value("echo", &mut parser)?,
            Long("http") => options.http = value("http", &mut parser)?,
            Long("serve-only") => options.serve_only = true,
            _ => return Err(argument.unexpected()),
        }
    }
    Ok(Some(options))
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
