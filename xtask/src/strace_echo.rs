//! Which system calls the echo server makes, counted by strace while it serves a load from this process.
//!
//! In steady state a request costs its own reads and writes and a share of a wait. Everything else that a reactor may
//! do (change the set of descriptors, set the timer, interrupt itself) must not happen per request, with or without
//! a time-out on each read.

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

/// Calls that are allowed while connections come and go, but not per request. The sockets are read by `recvfrom` and
/// written by `sendto`, so `read` and `write` are those of the eventfd and of the timerfd.
const NOT_PER_REQUEST: &[&str] = &[
    "epoll_ctl",
    "eventfd2",
    "read",
    "timerfd_create",
    "timerfd_settime",
    "write",
];

/// So many of each per request are as good as none: they come from setting up.
const AS_GOOD_AS_NONE: f64 = 0.05;

/// What is measured: a name, how many connections, and options for the server.
const SCENES: &[(&str, usize, &[&str])] = &[
    ("one connection", 1, &[]),
    ("32 connections", 32, &[]),
    (
        "32 connections, a time-out for each read",
        32,
        &["--timeout", "60000"],
    ),
];

pub(crate) fn run(args: &mut lexopt::Parser) -> Outcome {
    let (mut requests, mut connections) = (20_000, None);
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
    for (number, (name, usual, options)) in SCENES.iter().enumerate() {
        let table = folder.join(format!("{number}.txt"));
        let server = Server::start(&table, options)?;
        let served = load::run(server.address, connections.unwrap_or(*usual), requests)?;
        server.stop()?;

        let text = shell::read(&table)?;
        println!("\n{name}: {served} requests\n{text}");
        complaints.extend(judge(name, &calls(&text), served)?);
    }
    if complaints.is_empty() {
        Ok(())
    } else {
        Err(complaints.join("; "))
    }
}

/// Prints what a request costs, and returns what it costs and must not.
fn judge(scene: &str, calls: &BTreeMap<String, u64>, requests: usize) -> Outcome<Vec<String>> {
    let total: u64 = calls.values().sum();
    if (total as f64) < requests as f64 {
        return Err(format!(
            "strace saw {total} calls for {requests} requests: it did not see the server"
        ));
    }
    let per_request = |count: u64| count as f64 / requests as f64;
    println!("{:.2} system calls per request", per_request(total));
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
    Ok(complaints)
}

/// How often each call was made, from the table of `strace -c`.
fn calls(table: &str) -> BTreeMap<String, u64> {
    let rows = table.lines().filter_map(|line| {
        // % time, seconds, usecs/call, calls, errors if there were any, name
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
    fn start(table: &Path, options: &[&str]) -> Outcome<Server> {
        let mut command = Command::new("strace");
        // `-I 2`: stops on a signal, and then still writes the table.
        command.args(["-c", "-f", "-I", "2", "-o"]).arg(table);
        command.arg(shell::target("release/examples/echo"));
        command.args(["--serve-only", "--address", "127.0.0.1:0"]);
        command
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut strace = command
            .spawn()
            .map_err(|error| format!("strace cannot be run: {error}"))?;

        let mut line = String::new();
        if let Some(output) = strace.stdout.take() {
            let read = BufReader::new(output).read_line(&mut line);
            read.map_err(|error| format!("the server cannot be heard: {error}"))?;
        }
        // "listening on 127.0.0.1:7000, stop with Ctrl-C"
        let mut words = line.split([' ', ',', '\n']);
        match words.find_map(|word| word.parse().ok()) {
            Some(address) => Ok(Server { strace, address }),
            None => {
                let _ = strace.kill();
                Err(format!("the server did not say where it listens: {line:?}"))
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
                Err(error) => return Err(format!("strace is lost: {error}")),
            }
        }
        let _ = self.strace.kill();
        Err("strace does not end".into())
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
