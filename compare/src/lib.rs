//! Compares implementations side by side, in one run on one machine.
//!
//! * `scenarios/`: what is compared. Each scenario is a short module, and the head of the module
//!   says how it is measured.
//! * `smol/`: the programs for this crate and for async-io 2.6.0. The same source is compiled once
//!   against each.
//! * `tokio_side/`, `raw/`: the same work on tokio, and on a hand-written edge-triggered epoll loop
//!   without futures.
//! * `uring/`: echo servers on io_uring runtimes, with the feature `uring`.
//! * `work/`: the loads and other helpers that the scenarios share.
//! * `harness/`: processes, pinning, counters and statistics.
//! * `report/`: the table, JSON and plots.
//! * `guards/`: the counts that `cargo xtask guards` checks.
//!
//! Samples are taken in separate processes: this program starts itself with `--child`.

mod foreign;
pub mod guards;
mod harness;
mod options;
mod ours;
mod per_core;
mod raw;
mod report;
mod runner;
mod scenarios;
mod tokio_side;
mod upstream;
#[cfg(feature = "uring")]
mod uring;
mod work;

use std::ffi::OsString;

pub use harness::Outcome;
use options::Command;

#[global_allocator]
static ALLOCATOR: harness::alloc::Counting = harness::alloc::Counting;

/// Parses the command line and runs the command, for both executables.
pub fn run(args: impl IntoIterator<Item = OsString>) -> Outcome<()> {
    match options::parse(args)? {
        Command::Help => {
            print!("{}", options::HELP);
            Ok(())
        }
        Command::List => {
            scenarios::list();
            Ok(())
        }
        Command::Compare(options) => runner::compare(&options),
        Command::Child(job) => runner::child(&job),
        Command::Load(load) => work::client::run(&load),
        Command::Hasty(load) => work::hasty::run(&load),
        Command::Spin(core) => work::spinners::spin(core),
    }
}
