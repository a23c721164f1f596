//! Counts this process's system calls between two moments, by name, with `strace -c`.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::Outcome;

/// strace, attached to every thread of this process.
pub(crate) struct Counter {
    strace: Child,
    /// Kept open: strace would die before writing its report if it could not write its last
    /// messages.
    _words: BufReader<ChildStderr>,
    report: PathBuf,
}

/// Returns whether strace is installed.
pub(crate) fn is_present() -> bool {
    let mut command = Command::new("strace");
    command
        .arg("-V")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

impl Counter {
    /// Attaches to this process. Returns once the count has started.
    pub(crate) fn attach() -> Outcome<Counter> {
        let id = std::process::id().to_string();
        let report = std::env::temp_dir().join(format!("compare-strace-{id}"));
        let threads = std::fs::read_dir("/proc/self/task")?.count();
        let mut command = Command::new("strace");
        command.args(["-f", "-c", "-p", &id, "-o"]).arg(&report);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut strace = command.spawn()?;
        let told = strace
            .stderr
            .take()
            .ok_or("strace's messages are not piped")?;
        // strace prints one message, which says how many threads it has attached to.
        let mut words = BufReader::new(told);
        let mut line = String::new();
        words.read_line(&mut line)?;
        if !line.contains("attached") {
            return Err(format!("strace cannot count {threads} threads: {line}").into());
        }
        Ok(Counter {
            strace,
            _words: words,
            report,
        })
    }

    /// Stops the count. Returns how often each call was made, by name.
    pub(crate) fn detach(mut self) -> Outcome<BTreeMap<String, u64>> {
        let id = Pid::from_child(&self.strace);
        kill_process(id, Signal::INT)?;
        self.strace.wait()?;
        let text = std::fs::read_to_string(&self.report)?;
        std::fs::remove_file(&self.report)?;
        Ok(text.lines().filter_map(parse).collect())
    }
}

/// Parses a line of the report: `% time, seconds, usecs/call, calls, [errors,] syscall`.
fn parse(line: &str) -> Option<(String, u64)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let name = words.last()?;
    let calls = words.get(3)?.parse().ok()?;
    (*name != "total").then(|| ((*name).to_owned(), calls))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn lines_of_the_report() {
        let with_errors = " 50.00    0.000011           2         5         1 recvfrom";
        assert_eq!(parse(with_errors), Some(("recvfrom".into(), 5)));
        assert_eq!(
            parse(" 50.00  0.000011  2  7  sendto"),
            Some(("sendto".into(), 7))
        );
        assert_eq!(parse("100.00  0.000022  2  12  1 total"), None);
        assert_eq!(
            parse("------ ----------- ----------- --------- --------- ----"),
            None
        );
    }
}
