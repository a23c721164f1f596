//! Instructions per operation, against `guards.baseline`, which is in the repository.
//!
//! `benches/instructions.rs` has gungraun count each operation in two numbers of rounds. The difference, divided by the
//! rounds between, is free of what happens once. (gungraun's own baselines are folders of profiles beside the build's output;
//! a line per operation can be read and reviewed.)

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::harness::Outcome;

/// A change of so much is a change of the compiler or of chance.
const TOLERANCE: f64 = 0.05;

/// Instructions by the name of the operation.
type Counts = BTreeMap<String, f64>;

/// What an operation takes, beside what it took when the baseline was written. One of them may be missing.
pub(super) struct Change {
    operation: String,
    expected: Option<f64>,
    counted: Option<f64>,
}

impl Change {
    fn ratio(&self) -> Option<f64> {
        Some(self.counted? / self.expected?)
    }

    /// Getting better by more is no small change, either: the baseline is then to be written anew.
    pub(super) fn is_small(&self) -> bool {
        self.ratio()
            .is_some_and(|ratio| (ratio - 1.0).abs() <= TOLERANCE)
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.operation.replace('_', " ");
        match (self.counted, self.expected, self.ratio()) {
            (Some(counted), Some(expected), Some(ratio)) => write!(
                f,
                "{name}: {counted:.0} instructions, {:+.1} % of {expected:.0}",
                (ratio - 1.0) * 100.0
            ),
            (Some(counted), ..) => write!(f, "{name}: {counted:.0} instructions, no baseline"),
            _ => write!(f, "{name}: has a baseline, and no benchmark"),
        }
    }
}

/// Counts everything, and compares.
pub(super) fn changes() -> Outcome<Vec<Change>> {
    let (baseline, counts) = (read_baseline()?, count()?);
    let mut operations: Vec<&String> = baseline.keys().chain(counts.keys()).collect();
    operations.sort_unstable();
    operations.dedup();
    let change = |operation: &String| Change {
        operation: operation.clone(),
        expected: baseline.get(operation).copied(),
        counted: counts.get(operation).copied(),
    };
    Ok(operations.into_iter().map(change).collect())
}

pub(super) fn write_baseline() -> Outcome<()> {
    let mut text = String::from("# Instructions per operation, counted by callgrind.\n");
    for (operation, count) in count()? {
        text.push_str(&format!("{count:.0} {operation}\n"));
    }
    print!("{text}");
    Ok(std::fs::write(baseline_file(), text)?)
}

fn count() -> Outcome<Counts> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    cargo
        .args([
            "bench",
            "--locked",
            "--bench",
            "instructions",
            "--manifest-path",
        ])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"))
        .args(["--", "--output-format=json"]);
    let output = cargo.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(
            "the benchmarks have failed; `cargo xtask guards` installs what they need".into(),
        );
    }
    per_operation(&String::from_utf8(output.stdout)?)
}

/// Each line tells of one operation with one number of rounds.
fn per_operation(told: &str) -> Outcome<Counts> {
    let mut runs: BTreeMap<String, Vec<Run>> = BTreeMap::new();
    for line in told.lines().filter(|line| line.starts_with('{')) {
        let (operation, run) = Run::from_json(line)
            .ok_or_else(|| format!("gungraun says what is not understood: {line}"))?;
        runs.entry(operation).or_default().push(run);
    }
    let counts = runs.into_iter().map(|(operation, runs)| match runs[..] {
        [few, many] if many.rounds > few.rounds => {
            let difference = many.instructions - few.instructions;
            Ok((operation, difference / (many.rounds - few.rounds)))
        }
        _ => Err(format!("{operation} needs two benchmarks, the second with more rounds").into()),
    });
    counts.collect()
}

#[derive(Clone, Copy)]
struct Run {
    rounds: f64,
    instructions: f64,
}

impl Run {
    /// The name of the operation, and what one run of it has counted.
    fn from_json(line: &str) -> Option<(String, Run)> {
        let told: Value = serde_json::from_str(line).ok()?;
        // The argument as it stands in the source: "(20_000)".
        let rounds = told["description"].as_str()?.replace(['(', ')', '_'], "");
        let run = Run {
            rounds: rounds.parse().ok()?,
            instructions: told
                .pointer("/profiles/0/data/total/metrics/Ir/values/new")?
                .as_f64()?,
        };
        Some((told["function_name"].as_str()?.to_owned(), run))
    }
}

fn baseline_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("guards.baseline")
}

fn read_baseline() -> Outcome<Counts> {
    let text = std::fs::read_to_string(baseline_file())?;
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let parsed = lines.map(|line| {
        let (count, name) = line
            .split_once(' ')
            .ok_or("a line of the baseline has no name")?;
        Ok((name.to_owned(), count.parse()?))
    });
    parsed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(rounds: &str, instructions: u64) -> String {
        let metrics = serde_json::json!({"Ir": {"values": {"new": instructions, "old": 1}}});
        serde_json::json!({
            "function_name": "sleep",
            "description": rounds,
            "profiles": [{"data": {"total": {"metrics": metrics}}}],
        })
        .to_string()
    }

    #[test]
    fn what_happens_once_is_not_counted() {
        let told = [line("(1_000)", 50_700), line("(3_000)", 150_700)].join("\n");
        assert_eq!(per_operation(&told).unwrap()["sleep"], 50.0);
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        assert!(per_operation(&line("(1_000)", 50_700)).is_err());
        assert!(per_operation("{}").is_err());
    }

    #[test]
    fn a_change_is_one_to_either_side() {
        let change = |expected, counted| Change {
            operation: "sleep".into(),
            expected,
            counted,
        };
        assert!(change(Some(100.0), Some(104.9)).is_small());
        for (expected, counted) in [
            (Some(100.0), Some(105.1)),
            (Some(100.0), Some(94.9)),
            (None, Some(100.0)),
            (Some(100.0), None),
        ] {
            assert!(!change(expected, counted).is_small());
        }
    }
}
