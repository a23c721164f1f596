//! The description of one sample: a scenario, an implementation, and the cores to run on.

use super::peer::Peer;

/// A request to take one sample. The parent passes it to its child process.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    /// The name of the scenario.
    pub(crate) scenario: &'static str,
    pub(crate) peer: Peer,
    /// Whether to use small counts, so that the whole run takes three minutes.
    pub(crate) quick: bool,
    /// The core of the measured process.
    pub(crate) near: usize,
    /// The core of the processes that only make load.
    pub(crate) far: usize,
    /// The name of the part to run, for scenarios that consist of several processes.
    pub(crate) part: String,
}

impl Job {
    /// Returns `quick` in a quick run, and `full` otherwise.
    pub(crate) fn count(&self, quick: u64, full: u64) -> u64 {
        if self.quick { quick } else { full }
    }

    pub(crate) fn part(&self, part: &str) -> Job {
        let part = part.to_owned();
        Job {
            part,
            ..self.clone()
        }
    }
}
