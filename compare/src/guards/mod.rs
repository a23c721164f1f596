//! What must not get worse, counted and not timed, so that it can be checked on any machine, however busy.
//!
//! * Counters of samples that rows take: system calls, allocations, context switches.
//! * Instructions per operation, counted by callgrind, against `guards.baseline`: see [`instructions`].
//!
//! The raw loop is guarded too: a limit that became slower would make us look better.

use std::ffi::OsString;

use self::baseline::{Change, Counts};
use crate::harness::Outcome;
use crate::harness::job::Job;
use crate::harness::peer::Peer;
use crate::harness::system;
use crate::report::number;
use crate::rows;

mod baseline;
mod echo;
mod instructions;
pub mod operations;
mod owner;
mod profile;

/// A counter of a row that must lie between two bounds.
struct Bound {
    row: u8,
    peer: Peer,
    figure: &'static str,
    label: &'static str,
    most: f64,
}

const BOUNDS: &[Bound] = &[
    // How many requests share a wait, or an alarm of the watch (one per millisecond), depends on the speed of the machine.
    bound(
        4,
        Peer::Raw,
        "work_calls",
        "raw: calls per echo request, not waiting",
        2.02,
    ),
    bound(
        4,
        Peer::Ours,
        "call/recvfrom",
        "receives per echo request",
        1.001,
    ),
    bound(
        4,
        Peer::Ours,
        "call/sendto",
        "sends per echo request",
        1.001,
    ),
    bound(
        4,
        Peer::Ours,
        "call/epoll_ctl",
        "epoll_ctl per echo request",
        0.001,
    ),
    bound(
        4,
        Peer::Ours,
        "work_calls",
        "calls per echo request, not waiting",
        2.1,
    ),
    bound(4, Peer::Ours, "waits", "waits per echo request", 0.5),
    bound(
        19,
        Peer::Ours,
        "alone/allocations",
        "allocations per echo request",
        0.002,
    ),
    bound(
        19,
        Peer::Ours,
        "set/allocations",
        "allocations per timer set and dropped",
        0.002,
    ),
    bound(
        19,
        Peer::Ours,
        "fire/allocations",
        "allocations per timer that fires",
        0.002,
    ),
    bound(
        15,
        Peer::Ours,
        "voluntary",
        "context switches of 20 ticks",
        22.0,
    ),
    bound(
        16,
        Peer::Ours,
        "voluntary",
        "context switches of 3 idle seconds",
        1.0,
    ),
    bound(
        25,
        Peer::Ours,
        "wakeups",
        "wake-ups for 1000 datagrams nobody awaits",
        3.0,
    ),
];

const fn bound(row: u8, peer: Peer, figure: &'static str, label: &'static str, most: f64) -> Bound {
    Bound {
        row,
        peer,
        figure,
        label,
        most,
    }
}

/// The whole program of the guards.
pub fn run(args: Vec<OsString>) -> Outcome<()> {
    let words: Vec<&str> = args.iter().filter_map(|arg| arg.to_str()).collect();
    match words[..] {
        [] => check(),
        ["--write-baseline"] => write_baseline(),
        ["--only", "echo"] => check_echo(),
        ["--only", "echo", "--write-baseline"] => baseline::write(count_echo()?, echo::PREFIX),
        ["--profile", "echo"] => show_profile(Peer::Ours),
        ["--profile", "echo", peer] => show_profile(Peer::from_name(peer)?),
        // This program has started itself, under callgrind or to take a sample.
        ["--echo", peer, requests] => echo::serve(peer, requests),
        _ => crate::run(args),
    }
}

fn show_profile(peer: Peer) -> Outcome<()> {
    print!("{}", profile::of(peer)?);
    Ok(())
}

/// Prints the table, and returns what is guarded of it.
fn count_echo() -> Outcome<Counts> {
    let requests = echo::Requests::count()?;
    print!("{}", requests.table());
    Ok(requests.counts())
}

fn count_all() -> Outcome<Counts> {
    let mut counts = count_echo()?;
    counts.extend(instructions::count()?);
    Ok(counts)
}

fn write_baseline() -> Outcome<()> {
    baseline::write(count_all()?, "")
}

/// What was found so far.
#[derive(Default)]
struct Verdict {
    passed: u32,
    failed: u32,
}

impl Verdict {
    fn tell(&mut self, is_good: bool, text: &str) {
        println!("{} {text}", if is_good { "ok    " } else { "FAILED" });
        self.passed += u32::from(is_good);
        self.failed += u32::from(!is_good);
    }

    fn changes(&mut self, changes: &[Change]) {
        for change in changes {
            self.tell(change.is_small(), &change.to_string());
        }
    }

    fn end(self) -> Outcome<()> {
        println!("{} passed, {} failed", self.passed, self.failed);
        if self.failed == 0 {
            return Ok(());
        }
        Err("a guarded count has changed; to accept that, add --write-baseline".into())
    }
}

fn check_echo() -> Outcome<()> {
    let mut verdict = Verdict::default();
    verdict.changes(&baseline::changes(&count_echo()?, echo::PREFIX)?);
    verdict.end()
}

fn check() -> Outcome<()> {
    let mut verdict = Verdict::default();
    for bound in BOUNDS {
        let figure = sample(bound)?;
        let text = format!(
            "{}: {}, at most {}",
            bound.label,
            number(figure),
            bound.most
        );
        verdict.tell(figure <= bound.most, &text);
    }
    verdict.changes(&baseline::changes(&count_all()?, "")?);
    verdict.end()
}

/// The core of what is measured, and that of its load.
fn cores() -> Outcome<(usize, usize)> {
    match system::cores()?[..] {
        [near, .., far] => Ok((near, far)),
        [only] => Ok((only, only)),
        [] => Err("there is no core to run on".into()),
    }
}

fn sample(bound: &Bound) -> Outcome<f64> {
    let (near, far) = cores()?;
    let Bound { row, peer, .. } = *bound;
    let job = Job {
        row,
        peer,
        quick: true,
        near,
        far,
        part: String::new(),
    };
    let sample = (rows::by_number(row)?.take)(&job)?;
    sample
        .get(bound.figure)
        .ok_or_else(|| format!("no figure {}", bound.figure).into())
}
