//! A registration with the reactor, as the public types hold it: everything about waiting that does not depend on `T`.

use crate::core::source::readiness::Snapshot;
use crate::core::source::state::Reporting;
use crate::core::source::waiters::{Place, WaiterId};
use crate::core::source::{Direction, Key, RawSource, Source, Summary};
use crate::driver::{Driver, block_on};
use crate::reactor::waiting::{Parked, Spot, Wait};
use crate::sys::{self, REPORTING, TELLS_CLOSING};
use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

/// The number of contradictions in a row (the kernel says "ready", the operation "would block") after which the operation
/// is tried again at once, after which the executor gets a chance in between, and after which a pause is made.
const STRIKES_AT_ONCE: u8 = 1;
const STRIKES_YIELDING: u8 = 4;

const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(10);

/// Has no `Drop`: the owner deregisters it, before the object is closed.
#[derive(Debug)]
pub(crate) struct Registered {
    driver: &'static Driver,
    source: &'static Source,
    key: Key,
    raw: RawSource,
}

/// What can be concluded from an operation that says "would block".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// This crate made the system call on this object: the kernel has nothing, and will report a change.
    Kernel,
    /// A closure or a foreign type said so: it may be about something else.
    Nobody,
}

impl Registered {
    pub(crate) fn new(raw: RawSource) -> io::Result<Registered> {
        let driver = Driver::global();
        let key = driver.reactor.insert(raw)?;
        let Some(source) = driver.reactor.source(key) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        Ok(Registered {
            driver,
            source,
            key,
            raw,
        })
    }

    pub(crate) fn raw(&self) -> RawSource {
        self.raw
    }

    /// What is known of a direction, for people who wonder why nothing happens.
    pub(crate) fn summary(&self, direction: Direction) -> Summary {
        self.source.summary(direction)
    }

    /// Takes the object out of the reactor. To be called once, at the end.
    pub(crate) fn deregister(&self) -> io::Result<()> {
        self.driver.reactor.remove(self.key)
    }

    #[inline]
    fn snapshot(&self, direction: Direction) -> Snapshot {
        self.source.word(direction).snapshot()
    }

