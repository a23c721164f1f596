//! An echo server and a load generator that measures requests per second, latency and CPU time.
//!
//! By default both run in this process, over loopback. They then share one reactor, and its cost is
//! counted for the thread that drives it. To measure the server alone, run it with `--serve-only`
//! and generate the load from a second process:
//!
//!     cargo run --release --example echo
//!     cargo run --release --example echo -- --connections 1000 --size 4096 --threads 2
//!     cargo run --release --example echo -- --serve-only --address 127.0.0.1:7000
//!     cargo run --release --example echo -- --connect --address 127.0.0.1:7000
//!
//! `server.rs` has the server, `client.rs` one client, `load.rs` the threads that run many clients,
//! `report.rs` the summary, and `system.rs` the descriptor limit and the CPU time.

mod client;
mod load;
mod options;
mod report;
mod server;
mod system;

use std::io;
use std::process::ExitCode;

use async_io::block_on;

use crate::options::{Mode, Options};

fn main() -> ExitCode {
    let options = match options::parse() {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{}", options::HELP);
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("echo: {error}\n\nTry --help.");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("echo: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Returns whether all requests succeeded.
fn run(options: &Options) -> io::Result<bool> {
    match options.mode {
        Mode::Serve => {
            let server = server::start(options)?;
            println!("listening on {}, stop with Ctrl-C", server.address);
            server.serve_for_ever()
        }
        Mode::Connect => {
            system::allow_descriptors(options.connections)?;
            let streams = block_on(load::connect(options.address, options))?;
            let result = load::run(streams, options)?;
            Ok(report::print(options.address, options, &result, None))
        }
        Mode::Both => {
            system::allow_descriptors(2 * options.connections)?;
            let server = server::start(options)?;
            let address = server.address;
            let streams = block_on(load::connect(address, options))?;
            server.measure();
            let result = load::run(streams, options)?;
            let cpu = server.stop()?;
            Ok(report::print(address, options, &result, cpu))
        }
    }
}
