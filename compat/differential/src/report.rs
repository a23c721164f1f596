//! The counts of a child. The child prints them as text, and the parent adds them up.

use std::collections::BTreeMap;
use std::fmt;

/// The number of programs that were run, and how often each counted thing happened.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) programs: u64,
    counts: BTreeMap<String, u64>,
}

impl Report {
    pub(crate) fn count(&mut self, name: &str, number: u64) {
        *self.counts.entry(name.into()).or_default() += number;
    }

    pub(crate) fn add(&mut self, other: &Report) {
        self.programs += other.programs;
        for (name, number) in &other.counts {
            self.count(name, *number);
        }
    }

    /// Parses the output of `Display`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut report = Report::default();
        for line in text.lines() {
            let parsed = line
                .rsplit_once(": ")
                .and_then(|(name, number)| Some((name.trim(), number.trim().parse::<u64>().ok()?)));
            match parsed {
                Some(("programs", number)) => report.programs = number,
                Some((name, number)) => report.count(name, number),
                None => return Err(format!("a child printed {line:?}")),
            }
        }
        Ok(report)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "programs: {}", self.programs)?;
        for (name, number) in &self.counts {
            write!(f, "\n  {name}: {number}")?;
        }
        Ok(())
    }
}
