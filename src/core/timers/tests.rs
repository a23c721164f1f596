//! What the shards have in common. Each test runs with one shard and with several.

use super::*;
use proptest::prelude::*;

const COUNTS: [usize; 2] = [1, 4];

fn insert(timers: &Timers, shard: usize, nanos: u64) -> TimerKey {
    let deadline = Deadline::from_nanos(nanos);
    let (key, _) = timers
        .insert_in(shard, deadline, Waker::noop().clone())
        .unwrap();
    key
}

/// Creates timers with these deadlines, spread over the shards.
fn with_deadlines(shards: usize, deadlines: impl IntoIterator<Item = u64>) -> Timers {
    let timers = Timers::new(shards);
    for (shard, nanos) in deadlines.into_iter().enumerate() {
        insert(&timers, shard, nanos);
    }
    timers
}

/// Returns deadlines around the window, so that both dense and sparse sets occur.
fn close_deadlines() -> impl Strategy<Value = Vec<u64>> {
    let window = WINDOW.as_nanos() as u64;
    (0..4 * window).prop_flat_map(|width| proptest::collection::vec(0..=width, 1..60))
}

proptest! {
    #[test]
    fn only_dense_timers_share_a_wake_up(deadlines in close_deadlines(), several: bool) {
        let timers = with_deadlines(COUNTS[usize::from(several)], deadlines.iter().copied());
        let first = *deadlines.iter().min().unwrap();
        let end = first + WINDOW.as_nanos() as u64;
        let near = deadlines.iter().filter(|deadline| **deadline <= end);
        let wake_up = timers.wake_up_time();
        prop_assert!(wake_up >= Deadline::from_nanos(first));
        prop_assert!(wake_up <= Deadline::from_nanos(end));
        prop_assert!(deadlines.iter().any(|deadline| wake_up == Deadline::from_nanos(*deadline)));
        if near.count() < DENSE {
            prop_assert_eq!(wake_up, Deadline::from_nanos(first));
        }
    }
}

#[test]
fn dense_timers_share_a_wake_up() {
    for shards in COUNTS {
        let timers = with_deadlines(shards, (0..1000).map(|micros| micros * 1000));
        let half = Deadline::from_nanos(0).plus(WINDOW / 2);
        let end = Deadline::from_nanos(0).plus(WINDOW);
        assert!((Deadline::from_nanos(1)..=end).contains(&timers.wake_up_time()));
        // Timers with one common deadline do not wait longer than that deadline.
        let timers = with_deadlines(shards, [half.as_nanos(); 1000]);
        assert_eq!(timers.wake_up_time(), half);
    }
}

#[test]
fn as_many_as_are_dense_share_a_wake_up_and_one_less_does_not() {
    for shards in COUNTS {
        for (count, shares) in [(DENSE as u64 - 1, false), (DENSE as u64, true)] {
            let timers = with_deadlines(shards, 1..=count);
            let expected = Deadline::from_nanos(if shares { count } else { 1 });
            assert_eq!(timers.wake_up_time(), expected);
            // A timer after the window does not count.
            let late = Deadline::from_nanos(1).plus(2 * WINDOW);
            insert(&timers, 0, late.as_nanos());
            assert_eq!(timers.wake_up_time(), expected);
        }
    }
}

#[test]
fn timers_left_over_by_the_limit_are_not_delayed() {
    for shards in COUNTS {
        let timers = with_deadlines(shards, (0..100).map(|micros| micros * 1000));
        let mut batch = WakeBatch::default();
        timers.expire(Deadline::from_nanos(99_000), 40, &mut batch);
        assert_eq!(batch.len(), 40);
        assert_eq!(timers.wake_up_time(), timers.next());
        timers.expire(Deadline::from_nanos(41_000), 60, &mut batch);
        assert!(timers.wake_up_time() > timers.next());
    }
}

#[test]
fn only_used_shards_are_visited() {
    let timers = Timers::new(SHARDS);
    assert_eq!(timers.used_from(3).count(), 0);
    let numbers = [1, 5, SHARDS - 1];
    for number in numbers {
        insert(&timers, number, 5);
    }
    for (first, turn) in [
        (0, [1, 5, SHARDS - 1]),
        (5, [5, SHARDS - 1, 1]),
        (6, [SHARDS - 1, 1, 5]),
        (SHARDS, [1, 5, SHARDS - 1]),
    ] {
        assert!(timers.used_from(first).eq(turn));
    }
}

#[test]
fn timer_stays_in_its_shard() {
    let timers = Timers::new(4);
    let keys: Vec<_> = (0..4).map(|shard| insert(&timers, shard, 5)).collect();
    for (shard, key) in keys.iter().enumerate() {
        assert_eq!(key.shard(), shard);
        assert_eq!(timers.reset(*key, Deadline::from_nanos(9)), Some(true));
        assert!(timers.has_deadline(*key, Deadline::from_nanos(9)));
    }
    for key in &keys {
        assert!(timers.remove(*key).is_some());
        assert!(timers.remove(*key).is_none());
    }
    assert!(timers.next().is_never());
}

#[test]
fn thread_whose_shard_is_full_uses_another_one() {
    let timers = Timers::new(2);
    let limit = timers.shards[0].queue.lock().limit_chunks(1);
    let other = timers.shards[1].queue.lock().limit_chunks(1);
    let keys: Vec<_> = (0..limit + other).map(|_| insert(&timers, 0, 5)).collect();
    assert_eq!(keys.iter().filter(|key| key.shard() == 1).count(), other);
    let waker = Waker::noop().clone();
    let refused = timers.insert_in(0, Deadline::from_nanos(1), waker);
    assert!(refused.is_err());
    assert_eq!(timers.next(), Deadline::from_nanos(5));
    timers.remove(keys[limit]);
    assert_eq!(insert(&timers, 0, 5).shard(), 1);
}
