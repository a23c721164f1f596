//! Tests in processes of their own: for limits, filters, thread counts, descriptors, signals and
//! CPU time.

use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::LIMIT;

const CHOSEN: &str = "ASYNC_IO_ISOLATED_TEST";
const FINISHED: &str = "the isolated body has run to its end";

/// Runs `body` in a new process that runs only the test called `name` (with its module, as the test
/// harness prints it), and fails with the output of that process if `body` does not finish.
#[track_caller]
pub(crate) fn isolated(name: &str, body: impl FnOnce()) {
    isolated_with_input(name, b"", body);
}

/// Runs `body` like [`isolated`], with a pipe as standard input that yields `input` and then the
/// end of file.
#[track_caller]
pub(crate) fn isolated_with_input(name: &str, input: &[u8], body: impl FnOnce()) {
    if std::env::var_os(CHOSEN).is_some_and(|chosen| chosen == name) {
        body();
        // Without this line a misspelt name would pass, because the harness succeeds without
        // running a test.
        println!("{FINISHED}");
        std::io::stdout().flush().unwrap();
        return;
    }
    let mut child = this_program()
        .args([name, "--exact", "--nocapture"])
        .env(CHOSEN, name)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Fails if the child ended early. The status below reports that more clearly.
    let _ = child.stdin.take().unwrap().write_all(input);
    let stdout = read_to_end(child.stdout.take().unwrap());
    let stderr = read_to_end(child.stderr.take().unwrap());
    let status = wait_or_kill(name, child);
    let (stdout, stderr) = (stdout.join().unwrap(), stderr.join().unwrap());
    assert!(
        status.success() && stdout.contains(FINISHED),
        "{name} in its own process: {status}\n{stdout}\n{stderr}"
    );
}

fn read_to_end(mut output: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        output.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn wait_or_kill(name: &str, mut child: Child) -> ExitStatus {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if start.elapsed() > LIMIT {
            eprintln!("{name}: still running after {LIMIT:?}, killed");
            child.kill().unwrap();
            return child.wait().unwrap();
        }
        thread::sleep(Duration::from_millis(2));
    }
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
