//! The queue against a naive model: a list of (deadline, name) that is searched from end to end.

use super::*;
use proptest::prelude::*;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Wake;

struct Named {
    name: usize,
    log: Arc<Mutex<Vec<usize>>>,
}

impl Wake for Named {
    fn wake(self: Arc<Self>) {
        self.log.lock().unwrap().push(self.name);
    }
}

#[derive(Clone, Debug)]
enum Step {
    Insert(u64),
    Remove(usize),
    Reset(usize, u64),
    Idle(usize),
    Expire(u64, usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0u64..100).prop_map(Step::Insert),
        2 => any::<usize>().prop_map(Step::Remove),
        1 => (any::<usize>(), 0u64..100).prop_map(|(which, at)| Step::Reset(which, at)),
        1 => any::<usize>().prop_map(Step::Idle),
        1 => (0u64..100, 1usize..8).prop_map(|(now, limit)| Step::Expire(now, limit)),
    ];
    proptest::collection::vec(step, 1..200)
}

impl Queue {
    fn check(&self) {
        for (position, node) in self.nodes.iter().enumerate() {
            assert_eq!(self.entries.position(node.entry()) as usize, position);
            assert!(self.entries.waker(node.entry()).is_some());
            if position > 0 {
                assert!(self.nodes.get(parent(position)) < node);
            }
        }
    }
}

fn pick<T: Clone>(from: &[T], which: usize) -> Option<T> {
    (!from.is_empty()).then(|| from[which % from.len()].clone())
}

proptest! {
    #[test]
    fn behaves_like_a_searched_list(steps in steps()) {
        let log = Arc::new(Mutex::new(Vec::new()));
        let mut queue = Queue::default();
        let mut model: HashMap<usize, (TimerKey, Option<u64>)> = HashMap::new();
        let mut dead: Vec<TimerKey> = Vec::new();

        for (name, step) in steps.into_iter().enumerate() {
            let mut names: Vec<usize> = model.keys().copied().collect();
            names.sort_unstable();
            match step {
                Step::Insert(at) => {
                    let waker = Arc::new(Named { name, log: log.clone() });
                    let key = queue.insert(Deadline::from_nanos(at), waker.into()).unwrap();
                    model.insert(name, (key, Some(at)));
                }
                Step::Remove(which) => if let Some(name) = pick(&names, which) {
                    let (key, _) = model.remove(&name).unwrap();
                    prop_assert!(queue.remove(key).is_some());
                    dead.push(key);
                },
                Step::Reset(which, at) => if let Some(name) = pick(&names, which) {
                    let timer = model.get_mut(&name).unwrap();
                    prop_assert!(queue.reset(timer.0, Deadline::from_nanos(at)));
                    timer.1 = Some(at);
                },
                Step::Idle(which) => if let Some(name) = pick(&names, which) {
                    let timer = model.get_mut(&name).unwrap();
                    prop_assert!(queue.reset(timer.0, Deadline::NEVER));
                    timer.1 = None;
                },
                Step::Expire(now, limit) => {
                    let mut batch = WakeBatch::default();
                    queue.expire(Deadline::from_nanos(now), limit, &mut batch);
                    batch.run();
                    let fired: Vec<usize> = std::mem::take(&mut *log.lock().unwrap());
                    let due = model.values().filter(|timer| timer.1.is_some_and(|at| at <= now)).count();
                    prop_assert_eq!(fired.len(), due.min(limit));
                    let mut last = 0;
                    for name in fired {
                        let (key, at) = model.remove(&name).unwrap();
                        prop_assert!(at.unwrap() <= now && at.unwrap() >= last);
                        last = at.unwrap();
                        dead.push(key);
                    }
                    let earliest = model.values().filter_map(|timer| timer.1).min();
                    prop_assert!(earliest.is_none_or(|at| at >= last));
                }
            }
            queue.check();
            let earliest = model.values().filter_map(|timer| timer.1).min();
            prop_assert_eq!(queue.next(), earliest.map_or(Deadline::NEVER, Deadline::from_nanos));
            for key in &dead {
                prop_assert!(queue.set_waker(*key, Waker::noop().clone()).is_err());
            }
        }
    }
}

