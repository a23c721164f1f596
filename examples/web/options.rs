//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use lexopt::prelude::*;

pub(crate) const HELP: &str = "\
usage: web [OPTION]... [FOLDER]

Serves the files in FOLDER (the current one) over HTTP/1.1 until it is stopped.

  --address IP:PORT   where to listen (127.0.0.1:8000; port 0 lets the system choose)
  --threads N         threads that serve (as many as there are processors)
  --timeout MS        how long to wait for a slow client, in milliseconds (10000)
  -h, --help          this text";

#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) address: SocketAddr,
    pub(crate) folder: PathBuf,
    pub(crate) threads: usize,
    pub(crate) timeout: Duration,
}

/// The options, or `None` if help is wanted.
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
