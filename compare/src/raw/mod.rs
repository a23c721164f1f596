//! The limit: hand-written edge-triggered epoll loops without futures.
//!
//! They are honest: no tricks that a real program could not play. Batches of 1024 events; after a read that was shorter
//! than the buffer, the next read of a TCP stream is saved, unless the event said that the other side has closed.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData};
pub(crate) use rustix::event::epoll::{Event, EventFlags};

pub(crate) mod alarms;
pub(crate) mod echo;
pub(crate) mod ping_pong;
pub(crate) mod short;
pub(crate) mod sources;

/// Edges of reading, as every loop here asks for them.
pub(crate) const READ_EDGES: EventFlags = EventFlags::IN
    .union(EventFlags::RDHUP)
    .union(EventFlags::ET);

pub(crate) struct Epoll {
    descriptor: OwnedFd,
    events: Vec<Event>,
}

impl Epoll {
    pub(crate) fn new() -> io::Result<Epoll> {
        let descriptor = epoll::create(CreateFlags::CLOEXEC)?;
        let events = Vec::with_capacity(1024);
        Ok(Epoll { descriptor, events })
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

    /// Waits without limit, or for `timeout`, and returns what happened: the index, and whether the other side closed.
    pub(crate) fn wait(&mut self, timeout: Option<&Timespec>) -> io::Result<&[Event]> {
        self.events.clear();
        let events = rustix::buffer::spare_capacity(&mut self.events);
        match epoll::wait(&self.descriptor, events, timeout) {
            // strace interrupts it when it attaches.
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
