//! The instrument that compares implementations side by side, in one run, on one machine.
//!
//! * `rows/`: what is compared, one short module per row of the table of targets; its head says how it is measured.
//! * `smol/`: the programs of ours and of async-io 2.6.0: one text, compiled once against each.
//! * `tokio_side/`, `raw/`: the same work on tokio, and on a hand-written edge-triggered epoll loop without futures.
//! * `work/`: what rows share: the echo load, the ways of running a sample.
//! * `harness/`: processes, pinning, counters, statistics. `report/`: the table, JSON and plots.
//!
//! Every sample is a process of its own: this program starts itself again with `--child`.

mod foreign;
pub mod guards;
mod harness;
mod options;
mod ours;
mod raw;
mod report;
mod rows;
mod runner;
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

/// The whole program, for its two executables.
pub fn run(args: impl IntoIterator<Item = OsString>) -> Outcome<()> {
    match options::parse(args)? {
        Command::Help => {
            print!("{}", options::HELP);
            Ok(())
        }
        Command::List => {
            rows::list();
            Ok(())
        }
        Command::Compare(options) => runner::compare(&options),
        Command::Child(job) => runner::child(&job),
        Command::Load(load) => work::client::run(&load),
        Command::Hasty(load) => work::hasty::run(&load),
        Command::Spin(core) => work::spinners::spin(core),
    }
}
