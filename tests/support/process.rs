//! Tests in processes of their own: for limits, filters, thread counts, descriptors, signals and
//! CPU time. Also runs the examples.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
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
    if runs_isolated(name, body) {
        return;
    }
    let mut child = start_isolated(name, Stdio::piped());
    // Fails if the child ended early. The status below reports that more clearly.
    let _ = child.stdin.take().unwrap().write_all(input);
    finish_isolated(name, child);
}

/// Runs `body` like [`isolated`], with `stdin` as standard input.
#[track_caller]
pub(crate) fn isolated_with_stdin(name: &str, stdin: impl Into<Stdio>, body: impl FnOnce()) {
    if runs_isolated(name, body) {
        return;
    }
    finish_isolated(name, start_isolated(name, stdin.into()));
}

/// Runs `body` if this is the process that was started for it.
fn runs_isolated(name: &str, body: impl FnOnce()) -> bool {
    if std::env::var_os(CHOSEN).is_none_or(|chosen| chosen != name) {
        return false;
    }
    body();
    // Without this line a misspelt name would pass, because the harness succeeds without running a
    // test.
    println!("{FINISHED}");
    std::io::stdout().flush().unwrap();
    true
}

fn start_isolated(name: &str, stdin: Stdio) -> Child {
    this_program()
        .args([name, "--exact", "--nocapture"])
        .env(CHOSEN, name)
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[track_caller]
fn finish_isolated(name: &str, mut child: Child) {
    let stdout = read_to_end(child.stdout.take().unwrap());
    let stderr = read_to_end(child.stderr.take().unwrap());
    let status = wait_or_kill(name, child);
    let (stdout, stderr) = (stdout.join().unwrap(), stderr.join().unwrap());
    assert!(
        status.success() && stdout.contains(FINISHED),
        "{name} in its own process: {status}\n{stdout}\n{stderr}"
    );
}

/// Runs the example called `name` without arguments and returns what it prints. Fails if it does
/// not exit successfully.
#[track_caller]
pub(crate) fn run_example(name: &str) -> String {
    run_example_with(name, &[])
}

/// Runs an example like [`run_example`], with these arguments.
#[track_caller]
pub(crate) fn run_example_with(name: &str, args: &[&str]) -> String {
    let program = example(name);
    assert!(
        program.exists(),
        "{} is missing: run `cargo test` without a choice of targets, or `cargo build --examples`",
        program.display()
    );
    let child = command(&program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    output_of(name, child)
}

/// Waits for an example, and returns what it prints. Fails if it fails, hangs, or prints errors.
pub(crate) fn output_of(name: &str, mut child: Child) -> String {
    let stdout = read_to_end(child.stdout.take().unwrap());
    let stderr = read_to_end(child.stderr.take().unwrap());
    let status = wait_or_kill(name, child);
    let (stdout, stderr) = (stdout.join().unwrap(), stderr.join().unwrap());
    assert!(
        status.success() && stderr.is_empty(),
        "example {name}: {status}\n{stdout}\n{stderr}"
    );
    stdout
}

/// Returns the path of an example. Cargo puts the examples into a folder next to that of the tests.
pub(crate) fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    profile.join("examples").join(file)
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

/// Returns a command that starts the running program again.
fn this_program() -> Command {
    command(&std::env::current_exe().unwrap())
}

/// Returns a command that starts a program of this build. Where the system cannot execute it
/// directly, `ASYNC_IO_TEST_RUNNER` names an emulator that runs it.
fn command(program: &Path) -> Command {
    match std::env::var_os("ASYNC_IO_TEST_RUNNER") {
        Some(runner) => {
            let mut command = Command::new(runner);
            command.arg(program);
            command
        }
        None => Command::new(program),
    }
}
