//! A whole reactor on the scripted back end.
//!
//! What must hold, whatever happens: once the reactor has had its turns, nobody waits for what is ready; nobody is woken
//! without a reason, twice, or after having left; timers fire when they are due, once.

use super::scripted::{Kernel, OBJECTS, kernel};
use super::{Calls, Script};
use crate::core::clock::Deadline;
use crate::core::source::readiness::Snapshot;
use crate::core::source::state::Reporting;
use crate::core::source::waiters::{Place, WaiterId};
use crate::core::source::{Direction, Key, RawSource, raw};
use crate::core::timers::{TimerKey, Timers};
use std::io;
use std::sync::Arc;
use std::task::Waker;

/// How somebody waits: after an own attempt, or asking.
#[derive(Clone, Copy)]
enum How {
    Retry(Snapshot),
    Refused,
    Question,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Told {
    Waiting,
    TryAgain,
    Ready,
}

/// A reactor on the scripted back end, in one of its two manners.
trait Real {
    fn insert(&self, raw: RawSource) -> Key;
    fn remove(&self, key: Key);
    fn snapshot(&self, key: Key, direction: Direction) -> Snapshot;
    fn park(
        &self,
        key: Key,
        direction: Direction,
        place: Place,
        how: How,
        waker: &Waker,
    ) -> io::Result<Told>;
    fn add(&self, key: Key, direction: Direction) -> WaiterId;
    fn leave(&self, key: Key, id: WaiterId);
    fn timers(&self) -> &Timers;
    fn turn(&self);
}

macro_rules! real {
    ($reactor:path) => {
        use $reactor as the;
        impl Real for the::Reactor {
            fn insert(&self, raw: RawSource) -> Key {
                the::Reactor::insert(self, raw).unwrap()
            }
            fn remove(&self, key: Key) {
                the::Reactor::remove(self, key).unwrap();
            }
            fn snapshot(&self, key: Key, direction: Direction) -> Snapshot {
                self.source(key).unwrap().word(direction).snapshot()
            }
            fn park(
                &self,
                key: Key,
                direction: Direction,
                place: Place,
                how: How,
                waker: &Waker,
            ) -> io::Result<Told> {
                use the::waiting::{Parked, Spot, Wait};
                let wait = match how {
                    How::Retry(seen) => Wait::Retry(seen),
                    How::Refused => Wait::Refused,
                    How::Question => Wait::Question,
                };
                let spot = Spot {
                    key,
                    direction,
                    place,
                };
                Ok(match the::Reactor::park(self, spot, wait, waker)? {
                    Parked::Waiting => Told::Waiting,
                    Parked::Ready => Told::Ready,
                    Parked::TryAgain | Parked::Contradiction { .. } => Told::TryAgain,
                })
            }
            fn add(&self, key: Key, direction: Direction) -> WaiterId {
                self.add_waiter(key, direction).unwrap()
            }
            fn leave(&self, key: Key, id: WaiterId) {
                self.remove_waiter(key, id);
            }
            fn timers(&self) -> &Timers {
                &self.timers
            }
            fn turn(&self) {
                let mut scratch = the::Scratch::new();
                the::Reactor::turn(self, false, &mut scratch);
                scratch.batch.run();
            }
        }
    };
}

const _: () = {
    real!(super::edges::reactor);
};
const _: () = {
    real!(super::one_shots::reactor);
};

pub fn reactor_on_edges(script: &[u8]) {
    run(
        &super::edges::reactor::Reactor::new(),
        Reporting::Edges,
        script,
    );
}

pub fn reactor_on_one_shots(script: &[u8]) {
    run(
        &super::one_shots::reactor::Reactor::new(),
        Reporting::OneShot,
        script,
    );
}

struct Waiting {
    object: usize,
    direction: Direction,
    place: Place,
    calls: Arc<Calls>,
    /// How much had arrived when the operation found nothing.
    since: u32,
}

#[derive(Default)]
struct Model {
    keys: [Option<Key>; OBJECTS],
    /// An operation has found nothing, and will wait later.
    begun: Option<(usize, Direction, Snapshot, u32)>,
    waiting: Vec<Waiting>,
    futures: Vec<(usize, Direction, WaiterId)>,
    timers: Vec<(TimerKey, bool, Arc<Calls>)>,
    /// Must never be woken.
    gone: Vec<Arc<Calls>>,
    refused: bool,
}

fn run(real: &dyn Real, reporting: Reporting, script: &[u8]) {
    kernel(|it| *it = Kernel::new(reporting));
    let mut script = Script(script);
    let mut model = Model::default();
    while model.step(real, &mut script).is_some() {
        model.look_who_is_woken();
    }
    model.settle(real);
}

impl Model {
    fn step(&mut self, real: &dyn Real, script: &mut Script<'_>) -> Option<()> {
        let what = script.below(12)?;
        let object = script.below(OBJECTS)?;
        let direction = script.direction()?;
        match (what, self.keys[object]) {
            (0, None) => self.keys[object] = Some(real.insert(raw::made_up(object as u16))),
            (0, Some(key)) if script.next()? < 64 => self.remove(real, object, key),
            (1 | 2, _) => kernel(|it| it.arrive(object, direction)),
            (3, _) => kernel(|it| *it.objects[object].ready.get_mut(direction) = false),
            (4, Some(key)) if !ready(object, direction) => {
                let seen = real.snapshot(key, direction);
                self.begun = Some((object, direction, seen, arrivals(object, direction)));
            }
            (5, _) => {
                if let Some((object, direction, seen, since)) = self.begun.take() {
                    self.park(
                        real,
                        object,
                        direction,
                        Place::Slot,
                        How::Retry(seen),
                        since,
                    );
                }
            }
            (6, Some(_)) => {
                let how = if script.coin()? {
                    How::Refused
                } else {
                    How::Question
                };
                let since = arrivals(object, direction);
                self.park(real, object, direction, Place::Slot, how, since);
            }
            (7, Some(key)) => self
                .futures
                .push((object, direction, real.add(key, direction))),
            (8, _) if !self.futures.is_empty() => {
                let which = script.below(self.futures.len())?;
                let (object, direction, id) = self.futures[which];
                let since = arrivals(object, direction);
                self.park(
                    real,
                    object,
                    direction,
                    Place::Listed(id),
                    How::Question,
                    since,
                );
            }
            (9, _) if !self.futures.is_empty() => {
                let which = script.below(self.futures.len())?;
                self.cancel(real, which);
            }
            (10, _) => self.timer(real, script)?,
            (11, _) if script.next()? < 16 => {
                self.refused = true;
                kernel(|it| it.refusals += 1);
            }
            _ => self.settle(real),
        }
        Some(())
    }

