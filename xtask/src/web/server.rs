//! The web example as a process.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::TIMEOUT_MS;
use crate::shell::{self, Outcome};

/// Builds the example and returns its path, which cargo reports.
pub(super) fn build() -> Outcome<PathBuf> {
    shell::built(&["--release", "--example", "web"])
}

pub(super) struct Server {
    process: Child,
    pub(super) address: SocketAddr,
}

impl Server {
    /// Starts `program` on a free port of the loopback interface. `descriptors` limits how many
    /// descriptors it may have.
    pub(super) fn start(
        program: &Path,
        root: &Path,
        descriptors: Option<usize>,
    ) -> Outcome<Server> {
        let mut command = match descriptors {
            None => Command::new(program),
            Some(count) => {
                let mut shell = Command::new("sh");
                shell
                    .arg("-c")
                    .arg(format!("ulimit -n {count} && exec \"$0\" \"$@\""))
                    .arg(program);
                shell
            }
        };
        command
            .args(["--address", "127.0.0.1:0", "--timeout"])
            .arg(TIMEOUT_MS.to_string())
            .arg(root);
        // With few descriptors, the server reports each failing accept. That is expected.
        command.stderr(if descriptors.is_some() {
            Stdio::null()
        } else {
            Stdio::inherit()
        });
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = command
            .spawn()
            .map_err(|error| format!("cannot start {}: {error}", program.display()))?;

        let mut line = String::new();
        if let Some(output) = process.stdout.take() {
            BufReader::new(output)
                .read_line(&mut line)
                .map_err(|error| format!("cannot read the output of the server: {error}"))?;
        }
        let mut server = Server {
            process,
            address: ([127, 0, 0, 1], 0).into(),
        };
        let address = line
            .split_once("http://")
            .and_then(|(_, rest)| rest.trim().trim_end_matches('/').parse().ok());
        server.address =
            address.ok_or_else(|| format!("the server did not print its address: {line:?}"))?;
        Ok(server)
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Ends the server. Fails if it has already exited.
    pub(super) fn stop(mut self) -> Outcome {
        match self.process.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(format!("the server has already exited: {status}")),
            Err(error) => Err(format!("cannot get the status of the server: {error}")),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // If this fails, the server has already exited.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Runs a client to its end. Returns `None` if it is missing and cannot be installed.
pub(super) fn client<S: AsRef<OsStr>>(
    program: &str,
    package: &str,
    arguments: &[S],
) -> Outcome<Option<String>> {
    match crate::debian::need(program, package) {
        Ok(()) => shell::capture(Command::new(program).args(arguments)).map(Some),
        Err(error) => {
            println!("skipped: {error}");
            Ok(None)
        }
    }
}
