//! Detects growing memory: the resident memory of both processes is sampled during the whole run.

/// Resident memory in KiB, one sample per second since everything was set up.
#[derive(Default)]
pub(crate) struct Samples(Vec<u64>);

/// The growth that is allowed, because the allocator keeps some memory.
const SLACK_PERCENT: u64 = 3;
const SLACK_KIB: u64 = 4096;

impl Samples {
    pub(crate) fn push(&mut self, sample: Option<u64>) {
        self.0.extend(sample);
    }

    /// Returns the mean of the second quarter, after warming up, and the mean of the last quarter.
    /// Fails if the last one is too high.
    pub(crate) fn judge(&self) -> Result<(u64, u64), String> {
        let quarter = self.0.len() / 4;
        if quarter == 0 {
            return Err("too few samples of the memory".into());
        }
        let mean = |samples: &[u64]| samples.iter().sum::<u64>() / samples.len() as u64;
        let before = mean(&self.0[quarter..2 * quarter]);
        let after = mean(&self.0[self.0.len() - quarter..]);
        if after > before + before * SLACK_PERCENT / 100 + SLACK_KIB {
            return Err(format!("memory grew from {before} KiB to {after} KiB"));
        }
        Ok((before, after))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_told_from_noise() {
        let steady = Samples((0..100).map(|at| 100_000 + at % 7 * 100).collect());
        assert!(steady.judge().is_ok());
        let growing = Samples((0..100).map(|at| 100_000 + at * 200).collect());
        assert!(growing.judge().is_err());
        assert!(Samples(vec![1; 3]).judge().is_err());
    }
}
