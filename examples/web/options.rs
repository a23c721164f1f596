//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use lexopt::prelude::*;

pub(crate) const HELP: &str = "\
usage: web [OPTION]... [FOLDER]

Serves the files in FOLDER (default: the current folder) over HTTP/1.1 until it is stopped.

  --address IP:PORT   address to listen on (default: 127.0.0.1:8000; port 0 lets the system choose)
  --threads N         number of threads (default: the number of processors)
  --timeout MS        time limit for a slow client in milliseconds (default: 10000)
  -h, --help          print this help";

#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) address: SocketAddr,
    pub(crate) folder: PathBuf,
    pub(crate) threads: usize,
    pub(crate) timeout: Duration,
}

/// Returns the options, or `None` if the user asked for help.
pub(crate) fn parse() -> Result<Option<Options>, lexopt::Error> {
    let (mut address, mut folder) = (([127, 0, 0, 1], 8000).into(), None);
    let mut threads = thread::available_parallelism().map_or(1, usize::from);
    let mut timeout = Duration::from_secs(10);

    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(None),
            Long("address") => address = parser.value()?.parse()?,
            Long("threads") => threads = parser.value()?.parse()?,
            Long("timeout") => timeout = Duration::from_millis(parser.value()?.parse()?),
            Value(path) if folder.is_none() => folder = Some(path.into()),
            _ => return Err(argument.unexpected()),
        }
    }
    if !(1..=1024).contains(&threads) {
        return Err("--threads must be between 1 and 1024".into());
    }
    if timeout.is_zero() {
        return Err("--timeout must be at least one millisecond".into());
    }
    let folder = folder.unwrap_or_else(|| ".".into());
    Ok(Some(Options {
        address,
        folder,
        threads,
        timeout,
    }))
}
