//! Scripted pollers with one object each, after what the systems do that cannot be run here: one-shot reporting, events
//! per direction, hang-ups without a flag or without having been asked for, events for nothing, refused rearming.
//!
//! What each of them is taken from is told in `docs/platforms.md`.

use crate::core::source::state::{Manner, Reporting};
use crate::core::source::{Direction, Event, Interest, Key, PerDirection};
use std::io;

/// In what the pollers differ.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    pub(super) manner: Manner,
    /// Each direction is reported, and taken out of the set, by itself.
    pub(super) per_direction: bool,
    /// A hang-up carries a flag.
    pub(super) flags: bool,
    /// Writing cannot be armed any more after a hang-up, and no error tells.
    pub(super) arms_in_vain: bool,
    /// What is reported of a hang-up when nothing is armed.
    pub(super) idle_hang_up: IdleHangUp,
    /// What is armed is reported for as long as it is ready, whatever was asked for.
    pub(super) levels: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IdleHangUp {
    Silent,
    Once,
    /// Again and again, for as long as the object is in the set.
    Always,
}

const fn manner(reporting: Reporting, forgets_idle: bool) -> Manner {
    Manner {
        reporting,
        forgets_idle,
    }
}

pub(super) const EPOLL_EDGES: Kind = Kind {
    manner: manner(Reporting::Edges, false),
    per_direction: false,
    flags: true,
    arms_in_vain: false,
    idle_hang_up: IdleHangUp::Once,
    levels: false,
};
/// Edges were asked for, and levels come: an object whose driver knows nothing else.
pub(super) const LEVELS_FOR_EDGES: Kind = Kind {
    levels: true,
    ..EPOLL_EDGES
};
/// Also an event port.
pub(super) const EPOLL_ONE_SHOT: Kind = Kind {
    manner: manner(Reporting::OneShot, false),
    ..EPOLL_EDGES
};
pub(super) const KQUEUE_ONE_SHOT: Kind = Kind {
    manner: manner(Reporting::OneShot, false),
    per_direction: true,
    flags: false,
    arms_in_vain: true,
    idle_hang_up: IdleHangUp::Silent,
    levels: false,
};
pub(super) const KQUEUE_EDGES: Kind = Kind {
    manner: manner(Reporting::Edges, false),
    ..KQUEUE_ONE_SHOT
};
pub(super) const POLL: Kind = Kind {
    manner: manner(Reporting::OneShot, true),
    per_direction: false,
    flags: true,
    arms_in_vain: false,
    idle_hang_up: IdleHangUp::Always,
    levels: false,
};
/// Windows.
pub(super) const AFD: Kind = Kind {
    manner: manner(Reporting::OneShot, false),
    per_direction: false,
    flags: true,
    arms_in_vain: false,
    idle_hang_up: IdleHangUp::Silent,
    levels: false,
};

/// How a call fails.
#[derive(Clone, Copy, Debug)]
pub(super) enum Refusal {
    /// Nothing has changed.
    Unchanged,
    /// The first direction was changed, the second was not.
    Half,
    /// Nothing is armed any more.
    Lost,
}

#[derive(Debug)]
pub(super) struct FakeKernel {
    kind: Kind,
    /// The object: what an operation would find.
    ready: PerDirection<bool>,
    hung_up: bool,
    /// What it is registered as.
    key: Key,
    in_set: bool,
    armed: Interest,
    /// What the next fetch looks at.
    active: PerDirection<bool>,
    hang_up_active: bool,
    /// Reported by the next fetch though it is not true.
    spurious: PerDirection<bool>,
    /// What the last fetch said though it was not true.
    pub(super) lied: PerDirection<bool>,
    pub(super) refusal: Option<Refusal>,
}

impl FakeKernel {
    pub(super) fn new(kind: Kind, key: Key, interest: Interest) -> Self {
        let mut kernel = FakeKernel {
            kind,
            ready: PerDirection::new(false, true),
            hung_up: false,
            key,
            in_set: true,
            armed: Interest::NONE,
            active: PerDirection::default(),
            hang_up_active: false,
            spurious: PerDirection::default(),
            lied: PerDirection::default(),
            refusal: None,
        };
        kernel.set(key, interest);
        kernel
    }

    pub(super) fn is_ready(&self, direction: Direction) -> bool {
        self.hung_up || *self.ready.get(direction)
    }

