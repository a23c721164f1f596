//! Uses everything in smol 2, async-net 2 and async-process 2 that builds on `async-io`, and checks
//! every result.
//!
//! Exits with 0 if all checks pass, with 1 if a check fails, and with 2 if a check hangs.

mod executors;
mod processes;
mod sockets;
mod timers;

use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use smol_app::{Check, ensure};

/// A check that takes this long is reported as hanging.
const PATIENCE: Duration = Duration::from_secs(60);

/// A check with its name.
type Named = (&'static str, fn() -> Check);

const CHECKS: &[Named] = &[
    (
        "tcp: fifty concurrent clients get back what they sent",
        sockets::tcp,
    ),
    ("tcp: a refused connection is an error", sockets::refused),
    ("udp: datagrams arrive complete", sockets::udp),
    ("unix: streams, pairs and datagrams", sockets::unix),
    (
        "timers: all of a thousand fire, none early",
        timers::thousand,
    ),
    ("timers: no tick of an interval is early", timers::interval),
    (
        "timers: a read is cancelled after a time-out",
        timers::timeout,
    ),
    (
        "children: exit codes of twenty concurrent children",
        processes::exit_codes,
    ),
    ("children: cat returns its input", processes::pipes),
    (
        "children: a killed child reports the signal",
        processes::killed,
    ),
    ("executors: one on four threads", executors::threads),
    (
        "executors: one per thread, connected by sockets",
        executors::local,
    ),
    (
        "executors: the global one, and a cancelled task",
        executors::global,
    ),
    (
        "executors: a block_on without a reactor",
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
