//! The scripted back end: a kernel with four objects, whose readiness is what the script says. Everything happens on one
//! thread, and the kernel is that thread's.

use crate::core::clock::Clock;
use crate::core::source::state::Reporting;
use crate::core::source::{Direction, Event, Interest, Key, PerDirection, RawSource, raw};
use crate::sys::Until;
use std::cell::RefCell;
use std::io;

pub(super) const OBJECTS: usize = 4;

#[derive(Debug, Default)]
pub(super) struct Object {
    key: Option<Key>,
    interest: Interest,
    pub(super) ready: PerDirection<bool>,
    pub(super) arrivals: PerDirection<u32>,
    edge: bool,
}

#[derive(Debug)]
pub(super) struct Kernel {
    pub(super) objects: [Object; OBJECTS],
    reporting: Reporting,
    /// How many of the next calls that change an interest fail.
    pub(super) refusals: usize,
}

thread_local! {
    static KERNEL: RefCell<Kernel> = RefCell::new(Kernel::new(Reporting::Edges));
}

/// The kernel of this thread.
pub(super) fn kernel<R>(look: impl FnOnce(&mut Kernel) -> R) -> R {
    KERNEL.with_borrow_mut(look)
}

impl Kernel {
    pub(super) fn new(reporting: Reporting) -> Kernel {
        Kernel {
            objects: Default::default(),
            reporting,
            refusals: 0,
        }
    }

    pub(super) fn arrive(&mut self, object: usize, direction: Direction) {
        let object = &mut self.objects[object];
        *object.ready.get_mut(direction) = true;
        *object.arrivals.get_mut(direction) += 1;
        object.edge |= object.interest.has(direction);
    }

    pub(super) fn has_news(&self) -> bool {
        self.objects
            .iter()
            .any(|object| self.news(object).is_some())
    }

    fn news(&self, object: &Object) -> Option<(Key, Event)> {
        let told = |direction| *object.ready.get(direction) && object.interest.has(direction);
        let event = Event::READABLE.when(told(Direction::Read));
        let event = event.and(Event::WRITABLE.when(told(Direction::Write)));
        let edge = object.edge || self.reporting == Reporting::OneShot;
        let key = object.key.filter(|_| edge && event != Event::NONE)?;
        Some((key, event))
    }

    fn arm(&mut self, raw: RawSource, key: Key, interest: Interest) {
        let object = &mut self.objects[number(raw)];
        object.key = Some(key);
        object.interest = interest;
        // What is ready already is reported.
        object.edge = true;
    }
}

#[derive(Debug)]
pub(crate) struct Poller;

impl Poller {
    pub(crate) fn new(_clock: Clock) -> io::Result<Poller> {
        Ok(Poller)
    }

    pub(crate) fn reopen(&self, _failed: &Events) -> io::Result<bool> {
        Ok(false)
    }

    pub(crate) fn register(&self, raw: RawSource, key: Key, interest: Interest) -> io::Result<()> {
        kernel(|it| it.arm(raw, key, interest));
        Ok(())
    }

    pub(crate) fn rearm(&self, raw: RawSource, key: Key, interest: Interest) -> io::Result<()> {
        kernel(|it| {
            if it.refusals > 0 {
                it.refusals -= 1;
                return Err(io::ErrorKind::StorageFull.into());
            }
            assert_eq!(it.objects[number(raw)].key, Some(key), "registered");
            it.arm(raw, key, interest);
            Ok(())
        })
    }

    pub(crate) fn deregister(&self, raw: RawSource) -> io::Result<()> {
        kernel(|it| {
            let object = &mut it.objects[number(raw)];
            object.interest = Interest::NONE;
            assert!(object.key.take().is_some(), "registered");
        });
        Ok(())
    }

    /// Fetches what is there. The scripts never wait: there is nobody who would end it.
    pub(crate) fn wait(&self, events: &mut Events, _until: Until) -> io::Result<()> {
        kernel(|it| {
            events.0.clear();
            for index in 0..OBJECTS {
                let Some(news) = it.news(&it.objects[index]) else {
                    continue;
                };
                events.0.push(news);
                it.objects[index].edge = false;
                if it.reporting == Reporting::OneShot {
                    it.objects[index].interest = Interest::NONE;
                }
            }
        });
        Ok(())
    }

    pub(crate) fn notify(&self) {}

    pub(crate) fn expect_by(&self, _deadline: crate::core::clock::Deadline) {}
}

#[derive(Debug)]
pub(crate) struct Events(Vec<(Key, Event)>);

impl Events {
    pub(crate) fn new() -> Self {
        Events(Vec::new())
    }

    pub(crate) fn was_notified(&self) -> bool {
        false
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, Event)> + '_ {
        self.0.iter().copied()
    }
}

/// Which of the objects it is.
fn number(raw: RawSource) -> usize {
    raw::number(raw) as usize
}

pub(crate) mod ask {
    use super::{kernel, number};
    use crate::core::source::{Direction, RawSource};
    pub(crate) use crate::sys::ask::Answer;
    use std::io;

    pub(crate) fn ready_now(raw: RawSource, direction: Direction) -> io::Result<Answer> {
        let ready = kernel(|it| *it.objects[number(raw)].ready.get(direction));
        Ok(if ready { Answer::Yes } else { Answer::No })
    }

    /// The objects of this kernel know neither priority nor errors.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn exception_now(
        _raw: RawSource,
        _exception: crate::core::source::Exception,
    ) -> io::Result<bool> {
        Ok(false)
    }
}