    /// Tries an operation until it says something else than "would block"; in between the task waits at `place`, which is
    /// made when it is needed.
    pub(crate) fn poll_operation<R>(
        &self,
        direction: Direction,
        trust: Trust,
        mut place: impl FnMut() -> io::Result<Place>,
        cx: &mut Context<'_>,
        mut operation: impl FnMut() -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        // One-shot, arming reports again what is ready: a contradiction would make a busy loop of the wait.
        let trusts_edges = trust == Trust::Kernel && REPORTING == Reporting::Edges;
        loop {
            // Before the operation: an event after this moment must not be slept over.
            let seen = self.snapshot(direction);
            match operation() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => {
                    if seen.is_struck() {
                        self.driver.reactor.forgive(self.key, direction);
                    }
                    return Poll::Ready(result);
                }
            }
            let wait = if trusts_edges {
                Wait::Retry(seen)
            } else {
                Wait::Refused
            };
            let parked = place().and_then(|place| self.park(direction, place, wait, cx));
            match parked {
                Err(error) => return Poll::Ready(Err(error)),
                Ok(Parked::Waiting) => return Poll::Pending,
                Ok(Parked::TryAgain | Parked::Ready) => {}
                Ok(Parked::Contradiction { strikes }) if strikes <= STRIKES_AT_ONCE => {}
                Ok(Parked::Contradiction { strikes }) => {
                    self.pause(strikes, cx);
                    return Poll::Pending;
                }
            }
        }
    }

    /// Reads from a `TcpStream`: like [`poll_operation`](Self::poll_operation), but after a read that was shorter than its
    /// buffer the next one waits without a system call, where that is safe.
    pub(crate) fn poll_read_stream(
        &self,
        capacity: usize,
        cx: &mut Context<'_>,
        mut read: impl FnMut() -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            let seen = self.snapshot(Direction::Read);
            if !self.may_skip_look(seen) {
                match read() {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    result => {
                        if matches!(result, Ok(count) if 0 < count && count < capacity) {
                            self.note_short_read(seen);
                        }
                        return Poll::Ready(result);
                    }
                }
            }
            match self.park(Direction::Read, Place::Slot, Wait::Retry(seen), cx) {
                Err(error) => return Poll::Ready(Err(error)),
                Ok(Parked::Waiting) => return Poll::Pending,
                Ok(_) => {}
            }
        }
    }

    /// Whether a read may begin to wait without a system call, because the last one was short.
    #[inline]
    fn may_skip_look(&self, seen: Snapshot) -> bool {
        seen.is_drained()
            && block_on::will_wait()
            && self.source.word(Direction::Read).skip_look(seen)
    }

    #[inline]
    fn note_short_read(&self, seen: Snapshot) {
        match seen.allows_shortcut() {
            Some(true) => self.source.word(Direction::Read).note_drained(seen),
            Some(false) => {}
            // Once per object; the next short read will be noted.
            None => drop(self.is_tcp()),
        }
    }

    /// Whether the object is a TCP socket, and reads from it may be cut short (which also takes a system that tells of the
    /// end of a stream in the event of its last data). A type does not tell: a `TcpStream` can be
    /// made from any descriptor.
    pub(crate) fn is_tcp(&self) -> bool {
        let word = self.source.word(Direction::Read);
        if let Some(known) = word.snapshot().allows_shortcut() {
            return known;
        }
        let is_tcp = TELLS_CLOSING && sys::socket::is_tcp(self.raw);
        word.set_tcp(is_tcp);
        is_tcp
    }

    /// The object was connected, or accepted from a listener, as TCP.
    pub(crate) fn set_tcp(&self) {
        self.source.word(Direction::Read).set_tcp(TELLS_CLOSING);
    }

    /// Waits until the operating system says that an operation would not block.
    pub(crate) fn poll_ready(
        &self,
        direction: Direction,
        place: Place,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        match self.park(direction, place, Wait::Question, cx) {
            Err(error) => Poll::Ready(Err(error)),
            Ok(Parked::Waiting) => Poll::Pending,
            Ok(_) => Poll::Ready(Ok(())),
        }
    }

    /// Waits until the operating system reports an exception, at a place that is made when it is needed.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn poll_exception(
        &self,
        exception: crate::core::source::Exception,
        place: &mut Option<WaiterId>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let parked = self.driver.promise(cx.waker()).and_then(|()| {
            let reactor = &self.driver.reactor;
            let id = match *place {
                Some(id) => id,
                None => *place.insert(reactor.add_waiter(self.key, exception)?),
            };
            reactor.park_exception(self.key, id, exception, cx.waker())
        });
        match parked {
            Ok(false) => Poll::Pending,
            Ok(true) => Poll::Ready(Ok(())),
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    /// Gives a place back that [`poll_exception`](Self::poll_exception) has made.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn give_back(&self, place: &mut Option<WaiterId>) {
        if let Some(id) = place.take() {
            self.driver.reactor.remove_waiter(self.key, id);
        }
    }

    fn park(
        &self,
        direction: Direction,
        place: Place,
        wait: Wait,
        cx: &mut Context<'_>,
    ) -> io::Result<Parked> {
        self.driver.promise(cx.waker())?;
        let spot = Spot {
            key: self.key,
            direction,
            place,
        };
        self.driver.reactor.park(spot, wait, cx.waker())
    }

    /// The task is woken without an event: soon at first, then after a time that grows. Events do not help here, because
    /// each refused attempt may raise one itself.
    fn pause(&self, strikes: u8, cx: &mut Context<'_>) {
        if strikes <= STRIKES_YIELDING {
            cx.waker().wake_by_ref();
            return;
        }
        let doublings = u32::from(strikes - STRIKES_YIELDING - 1).min(4);
        let pause = (FIRST_PAUSE * 2u32.pow(doublings)).min(LONGEST_PAUSE);
        let deadline = self.driver.reactor.clock().now().plus(pause);
        // The timer is left to fire: it holds the waker for 10 ms at most.
        self.driver.insert_timer(deadline, cx.waker().clone());
    }
}

/// The place of one future among the waiters of a source. Made when first needed, given back when dropped.
#[derive(Debug)]
pub(crate) struct Listing {
    direction: Direction,
    id: Option<WaiterId>,
    /// How often the thread had come back from a wait when this was last polled.
    polled_after: u32,
}

impl Listing {
    pub(crate) fn new(direction: Direction) -> Self {
        Listing {
            direction,
            id: None,
            polled_after: 0,
        }
    }

    /// Whether a read that has found nothing, and is polled again for its neighbours' reasons, goes on waiting without
    /// another look. So it does if nothing has come since, as far as the reactor has told, and if the reactor has had the
    /// opportunity to tell since the last poll: the thread has waited. Who polls twice without, gets a look.
    ///
    /// Not for writes: their "would block" may be about the receiver, which no edge tells of.
    #[inline]
    pub(crate) fn goes_on_waiting(
        &mut self,
        registered: &Registered,
        trust: Trust,
        cx: &Context<'_>,
    ) -> bool {
        let trusts_edges = trust == Trust::Kernel && REPORTING == Reporting::Edges;
        if !trusts_edges || self.direction != Direction::Read {
            return false;
        }
        let waits = block_on::waits();
        let before = std::mem::replace(&mut self.polled_after, waits);
        let Some(id) = self.id.filter(|_| waits != 0 && waits != before) else {
            return false;
        };
        let place = Place::Listed(id);
        registered
            .source
            .waits_at(self.direction, place, cx.waker())
    }

    pub(crate) fn direction(&self) -> Direction {
        self.direction
    }

    pub(crate) fn place(&mut self, registered: &Registered) -> io::Result<Place> {
        let id = match self.id {
            Some(id) => id,
            None => {
                let reactor = &registered.driver.reactor;
                *self
                    .id
                    .insert(reactor.add_waiter(registered.key, self.direction)?)
            }
        };
        Ok(Place::Listed(id))
    }

    pub(crate) fn give_back(&mut self, registered: &Registered) {
        if let Some(id) = self.id.take() {
            registered.driver.reactor.remove_waiter(registered.key, id);
        }
    }
}
