//! The waiters of a source against a list of rows, in the order in which they were enqueued.

use super::{Calls, Script};
use crate::core::source::waiters::{Knowledge, Subject, WaiterId, Waiters, WakeReason};
use crate::core::source::{Direction, Exception, Turn};
use crate::core::timers::{TimerKey, Timers};
use crate::core::wake::WakeBatch;
use std::sync::{Arc, Mutex};
use std::task::{Wake, Waker};

struct Row {
    subject: Subject,
    id: WaiterId,
    enqueued: Option<Arc<Calls>>,
    knowledge: Knowledge,
    pause: Option<TimerKey>,
}

impl Row {
    fn new(subject: Subject, id: WaiterId) -> Row {
        Row {
            subject,
            id,
            enqueued: None,
            knowledge: Knowledge::Nothing,
            pause: None,
        }
    }

    /// Returns the direction to look the waiter up with. A listed waiter is found with either
    /// direction.
    fn direction(&self) -> Direction {
        match self.subject {
            Subject::Direction(direction) => direction,
            Subject::Exception(_) => Direction::Read,
        }
    }
}

/// A waker that counts its calls and records their order.
struct Notes {
    calls: Arc<Calls>,
    order: Arc<Mutex<Vec<WaiterId>>>,
    id: WaiterId,
}

impl Wake for Notes {
    fn wake(self: Arc<Self>) {
        Arc::clone(&self.calls).wake();
        self.order.lock().unwrap().push(self.id);
    }
}

#[derive(Default)]
struct Model {
    /// The enqueued rows are at the end, oldest first.
    rows: Vec<Row>,
    order: Arc<Mutex<Vec<WaiterId>>>,
    timers: Vec<TimerKey>,
}

const SUBJECTS: [Subject; 4] = [
    Subject::Direction(Direction::Read),
    Subject::Direction(Direction::Write),
    Subject::Exception(Exception::Priority),
    Subject::Exception(Exception::Error),
];

pub fn waiters(script: &[u8]) {
    let mut script = Script(script);
    let mut real = Waiters::new();
    let mut model = Model::default();
    let timers = Timers::new(1);
    for _ in 0..4 {
        let deadline = crate::core::clock::Deadline::NEVER;
        let (key, _) = timers.insert(deadline, Waker::noop().clone()).unwrap();
        model.timers.push(key);
    }
    for direction in Direction::BOTH {
        model
            .rows
            .push(Row::new(direction.into(), WaiterId::Shared));
    }
    while model.step(&mut script, &mut real).is_some() {
        model.compare(&mut real);
    }
    model.end(&mut real);
}

impl Model {
    fn step(&mut self, script: &mut Script<'_>, real: &mut Waiters) -> Option<()> {
        match script.below(9)? {
            0 => {
                let subject = SUBJECTS[script.below(4)?];
                let id = match subject {
                    Subject::Direction(direction) => real.add(direction),
                    Subject::Exception(exception) => real.add(exception),
                };
                assert!(self.rows.iter().all(|row| row.id != id));
                self.rows.insert(0, Row::new(subject, id));
            }
            1 => self.remove(script, real)?,
            2..=4 => self.enqueue(script, real)?,
            5 => {
                let row = self.pick(script)?;
                let left = real.leave(row.direction(), row.id);
                assert_eq!(left.is_some(), row.enqueued.take().is_some());
                row.knowledge = Knowledge::Nothing;
            }
            6 => {
                let direction = script.direction()?;
                let reason = reason(script)?;
                self.take(real, direction.into(), reason);
            }
            7 => {
                let exception = Exception::ALL[script.below(2)?];
                self.take(real, exception.into(), WakeReason::Failure);
            }
            _ => {
                let timer = self.timers[script.below(4)?];
                let row = self.pick(script)?;
                real.get(row.direction(), row.id).unwrap().pause = Some(timer);
                row.pause = Some(timer);
            }
        }
        Some(())
    }

    fn pick(&mut self, script: &mut Script<'_>) -> Option<&mut Row> {
        let which = script.below(self.rows.len())?;
        Some(&mut self.rows[which])
    }

    fn remove(&mut self, script: &mut Script<'_>, real: &mut Waiters) -> Option<()> {
        let which = script.below(self.rows.len())?;
        if self.rows[which].id == WaiterId::Shared {
            let released = real.remove(WaiterId::Shared);
            assert!(released.waker.is_none() && released.pause.is_none());
            return Some(());
        }
        let row = self.rows.remove(which);
        let released = real.remove(row.id);
        assert_eq!(released.waker.is_some(), row.enqueued.is_some());
        assert_eq!(released.pause, row.pause);
        let again = real.remove(row.id);
        assert!(again.waker.is_none() && again.pause.is_none());
        assert!(real.get(row.direction(), row.id).is_none());
        let unused = real.enqueue(row.direction(), row.id, Waker::noop().clone());
        assert!(unused.is_some(), "there is no such waiter");
        Some(())
    }

