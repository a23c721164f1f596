//! The back-off against a table of what each round does.

use super::Script;
use crate::core::source::backoff::{Backoff, Limits, READY_AT_ONCE, REFUSED, Step};
use std::time::Duration;

/// The rounds of one direction, as a count that never overflows.
#[derive(Clone, Copy, Default)]
pub(super) struct Rounds {
    count: usize,
}

/// The number of rounds that proceed at once, and the number of further rounds that only yield.
#[derive(Clone, Copy)]
pub(super) struct Table {
    at_once: usize,
    yields: usize,
}

pub(super) const FOR_REFUSED: Table = Table {
    at_once: 1,
    yields: 3,
};
pub(super) const FOR_READY: Table = Table {
    at_once: 4,
    yields: 60,
};

const MILLISECONDS: [u64; 5] = [1, 2, 4, 8, 10];

impl Rounds {
    pub(super) fn next(&mut self, table: Table) -> Step {
        self.count += 1;
        if self.count <= table.at_once {
            return Step::Proceed;
        }
        match self.count.checked_sub(table.at_once + table.yields + 1) {
            None => Step::Yield,
            Some(pauses) => Step::Pause(Duration::from_millis(MILLISECONDS[pauses.min(4)])),
        }
    }

    pub(super) fn reset(&mut self) {
        self.count = 0;
    }

    pub(super) fn turn_began(&mut self, table: Table) {
        if self.count <= table.at_once {
            self.count = 0;
        }
    }

    pub(super) fn keep_yielding(&mut self, table: Table) {
        self.count = table.at_once;
    }
}

pub fn backoff(script: &[u8]) {
    let mut script = Script(script);
    let Some(refused) = script.coin() else { return };
    let (limits, table) = if refused {
        (REFUSED, FOR_REFUSED)
    } else {
        (READY_AT_ONCE, FOR_READY)
    };
    let mut model = Rounds::default();
    let mut real = Backoff::default();
    while step(&mut script, &mut real, &mut model, limits, table).is_some() {}
}

fn step(
    script: &mut Script<'_>,
    real: &mut Backoff,
    model: &mut Rounds,
    limits: Limits,
    table: Table,
) -> Option<()> {
    match script.below(16)? {
        0 => {
            real.reset();
            model.reset();
        }
        1 | 2 => {
            real.turn_began(limits);
            model.turn_began(table);
        }
        3 => {
            real.keep_yielding(limits);
            model.keep_yielding(table);
        }
        _ => {
            for _ in 0..=script.below(100)? {
                assert_eq!(real.next(limits), model.next(table));
            }
        }
    }
    Some(())
}
