//! Named figures, and the format in which a child sends them to its parent: one `name value` per
//! line.

use std::collections::BTreeMap;

use super::Outcome;
use super::stats::Middle;

/// The figures of one measurement.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample(pub(crate) BTreeMap<String, f64>);

impl Sample {
    pub(crate) fn of(name: &str, value: f64) -> Sample {
        Sample::default().with(name, value)
    }

    pub(crate) fn with(mut self, name: &str, value: f64) -> Sample {
        self.0.insert(name.to_owned(), value);
        self
    }

    /// Merges two samples. If both have a figure, the one of `later` is kept.
    pub(crate) fn and(mut self, later: Sample) -> Sample {
        self.0.extend(later.0);
        self
    }

    /// Returns the same figures with `prefix` before their names.
    pub(crate) fn prefixed(self, prefix: &str) -> Sample {
        let renamed = self.0.into_iter();
        Sample(
            renamed
                .map(|(name, value)| (format!("{prefix}{name}"), value))
                .collect(),
        )
    }

    /// Returns the same figures with `suffix` behind their names.
    pub(crate) fn suffixed(self, suffix: &str) -> Sample {
        let renamed = self.0.into_iter();
        Sample(
            renamed
                .map(|(name, value)| (format!("{name}{suffix}"), value))
                .collect(),
        )
    }

    /// Returns the median of each figure of the first sample.
    pub(crate) fn medians(samples: &[Sample]) -> Sample {
        let names = samples.iter().take(1).flat_map(|sample| sample.0.keys());
        let median = |name: &String| {
            let figures: Vec<f64> = samples
                .iter()
                .filter_map(|sample| sample.get(name))
                .collect();
            Some((name.clone(), Middle::of(&figures)?.median))
        };
        Sample(names.filter_map(median).collect())
    }

    pub(crate) fn get(&self, name: &str) -> Option<f64> {
        self.0.get(name).copied()
    }

    pub(crate) fn to_lines(&self) -> String {
        let lines = self.0.iter();
        lines
            .map(|(name, value)| format!("{name} {value}\n"))
            .collect()
    }

    pub(crate) fn from_lines(text: &str) -> Outcome<Sample> {
        let mut sample = Sample::default();
        for line in text.lines() {
            let (name, value) = line
                .split_once(' ')
                .ok_or_else(|| format!("not a figure: {line:?}"))?;
            sample.0.insert(name.to_owned(), value.parse()?);
        }
        Ok(sample)
    }
}
