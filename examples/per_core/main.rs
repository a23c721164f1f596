//! A server with one private reactor and one executor per core, and clients that check its answers.
//!
//! The server has two ports. One echoes lines, the other one answers HTTP requests. Each core is a
//! thread with a `Reactor` and a `LocalExecutor` of its own, so the cores share no lock, and no
//! task ever moves. What is left is to distribute the connections over the cores:
//!
//! * `--distribute reuseport`: each core has its own listeners. The system chooses a core for each
//!   connection, by a hash of the addresses (Linux, Android).
//! * `--distribute shared`: all cores accept from the same listeners. The fastest core wins, which
//!   under low load is often the same one.
//! * `--distribute acceptor`: one more thread accepts, and hands each connection to the next core.
//!   That core moves the connection to its own reactor with `Async::rebind`.
//!
//! The clients run in the same process, on as many threads, each with a reactor of its own:
//!
//!     cargo run --release --example per_core
//!     cargo run --release --example per_core -- --distribute acceptor --cores 4
//!     cargo run --release --example per_core -- --serve-only --echo 127.0.0.1:7000 --http 127.0.0.1:8000
//!
//! `server.rs` has the cores, `distribution.rs` the listeners and the acceptor, `connection.rs` the
//! two protocols, `load.rs` and `client.rs` the clients, and `report.rs` the summary.

mod client;
mod connection;
mod distribution;
mod load;
mod options;
mod report;
mod server;

use std::io;
use std::process::ExitCode;

use crate::options::Options;
use crate::server::Server;

fn main() -> ExitCode {
    let options = match options::parse() {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{}", options::HELP);
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("per_core: {error}\n\nTry --help.");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("per_core: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Returns whether all requests were answered.
fn run(options: &Options) -> io::Result<bool> {
    let server = Server::start(options)?;
    println!("echo on {}, http://{}/", server.echo, server.http);
    if options.serve_only {
        return server.join().map(|_| true);
    }
    let load = load::run(server.echo, server.http, options)?;
    let cores = server.stop()?;
    Ok(report::print(options, &cores, &load))
}
