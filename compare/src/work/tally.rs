//! The count of the connections that many tasks of one thread accept.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;

use crate::harness::sample::Sample;
use crate::harness::usage::Moment;
use crate::work::warm_up::warm_up;

/// Measures `count` connections after a warm-up.
pub(crate) struct Tally {
    warm_up: u64,
    count: u64,
    accepted: Cell<u64>,
    polls: Cell<u64>,
    start: Cell<Moment>,
    sample: Cell<Option<Sample>>,
}

impl Tally {
    pub(crate) fn new(count: u64) -> Tally {
        Tally {
            warm_up: warm_up(count),
            count,
            accepted: Cell::new(0),
            polls: Cell::new(0),
            start: Cell::new(Moment::now()),
            sample: Cell::new(None),
        }
    }

    /// Awaits a connection, closes it, and counts it and the polls. Returns whether the connection
    /// was the last one.
    pub(crate) async fn accept(&self, accept: impl Future) -> bool {
        let mut accept = pin!(accept);
        let accepted = poll_fn(|context| {
            self.polls.set(self.polls.get() + 1);
            accept.as_mut().poll(context)
        });
        drop(accepted.await);
        self.count_connection()
    }

    /// Counts a connection. Returns whether it was the last one.
    fn count_connection(&self) -> bool {
        let accepted = self.accepted.get() + 1;
        self.accepted.set(accepted);
        if accepted == self.warm_up {
            self.polls.set(0);
            self.start.set(Moment::now());
        }
        let is_last = accepted == self.warm_up + self.count;
        if is_last {
            let spent = self.start.get().spent().per(self.count);
            let polls = self.polls.get() as f64 / self.count as f64;
            self.sample.set(Some(spent.with("polls", polls)));
        }
        is_last
    }

    /// Returns what was used per connection, and the polls per connection.
    pub(crate) fn sample(&self) -> Sample {
        self.sample.take().unwrap_or_default()
    }
}
