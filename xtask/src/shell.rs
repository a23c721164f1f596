//! Paths, and functions that run other programs and name the program in their errors.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The result of a recipe. An error is one sentence for the user.
pub(crate) type Outcome<T = ()> = Result<T, String>;

/// Returns the folder of the workspace.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_path_buf()
}

/// Returns a separate build folder, so that a build with other flags or another compiler does not
/// invalidate the usual one.
pub(crate) fn target(name: &str) -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(target) => root().join(target).join(name),
        None => root().join("target").join(name),
    }
}

/// Returns the cargo that runs this program, in the folder of the workspace.
pub(crate) fn cargo() -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(root());
    command
}

/// Returns the `RUSTFLAGS` of the environment with `flags` added.
pub(crate) fn rustflags(flags: &str) -> String {
    match std::env::var("RUSTFLAGS") {
        Ok(given) if !given.is_empty() => format!("{given} {flags}"),
        _ => flags.into(),
    }
}

/// Runs a command to its end, with the output streams of this process and with empty input.
pub(crate) fn run(command: &mut Command) -> Outcome {
    println!("$ {}", line(command));
    let status = command
        .stdin(Stdio::null())
        .status()
        .map_err(|error| not_started(command, &error))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("`{}` failed: {status}", line(command)))
    }
}

/// Runs a command to its end and returns its output. Its errors go to the error stream of this
/// process.
pub(crate) fn capture(command: &mut Command) -> Outcome<String> {
    command.stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = command
        .output()
        .map_err(|error| not_started(command, &error))?;
    if !output.status.success() {
        return Err(format!("`{}` failed: {}", line(command), output.status));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Builds a program and returns its path, which cargo reports.
pub(crate) fn built(arguments: &[&str]) -> Outcome<PathBuf> {
    let mut cargo = cargo();
    cargo.args(["build", "--message-format=json-render-diagnostics"]);
    executable(&capture(cargo.args(arguments))?)
}

/// Returns the path of the program that cargo has built, according to its JSON messages.
pub(crate) fn executable(messages: &str) -> Outcome<PathBuf> {
    let mut paths = messages
        .lines()
        .filter_map(|line| line.split_once("\"executable\":\"")?.1.split('"').next());
    let path = paths
        .next_back()
        .ok_or("cargo did not report the path of the program")?;
    Ok(PathBuf::from(path.replace("\\\\", "\\")))
}

/// Runs a command to its end and writes everything that it prints to the file `log`. Returns
/// whether it succeeded.
///
/// Standard input is a pipe in which nothing ever arrives. A test that reads from it must wait, as
/// at a terminal, and must not see the end of the input.
pub(crate) fn run_logged(command: &mut Command, log: &Path) -> Outcome<bool> {
    println!("$ {}", line(command));
    let file =
        File::create(log).map_err(|error| format!("cannot write {}: {error}", log.display()))?;
    let copy = file
        .try_clone()
        .map_err(|error| format!("cannot write {}: {error}", log.display()))?;
    command.stdin(Stdio::piped()).stdout(file).stderr(copy);
    let mut child = command
        .spawn()
        .map_err(|error| not_started(command, &error))?;
    // `wait` closes the pipe first, unless it has been taken out.
    let input = child.stdin.take();
    let status = child.wait().map_err(|error| not_started(command, &error))?;
    drop(input);
    Ok(status.success())
}

/// Returns the last `count` lines of a file, to show why something failed.
pub(crate) fn tail(path: &Path, count: usize) -> String {
    let text = fs::read(path)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

pub(crate) fn read(path: &Path) -> Outcome<String> {
    fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

pub(crate) fn write(path: &Path, text: &str) -> Outcome {
    fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// Creates an empty folder at `path`, and removes a folder that is already there.
pub(crate) fn fresh_dir(path: &Path) -> Outcome {
    let made = match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => fs::create_dir_all(path),
    };
    made.map_err(|error| format!("cannot create the empty folder {}: {error}", path.display()))
}

/// Copies a folder with all its contents.
pub(crate) fn copy_dir(from: &Path, to: &Path) -> Outcome {
    let failed = |error: std::io::Error| format!("cannot copy {}: {error}", from.display());
    fs::create_dir_all(to).map_err(failed)?;
    for entry in fs::read_dir(from).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let (source, copy) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy_dir(&source, &copy)?;
        } else {
            fs::copy(&source, &copy).map_err(failed)?;
        }
    }
    Ok(())
}

/// Returns the value of an option as text.
pub(crate) fn text(value: Result<std::ffi::OsString, lexopt::Error>) -> Outcome<String> {
    Ok(value
        .map_err(|error| error.to_string())?
        .to_string_lossy()
        .into_owned())
}

/// Returns the value of an option as a number.
pub(crate) fn number(value: Result<std::ffi::OsString, lexopt::Error>) -> Outcome<usize> {
    let text = text(value)?;
    text.parse()
        .map_err(|_| format!("{text:?} is not a number"))
}

/// Returns the command line for messages. It is not quoted, because it is only for reading.
fn line(command: &Command) -> String {
    let program = Path::new(command.get_program())
        .file_name()
        .unwrap_or(command.get_program());
    let words: Vec<_> = std::iter::once(program)
        .chain(command.get_args())
        .map(OsStr::to_string_lossy)
        .collect();
    words.join(" ")
}

fn not_started(command: &Command, error: &std::io::Error) -> String {
    format!("`{}` cannot be run: {error}", line(command))
}
