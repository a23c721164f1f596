//! The timers against a list of (deadline, order of scheduling, key, waker).

use super::Script;
use crate::core::clock::Deadline;
use crate::core::timers::{LOCKED_AT_ONCE, TimerKey, Timers};
use crate::core::wake::WakeBatch;
use std::sync::{Arc, Mutex};
use std::task::{Wake, Waker};

pub fn timers(script: &[u8]) {
    let mut script = Script(script);
    let Some(shards) = script.below(3).map(|power| 1 << power) else {
        return;
    };
    let real = Timers::new(shards);
    let mut model = Model {
        shards,
        ..Model::default()
    };
    while model.step(&mut script, &real).is_some() {
        let next = model.rows.iter().map(|row| row.deadline).min();
        assert_eq!(real.next(), next.unwrap_or(Deadline::NEVER));
        assert!(real.wake_up_time() >= real.next());
        assert!(model.rows.iter().all(|row| real.is_pending(row.key)));
        assert!(model.fired().is_empty());
    }
}

type Log = Arc<Mutex<Vec<usize>>>;

/// Writes its name to the log when it is woken.
struct Named {
    name: usize,
    log: Log,
}

impl Wake for Named {
    fn wake(self: Arc<Self>) {
        self.log.lock().unwrap().push(self.name);
    }
}

struct Row {
    key: TimerKey,
    shard: usize,
    deadline: Deadline,
    /// A number that is higher for timers that were scheduled later.
    order: usize,
    name: usize,
    waker: Waker,
}

#[derive(Default)]
struct Model {
    shards: usize,
    rows: Vec<Row>,
    /// The keys of all timers that have fired or were removed. They must name nothing.
    stale: Vec<TimerKey>,
    /// The number of schedulings and names so far.
    count: usize,
    log: Log,
}

impl Model {
    fn step(&mut self, script: &mut Script<'_>, real: &Timers) -> Option<()> {
        match script.below(10)? {
            0..=2 => self.insert(script, real)?,
            3 => self.expire(script, real)?,
            4 => {
                // Many at once, so that the tables shrink.
                let (from, count) = (script.next()?, script.below(32)?);
                for _ in 0..count.min(self.rows.len()) {
                    self.remove(from, real);
                }
            }
            5 => {
                for _ in 0..script.below(32)? {
                    self.insert(script, real)?;
                }
            }
            _ if self.rows.is_empty() => {}
            6 => self.remove(script.next()?, real),
            7 | 8 => self.reset(script, real)?,
            _ => {
                let which = script.below(self.rows.len())?;
                let (name, waker) = self.waker();
                let row = &mut self.rows[which];
                let former = real.set_waker(row.key, waker.clone()).unwrap();
                assert!(former.unwrap().will_wake(&row.waker));
                (row.name, row.waker) = (name, waker);
            }
        }
        self.use_stale_key(script.next()?, real);
        Some(())
    }

    fn insert(&mut self, script: &mut Script<'_>, real: &Timers) -> Option<()> {
        let deadline = deadline(script)?;
        let shard = script.below(self.shards)?;
        let (name, waker) = self.waker();
        let (key, earliest) = real.insert_in(shard, deadline, waker.clone()).unwrap();
        assert!(!self.stale.contains(&key) && self.rows.iter().all(|row| row.key != key));
        assert_eq!(earliest, self.is_earliest(shard, deadline));
        self.rows.push(Row {
            key,
            shard,
            deadline,
            order: name,
            name,
            waker,
        });
        Some(())
    }

    fn remove(&mut self, which: usize, real: &Timers) {
        let row = self.rows.swap_remove(which % self.rows.len());
        let waker = real.remove(row.key).unwrap();
        assert!(waker.will_wake(&row.waker));
        self.stale.push(row.key);
    }

    fn reset(&mut self, script: &mut Script<'_>, real: &Timers) -> Option<()> {
        let which = script.below(self.rows.len())?;
        let deadline = deadline(script)?;
        self.count += 1;
        self.rows[which].deadline = deadline;
        self.rows[which].order = self.count;
        let earliest = self.is_earliest(self.rows[which].shard, deadline);
        assert_eq!(real.reset(self.rows[which].key, deadline), Some(earliest));
        Some(())
    }

    fn expire(&mut self, script: &mut Script<'_>, real: &Timers) -> Option<()> {
        let now = Deadline::from_nanos(script.next()? as u64 * TICK);
        let limit = 1 + script.below(8)?;
        let mut batch = WakeBatch::default();
        real.expire(now, limit, &mut batch);
        batch.run();
        self.rows.sort_by_key(|row| (row.deadline, row.order));
        let mut due = Vec::new();
        // The shard with the earliest deadline, and of several the first one.
        let first = self.rows.iter().min_by_key(|row| (row.deadline, row.shard));
        let mut shard = first.map_or(0, |row| row.shard);
        while due.len() < limit && self.rows.iter().any(|row| row.deadline <= now) {
            let count = LOCKED_AT_ONCE.min(limit - due.len());
            let end = due.len() + count;
            self.rows.retain(|row| {
                let stays = row.shard != shard || row.deadline > now || due.len() == end;
                if !stays {
                    due.push(row.name);
                    self.stale.push(row.key);
                }
                stays
            });
            shard = (shard + 1) % self.shards;
        }
        assert_eq!(self.fired(), due);
        Some(())
    }

    fn use_stale_key(&self, which: usize, real: &Timers) {
        // The next step checks that this has changed nothing.
        let Some(key) = self.stale.get(which % self.stale.len().max(1)).copied() else {
            return;
        };
        assert!(!real.is_pending(key));
        assert!(real.remove(key).is_none());
        assert!(real.reset(key, Deadline::from_nanos(1)).is_none());
        assert!(real.set_waker(key, Waker::noop().clone()).is_err());
    }

    fn waker(&mut self) -> (usize, Waker) {
        self.count += 1;
        let (name, log) = (self.count, Arc::clone(&self.log));
        (name, Waker::from(Arc::new(Named { name, log })))
    }

    /// Returns whether no deadline of the shard is earlier.
    fn is_earliest(&self, shard: usize, deadline: Deadline) -> bool {
        let mut rows = self.rows.iter().filter(|row| row.shard == shard);
        rows.all(|row| deadline <= row.deadline)
    }

    /// Returns the names in the log and empties it.
    fn fired(&self) -> Vec<usize> {
        std::mem::take(&mut self.log.lock().unwrap())
    }
}

const TICK: u64 = 10_000;

/// Returns one of a few deadlines, so that many are equal. With `NEVER` the timer is idle.
fn deadline(script: &mut Script<'_>) -> Option<Deadline> {
    Some(match script.next()? {
        255 => Deadline::NEVER,
        tick => Deadline::from_nanos((tick / 4) as u64 * 4 * TICK),
    })
}
