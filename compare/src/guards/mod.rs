//! What must not get worse, counted and not timed, so that it can be checked on any machine, however busy.
//!
//! * Counters of samples that rows take: system calls, allocations, context switches.
//! * Instructions per operation, counted by callgrind, against `guards.baseline`: see [`instructions`].
//!
//! The raw loop is guarded too: a limit that became slower would make us look better.

use std::ffi::OsString;

use crate::harness::Outcome;
use crate::harness::job::Job;
use crate::harness::peer::Peer;
use crate::harness::system;
use crate::report::number;
use crate::rows;

mod instructions;
pub mod operations;

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
        ["--write-baseline"] => instructions::write_baseline(),
        // This program has started itself to take a sample.
        _ => crate::run(args),
    }
}

fn check() -> Outcome<()> {
    let (mut passed, mut failed) = (0, 0);
    let mut tell = |is_good: bool, text: String| {
        println!("{} {text}", if is_good { "ok    " } else { "FAILED" });
        passed += u32::from(is_good);
        failed += u32::from(!is_good);
    };
    for bound in BOUNDS {
        let figure = sample(bound)?;
        let text = format!(
            "{}: {}, at most {}",
            bound.label,
            number(figure),
            bound.most
        );
        tell(figure <= bound.most, text);
    }
    for change in instructions::changes()? {
        tell(change.is_small(), change.to_string());
    }
    println!("{passed} passed, {failed} failed");
    if failed == 0 {
        Ok(())
    } else {
        Err(
            "a guarded count has changed; if that is right, cargo xtask guards --write-baseline"
                .into(),
        )
    }
}

fn sample(bound: &Bound) -> Outcome<f64> {
    let cores = system::cores()?;
    let (near, far) = (cores[0], *cores.last().unwrap_or(&cores[0]));
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
