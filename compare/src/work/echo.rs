//! The echo server of one implementation under the load of one client process.

use std::io;
use std::net::TcpStream;

use crate::harness::Outcome;
use crate::harness::job::Job;
use crate::harness::peer::Peer;
use crate::harness::sample::Sample;
use crate::harness::system::{allow_descriptors, cores, pin};
#[cfg(feature = "uring")]
use crate::uring;
use crate::work::client::LoadOptions;
use crate::work::load::Load;
use crate::work::shares::Listeners;
use crate::{ours, per_core, raw, tokio_side, upstream};

/// How the server reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// `read` and `write_all`.
    Plain,
    /// A timeout of 10 s around every read.
    Timeout,
    /// As async-net does it: the operation on `get_ref()`, then `readable_owned()`.
    Readable,
    /// One connection in `block_on` itself, without an executor.
    Alone,
    /// An executor on so many threads.
    Threads(usize),
    /// So many threads with a reactor and an executor each.
    PerCore(usize),
}

/// The parameters of one echo measurement.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Echo {
    pub(crate) style: Style,
    pub(crate) connections: usize,
    pub(crate) requests: u64,
    pub(crate) count_calls: bool,
}

impl Echo {
    pub(crate) fn plain(connections: usize, requests: u64) -> Echo {
        Echo {
            style: Style::Plain,
            connections,
            requests,
            count_calls: false,
        }
    }
}

/// Serves one client process until it has closed its connections, and returns the sample.
pub(crate) fn measure(job: &Job, echo: Echo) -> Outcome<Sample> {
    let (near, far) = match echo.style {
        Style::Threads(_) | Style::PerCore(_) => (cores()?, cores()?),
        _ => (vec![job.near], vec![job.far]),
    };
    pin(&near)?;
    allow_descriptors(echo.connections as u64 + 64)?;
    let listeners = Listeners::bind(match echo.style {
        Style::PerCore(threads) => threads,
        _ => 1,
    })?;
    let options = LoadOptions {
        port: listeners.port()?,
        connections: echo.connections,
        requests: echo.requests,
        cores: far,
    };
    let load = Load::start(&options, echo.count_calls)?;
    let shares = listeners.accept(echo.connections)?;
    for stream in shares.iter().flatten() {
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
    }
    match echo.style {
        Style::PerCore(_) => serve_per_core(job.peer, shares)?,
        style => serve(job.peer, style, shares.into_iter().flatten().collect())?,
    }
    load.finish()
}

/// Serves each share on a thread of its own.
fn serve_per_core(peer: Peer, shares: Vec<Vec<TcpStream>>) -> Outcome<()> {
    let threads = shares.len();
    let serve: fn(Vec<TcpStream>) -> io::Result<()> = match peer {
        Peer::Ours => per_core::serve,
        Peer::Tokio => |share| tokio_side::echo::serve(share, Style::Plain),
        Peer::Raw => raw::echo::serve,
        // These have one executor for all connections.
        Peer::Shared | Peer::TokioMulti => {
            let all = shares.into_iter().flatten().collect();
            return serve(peer, Style::Threads(threads), all);
        }
        other => return other.missing(),
    };
    std::thread::scope(|scope| {
        let start = |share| scope.spawn(move || serve(share));
        let running: Vec<_> = shares.into_iter().map(start).collect();
        for thread in running {
            thread.join().map_err(|_| "a server thread panicked")??;
        }
        Ok(())
    })
}

fn serve(peer: Peer, style: Style, streams: Vec<TcpStream>) -> Outcome<()> {
    let threads = match style {
        Style::Threads(threads) => threads,
        _ => 1,
    };
    match peer {
        Peer::Ours | Peer::Shared => ours::smol::echo::serve(streams, style)?,
        Peer::Foreign => {
            crate::foreign::start()?;
            ours::smol::echo::serve(streams, style)?;
        }
        Peer::Upstream => upstream::smol::echo::serve(streams, style)?,
        Peer::Tokio => tokio_side::echo::serve(streams, style)?,
        Peer::TokioMulti => tokio_side::echo::serve_on_threads(streams, threads)?,
        #[cfg(feature = "uring")]
        Peer::Monoio => uring::monoio_echo::serve(streams)?,
        #[cfg(feature = "uring")]
        Peer::Compio => uring::compio_echo::serve(streams)?,
        #[cfg(not(feature = "uring"))]
        Peer::Monoio | Peer::Compio => peer.missing()?,
        Peer::Raw => raw::echo::serve(streams)?,
        Peer::Floor => raw::executor::serve(streams, threads)?,
    }
    Ok(())
}
