//! Steps on a whole direction: `poll_readable`, `poll_read` and their counterparts for writing, and
//! the standard loop.

use std::io;
use std::pin::pin;
use std::task::{Context, Poll};

use crate::Runtime;
use crate::bench::{Bench, Step, pick};
use crate::object::{Object, Outcome, Value, kind_of};
use crate::script::{Direction, Operation};
use crate::trace::Polled;

/// How many consecutive waits of the standard loop may be ready while its operation does not
/// succeed.
const MANY: usize = 1000;

impl<R: Runtime> Bench<'_, R> {
    pub(crate) fn poll_ready(
        &mut self,
        object: u8,
        direction: Direction,
        task: usize,
        times: u8,
    ) -> Step {
        self.poll_slot(object, direction, task, times, &|object, cx| {
            let poll = object.source.poll_ready(direction, cx);
            Some(poll.map(|result| kind_of(result).map(|()| Value::Ready)))
        })
    }

    pub(crate) fn poll_io(
        &mut self,
        object: u8,
        direction: Direction,
        task: usize,
        times: u8,
    ) -> Step {
        self.poll_slot(
            object,
            direction,
            task,
            times,
            &|object, cx| match direction {
                Direction::Read if object.kind.reads() => {
                    let mut buffer = [0; 64];
                    let poll = object.source.poll_read(cx, &mut buffer)?;
                    let value = |count: usize| Value::Read(buffer[..count].to_vec());
                    Some(poll.map(|result| kind_of(result).map(value)))
                }
                Direction::Write if object.kind.writes() => {
                    let poll = object.source.poll_write(cx, &object.sent.bytes(16))?;
                    Some(poll.map(|result| {
                        let count = kind_of(result)?;
                        object.sent.advance(count);
                        Ok(Value::Wrote(count))
                    }))
                }
                _ => None,
            },
        )
    }

    /// Polls an operation that uses the shared waiter of a direction.
    fn poll_slot(
        &mut self,
        object: u8,
        direction: Direction,
        task: usize,
        times: u8,
        poll: &dyn Fn(&Object, &mut Context<'_>) -> Option<Poll<Outcome>>,
    ) -> Step {
        let Some(index) = pick(object, self.entries.len()) else {
            return Ok(());
        };
        let (times, most) = self.insist(times);
        for number in 0..most {
            let waker = self.waker(task);
            let wakes = self.wakes(task);
            let object = &self.entries[index].object;
            let before = object.is_ready(direction);
            let Some(result) = poll(object, &mut Context::from_waker(&waker)) else {
                return Ok(());
            };
            let ready = before || object.is_ready(direction);
            self.slot_polled(index, direction, task, wakes, (before, ready), &result)?;
            let again = number + 1 < times || self.insists && before;
            if result.is_ready() || !again {
                break;
            }
        }
        Ok(())
    }

    fn slot_polled(
        &mut self,
        index: usize,
        direction: Direction,
        task: usize,
        wakes: usize,
        (before, ready): (bool, bool),
        result: &Poll<Outcome>,
    ) -> Step {
        let excused = self.is_excused(index, direction);
        let slot = &mut self.entries[index].slots[direction as usize];
        slot.seen_ready |= ready;
        let former = slot.registration;
        let readiness = !matches!(result, Poll::Ready(Ok(Value::Read(_) | Value::Wrote(_))));
        let outcome = match result {
            Poll::Ready(outcome) => Some(outcome.clone()),
            Poll::Pending => None,
        };
        self.trace.polled(
            self.step,
            Polled {
                readiness,
                skips: before && outcome.is_none(),
                outcome,
                ready,
                excused,
            },
        );
        match result {
            Poll::Ready(outcome) => {
                slot.unanswered = 0;
                if *outcome == Ok(Value::Ready) {
                    if !slot.seen_ready {
                        return Err(
                            "a poll for readiness is ready, but the kernel never was".into()
                        );
                    }
                    slot.registration = None;
                    slot.seen_ready = false;
                } else if let Some(registration) = &mut slot.registration {
                    registration.must &= registration.task != task;
                }
                self.explain_early_wake(task);
                self.take(index, outcome)
            }
            Poll::Pending => {
                slot.unanswered = if before && !excused {
                    slot.unanswered + 1
                } else {
                    0
                };
                let unanswered = slot.unanswered;
                // The kind of the poll is unknown here. The published library may answer it only
                // after an event.
                self.must_answer(unanswered, true, &"the poll of a direction")?;
                self.entries[index].slots[direction as usize].registration =
                    self.register(former, task, wakes, true);
                self.check_displaced(former, task)
            }
        }
    }

    /// Runs the loop from the documentation: the operation, and on `WouldBlock` a new `readable()`.
    /// A task that runs it must return to its executor.
    pub(crate) fn standard_loop(&mut self, object: u8, direction: Direction) -> Step {
        let Some(index) = pick(object, self.entries.len()) else {
            return Ok(());
        };
        let kind = self.entries[index].object.kind;
        let works = match direction {
            Direction::Read => kind.reads(),
            Direction::Write => kind.writes(),
        };
        if !works {
            return Ok(());
        }
        for _ in 0..MANY {
            let object = &self.entries[index].object;
            let done = match direction {
                Direction::Read => self.take_directly(index)?.map(drop),
                Direction::Write => kind_of(object.source.give(&object.sent.bytes(16)))
                    .map(|count| object.sent.advance(count)),
            };
            if done != Err(io::ErrorKind::WouldBlock) {
                return Ok(());
            }
            let object = &self.entries[index].object;
            let wait = Operation::Ready(direction);
            let wait = object.source.start(wait, &object.sent, object.kind);
            let waker = self.waker(0);
            let poll = wait.map(|wait| pin!(wait).poll(&mut Context::from_waker(&waker)));
            self.budget[0] += 1;
            if poll.is_none_or(|poll| poll.is_pending()) {
                return Ok(());
            }
        }
        Err(format!(
            "{MANY} waits in one poll of a task were all ready, but the operation never was"
        ))
    }
}
