//! Steps that open objects and poll operations.

use std::io;
use std::task::{Context, Poll};

use crate::Runtime;
use crate::bench::{Bench, Entry, Running, Slot, Step, pick};
use crate::kinds::Kind;
use crate::object::{Object, Outcome, Value, kind_of};
use crate::script::{Direction, Operation};
use crate::trace::Polled;

/// How many consecutive polls may be pending although the kernel reports readiness. A poll may rely
/// on what the kernel reported before the last turn, so only one of the next two polls must ask the
/// kernel. The other polls allow for the library's own thread, which may run a turn at any time.
const FEW: usize = 4;

const OBJECTS: usize = 3;
const FUTURES: usize = 5;

impl<R: Runtime> Bench<'_, R> {
    pub(crate) fn open(&mut self, kind: Kind) -> Step {
        if self.entries.len() == OBJECTS {
            return Ok(());
        }
        let object = Object::open::<R>(kind).map_err(|error| format!("cannot open: {error}"))?;
        self.ids += 1;
        self.entries.push(Entry {
            id: self.ids,
            object,
            slots: [Slot::default(); 2],
        });
        Ok(())
    }

    /// Drops the futures of an object and then the object.
    pub(crate) fn close(&mut self, object: u8) {
        let Some(index) = pick(object, self.entries.len()) else {
            return;
        };
        let entry = self.entries.remove(index);
        self.futures.retain(|future| future.object != entry.id);
    }

    pub(crate) fn start(&mut self, object: u8, operation: Operation) {
        let Some(index) = pick(object, self.entries.len()) else {
            return;
        };
        if self.futures.len() == FUTURES {
            return;
        }
        let entry = &self.entries[index];
        let object = &entry.object;
        let Some(work) = object.source.start(operation, &object.sent, object.kind) else {
            return;
        };
        self.ids += 1;
        self.futures.push(Running {
            id: self.ids,
            object: entry.id,
            operation,
            work: Some(work),
            registration: None,
            outcome: None,
            seen_ready: false,
            unanswered: 0,
        });
    }

    pub(crate) fn drop_future(&mut self, index: usize) {
        self.futures.remove(index);
    }

    pub(crate) fn entry_of(&self, id: usize) -> usize {
        let found = self.entries.iter().position(|entry| entry.id == id);
        found.expect("a future goes before its object")
    }

    /// Polls a future, up to `times` times in a row. If the program insists, the future is polled
    /// further while the kernel reports readiness.
    pub(crate) fn poll_future(&mut self, index: usize, task: usize, times: u8) -> Step {
        let times = self.insist(times);
        for number in 0..times.1 {
            let Some((poll, ready)) = self.poll_once(index, task)? else {
                return Ok(());
            };
            let again = number + 1 < times.0 || self.insists && ready;
            if poll.is_ready() || !again {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Returns how often to poll in any case, and how often at most.
    pub(crate) fn insist(&self, times: u8) -> (usize, usize) {
        let times = usize::from(times);
        (
            times,
            if self.insists {
                times.max(FEW + 1)
            } else {
                times
            },
        )
    }

    /// Polls a future once. Returns the result, and whether the kernel reported readiness before
    /// the poll. Returns `None` if the future has already completed.
    fn poll_once(&mut self, index: usize, task: usize) -> Result<Option<(Poll<()>, bool)>, String> {
        let waker = self.waker(task);
        let wakes = self.wakes(task);
        let entry = self.entry_of(self.futures[index].object);
        let object = &self.entries[entry].object;
        let future = &mut self.futures[index];
        let operation = future.operation;
        let Some(work) = &mut future.work else {
            return Ok(None);
        };
        let before = object.is_ready(operation.direction());
        let result = work.as_mut().poll(&mut Context::from_waker(&waker));
        let after = object.is_ready(operation.direction());
        future.seen_ready |= before || after;
        let excused = operation.is_stubborn() || self.is_excused(entry, operation.direction());
        let polled = match &result {
            Poll::Ready(outcome) => Some(outcome.clone()),
            Poll::Pending => None,
        };
        self.trace.polled(
            self.step,
            Polled {
                readiness: operation.is_readiness(),
                skips: before && polled.is_none(),
                outcome: polled,
                ready: before || after,
                excused,
            },
        );
        match result {
            Poll::Ready(outcome) => {
                self.completed(index, entry, task, outcome)?;
                Ok(Some((Poll::Ready(()), before)))
            }
            Poll::Pending => {
                self.pending(index, task, wakes, before && !excused)?;
                Ok(Some((Poll::Pending, before)))
            }
        }
    }

    fn completed(&mut self, index: usize, entry: usize, task: usize, outcome: Outcome) -> Step {
        let future = &mut self.futures[index];
        // An `async` block must not be polled again.
        future.work = None;
        future.registration = None;
        future.outcome = Some(outcome.clone());
        if outcome == Ok(Value::Ready) && !future.seen_ready {
            return Err(format!(
                "{:?} completed, but the kernel never reported readiness",
                future.operation
            ));
        }
        let id = future.id;
        self.explain_early_wake(task);
        self.trace.done(id, outcome.clone());
        self.take(entry, &outcome)
    }

    fn pending(&mut self, index: usize, task: usize, wakes: usize, owes_answer: bool) -> Step {
        let future = &mut self.futures[index];
        let (operation, former) = (future.operation, future.registration);
        future.unanswered = if owes_answer {
            future.unanswered + 1
        } else {
            0
        };
        let unanswered = future.unanswered;
        self.must_answer(unanswered, operation.is_readiness(), &operation)?;
        if operation.is_stubborn() {
            // Both the event and the end of the pause may wake the task.
            self.budget[task] += usize::from(former.is_none_or(|r| r.wakes != wakes));
        }
        self.futures[index].registration = self.register(former, task, wakes, true);
        Ok(())
    }

    /// Fails after too many consecutive polls that were pending although the kernel reported
    /// readiness.
    pub(crate) fn must_answer(
        &self,
        unanswered: usize,
        is_readiness: bool,
        what: &dyn std::fmt::Debug,
    ) -> Step {
        let limit = match (R::PUBLISHED, is_readiness) {
            // The published library reports readiness only after an event.
            (true, true) => return Ok(()),
            (true, false) => 0,
            (false, _) => FEW,
        };
        if unanswered > limit {
            return Err(format!(
                "{what:?} is pending after {unanswered} polls without a wait, but the kernel \
                 reports readiness"
            ));
        }
        Ok(())
    }

    /// Returns whether the kernel's report is inconclusive for a direction. It is if operations
    /// contradict the kernel, or have contradicted it and are paused.
    pub(crate) fn is_excused(&self, entry: usize, direction: Direction) -> bool {
        let entry = &self.entries[entry];
        entry.object.contradicts
            || self.futures.iter().any(|future| {
                future.object == entry.id
                    && future.operation.is_stubborn()
                    && future.operation.direction() == direction
            })
    }

    /// Checks the result of an operation.
    pub(crate) fn take(&mut self, entry: usize, outcome: &Outcome) -> Step {
        let object = &mut self.entries[entry].object;
        match outcome {
            Ok(Value::Read(bytes)) => {
                if *bytes != object.received.bytes(bytes.len()) {
                    return Err(format!(
                        "read {bytes:?} after {} bytes",
                        object.received.get()
                    ));
                }
                object.received.advance(bytes.len());
                object.queued = object.queued.saturating_sub(1);
            }
            Ok(Value::Peeked(bytes)) => {
                if *bytes != object.received.bytes(bytes.len()) {
                    return Err(format!("peeked {bytes:?} after {}", object.received.get()));
                }
            }
            Ok(Value::Accepted) => object.queued = object.queued.saturating_sub(1),
            Err(io::ErrorKind::WouldBlock) => return Err("an operation returned WouldBlock".into()),
            Ok(Value::Ready | Value::Wrote(_)) | Err(_) => {}
        }
        Ok(())
    }

    pub(crate) fn read_behind(&mut self, object: u8) -> Step {
        let Some(entry) = pick(object, self.entries.len()) else {
            return Ok(());
        };
        match self.take_directly(entry)? {
            Err(io::ErrorKind::WouldBlock) | Ok(_) => Ok(()),
            // The error is the kernel's, which reports it once.
            Err(_) => Ok(()),
        }
    }

    /// Reads once, bypassing the library.
    pub(crate) fn take_directly(
        &mut self,
        entry: usize,
    ) -> Result<Result<usize, io::ErrorKind>, String> {
        let object = &self.entries[entry].object;
        if !object.kind.reads() {
            return Ok(Err(io::ErrorKind::WouldBlock));
        }
        let mut buffer = [0; 64];
        match kind_of(object.source.take(&mut buffer)) {
            Ok(_) if object.kind.listens() => {
                self.take(entry, &Ok(Value::Accepted))?;
                Ok(Ok(1))
            }
            Ok(count) => {
                self.take(entry, &Ok(Value::Read(buffer[..count].to_vec())))?;
                Ok(Ok(count))
            }
            Err(error) => Ok(Err(error)),
        }
    }
}