/// Returns a waker that writes a number to a log.
fn numbered(log: &Arc<Mutex<Vec<usize>>>, name: usize) -> Waker {
    let log = log.clone();
    Waker::from(Arc::new(Named { name, log }))
}

fn insert_equal(
    queue: &mut Queue,
    log: &Arc<Mutex<Vec<usize>>>,
    names: impl IntoIterator<Item = usize>,
) {
    for name in names {
        queue
            .insert(Deadline::from_nanos(5), numbered(log, name))
            .unwrap();
    }
}

fn expire(queue: &mut Queue, now: u64, limit: usize) {
    let mut batch = WakeBatch::default();
    queue.expire(Deadline::from_nanos(now), limit, &mut batch);
    batch.run();
}

#[test]
fn equal_deadlines_fire_in_insertion_order() {
    let log = Arc::default();
    let mut queue = Queue::default();
    insert_equal(&mut queue, &log, 0..100);
    expire(&mut queue, 5, usize::MAX);
    assert!(log.lock().unwrap().iter().copied().eq(0..100));
}

#[test]
fn equal_deadlines_fire_in_insertion_order_across_expirations_with_a_limit() {
    let log = Arc::default();
    let mut queue = Queue::default();
    insert_equal(&mut queue, &log, 0..50);
    for name in 50..100 {
        expire(&mut queue, 5, 3);
        insert_equal(&mut queue, &log, [name]);
    }
    expire(&mut queue, 5, usize::MAX);
    assert!(log.lock().unwrap().iter().copied().eq(0..100));
}

#[test]
fn reset_timer_fires_after_the_equal_deadlines_inserted_before_the_reset() {
    let log = Arc::default();
    let mut queue = Queue::default();
    let at = Deadline::from_nanos(5);
    let keys: Vec<_> = (0..4)
        .map(|name| queue.insert(at, numbered(&log, name)).unwrap())
        .collect();
    let idle = queue.insert(Deadline::NEVER, numbered(&log, 9)).unwrap();
    assert!(queue.reset(keys[0], at));
    assert!(queue.reset(keys[2], Deadline::from_nanos(2)));
    assert!(queue.reset(keys[2], at));
    assert!(queue.reset(idle, at));
    queue.insert(at, numbered(&log, 4)).unwrap();
    expire(&mut queue, 5, usize::MAX);
    assert_eq!(*log.lock().unwrap(), [1, 3, 0, 2, 9, 4]);
}

#[test]
fn order_is_kept_when_the_numbers_run_out() {
    let log = Arc::default();
    let mut queue = Queue {
        order: ORDER_LIMIT - 50,
        ..Queue::default()
    };
    let mut keys = Vec::new();
    for name in 0..100 {
        let deadline = Deadline::from_nanos(if name % 3 == 0 { 7 } else { 5 });
        keys.push(queue.insert(deadline, numbered(&log, name)).unwrap());
        queue.check();
    }
    assert!(queue.order < 200);
    queue.order = ORDER_LIMIT;
    assert!(queue.reset(keys[1], Deadline::from_nanos(5)));
    queue.check();
    expire(&mut queue, 7, usize::MAX);
    let due_first = (0..100).filter(|name| name % 3 != 0 && *name != 1);
    let due_next = (0..100).filter(|name| name % 3 == 0);
    let expected: Vec<_> = due_first.chain([1]).chain(due_next).collect();
    assert_eq!(*log.lock().unwrap(), expected);
}

#[test]
fn removed_timer_returns_its_waker_immediately() {
    struct Count(AtomicUsize);
    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let waker = Arc::new(Count(AtomicUsize::new(0)));
    let mut queue = Queue::default();
    let key = queue
        .insert(Deadline::from_nanos(5), waker.clone().into())
        .unwrap();
    assert_eq!(Arc::strong_count(&waker), 2);
    drop(queue.remove(key));
    assert_eq!(Arc::strong_count(&waker), 1);
    assert_eq!(waker.0.load(Ordering::Relaxed), 0);
    assert!(queue.remove(key).is_none());
}