    fn enqueue(&mut self, script: &mut Script<'_>, real: &mut Waiters) -> Option<()> {
        let which = script.below(self.rows.len())?;
        let knowledge = match script.below(5)? {
            0 => Knowledge::Nothing,
            1 => Knowledge::NotReadySince(Turn(script.below(4)? as u32)),
            2 => Knowledge::OnlyEventsTell,
            3 => Knowledge::Urgent,
            _ => self.rows[which].knowledge,
        };
        let (calls, order) = (Calls::new(), Arc::clone(&self.order));
        let row = &mut self.rows[which];
        let (id, direction) = (row.id, row.direction());
        let waker = Waker::from(Arc::new(Notes {
            calls: Arc::clone(&calls),
            order,
            id,
        }));
        let former = real.enqueue(direction, id, waker.clone());
        let waiter = real.get(direction, id).unwrap();
        assert!(waiter.would_wake(&waker));
        waiter.knowledge = knowledge;
        row.knowledge = knowledge;
        let was_enqueued = row.enqueued.replace(calls).is_some();
        assert_eq!(former.is_some(), was_enqueued);
        // A waiter that gets another waker keeps its place in the queue.
        if !was_enqueued {
            let row = self.rows.remove(which);
            self.rows.push(row);
        }
        Some(())
    }

    fn take(&mut self, real: &mut Waiters, subject: Subject, reason: WakeReason) {
        let mut batch = WakeBatch::default();
        let taken = match subject {
            Subject::Direction(direction) => real.take(direction, reason, &mut batch),
            Subject::Exception(exception) => real.take_exception(exception, &mut batch),
        };
        batch.run();
        let concerned = self.rows.iter_mut().filter(|row| row.subject == subject);
        let (mut shared, mut listed) = (Vec::new(), Vec::new());
        for row in concerned {
            let Some(calls) = row.enqueued.take() else {
                continue;
            };
            assert_eq!(calls.count(), 1);
            row.knowledge = after(row.knowledge, reason);
            match row.id {
                WaiterId::Shared => shared.push(row.id),
                WaiterId::Listed(_) => listed.push(row.id),
            }
        }
        let expected = [shared, listed].concat();
        assert_eq!(taken, !expected.is_empty());
        // The shared waiter comes first, then the others in the order in which they were enqueued.
        assert_eq!(std::mem::take(&mut *self.order.lock().unwrap()), expected);
        for row in &self.rows {
            assert!(row.enqueued.as_ref().is_none_or(|it| it.count() == 0));
        }
    }

    fn compare(&self, real: &mut Waiters) {
        for row in &self.rows {
            let waiter = real.get(row.direction(), row.id).unwrap();
            assert_eq!(waiter.is_enqueued(), row.enqueued.is_some());
            assert_eq!(waiter.knowledge, row.knowledge);
            assert_eq!(waiter.pause, row.pause);
        }
        let count = |subject| {
            let rows = self.rows.iter().filter(|row| row.subject == subject);
            rows.filter(|row| row.enqueued.is_some()).count()
        };
        for direction in Direction::BOTH {
            let expected = count(direction.into());
            assert_eq!(real.count(direction), expected);
            assert_eq!(real.any(direction), expected > 0);
        }
        let exceptions = Exception::ALL.iter().map(|it| count((*it).into()));
        assert_eq!(real.any_exception(), exceptions.sum::<usize>() > 0);
    }

    /// Drops the source. Its wakers are not called, and each pause is cancelled.
    fn end(self, real: &mut Waiters) {
        let mut cancelled = Vec::new();
        if let Some(contents) = real.take_contents() {
            cancelled.extend(contents.discard());
        }
        let pauses = self.rows.iter().filter_map(|row| row.pause);
        assert_eq!(cancelled.len(), pauses.count());
        for calls in self.rows.into_iter().filter_map(|row| row.enqueued) {
            assert_eq!(calls.count(), 0);
            assert_eq!(Arc::strong_count(&calls), 1, "the waker is dropped");
        }
        assert!(!real.any_exception());
        assert_eq!(
            real.count(Direction::Read) + real.count(Direction::Write),
            0
        );
    }
}

fn reason(script: &mut Script<'_>) -> Option<WakeReason> {
    Some(match script.below(3)? {
        0 => WakeReason::Failure,
        kind => WakeReason::Event {
            turn: Turn(script.below(6)? as u32),
            urgent: kind == 1,
        },
    })
}

/// Returns what a waiter knows after it was woken.
fn after(knowledge: Knowledge, reason: WakeReason) -> Knowledge {
    let WakeReason::Event { turn, urgent } = reason else {
        return match knowledge {
            Knowledge::NotReadySince(_) => Knowledge::Nothing,
            unchanged => unchanged,
        };
    };
    match knowledge {
        Knowledge::NotReadySince(Turn(dated)) if turn.0 > dated => Knowledge::Ready,
        Knowledge::OnlyEventsTell => Knowledge::Ready,
        Knowledge::Nothing | Knowledge::NotReadySince(_) if urgent => Knowledge::Urgent,
        Knowledge::NotReadySince(_) => Knowledge::Nothing,
        unchanged => unchanged,
    }
}
