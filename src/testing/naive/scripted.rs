//! A scripted poller: a kernel with four objects. The script sets their readiness. Everything
//! happens on one thread, and each thread has its own kernel.

use crate::core::clock::{Clock, Deadline};
use crate::core::source::state::{Nature, Reporting, Traits};
use crate::core::source::{Answer, Direction, Event, Exception, Interest, Key, PerDirection};
use crate::engine::poller::{self, Until};
use std::cell::RefCell;
use std::io;

pub(super) const OBJECTS: usize = 4;

#[derive(Debug, Default)]
pub(super) struct Object {
    key: Option<Key>,
    interest: Interest,
    pub(super) ready: PerDirection<bool>,
    pub(super) may_refuse: PerDirection<bool>,
    /// The number of times that the object became ready.
    pub(super) arrivals: PerDirection<u32>,
    edge: bool,
}

/// Code that runs inside a system call, after its answer.
pub(super) type Interruption = Option<Box<dyn FnOnce()>>;

#[derive(Default)]
pub(super) struct Kernel {
    pub(super) objects: [Object; OBJECTS],
    one_shot: bool,
    /// How many of the next changes of an interest fail.
    pub(super) refusals: usize,
    /// The objects of the changes that failed.
    pub(super) refused: Vec<usize>,
    /// How many of the next questions get an error.
    pub(super) unanswered: usize,
    /// The number of questions that were asked.
    pub(super) questions: usize,
    /// The object and the direction of each report.
    pub(super) reported: Vec<(usize, Direction)>,
    /// Runs right after the answer to the next question.
    pub(super) after_question: Interruption,
    /// Runs right after the answer to whether an object may refuse operations.
    pub(super) after_suspicion: Interruption,
}

thread_local! {
    static KERNEL: RefCell<Kernel> = RefCell::default();
}

/// Calls a function with this thread's kernel.
pub(super) fn kernel<R>(look: impl FnOnce(&mut Kernel) -> R) -> R {
    KERNEL.with_borrow_mut(look)
}

impl Kernel {
    pub(super) fn new(one_shot: bool) -> Kernel {
        Kernel {
            one_shot,
            ..Kernel::default()
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
        let reports = |direction| *object.ready.get(direction) && object.interest.has(direction);
        let event = Event::READABLE.when(reports(Direction::Read));
        let event = event.and(Event::WRITABLE.when(reports(Direction::Write)));
        let edge = object.edge || self.one_shot;
        let key = object.key.filter(|_| edge && event != Event::NONE)?;
        Some((key, event))
    }

    fn fetch(&mut self, events: &mut Vec<(Key, Event)>) {
        for index in 0..OBJECTS {
            let Some((key, event)) = self.news(&self.objects[index]) else {
                continue;
            };
            events.push((key, event));
            let concerned = Direction::BOTH.into_iter().filter(|it| event.concerns(*it));
            self.reported.extend(concerned.map(|it| (index, it)));
            self.objects[index].edge = false;
            if self.one_shot {
                self.objects[index].interest = Interest::NONE;
            }
        }
    }

    fn arm(&mut self, raw: u16, key: Key, interest: Interest) {
        let object = &mut self.objects[usize::from(raw)];
        object.key = Some(key);
        object.interest = interest;
        // A direction that is already ready is reported.
        object.edge = true;
    }
}

/// A poller for this thread's kernel. It reports once per arming or, like epoll, on edges.
#[derive(Debug)]
pub(super) struct Scripted<const ONE_SHOT: bool>;

impl<const ONE_SHOT: bool> poller::Poller for Scripted<ONE_SHOT> {
    type Raw = u16;
    type Events = Events;

    const TRAITS: Traits = Traits {
        reporting: if ONE_SHOT {
            Reporting::OneShot
        } else {
            Reporting::Edges
        },
        rearms_idle: false,
        arms_silently: false,
        queues_events: false,
    };

    const CONCURRENT_WAITS: bool = true;

    fn process() -> usize {
        0
    }

    fn new(_clock: Clock) -> io::Result<Self> {
        Ok(Scripted)
    }

    fn nature(_raw: u16) -> Nature {
        Nature::default()
    }

    fn first_interest(_raw: u16) -> Interest {
        if ONE_SHOT {
            Interest::NONE
        } else {
            Interest::READ
        }
    }

    fn register(&self, raw: u16, key: Key, interest: Interest) -> io::Result<()> {
        kernel(|it| it.arm(raw, key, interest));
        Ok(())
    }

    fn rearm(&self, raw: u16, key: Key, interest: Interest) -> io::Result<()> {
        kernel(|it| {
            let object = usize::from(raw);
            if it.refusals > 0 {
                it.refusals -= 1;
                it.refused.push(object);
                return Err(io::ErrorKind::StorageFull.into());
            }
            assert_eq!(
                it.objects[object].key,
                Some(key),
                "the object is registered"
            );
            it.arm(raw, key, interest);
            Ok(())
        })
    }

    fn deregister(&self, raw: u16) -> io::Result<()> {
        kernel(|it| {
            let object = &mut it.objects[usize::from(raw)];
            object.interest = Interest::NONE;
            assert!(object.key.take().is_some(), "the object is registered");
        });
        Ok(())
    }

    /// Fetches the available events. It never sleeps, because no other thread would end the sleep.
    fn wait(&self, events: &mut Events, _until: Until) -> io::Result<()> {
        events.0.clear();
        kernel(|it| it.fetch(&mut events.0));
        Ok(())
    }

    fn reopen(&self, _failed: &Events) -> io::Result<bool> {
        Ok(false)
    }

    fn notify(&self) {}

    fn expect_by(&self, _deadline: Deadline) {}

    fn ready_now(raw: u16, direction: Direction) -> io::Result<Answer> {
        let (answer, interruption) = kernel(|it| {
            it.questions += 1;
            let interruption = it.after_question.take();
            if it.unanswered > 0 {
                it.unanswered -= 1;
                return (Err(io::ErrorKind::Other.into()), interruption);
            }
            let ready = *it.objects[usize::from(raw)].ready.get(direction);
            let answer = if ready { Answer::Yes } else { Answer::No };
            (Ok(answer), interruption)
        });
        if let Some(happens) = interruption {
            happens();
        }
        answer
    }

    /// The objects of this kernel have no exceptions.
    fn exception_now(_raw: u16, _exception: Exception) -> io::Result<bool> {
        Ok(false)
    }

    fn may_refuse(raw: u16, direction: Direction) -> bool {
        let (answer, interruption) = kernel(|it| {
            let object = &it.objects[usize::from(raw)];
            (*object.may_refuse.get(direction), it.after_suspicion.take())
        });
        if let Some(happens) = interruption {
            happens();
        }
        answer
    }
}

#[derive(Debug)]
pub(super) struct Events(Vec<(Key, Event)>);

impl poller::Events for Events {
    fn new() -> Self {
        Events(Vec::new())
    }

    fn clear(&mut self) {
        self.0.clear();
    }

    fn len(&self) -> usize {
        self.iter().count()
    }

    fn is_full(&self) -> bool {
        false
    }

    fn was_notified(&self) -> bool {
        false
    }

    fn iter(&self) -> impl Iterator<Item = (Key, Event)> + '_ {
        self.0.iter().copied()
    }
}