/// Removes all timers in an order that depends on the stride, which must have no divisor in common
/// with the number of timers.
fn remove_all(queue: &mut Queue, keys: &[TimerKey], stride: usize) {
    for step in 0..keys.len() {
        assert!(queue.remove(keys[step * stride % keys.len()]).is_some());
    }
}

fn insert_many(queue: &mut Queue, count: u64) -> Vec<TimerKey> {
    let deadlines = (0..count).map(|it| Deadline::from_nanos(it * 7919 % count));
    deadlines
        .map(|at| queue.insert(at, Waker::noop().clone()).unwrap())
        .collect()
}

#[test]
fn memory_is_given_back_after_a_peak() {
    let mut queue = Queue::default();
    for stride in [1, 3, 777, 9_999] {
        let keys = insert_many(&mut queue, 10_000);
        let peak = queue.count_chunks();
        assert!(peak > 2000);
        // The last tenth of the timers may keep a tenth of the chunks.
        let (first, last) = (&keys[..9_000], &keys[9_000..]);
        first.iter().for_each(|key| drop(queue.remove(*key)));
        assert!(queue.count_chunks() <= peak / 10 + 2);
        remove_all(&mut queue, last, if stride == 3 { 3 } else { 1 });
        assert_eq!(queue.count_chunks(), 2);
        let keys = insert_many(&mut queue, 10_000);
        remove_all(&mut queue, &keys, stride);
        assert_eq!(queue.count_chunks(), 2);
        insert_many(&mut queue, 10_000);
        expire(&mut queue, 10_000, usize::MAX);
        assert_eq!(queue.count_chunks(), 2);
    }
}

#[test]
fn stale_key_names_nothing_after_the_tables_have_shrunk_and_grown() {
    let mut queue = Queue::default();
    let mut stale = Vec::new();
    for _ in 0..5 {
        let keys = insert_many(&mut queue, 1000);
        for key in &stale {
            assert!(!queue.is_pending(*key));
            assert!(!queue.reset(*key, Deadline::from_nanos(1)));
            assert!(queue.remove(*key).is_none());
            assert!(queue.set_waker(*key, Waker::noop().clone()).is_err());
        }
        queue.check();
        assert!(keys.iter().all(|key| queue.is_pending(*key)));
        remove_all(&mut queue, &keys, 7);
        assert_eq!(queue.count_chunks(), 2);
        assert!(stale.iter().all(|key| !queue.is_pending(*key)));
        stale.extend(keys);
    }
}

#[test]
fn entries_are_used_again() {
    let mut queue = Queue::default();
    for round in 0..1000 {
        let key = queue
            .insert(Deadline::from_nanos(round), Waker::noop().clone())
            .unwrap();
        assert!(queue.remove(key).is_some());
        assert!(queue.count_chunks() <= 2);
    }
}

#[test]
fn full_queue_refuses_a_timer_until_one_is_removed() {
    let mut queue = Queue::default();
    let limit = queue.entries.limit_chunks(3);
    let insert = |queue: &mut Queue, nanos: u64| {
        queue.insert(Deadline::from_nanos(nanos), Waker::noop().clone())
    };
    let keys: Vec<_> = (0..limit as u64)
        .map(|nanos| insert(&mut queue, nanos).unwrap())
        .collect();
    assert!(insert(&mut queue, 7).is_err());
    assert!(
        queue
            .insert(Deadline::NEVER, Waker::noop().clone())
            .is_err()
    );
    assert_eq!(queue.next(), Deadline::from_nanos(0));
    assert!(queue.reset(keys[5], Deadline::from_nanos(1)));
    assert!(queue.remove(keys[9]).is_some());
    let key = insert(&mut queue, 7).unwrap();
    assert!(insert(&mut queue, 7).is_err());
    assert!(!keys.contains(&key));
}
