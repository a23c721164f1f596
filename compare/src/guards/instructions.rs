//! Instructions per operation, counted by callgrind through gungraun.
//!
//! gungraun runs each operation of `benches/instructions.rs` with two numbers of rounds. The
//! difference of the counts is divided by the difference of the rounds, so that one-time costs
//! cancel out.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::baseline::Counts;
use crate::harness::Outcome;

pub(super) fn count() -> Outcome<Counts> {
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

/// Parses the output of gungraun. Each line reports one operation with one number of rounds.
fn per_operation(told: &str) -> Outcome<Counts> {
    let mut runs: BTreeMap<String, Vec<Run>> = BTreeMap::new();
    for line in told.lines().filter(|line| line.starts_with('{')) {
        let (operation, run) = Run::from_json(line)
            .ok_or_else(|| format!("cannot parse a line of gungraun: {line}"))?;
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
    /// Parses one line into the name of the operation and its run.
    fn from_json(line: &str) -> Option<(String, Run)> {
        let told: Value = serde_json::from_str(line).ok()?;
        // The argument as it is written in the source: "(20_000)".
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
}
