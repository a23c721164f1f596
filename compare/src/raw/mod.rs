//! Hand-written edge-triggered epoll loops without futures, as the lower limit of the cost.
//! `executor` has futures: it is the lower limit of a reactor below async-executor.
//!
//! They use no trick that a real program could not use. A wait returns up to 1024 events. After a
//! read that was shorter than the buffer, a TCP stream is not read again before the next event,
//! unless the event reported that the peer has closed.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData};
pub(crate) use rustix::event::epoll::{Event, EventFlags};

pub(crate) mod alarms;
pub(crate) mod echo;
pub(crate) mod executor;
pub(crate) mod ping_pong;
pub(crate) mod short;
pub(crate) mod sources;

/// The events that every loop here registers for: edges of the read direction.
pub(crate) const READ_EDGES: EventFlags = EventFlags::IN
    .union(EventFlags::RDHUP)
    .union(EventFlags::ET);

pub(crate) struct Epoll {
    descriptor: OwnedFd,
    events: Vec<Event>,
}

impl Epoll {
    pub(crate) fn new() -> io::Result<Epoll> {
        Ok(Epoll::of(epoll::create(CreateFlags::CLOEXEC)?))
    }

    fn of(descriptor: OwnedFd) -> Epoll {
        let events = Vec::with_capacity(1024);
        Epoll { descriptor, events }
    }

    pub(crate) fn add(&self, source: impl AsFd, index: usize) -> io::Result<()> {
        Ok(epoll::add(
            &self.descriptor,
            source,
            EventData::new_u64(index as u64),
            READ_EDGES,
        )?)
    }

    pub(crate) fn remove(&self, source: impl AsFd) -> io::Result<()> {
        Ok(epoll::delete(&self.descriptor, source)?)
    }

    /// Waits for events, without limit or for `timeout`, and returns them.
    pub(crate) fn wait(&mut self, timeout: Option<&Timespec>) -> io::Result<&[Event]> {
        self.events.clear();
        let events = rustix::buffer::spare_capacity(&mut self.events);
        match epoll::wait(&self.descriptor, events, timeout) {
            // strace interrupts the wait when it attaches.
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(&self.events)
    }
}

pub(crate) fn index(event: &Event) -> usize {
    event.data.u64() as usize
}

pub(crate) fn has_closed(event: &Event) -> bool {
    let flags = event.flags;
    flags.intersects(EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR)
}
