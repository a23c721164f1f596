//! Compares this crate with async-io 2.6.0, tokio and a raw epoll loop.
//!
//! `cargo run --release -- --help` lists the options.

use std::process::ExitCode;

fn main() -> ExitCode {
    match compare::run(std::env::args_os().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compare: {error}");
            ExitCode::FAILURE
        }
    }
}
