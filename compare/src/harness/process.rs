//! Starts this program again, to take each sample in a process of its own.

use std::io::Read;
use std::process::{Child, Command, Stdio};

use super::Outcome;
use super::job::Job;
use super::sample::Sample;

/// Returns a command that starts this program, with its output piped.
pub(crate) fn this_program() -> Outcome<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    Ok(command)
}

/// A child process that is killed when this guard is dropped.
pub(crate) struct Guarded(pub(crate) Child);

impl Drop for Guarded {
    fn drop(&mut self) {
        // Ignore errors: the process may already have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts the process that takes this sample.
pub(crate) fn start(job: &Job) -> Outcome<Guarded> {
    let mut command = this_program()?;
    command
        .arg("--child")
        .arg(job.scenario)
        .arg(job.peer.name());
    command.arg(if job.quick { "quick" } else { "full" });
    command
        .arg(job.near.to_string())
        .arg(job.far.to_string())
        .arg(&job.part);
    Ok(Guarded(command.spawn()?))
}

/// Takes one sample in a process of its own, as most scenarios do.
pub(crate) fn in_child(job: &Job) -> Outcome<Sample> {
    finish(start(job)?)
}

/// Waits for a child process to end, and reads its sample.
pub(crate) fn finish(mut child: Guarded) -> Outcome<Sample> {
    let mut text = String::new();
    let output = child.0.stdout.take();
    output
        .ok_or("the output is not piped")?
        .read_to_string(&mut text)?;
    let status = child.0.wait()?;
    if status.success() {
        Sample::from_lines(&text)
    } else {
        Err(format!("a sample failed: {status}").into())
    }
}