    fn remove(&mut self, real: &dyn Real, object: usize, key: Key) {
        real.remove(key);
        self.keys[object] = None;
        self.begun.take_if(|begun| begun.0 == object);
        self.futures.retain(|future| future.0 != object);
        self.look_who_is_woken();
        let left = self.waiting.extract_from(|it| it.object == object);
        self.gone.extend(left.into_iter().map(|it| it.calls));
    }

    fn park(
        &mut self,
        real: &dyn Real,
        object: usize,
        direction: Direction,
        place: Place,
        how: How,
        since: u32,
    ) {
        let Some(key) = self.keys[object] else { return };
        let calls = Calls::new();
        let told = real.park(key, direction, place, how, &calls.waker());
        let arrived = arrivals(object, direction) > since;
        self.displace(object, direction, place, &told);
        match told {
            Ok(Told::Waiting) => {
                self.waiting.push(Waiting {
                    object,
                    direction,
                    place,
                    calls,
                    since,
                });
                return;
            }
            Ok(Told::TryAgain) if matches!(how, How::Retry(_)) => assert!(arrived || self.refused),
            Ok(Told::TryAgain) => assert!(ready(object, direction)),
            Ok(Told::Ready) => assert!(matches!(how, How::Question)),
            Err(_) => assert!(self.refused),
        }
        self.settle(real);
        // The caller looks for himself: a call is needless, and only a failure may cause one.
        assert!(calls.count() == 0 || told.is_err());
    }

