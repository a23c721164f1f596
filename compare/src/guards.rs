//! What must not get worse, counted and not timed, so that it can be checked on any machine, however busy.
//!
//! * Counters of samples that rows take: system calls, allocations, context switches.
//! * Instructions per operation, counted by callgrind, against `guards.baseline`. An operation is run in two counts, and
//!   the difference divided: starting and ending cancel out. Instructions in the kernel are not seen.
//!
//! The raw loop is guarded too: a limit that became slower would make us look better.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::harness::Outcome;
use crate::harness::job::Job;
use crate::harness::peer::Peer;
use crate::harness::system;
use crate::ours::smol::{ping_pong, sources, timers};
use crate::report::number;
use crate::rows;

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

/// An operation whose instructions are counted: its name, how often it is done, and how.
type Operation = (&'static str, u64, fn(u64) -> Outcome<()>);

const OPERATIONS: &[Operation] = &[
    ("timer set and dropped", 20_000, |count| {
        Ok(timers::churn(count).map(drop)?)
    }),
    ("timer set, yield, dropped", 20_000, |count| {
        Ok(timers::churn_with_yield(count).map(drop)?)
    }),
    ("timer replaced among 1000", 20_000, |count| {
        Ok(timers::replace_random(1000, count).map(drop)?)
    }),
    ("block_on of one yield", 20_000, |count| {
        Ok(timers::block_on_yield(count).map(drop)?)
    }),
    ("register and deregister", 5000, register),
    ("ping-pong of two tasks", 5000, |count| {
        Ok(ping_pong::one_thread(count).map(drop)?)
    }),
    ("ten events of 100 sources", 1000, |count| {
        Ok(sources::events(100, count).map(drop)?)
    }),
];

/// A change of so much is a change of the compiler or of chance.
const TOLERANCE: f64 = 0.05;

fn register(count: u64) -> Outcome<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let stream = TcpStream::connect(listener.local_addr()?)?;
    stream.set_nonblocking(true)?;
    Ok(sources::register(stream, count).map(drop)?)
}

/// The whole program of the guards.
pub fn run(args: Vec<OsString>) -> Outcome<()> {
    let words: Vec<&str> = args.iter().filter_map(|arg| arg.to_str()).collect();
    match words[..] {
        [] => check(),
        ["--write-baseline"] => write_baseline(),
        ["--operation", name, count] => operation(name)?.2(count.parse()?),
        // This program has started itself to take a sample.
        _ => crate::run(args),
    }
}

fn operation(name: &str) -> Outcome<&'static Operation> {
    let found = OPERATIONS.iter().find(|operation| operation.0 == name);
    found.ok_or_else(|| format!("no operation is called {name}").into())
}

fn check() -> Outcome<()> {
    let baseline = read_baseline()?;
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
    for operation in OPERATIONS {
        let counted = instructions(operation)?;
        let Some(expected) = baseline.get(operation.0) else {
            tell(
                false,
                format!("{}: {counted:.0} instructions, no baseline", operation.0),
            );
            continue;
        };
        let change = counted / expected - 1.0;
        let percent = change * 100.0;
        let text = format!(
            "{}: {counted:.0} instructions, {percent:+.1} % of {expected:.0}",
            operation.0
        );
        // Getting better by more is a failure too: the baseline is then to be written anew.
        tell(change.abs() <= TOLERANCE, text);
    }
    println!("{passed} passed, {failed} failed");
    if failed == 0 {
        Ok(())
    } else {
        Err("a guarded count has changed; if that is right, write it with --write-baseline".into())
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

/// The instructions of one operation.
fn instructions(operation: &Operation) -> Outcome<f64> {
    let (name, count, _) = *operation;
    let once = callgrind(name, count)?;
    let thrice = callgrind(name, 3 * count)?;
    Ok((thrice - once) / (2 * count) as f64)
}

fn callgrind(name: &str, count: u64) -> Outcome<f64> {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    command
        .arg(std::env::current_exe()?)
        .args(["--operation", name, &count.to_string()]);
    let output = command.stdin(Stdio::null()).output()?;
    let told = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("callgrind of {name}: {told}").into());
    }
    let line = told.lines().find_map(|line| line.split_once("Collected :"));
    let counted = line.and_then(|(_, count)| count.trim().parse().ok());
    counted.ok_or_else(|| format!("callgrind has counted nothing: {told}").into())
}

fn baseline_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("guards.baseline")
}

fn read_baseline() -> Outcome<BTreeMap<String, f64>> {
    let text = std::fs::read_to_string(baseline_file())?;
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let parsed = lines.map(|line| {
        let (count, name) = line
            .split_once(' ')
            .ok_or("a line of the baseline has no name")?;
        Ok((name.to_owned(), count.parse()?))
    });
    parsed.collect()
}

fn write_baseline() -> Outcome<()> {
    let mut text = String::from("# Instructions per operation, counted by callgrind.\n");
    for operation in OPERATIONS {
        let line = format!("{:.0} {}\n", instructions(operation)?, operation.0);
        print!("{line}");
        text.push_str(&line);
    }
    Ok(std::fs::write(baseline_file(), text)?)
}
