//! The counts recorded in `guards.baseline`. The file is in the repository, so that every change of
//! a count is reviewed.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::harness::Outcome;

/// The relative change that is attributed to the compiler or to chance.
const TOLERANCE: f64 = 0.05;

/// Instructions, or ratios of instructions, by name.
pub(super) type Counts = BTreeMap<String, f64>;

/// A count and its baseline. One of them may be missing.
pub(super) struct Change {
    name: String,
    expected: Option<f64>,
    counted: Option<f64>,
}

impl Change {
    fn ratio(&self) -> Option<f64> {
        Some(self.counted? / self.expected?)
    }

    /// Returns whether the change is within the tolerance. A larger improvement is not small
    /// either: without a new baseline, losing it again would go unnoticed.
    pub(super) fn is_small(&self) -> bool {
        self.ratio()
            .is_some_and(|ratio| (ratio - 1.0).abs() <= TOLERANCE)
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name.replace('_', " ");
        match (self.counted, self.expected, self.ratio()) {
            (Some(counted), Some(expected), Some(ratio)) => write!(
                f,
                "instructions, {name}: {}, {:+.1} % of {}",
                figure(counted),
                (ratio - 1.0) * 100.0,
                figure(expected)
            ),
            (Some(counted), ..) => {
                write!(f, "instructions, {name}: {}, no baseline", figure(counted))
            }
            _ => write!(
                f,
                "instructions, {name}: has a baseline but was not counted"
            ),
        }
    }
}

/// Formats a count. Ratios have decimals, instructions have none.
fn figure(count: f64) -> String {
    if count < 10.0 {
        format!("{count:.3}")
    } else {
        format!("{count:.0}")
    }
}

/// Compares `counts` with the baseline, for the names that start with `prefix`.
pub(super) fn changes(counts: &Counts, prefix: &str) -> Outcome<Vec<Change>> {
    let baseline = read()?;
    let mut names: Vec<&String> = baseline.keys().chain(counts.keys()).collect();
    names.retain(|name| name.starts_with(prefix));
    names.sort_unstable();
    names.dedup();
    let change = |name: &String| Change {
        name: name.clone(),
        expected: baseline.get(name).copied(),
        counted: counts.get(name).copied(),
    };
    Ok(names.into_iter().map(change).collect())
}

/// Writes `counts` to the baseline, in place of the names that start with `prefix`. Keeps all other
/// lines.
pub(super) fn write(counts: Counts, prefix: &str) -> Outcome<()> {
    let mut all = read()?;
    all.retain(|name, _| !name.starts_with(prefix));
    all.extend(counts);
    let mut text = String::from(
        "# Instructions per operation (callgrind), and ratios to other implementations.\n",
    );
    for (name, count) in all {
        text.push_str(&format!("{} {name}\n", figure(count)));
    }
    print!("{text}");
    Ok(std::fs::write(file(), text)?)
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("guards.baseline")
}

fn read() -> Outcome<Counts> {
    let text = std::fs::read_to_string(file())?;
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

    #[test]
    fn a_change_is_one_to_either_side() {
        let change = |expected, counted| Change {
            name: "sleep".into(),
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