    pub(super) fn is_hung_up(&self) -> bool {
        self.hung_up
    }

    pub(super) fn will_report(&self, direction: Direction) -> bool {
        self.in_set && self.armed.has(direction)
    }

    pub(super) fn change(&mut self, direction: Direction, ready: bool) {
        *self.ready.get_mut(direction) = ready;
        if ready && self.armed.has(direction) {
            *self.active.get_mut(direction) = true;
        }
    }

    pub(super) fn hang_up(&mut self) {
        self.hung_up = true;
        self.hang_up_active = true;
        self.active = PerDirection::new(self.armed.read, self.armed.write);
    }

    /// The system reports something that is not so, for what it was asked to report.
    pub(super) fn lie(&mut self, direction: Direction) {
        *self.spurious.get_mut(direction) |= self.will_report(direction);
    }

    pub(super) fn rearm(&mut self, key: Key, interest: Interest) -> io::Result<()> {
        match self.refusal.take() {
            None => self.set(key, interest),
            Some(Refusal::Unchanged) => return Err(io::ErrorKind::Other.into()),
            Some(Refusal::Half) => {
                let half = Interest {
                    read: interest.read,
                    write: self.armed.write,
                    exceptions: false,
                };
                self.set(key, half);
                return Err(io::ErrorKind::Other.into());
            }
            Some(Refusal::Lost) => {
                self.set(key, Interest::NONE);
                return Err(io::ErrorKind::Other.into());
            }
        }
        Ok(())
    }

    /// What is ready when it is armed is reported.
    fn set(&mut self, key: Key, interest: Interest) {
        let in_vain = self.kind.arms_in_vain && self.hung_up && !self.armed.write;
        let interest = if in_vain {
            interest.without(Direction::Write)
        } else {
            interest
        };
        self.key = key;
        self.armed = interest;
        self.in_set = interest != Interest::NONE || !self.kind.manner.forgets_idle;
        self.active = PerDirection::default();
        for direction in Direction::BOTH {
            *self.active.get_mut(direction) = interest.has(direction) && self.is_ready(direction);
            *self.spurious.get_mut(direction) &= interest.has(direction);
        }
        self.hang_up_active = self.hung_up;
    }

    /// What one wait returns.
    pub(super) fn fetch(&mut self) -> Vec<(Key, Event)> {
        let mut events = Vec::new();
        self.lied = std::mem::take(&mut self.spurious);
        if !self.in_set {
            return events;
        }
        let mut found = Interest::NONE;
        for direction in Direction::BOTH {
            let level = self.kind.levels && self.armed.has(direction);
            let active = std::mem::take(self.active.get_mut(direction)) || level;
            let lie = *self.lied.get(direction);
            // A system looks again before it reports.
            if active && self.is_ready(direction) || lie {
                found = found.with(direction);
                if self.kind.per_direction {
                    events.push((self.key, self.event_of(direction)));
                    if self.kind.manner.reporting == Reporting::OneShot {
                        self.armed = self.armed.without(direction);
                    }
                }
            }
        }
        if !self.kind.per_direction {
            let idle = self.idle_hang_up();
            let hung_up = self.hung_up && (found != Interest::NONE || idle);
            if found != Interest::NONE || hung_up {
                events.push((self.key, self.whole_event(found, hung_up)));
                if self.kind.manner.reporting == Reporting::OneShot {
                    self.armed = Interest::NONE;
                    self.active = PerDirection::default();
                }
            }
        }
        events
    }

    fn idle_hang_up(&mut self) -> bool {
        let active = std::mem::take(&mut self.hang_up_active);
        match self.kind.idle_hang_up {
            IdleHangUp::Silent => false,
            IdleHangUp::Once => active,
            IdleHangUp::Always => true,
        }
    }

    /// As `polling` makes it of a filter: the end of what can be read is said to be writable, too.
    fn event_of(&self, direction: Direction) -> Event {
        match direction {
            Direction::Read => Event::READABLE.and(Event::WRITABLE.when(self.hung_up)),
            Direction::Write => Event::WRITABLE,
        }
    }

    fn whole_event(&self, found: Interest, hung_up: bool) -> Event {
        Event::READABLE
            .when(found.read || hung_up)
            .and(Event::WRITABLE.when(found.write || hung_up))
            .and(Event::HANG_UP.when(hung_up && self.kind.flags))
    }
}
