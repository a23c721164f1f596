//! The real modules beside naive models of them: lists that are searched from end to end. A script
//! of bytes says what happens, and both must give the same answers.
//!
//! The property tests generate random scripts; `PROPTEST_CASES` sets their number. The fuzz targets
//! in `fuzz/` generate scripts that reach new code. No other build contains this module.

// The fuzz targets reach these functions, the tests of this crate do not.
#![allow(missing_docs, unreachable_pub)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod backoff;
mod reactor;
mod readiness;
mod registry;
mod scripted;
mod timers;
#[cfg(test)]
mod two_tasks;
mod waiters;

pub use backoff::backoff;
pub use reactor::{reactor_on_edges, reactor_on_one_shots};
pub use readiness::readiness;
pub use registry::registry;
pub use timers::timers;
pub use waiters::waiters;

use super::Calls;
use crate::core::source::Direction;

/// A script that says what happens, byte by byte.
struct Script<'a>(&'a [u8]);

impl Script<'_> {
    /// Returns the next byte, or `None` at the end of the script, which ends the run.
    fn next(&mut self) -> Option<usize> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(usize::from(*first))
    }

    fn below(&mut self, limit: usize) -> Option<usize> {
        Some(self.next()? % limit)
    }

    fn direction(&mut self) -> Option<Direction> {
        Some(Direction::BOTH[self.below(2)?])
    }

    fn coin(&mut self) -> Option<bool> {
        Some(self.next()? & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    fn script() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(any::<u8>(), 0..600)
    }

    proptest! {
        // No regression files: a script that fails is turned into a named test.
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn readiness(script in script()) {
            super::readiness(&script);
        }

        #[test]
        fn backoff(script in script()) {
            super::backoff(&script);
        }

        #[test]
        fn waiters(script in script()) {
            super::waiters(&script);
        }

        #[test]
        fn timers(script in script()) {
            super::timers(&script);
        }

        #[test]
        fn registry(script in script()) {
            super::registry(&script);
        }

        #[test]
        fn reactor_on_edges(script in script()) {
            super::reactor_on_edges(&script);
        }

        #[test]
        fn reactor_on_one_shots(script in script()) {
            super::reactor_on_one_shots(&script);
        }
    }
}
