//! Uses everything of smol 2, async-net 2 and async-process 2 that rests on `async-io`, and checks every result.
//!
//! Exits with 0 if all is as it must be, with 1 if a check failed, and with 2 if one did not end.

mod executors;
mod processes;
mod sockets;
mod timers;

use std::error::Error;
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// What a check returns: an error says what was not as it must be.
type Check = Result<(), Problem>;
type Problem = Box<dyn Error + Send + Sync>;

/// A check that takes this long hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is checked, and how.
type Named = (&'static str, fn() -> Check);

const CHECKS: &[Named] = &[
    (
        "tcp: fifty clients at once get back what they sent",
        sockets::tcp,
    ),
    (
        "tcp: a connection that is refused is an error",
        sockets::refused,
    ),
    ("udp: datagrams arrive whole", sockets::udp),
    ("unix: streams, pairs and datagrams", sockets::unix),
    (
        "timers: a thousand all fire, and none early",
        timers::thousand,
    ),
    ("timers: an interval keeps its rhythm", timers::interval),
    (
        "timers: a read is given up after a time-out",
        timers::timeout,
    ),
    (
        "children: exit codes of twenty at once",
        processes::exit_codes,
    ),
    ("children: what goes into cat comes out", processes::pipes),
    (
        "children: one that is killed reports the signal",
        processes::killed,
    ),
    ("executors: one on four threads", executors::threads),
    (
        "executors: one per thread, talking to each other",
        executors::local,
    ),
    (
        "executors: the global one, and a task that is cancelled",
        executors::global,
    ),
    (
        "executors: a block_on that knows no reactor",
        executors::foreign,
    ),
];

fn main() -> ExitCode {
    for (name, check) in CHECKS {
        let start = Instant::now();
        let (sender, result) = mpsc::channel();
        thread::spawn(move || sender.send(check()));
        match result.recv_timeout(PATIENCE) {
            Ok(Ok(())) => println!("ok    {name} ({} ms)", start.elapsed().as_millis()),
            Ok(Err(error)) => {
                println!("WRONG {name}: {error}");
                return ExitCode::from(1);
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                println!("WRONG {name}: panicked");
                return ExitCode::from(1);
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {
                println!("HANGS {name}");
                return ExitCode::from(2);
            }
        }
    }
    println!("{} checks passed", CHECKS.len());
    ExitCode::SUCCESS
}

/// An error with this text unless the condition holds.
fn ensure(condition: bool, text: impl Into<String>) -> Check {
    if condition {
        Ok(())
    } else {
        Err(text.into().into())
    }
}
