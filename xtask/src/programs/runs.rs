//! One run of each program: starts the measured process and its partner, and reads their results.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::shell::{self, Outcome};

pub(super) struct Scenario {
    pub(super) name: &'static str,
    /// The names of the values that a run returns.
    pub(super) figures: &'static [&'static str],
    pub(super) run: fn(&Path) -> Outcome<Vec<f64>>,
}

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "hyper: 64 keep-alive connections",
        figures: &["requests/s", "CPU ns/request"],
        run: http,
    },
    Scenario {
        name: "zbus: pings, one by one",
        figures: &["pings/s", "CPU ns/ping"],
        run: |programs| ping(programs, "one-by-one", 10_000),
    },
    Scenario {
        name: "zbus: pings, 32 at once",
        figures: &["pings/s", "CPU ns/ping"],
        run: |programs| ping(programs, "at-once", 32_000),
    },
    Scenario {
        name: "quinn: one stream of 256 MB",
        figures: &[
            "MB/s",
            "CPU ns/MB of the sender",
            "CPU ns/MB of the receiver",
        ],
        run: bulk,
    },
];

const REQUESTS: u64 = 100_000;

fn http(programs: &Path) -> Outcome<Vec<f64>> {
    let mut serve = on_core(near(), &programs.join("http"))?;
    let mut server = Guarded::start(serve.arg("serve").stdin(Stdio::piped()))?;
    let port = server.line()?;
    let mut load = on_core(far(), &programs.join("http"))?;
    load.args(["load", &port, "64", &REQUESTS.to_string()]);
    let told = shell::capture(&mut load)?;
    // The server exits at the end of its input.
    drop(server.child.stdin.take());
    let used = server.finish()?;
    let requests = value(&told, "requests")?;
    Ok(vec![
        value(&told, "per_second")?,
        value(&used, "cpu_ns")? / requests,
    ])
}

fn ping(programs: &Path, way: &str, calls: u64) -> Outcome<Vec<f64>> {
    let mut command = on_core(far(), Path::new("dbus-daemon"))?;
    // The daemon asks for more descriptors than it may have, and prints a warning.
    command.stderr(Stdio::null());
    let mut daemon = Guarded::start(command.args(["--session", "--nofork", "--print-address=1"]))?;
    let address = daemon.line()?;
    let mut client = on_core(near(), &programs.join("ping"))?;
    let told = shell::capture(client.args([&address, way, &calls.to_string()]))?;
    Ok(vec![value(&told, "per_second")?, value(&told, "cpu_ns")?])
}

fn bulk(programs: &Path) -> Outcome<Vec<f64>> {
    let mut receive = on_core(far(), &programs.join("bulk"))?;
    let mut receiver = Guarded::start(receive.arg("receive"))?;
    let port_and_certificate = receiver.line()?;
    let mut send = on_core(near(), &programs.join("bulk"))?;
    send.arg("send").args(port_and_certificate.split(' '));
    let sent = shell::capture(send.arg("256"))?;
    let received = receiver.finish()?;
    Ok(vec![
        value(&sent, "per_second")?,
        value(&sent, "cpu_ns")?,
        value(&received, "cpu_ns")?,
    ])
}

/// Returns the core of the measured process: the last one that this process may use. The first core
/// of a machine handles the interrupts.
fn near() -> Outcome<usize> {
    let cores = cores()?;
    cores.last().copied().ok_or_else(no_cores)
}

/// Returns the core of the partner: another one, if there is one.
fn far() -> Outcome<usize> {
    let cores = cores()?;
    cores
        .iter()
        .rev()
        .nth(1)
        .or(cores.last())
        .copied()
        .ok_or_else(no_cores)
}

fn no_cores() -> String {
    "/proc/self/status does not list the cores that may be used".into()
}

fn cores() -> Outcome<Vec<usize>> {
    let status = shell::read(Path::new("/proc/self/status"))?;
    let mut lines = status.lines();
    let list = lines.find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    Ok(listed(list.ok_or_else(no_cores)?.trim()))
}

/// Returns the numbers of a list such as `0-1,4`.
fn listed(list: &str) -> Vec<usize> {
    let ranges = list.split(',').filter_map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        Some(first.parse().ok()?..=last.parse().ok()?)
    });
    ranges.flatten().collect()
}

/// The time limit of a process. The longest run takes a few seconds.
const LIMIT_SECONDS: &str = "120";

fn on_core(core: Outcome<usize>, program: &Path) -> Outcome<Command> {
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", &core?.to_string()]);
    command.args(["timeout", "--kill-after=5", LIMIT_SECONDS]);
    command.arg(program);
    Ok(command)
}

/// A partner process, which is ended with its run.
struct Guarded {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Guarded {
    fn start(command: &mut Command) -> Outcome<Guarded> {
        let started = command.stdout(Stdio::piped()).spawn();
        let mut child = started.map_err(|error| format!("cannot start {command:?}: {error}"))?;
        let output = child.stdout.take().ok_or("the output is not piped")?;
        let output = BufReader::new(output);
        Ok(Guarded { child, output })
    }

    /// Returns the next line that the process prints.
    fn line(&mut self) -> Outcome<String> {
        let mut line = String::new();
        let read = self.output.read_line(&mut line);
        match read {
            Ok(1..) => Ok(line.trim().to_owned()),
            Ok(0) => Err("a program ended before it printed anything".into()),
            Err(error) => Err(format!("cannot read the output of a program: {error}")),
        }
    }

    /// Returns the rest of the output, after the process has exited.
    fn finish(mut self) -> Outcome<String> {
        let mut text = String::new();
        let read = self.output.read_to_string(&mut text);
        read.map_err(|error| format!("cannot read the output of a program: {error}"))?;
        match self.child.wait() {
            Ok(status) if status.success() => Ok(text),
            Ok(status) => Err(format!("a program failed: {status}")),
            Err(error) => Err(format!("cannot wait for a program: {error}")),
        }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // Not `Child::kill`: `timeout` forwards SIGTERM to the program, but cannot forward
            // SIGKILL.
            let _ = Command::new("kill")
                .arg(self.child.id().to_string())
                .status();
            let _ = self.child.wait();
        }
    }
}

fn value(text: &str, name: &str) -> Outcome<f64> {
    let mut lines = text.lines();
    let found = lines.find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    found.ok_or_else(|| format!("no {name} in {text:?}"))
}

#[cfg(test)]
mod tests {
    use super::listed;

    #[test]
    fn lists_of_cores_are_read() {
        assert_eq!(listed("0-1"), [0, 1]);
        assert_eq!(listed("3"), [3]);
        assert_eq!(listed("0,2-4,7"), [0, 2, 3, 4, 7]);
    }
}
