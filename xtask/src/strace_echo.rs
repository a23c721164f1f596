//! Counts the system calls of the echo server with strace, while this process sends requests to it.
//!
//! In steady state, a request costs its own reads and writes and a share of a wait. Everything else
//! that a reactor may do (change the set of descriptors, set the timer, interrupt its own wait)
//! must not happen per request, with or without a time-out on each read.

mod load;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use lexopt::prelude::*;

use crate::debian;
use crate::shell::{self, Outcome};

/// Calls that are allowed while connections are opened and closed, but not per request. The sockets
/// use `recvfrom` and `sendto`, so `read` and `write` are those of the eventfd and of the timerfd.
const NOT_PER_REQUEST: &[&str] = &[
    "epoll_ctl",
    "eventfd2",
    "read",
    "timerfd_create",
    "timerfd_settime",
    "write",
];

/// Fewer calls per request than this count as none, because they come from setting up.
const AS_GOOD_AS_NONE: f64 = 0.05;

/// One measurement.
struct Scene {
    name: &'static str,
    connections: usize,
    /// The options of the server.
    options: &'static [&'static str],
    /// Whether the result is judged. Otherwise all system calls are counted, and only printed.
    judged: bool,
}

/// A single connection is not judged. Tracing makes its rounds longer than a millisecond, and a
/// thread with such long rounds sets and cancels the alarm by design.
const SCENES: &[Scene] = &[
    Scene {
        name: "one connection",
        connections: 1,
        options: &[],
        judged: false,
    },
    Scene {
        name: "64 connections",
        connections: 64,
        options: &[],
        judged: true,
    },
    Scene {
        name: "64 connections, a time-out for each read",
        connections: 64,
        options: &["--timeout", "60000"],
        judged: true,
    },
];

pub(crate) fn run(args: &mut lexopt::Parser) -> Outcome {
    let (mut requests, mut connections) = (40_000, None);
    while let Some(argument) = args.next().map_err(|error| error.to_string())? {
        match argument {
            Long("requests") => requests = shell::number(args.value())?,
            Long("connections") => connections = Some(shell::number(args.value())?),
            other => return Err(other.unexpected().to_string()),
        }
    }
    debian::need("strace", "strace")?;
    shell::run(shell::cargo().args(["build", "--release", "--example", "echo"]))?;
    let folder = shell::target("strace");
    shell::fresh_dir(&folder)?;

    let mut complaints = Vec::new();
    for (number, scene) in SCENES.iter().enumerate() {
        let table = folder.join(format!("{number}.txt"));
        let connections = connections
            .filter(|_| scene.judged)
            .unwrap_or(scene.connections);
        let server = Server::start(&table, scene)?;
        let served = load::run(server.address, connections, requests)?;
        server.stop()?;

        let text = shell::read(&table)?;
        println!("\n{}: {served} requests\n{text}", scene.name);
        let calls = calls(&text);
        if calls.get("accept4").copied().unwrap_or(0) < connections as u64 {
            return Err("strace did not see the server accept its connections".into());
        }
        let found = judge(scene.name, &calls, served);
        if scene.judged {
            complaints.extend(found);
        }
    }
    if complaints.is_empty() {
        Ok(())
    } else {
        Err(complaints.join("; "))
    }
}

/// Prints the calls per request, and returns those that are too many.
fn judge(scene: &str, calls: &BTreeMap<String, u64>, requests: usize) -> Vec<String> {
    let per_request = |count: u64| count as f64 / requests as f64;
    let mut complaints = Vec::new();
    for name in NOT_PER_REQUEST {
        let count = calls.get(*name).copied().unwrap_or(0);
        println!("{name:>16}: {:.4} per request", per_request(count));
        if per_request(count) >= AS_GOOD_AS_NONE {
            complaints.push(format!(
                "with {scene}, {name} is called {count} times for {requests} requests"
            ));
        }
    }
    complaints
}

/// Restricts strace to the calls that are judged, and to one that shows that it sees the server. If
/// strace can make the kernel stop the server only at these calls, other calls take hardly longer
/// than without strace.
fn only_what_is_judged() -> Outcome<Vec<String>> {
    let mut options = vec![format!("--trace=accept4,{}", NOT_PER_REQUEST.join(","))];
    if shell::capture(Command::new("strace").arg("--help"))?.contains("--seccomp-bpf") {
        options.push("--seccomp-bpf".into());
    }
    Ok(options)
}

/// Returns how often each call was made, from the table of `strace -c`.
fn calls(table: &str) -> BTreeMap<String, u64> {
    let rows = table.lines().filter_map(|line| {
        // The columns: % time, seconds, usecs/call, calls, errors (if there were any), name.
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (name, count) = (fields.last()?, fields.get(3)?.parse().ok()?);
        (*name != "total").then(|| (name.to_string(), count))
    });
    rows.collect()
}

/// The echo server under strace.
struct Server {
    strace: Child,
    address: SocketAddr,
}

impl Server {
    fn start(table: &Path, scene: &Scene) -> Outcome<Server> {
        let mut command = Command::new("strace");
        // With `-I 2`, strace stops on a signal, and still writes the table.
        command.args(["-c", "-f", "-I", "2", "-o"]).arg(table);
        if scene.judged {
            command.args(only_what_is_judged()?);
        }
        command.arg(shell::target("release/examples/echo"));
        command.args(["--serve-only", "--address", "127.0.0.1:0"]);
        command
            .args(scene.options)
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut strace = command
            .spawn()
            .map_err(|error| format!("strace cannot be run: {error}"))?;

        let mut line = String::new();
        if let Some(output) = strace.stdout.take() {
            let read = BufReader::new(output).read_line(&mut line);
            read.map_err(|error| format!("cannot read the output of the server: {error}"))?;
        }
        // "listening on 127.0.0.1:7000, stop with Ctrl-C"
        let mut words = line.split([' ', ',', '\n']);
        match words.find_map(|word| word.parse().ok()) {
            Some(address) => Ok(Server { strace, address }),
            None => {
                let _ = strace.kill();
                Err(format!("the server did not print its address: {line:?}"))
            }
        }
    }

    /// Ends strace, which ends the server and writes the table.
    fn stop(mut self) -> Outcome {
        let process = self.strace.id().to_string();
        shell::run(Command::new("kill").args(["-TERM", &process]))?;
        let patience = Instant::now() + Duration::from_secs(30);
        while Instant::now() < patience {
            match self.strace.try_wait() {
                Ok(None) => std::thread::sleep(Duration::from_millis(20)),
                Ok(Some(_)) => return Ok(()),
                Err(error) => return Err(format!("cannot wait for strace: {error}")),
            }
        }
        let _ = self.strace.kill();
        Err("strace did not end in time".into())
    }
}

#[cfg(test)]
mod tests {
    use super::calls;

    #[test]
    fn reads_rows_with_and_without_errors() {
        let table = "\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 51.20    0.500000          12     40000     20000 recvfrom
  0.10    0.000100           5        20           epoll_ctl
------ ----------- ----------- --------- --------- ----------------
100.00    0.900000          12     40020     20000 total
";
        let calls = calls(table);
        assert_eq!(calls.get("recvfrom"), Some(&40_000));
        assert_eq!(calls.get("epoll_ctl"), Some(&20));
        assert_eq!(calls.len(), 2);
    }
}
