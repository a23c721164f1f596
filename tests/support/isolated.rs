//! Runs the body of a test in a process of its own: for limits, filters, thread counts and CPU
//! time.

use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;

use super::{LIMIT, raw};

const CHOSEN: &str = "ASYNC_IO_ISOLATED_TEST";
const FINISHED: &str = "the isolated body has run to its end";

/// Runs `body` in a new process that runs only the test called `name` (with its module, as the test
/// harness prints it), and fails with the output of that process if `body` does not finish.
pub(crate) fn isolated(name: &str, body: impl FnOnce()) {
    if std::env::var_os(CHOSEN).is_some_and(|chosen| chosen == name) {
        body();
        // Without this line a misspelt name would pass, because the harness succeeds without
        // running a test.
        println!("{FINISHED}");
        std::io::stdout().flush().unwrap();
        return;
    }
    let output = run(name);
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && stdout.contains(FINISHED),
        "{name} in its own process: {}\n{stdout}\n{stderr}",
        output.status
    );
}

fn run(name: &str) -> Output {
    let child = this_program()
        .args([name, "--exact", "--nocapture"])
        .env(CHOSEN, name)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = child.id();
    let (done, finished) = mpsc::channel::<()>();
    let waiter = thread::spawn(move || {
        let output = child.wait_with_output();
        drop(done);
        output
    });
    if finished.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
        // The waiting thread holds the child, so its process id cannot have been reused.
        raw::kill(pid);
        eprintln!("{name}: still running after {LIMIT:?}, killed");
    }
    waiter.join().unwrap().unwrap()
}

/// Returns a command that starts the running program again. Where the system cannot execute it
/// directly, `ASYNC_IO_TEST_RUNNER` names an emulator that runs it.
fn this_program() -> Command {
    let program = std::env::current_exe().unwrap();
    match std::env::var_os("ASYNC_IO_TEST_RUNNER") {
        Some(runner) => {
            let mut command = Command::new(runner);
            command.arg(program);
            command
        }
        None => Command::new(program),
    }
}
