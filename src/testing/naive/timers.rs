//! The timers against a list of (key, deadline, waker).

use super::{Calls, Script};
use crate::core::clock::Deadline;
use crate::core::timers::{TimerKey, Timers};
use crate::core::wake::WakeBatch;
use std::sync::Arc;

struct Row {
    key: TimerKey,
    deadline: Deadline,
    calls: Arc<Calls>,
}

pub fn timers(script: &[u8]) {
    let mut script = Script(script);
    let real = Timers::new();
    let (mut rows, mut gone) = (Vec::new(), Vec::new());
    while step(&mut script, &real, &mut rows, &mut gone).is_some() {
        let next = rows.iter().map(|row: &Row| row.deadline).min();
        assert_eq!(real.next(), next.unwrap_or(Deadline::NEVER));
        assert!(real.wake_up_time() >= real.next());
        assert!(rows.iter().all(|row| row.calls.count() == 0));
    }
}

/// Mostly soon, so that many have the same; `NEVER` parks.
fn deadline(script: &mut Script<'_>) -> Option<Deadline> {
    Some(match script.next()? {
        255 => Deadline::NEVER,
        tick => Deadline::from_nanos(tick as u64 * 10_000),
    })
}

fn step(
    script: &mut Script<'_>,
    real: &Timers,
    rows: &mut Vec<Row>,
    gone: &mut Vec<TimerKey>,
) -> Option<()> {
    let what = script.below(8)?;
    match what {
        0..=2 => {
            let (deadline, calls) = (deadline(script)?, Calls::new());
            let (key, earliest) = real.insert(deadline, calls.waker());
            assert!(!gone.contains(&key) && rows.iter().all(|row| row.key != key));
            assert_eq!(earliest, rows.iter().all(|row| deadline <= row.deadline));
            rows.push(Row {
                key,
                deadline,
                calls,
            });
        }
        3 => expire(script, real, rows, gone)?,
        _ if rows.is_empty() => {}
        4 => {
            let row = rows.swap_remove(script.below(rows.len())?);
            let waker = real.remove(row.key).unwrap();
            assert!(waker.will_wake(&row.calls.waker()));
            gone.push(row.key);
        }
        5 | 6 => {
            let which = script.below(rows.len())?;
            rows[which].deadline = deadline(script)?;
            let deadline = rows[which].deadline;
            let earliest = rows.iter().all(|row| deadline <= row.deadline);
            assert_eq!(real.reset(rows[which].key, deadline), Some(earliest));
        }
        _ => {
            let which = script.below(rows.len())?;
            let calls = Calls::new();
            let former = real.set_waker(rows[which].key, calls.waker()).unwrap();
            assert!(former.unwrap().will_wake(&rows[which].calls.waker()));
            rows[which].calls = calls;
        }
    }
    if let Some(key) = gone.last() {
        assert!(real.remove(*key).is_none() && real.reset(*key, Deadline::from_nanos(1)).is_none());
        assert!(real.set_waker(*key, Calls::new().waker()).is_err());
    }
    Some(())
}

fn expire(
    script: &mut Script<'_>,
    real: &Timers,
    rows: &mut Vec<Row>,
    gone: &mut Vec<TimerKey>,
) -> Option<()> {
    let now = Deadline::from_nanos(script.next()? as u64 * 10_000);
    let limit = 1 + script.below(8)?;
    let mut batch = WakeBatch::default();
    real.expire(now, limit, &mut batch);
    batch.run();
    let due = rows.iter().filter(|row| row.deadline <= now).count();
    let fired: Vec<bool> = rows.iter().map(|row| row.calls.count() == 1).collect();
    let count = fired.iter().filter(|it| **it).count();
    assert_eq!(count, due.min(limit));
    let last = rows.iter().filter(|row| row.calls.count() == 1);
    let last = last.map(|row| row.deadline).max();
    for row in rows.iter().filter(|row| row.calls.count() == 0) {
        assert!(
            last.is_none_or(|last| last <= row.deadline),
            "earliest first"
        );
    }
    gone.extend(
        rows.iter()
            .filter(|row| row.calls.count() == 1)
            .map(|row| row.key),
    );
    rows.retain(|row| row.calls.count() == 0);
    Some(())
}
