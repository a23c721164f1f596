//! Scripted pollers with one object each. They imitate systems that cannot be run here: one-shot
//! reporting, events per direction, hang-ups without a flag or without an interest, spurious
//! events, and refused calls.
//!
//! `docs/platforms.md` lists the system that each behaviour is taken from.

use crate::core::source::state::{Reporting, Traits};
use crate::core::source::{Direction, Event, Interest, Key, PerDirection};
use std::io;

/// The differences between the pollers. With `traits.arms_silently`, writing cannot be armed after
/// a hang-up, and no error reports that.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    pub(super) traits: Traits,
    /// Whether each direction is reported and disarmed separately.
    pub(super) per_direction: bool,
    /// Whether a hang-up carries a flag.
    pub(super) flags: bool,
    /// How a hang-up is reported while nothing is armed.
    pub(super) idle_hang_up: IdleHangUp,
    /// Whether an armed direction is reported for as long as it is ready.
    pub(super) levels: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IdleHangUp {
    Silent,
    Once,
    /// In each wait, for as long as the object is in the set.
    Always,
}

const fn traits(reporting: Reporting) -> Traits {
    Traits {
        reporting,
        rearms_idle: false,
        arms_silently: false,
        queues_events: false,
    }
}

pub(super) const EPOLL_EDGES: Kind = Kind {
    traits: traits(Reporting::Edges),
    per_direction: false,
    flags: true,
    idle_hang_up: IdleHangUp::Once,
    levels: false,
};
/// Edges are requested, but levels are reported. Some drivers support nothing else.
pub(super) const LEVELS_FOR_EDGES: Kind = Kind {
    levels: true,
    ..EPOLL_EDGES
};
/// epoll in one-shot mode, or an event port.
pub(super) const EPOLL_ONE_SHOT: Kind = Kind {
    traits: traits(Reporting::OneShot),
    ..EPOLL_EDGES
};
pub(super) const KQUEUE_ONE_SHOT: Kind = Kind {
    traits: Traits {
        arms_silently: true,
        queues_events: false,
        ..traits(Reporting::OneShot)
    },
    per_direction: true,
    flags: false,
    idle_hang_up: IdleHangUp::Silent,
    levels: false,
};
pub(super) const KQUEUE_EDGES: Kind = Kind {
    traits: Traits {
        arms_silently: true,
        queues_events: false,
        ..traits(Reporting::Edges)
    },
    ..KQUEUE_ONE_SHOT
};
pub(super) const POLL: Kind = Kind {
    traits: Traits {
        rearms_idle: true,
        ..traits(Reporting::OneShot)
    },
    per_direction: false,
    flags: true,
    idle_hang_up: IdleHangUp::Always,
    levels: false,
};
/// AFD, on Windows.
pub(super) const AFD: Kind = Kind {
    traits: traits(Reporting::OneShot),
    per_direction: false,
    flags: true,
    idle_hang_up: IdleHangUp::Silent,
    levels: false,
};

/// How a call fails.
#[derive(Clone, Copy, Debug)]
pub(super) enum Refusal {
    /// Nothing has changed.
    Unchanged,
    /// The first direction has changed, the second has not.
    Half,
    /// Nothing is armed afterwards.
    Lost,
}

#[derive(Debug)]
pub(super) struct FakeKernel {
    kind: Kind,
    /// Whether each direction is ready, as an operation would find it.
    ready: PerDirection<bool>,
    hung_up: bool,
    /// The key that the object is registered with.
    key: Key,
    in_set: bool,
    armed: Interest,
    /// The directions that the next fetch examines.
    active: PerDirection<bool>,
    hang_up_active: bool,
    /// The directions that the next fetch reports although they may not be ready.
    spurious: PerDirection<bool>,
    /// The spurious directions that the last fetch reported.
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

    /// Makes the next fetch report this direction, if it is armed, although it may not be ready.
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

    /// Replaces the interest. A direction that is already ready is reported.
    fn set(&mut self, key: Key, interest: Interest) {
        let silently = self.kind.traits.arms_silently && self.hung_up && !self.armed.write;
        let interest = if silently {
            interest.without(Direction::Write)
        } else {
            interest
        };
        self.key = key;
        self.armed = interest;
        self.in_set = interest != Interest::NONE || !self.kind.traits.rearms_idle;
        self.active = PerDirection::default();
        for direction in Direction::BOTH {
            *self.active.get_mut(direction) = interest.has(direction) && self.is_ready(direction);
            *self.spurious.get_mut(direction) &= interest.has(direction);
        }
        self.hang_up_active = self.hung_up;
    }

    /// Returns the events that one wait fetches.
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
            // A system checks the object again before it reports an event.
            if active && self.is_ready(direction) || lie {
                found = found.with(direction);
                if self.kind.per_direction {
                    events.push((self.key, self.event_of(direction)));
                    if self.kind.traits.reporting == Reporting::OneShot {
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
                if self.kind.traits.reporting == Reporting::OneShot {
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

    /// Translates the event of a filter as `polling` does: the end of a stream is also reported as
    /// writable.
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
