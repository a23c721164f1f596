//! What one sample is: a row, an implementation, and where to run.

use super::peer::Peer;

/// The order to take one sample, as the parent gives it to its child.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) row: u8,
    pub(crate) peer: Peer,
    /// Small counts: the run is to finish in two minutes.
    pub(crate) quick: bool,
    /// The core of what is measured.
    pub(crate) near: usize,
    /// The core of what only makes load.
    pub(crate) far: usize,
    /// Rows that consist of several processes name them.
    pub(crate) part: String,
}

impl Job {
    /// The one of two counts that fits the kind of run.
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
