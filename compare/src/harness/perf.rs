//! Counts this process's system calls between two moments, by name, with the kernel's tracepoints
//! (`perf stat`).
//!
//! Tracepoints do not stop the process, so it behaves as it does without them. As a rule, only root
//! may use tracepoints.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::{Pid, Signal, kill_process};

use super::Outcome;

const ALL: &str = "raw_syscalls:sys_enter";

/// Calls that are counted by name, on processors that have them.
const NAMED: &[&str] = &[
    "epoll_wait",
    "epoll_pwait",
    "epoll_pwait2",
    "epoll_ctl",
    "poll",
    "ppoll",
    "recvfrom",
    "sendto",
    "read",
    "write",
    "futex",
    "timerfd_settime",
    "accept4",
    "close",
];

/// Returns whether perf is installed and may use tracepoints.
pub(crate) fn is_present() -> bool {
    let mut command = Command::new("perf");
    command.args(["stat", "-e", ALL, "true"]);
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// `perf stat`, attached to every thread of this process.
pub(crate) struct Counter {
    perf: Child,
    orders: File,
    answers: BufReader<File>,
    folder: PathBuf,
}

impl Counter {
    /// Attaches to this process. Returns once the count has started.
    pub(crate) fn attach() -> Outcome<Counter> {
        let id = std::process::id().to_string();
        let folder = std::env::temp_dir().join(format!("compare-perf-{id}"));
        std::fs::create_dir_all(&folder)?;
        let (orders, answers) = (fifo(&folder, "orders")?, fifo(&folder, "answers")?);
        let mut control = std::ffi::OsString::from("fifo:");
        control.push(&orders);
        control.push(",");
        control.push(&answers);
        let mut command = Command::new("perf");
        command.args(["stat", "-x", ",", "-D", "-1", "-p", &id, "-e", &events()]);
        command.arg("--control").arg(control);
        command.arg("-o").arg(folder.join("report"));
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let perf = command.spawn()?;
        // Open for reading and writing, so that opening does not wait for perf.
        let open = |path| File::options().read(true).write(true).open(path);
        let mut counter = Counter {
            perf,
            orders: open(orders)?,
            answers: BufReader::new(open(answers)?),
            folder,
        };
        counter.order("enable")?;
        Ok(counter)
    }

    /// Stops the count. Returns how often each call was made, by name.
    pub(crate) fn detach(mut self) -> Outcome<BTreeMap<String, u64>> {
        self.order("disable")?;
        let id = Pid::from_child(&self.perf);
        kill_process(id, Signal::INT)?;
        self.perf.wait()?;
        let text = std::fs::read_to_string(self.folder.join("report"))?;
        std::fs::remove_dir_all(&self.folder)?;
        by_name(&text)
    }

    fn order(&mut self, word: &str) -> Outcome<()> {
        writeln!(self.orders, "{word}")?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        if line.contains("ack") {
            Ok(())
        } else {
            Err(format!("perf answered {line:?} to {word}").into())
        }
    }
}

fn fifo(folder: &Path, name: &str) -> Outcome<PathBuf> {
    let path = folder.join(name);
    mknodat(CWD, &path, FileType::Fifo, Mode::RWXU, 0)?;
    Ok(path)
}

fn events() -> String {
    let is_known = |name: &&&str| {
        let path = format!("/sys/kernel/tracing/events/syscalls/sys_enter_{name}");
        Path::new(&path).exists()
    };
    let named = NAMED.iter().filter(is_known);
    named.fold(ALL.to_owned(), |list, name| {
        format!("{list},syscalls:sys_enter_{name}")
    })
}

/// Parses the lines of the report: `count,unit,event,…`. Calls that are not counted by name are
/// added up as "others".
fn by_name(text: &str) -> Outcome<BTreeMap<String, u64>> {
    let counts = text.lines().filter_map(|line| {
        let mut words = line.split(',');
        let count: u64 = words.next()?.parse().ok()?;
        Some((words.nth(1)?, count))
    });
    let mut all = None;
    let mut calls = BTreeMap::new();
    for (event, count) in counts {
        if event == ALL {
            all = Some(count);
        } else if let Some(name) = event.strip_prefix("syscalls:sys_enter_") {
            calls.insert(name.to_owned(), count);
        }
    }
    let all = all.ok_or_else(|| format!("perf counted nothing: {text}"))?;
    let named: u64 = calls.values().sum();
    calls.insert("others".into(), all.saturating_sub(named));
    Ok(calls)
}

#[cfg(test)]
mod tests {
    use super::by_name;

    #[test]
    fn lines_of_the_report() {
        let text = "# started on a day\n\n29,,raw_syscalls:sys_enter,1,100.00,,\n20,,syscalls:sys_enter_recvfrom,1,,\n";
        let calls = by_name(text).unwrap();
        assert_eq!(calls["recvfrom"], 20);
        assert_eq!(calls["others"], 9);
        assert!(by_name("").is_err());
    }
}