    /// Somebody came to this place, and has been told this. In the slot there may have been another task, which must find out;
    /// a future's own former waker is dropped.
    fn displace(
        &mut self,
        object: usize,
        direction: Direction,
        place: Place,
        told: &io::Result<Told>,
    ) {
        let here = |it: &Waiting| {
            let calls = it.calls.count();
            it.object == object
                && it.direction == direction
                && it.place == place
                && (calls > 0 || place != Place::Slot || matches!(told, Ok(Told::Waiting)))
        };
        for displaced in self.waiting.extract_from(here) {
            let expected = usize::from(place == Place::Slot);
            assert_eq!(displaced.calls.count(), expected);
            if expected == 0 {
                self.gone.push(displaced.calls);
            }
        }
    }

    fn cancel(&mut self, real: &dyn Real, which: usize) {
        let (object, _, id) = self.futures.swap_remove(which);
        if let Some(key) = self.keys[object] {
            real.leave(key, id);
            let place = Place::Listed(id);
            let left = self
                .waiting
                .extract_from(|it| it.object == object && it.place == place);
            self.gone.extend(left.into_iter().map(|it| it.calls));
        }
    }

    fn timer(&mut self, real: &dyn Real, script: &mut Script<'_>) -> Option<()> {
        let due = script.coin()?;
        let deadline = Deadline::from_nanos(if due { 0 } else { 1 << 62 });
        match script.below(3)? {
            _ if self.timers.is_empty() => self.insert(real, deadline, due),
            0 => self.insert(real, deadline, due),
            1 => {
                let which = script.below(self.timers.len())?;
                assert!(
                    real.timers()
                        .reset(self.timers[which].0, deadline)
                        .is_some()
                );
                self.timers[which].1 = due;
            }
            _ => {
                let (key, _, calls) = self.timers.swap_remove(script.below(self.timers.len())?);
                assert!(real.timers().remove(key).is_some());
                self.gone.push(calls);
            }
        }
        Some(())
    }

    fn insert(&mut self, real: &dyn Real, deadline: Deadline, due: bool) {
        let calls = Calls::new();
        let (key, _) = real.timers().insert(deadline, calls.waker());
        self.timers.push((key, due, calls));
    }

    /// Turns, until there is nothing more to tell.
    fn settle(&mut self, real: &dyn Real) {
        let mut turns = 0;
        while turns == 0 || kernel(|it| it.has_news()) {
            real.turn();
            turns += 1;
            assert!(turns < 20, "the reactor turns for nothing");
        }
        self.look_who_is_woken();
        for it in &self.waiting {
            assert!(!ready(it.object, it.direction), "waits for what is ready");
        }
        for (_, due, calls) in &self.timers {
            assert_eq!(calls.count(), usize::from(*due));
        }
        self.timers.retain(|(_, due, _)| !due);
    }

    fn look_who_is_woken(&mut self) {
        for woken in self.waiting.extract_from(|it| it.calls.count() > 0) {
            assert_eq!(woken.calls.count(), 1);
            let arrived = arrivals(woken.object, woken.direction) > woken.since;
            assert!(arrived || self.refused, "woken for nothing");
            self.gone_after_one(woken.calls);
        }
        assert!(
            self.gone.iter().all(|calls| calls.count() == 0),
            "woken after it left"
        );
    }

    /// Nobody holds the waker any more.
    fn gone_after_one(&self, calls: Arc<Calls>) {
        assert_eq!(Arc::strong_count(&calls), 1, "a woken waker is let go");
    }
}

fn ready(object: usize, direction: Direction) -> bool {
    kernel(|it| *it.objects[object].ready.get(direction))
}

fn arrivals(object: usize, direction: Direction) -> u32 {
    kernel(|it| *it.objects[object].arrivals.get(direction))
}

trait ExtractFrom<T> {
    /// Takes out what satisfies the condition. (`Vec::extract_if` is too young.)
    fn extract_from(&mut self, condition: impl Fn(&T) -> bool) -> Vec<T>;
}

impl<T> ExtractFrom<T> for Vec<T> {
    fn extract_from(&mut self, condition: impl Fn(&T) -> bool) -> Vec<T> {
        let (taken, left) = std::mem::take(self).into_iter().partition(condition);
        *self = left;
        taken
    }
}
