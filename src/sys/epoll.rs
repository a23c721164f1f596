//! The poller on Linux and Android: epoll, edge-triggered.
//!
//! # Idea
//!
//! One epoll instance holds the sources, an eventfd for [`Poller::notify`] and a timerfd for deadlines. All are armed on
//! edges, and the last two are never read: a write to the eventfd or an expiry of the timerfd is an edge whatever has
//! been left unread, so a notification costs one system call and a deadline one.
//!
//! The timerfd is programmed when a deadline gets *earlier* than what it is programmed for, or after it has fired. A
//! deadline that goes away is left: it costs one early return at its time, and most deadlines that go away were not the
//! earliest.
//!
//! # What may be missing
//!
//! Sandboxes refuse single calls. Without timerfd the wait is `ppoll` on the epoll descriptor (nanoseconds, but subject to
//! timer slack), and an earlier deadline notifies; without `ppoll` it is `epoll_wait` with milliseconds, rounded up. Without
//! eventfd notifications go through a pipe, which is read.
//!
//! # Rejected
//!
//! * Time-outs given to `epoll_pwait2`: stretched by timer slack, 0.1 % of a long wait.
//! * Absolute times for the timerfd: they need std's `Instant` to be CLOCK_MONOTONIC, which std does not promise. A
//!   relative time costs a reading of the clock, next to a system call.
//! * Reading the eventfd after each notification: doubles its cost for nothing.

#![allow(unsafe_code)]

use super::fork::Home;
use super::raw::{self, RawSource};
use super::{ask, explain};
use crate::core::clock::{Clock, Deadline};
use crate::core::source::state::{Nature, Reporting, Traits};
use crate::core::source::{Answer, Direction, Event, Exception, Interest, Key};
use crate::core::sync::Mutex;
use crate::reactor::poller::{self, Events as _, Poller as _, Until};
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime,
};
use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};
use std::time::Duration;

/// Whether the event of the last data also reports the end of the stream.
pub(crate) const REPORTS_CLOSING: bool = true;

/// How often descriptors of ours were found closed. Numbers are the process's, so this is too: a program that closes one
/// poller's set closes all, and the new set of the first poller that finds out may get the number that another one still
/// believes to be its own. Each poller that sees the count changed makes new descriptors before it waits.
static LOSSES: AtomicU32 = AtomicU32::new(0);

/// Tokens that no key has: the registry does not use the last two slots.
const NOTIFY: u64 = u64::MAX;
const ALARM: u64 = u64::MAX - 1;

/// Events fetched by one wait. More are fetched by the next.
const BATCH: usize = 1024;

/// A descriptor of ours. A number and not an `OwnedFd`, because [`Poller::reopen`] replaces it while others use it.
#[derive(Debug)]
struct Descriptor(AtomicI32);

const ABSENT: RawFd = -1;

impl Descriptor {
    fn new(fd: Option<OwnedFd>) -> Self {
        Descriptor(AtomicI32::new(fd.map_or(ABSENT, IntoRawFd::into_raw_fd)))
    }

    fn get(&self) -> Option<BorrowedFd<'_>> {
        // Acquire: partner of the Release in `put`; who sees the number sees the descriptor made.
        let raw = self.0.load(Ordering::Acquire);
        // SAFETY: the number came from an `OwnedFd` and is closed only in `Poller::drop`. If the program has closed it
        // behind our back the calls fail, or reach another object of that program; see `Poller::reopen`.
        (raw != ABSENT).then(|| unsafe { BorrowedFd::borrow_raw(raw) })
    }

    /// Replaces the number. The old one is left alone: it may name somebody else's object by now.
    fn put(&self, fd: Option<OwnedFd>) {
        self.0
            .store(fd.map_or(ABSENT, IntoRawFd::into_raw_fd), Ordering::Release);
    }

    fn close(&mut self) {
        let raw = std::mem::replace(self.0.get_mut(), ABSENT);
        if raw != ABSENT {
            // SAFETY: the number came from an `OwnedFd` that was given up in `new` or `put`; this is the one place that
            // closes it, with `&mut self`.
            drop(unsafe { OwnedFd::from_raw_fd(raw) });
        }
    }
}

#[derive(Debug)]
pub(crate) struct Poller {
    clock: Clock,
    home: Home,
    epoll: Descriptor,
    /// Absent where the system refuses timerfds.
    timer: Descriptor,
    /// What is written to notify: an eventfd, or the end of a pipe.
    bell: Descriptor,
    /// The other end of the pipe; absent with an eventfd.
    bell_reader: Descriptor,
    /// The count of losses at which the descriptors were made.
    opened: AtomicU32,
    /// What the timerfd will fire for. The lock also keeps the order of the calls that program it.
    armed: Mutex<Deadline>,
}

/// The descriptors of a poller before they are shared.
struct Parts {
    epoll: OwnedFd,
    timer: Option<OwnedFd>,
    bell: OwnedFd,
    bell_reader: Option<OwnedFd>,
}

impl Parts {
    fn open() -> io::Result<Parts> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let timer = timerfd_create(
            TimerfdClockId::Monotonic,
            TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK,
        )
        .ok();
        let (bell, bell_reader) = open_bell()?;
        let on_edge = EventFlags::IN | EventFlags::ET;
        let rung = bell_reader.as_ref().unwrap_or(&bell);
        epoll::add(&epoll, rung, EventData::new_u64(NOTIFY), on_edge)?;
        if let Some(timer) = &timer {
            epoll::add(&epoll, timer, EventData::new_u64(ALARM), on_edge)?;
        }
        Ok(Parts {
            epoll,
            timer,
            bell,
            bell_reader,
        })
    }
}

fn open_bell() -> io::Result<(OwnedFd, Option<OwnedFd>)> {
    match eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK) {
        Ok(bell) => Ok((bell, None)),
        // A pipe would need even more.
        Err(errno @ (Errno::MFILE | Errno::NFILE | Errno::NOMEM)) => Err(errno.into()),
        Err(_) => {
            let (reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
            Ok((writer, Some(reader)))
        }
    }
}

impl poller::Poller for Poller {
    type Raw = RawSource;
    type Events = Events;

    const TRAITS: Traits = Traits {
        reporting: Reporting::Edges,
        rearms_idle: false,
        arms_silently: false,
        queues_events: false,
    };

    const CONCURRENT_WAITS: bool = true;

    fn new(clock: Clock) -> io::Result<Poller> {
        let parts = Parts::open()?;
        Ok(Poller {
            clock,
            home: Home::new(),
            epoll: Descriptor::new(Some(parts.epoll)),
            timer: Descriptor::new(parts.timer),
            bell: Descriptor::new(Some(parts.bell)),
            bell_reader: Descriptor::new(parts.bell_reader),
            opened: AtomicU32::new(LOSSES.load(Ordering::SeqCst)),
            armed: Mutex::new(Deadline::NEVER),
        })
    }

    /// Makes new descriptors, after a wait has failed for good: the program has closed ours. The caller registers all
    /// sources again if the answer is `true`; `false` means that another thread has done all that since the failure.
    ///
    /// The old numbers are not closed, they may be anybody's now.
    fn reopen(&self, failed: &Events) -> io::Result<bool> {
        self.check_home()?;
        let mut armed = self.armed.lock();
        let opened = self.opened.load(Ordering::Acquire);
        if opened != failed.opened {
            return Ok(false);
        }
        // Before new numbers are given out: the first to find out tells the others.
        let _ = LOSSES.compare_exchange(
            opened,
            opened.wrapping_add(1),
            Ordering::SeqCst,
            Ordering::SeqCst,
        );
        let parts = Parts::open()?;
        self.call_back_sleepers();
        self.timer.put(parts.timer);
        self.bell.put(Some(parts.bell));
        self.bell_reader.put(parts.bell_reader);
        self.epoll.put(Some(parts.epoll));
        // Release: who sees the new count sees the new descriptors.
        let losses = LOSSES.load(Ordering::SeqCst);
        self.opened.store(losses, Ordering::Release);
        *armed = Deadline::NEVER;
        Ok(true)
    }

    #[inline]
    fn register(&self, raw: RawSource, key: Key, interest: Interest) -> io::Result<()> {
        self.check_home()?;
        let data = EventData::new_u64(key.token());
        epoll::add(self.set()?, borrow(raw), data, flags(interest))
            .map_err(|errno| explain(errno.into()))
    }

    fn rearm(&self, raw: RawSource, key: Key, interest: Interest) -> io::Result<()> {
        self.check_home()?;
        let data = EventData::new_u64(key.token());
        Ok(epoll::modify(
            self.set()?,
            borrow(raw),
            data,
            flags(interest),
        )?)
    }

    /// In a forked child this does nothing: the set is the parent's.
    #[inline]
    fn deregister(&self, raw: RawSource) -> io::Result<()> {
        if self.home.is_here() {
            epoll::delete(self.set()?, borrow(raw))?;
        }
        Ok(())
    }

    fn wait(&self, events: &mut Events, until: Until) -> io::Result<()> {
        events.clear();
        self.check_home()?;
        events.opened = self.opened.load(Ordering::Acquire);
        let mut limit = Some(Timespec::default());
        if let Until::Deadline(deadline) = until {
            let has_timer = self.timer.get().is_some();
            if has_timer && (deadline.is_never() || self.program(deadline)) {
                limit = None;
            } else {
                self.wait_without_timer(deadline)?;
            }
        }
        let buffer = spare_capacity(&mut events.fetched);
        match epoll::wait(self.set()?, buffer, limit.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        self.note_own_events(events);
        Ok(())
    }

    fn notify(&self) {
        let Some(bell) = self.bell.get().filter(|_| self.home.is_here()) else {
            return;
        };
        match self.bell_reader.get() {
            // A full pipe has not been read yet, so its reader is about to return anyway.
            Some(_) => drop(retry(|| rustix::io::write(bell, &[1]))),
            None => ring(bell),
        }
    }

    fn expect_by(&self, deadline: Deadline) {
        if !self.program(deadline) {
            self.notify();
        }
    }

    #[inline]
    fn nature(raw: RawSource) -> Nature {
        raw::nature(raw)
    }

    fn ready_now(raw: RawSource, direction: Direction) -> io::Result<Answer> {
        ask::ready_now(raw, direction)
    }

    fn exception_now(raw: RawSource, exception: Exception) -> io::Result<bool> {
        ask::exception_now(raw, exception)
    }

    fn may_refuse(raw: RawSource, direction: Direction) -> bool {
        ask::may_refuse(raw, direction)
    }

    /// Most sources are read first. So one system call adds the object and arms it.
    #[inline]
    fn first_interest(_raw: RawSource) -> Interest {
        Interest::READ
    }
}

impl Poller {
    /// A thread that was inside its wait when the set lost its number is still there: the kernel keeps the set for it. It
    /// would never hear the new bell. The old one is rung, once for each thread that may be inside, if its number names an
    /// eventfd still. Should that be another one by now, its owner finds a count that it may not have expected; what we can
    /// know of a number ends there.
    fn call_back_sleepers(&self) {
        let Some(bell) = self.bell.get() else { return };
        let path = format!("/proc/self/fd/{}", bell.as_raw_fd());
        let target = std::fs::read_link(path).unwrap_or_default();
        if target.as_os_str() == "anon_inode:[eventfd]" {
            for _ in 0..MOST_INSIDE {
                ring(bell);
            }
        }
    }

    /// Like `expect_by`, but also makes it later than it was.
    pub(crate) fn program_alarm(&self, deadline: Deadline) {
        let mut armed = self.armed.lock();
        let set = match self.own_timer() {
            Some(timer) => set_timer(timer, self.span_until(deadline)).is_ok(),
            None => false,
        };
        *armed = deadline;
        drop(armed);
        if !set {
            self.notify();
        }
    }

    /// Takes back what `expect_by` has asked for.
    pub(crate) fn expect_nothing(&self) {
        let mut armed = self.armed.lock();
        if armed.is_never() {
            return;
        }
        let disarmed = match self.own_timer() {
            Some(timer) => set_timer(timer, Duration::ZERO).is_ok(),
            None => true,
        };
        if disarmed {
            *armed = Deadline::NEVER;
        }
    }

    /// The descriptor that is readable when this poller has something to report.
    pub(crate) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.epoll.get()
    }

    /// The timerfd, to be programmed. Not in a forked child: it shares the object with its parent, who would oversleep.
    fn own_timer(&self) -> Option<BorrowedFd<'_>> {
        self.timer.get().filter(|_| self.home.is_here())
    }

    /// Makes the timerfd fire by the deadline. False if there is no timerfd.
    fn program(&self, deadline: Deadline) -> bool {
        // Under the lock: `reopen` replaces the timerfd under it.
        let mut armed = self.armed.lock();
        let Some(timer) = self.own_timer() else {
            return false;
        };
        if deadline < *armed {
            if set_timer(timer, self.span_until(deadline)).is_err() {
                return false;
            }
            *armed = deadline;
        }
        true
    }

    /// What the timerfd is programmed with. Zero would disarm it.
    fn span_until(&self, deadline: Deadline) -> Duration {
        deadline
            .after(self.clock.now())
            .max(Duration::from_nanos(1))
    }

    /// Sleeps until an event comes or the deadline has passed, with what a poor system offers.
    fn wait_without_timer(&self, deadline: Deadline) -> io::Result<()> {
        let deadline = deadline.min(*self.armed.lock());
        let set = self.set()?;
        let mut fds = [PollFd::from_borrowed_fd(set, PollFlags::IN)];
        let span = deadline.after(self.clock.now());
        let limit = (!deadline.is_never()).then(|| timespec(span));
        let slept = match poll(&mut fds, limit.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(Errno::NOSYS | Errno::PERM) => self.wait_in_milliseconds(span),
            Err(errno) => Err(errno.into()),
        };
        // An alarm that has gone off is not set any more.
        let mut armed = self.armed.lock();
        if *armed <= self.clock.now() {
            *armed = Deadline::NEVER;
        }
        slept
    }

    /// The last resort. The descriptor of an inner set is watched by an outer one, without edges, so that nothing is
    /// taken from the inner set that the caller could not fetch.
    fn wait_in_milliseconds(&self, span: Duration) -> io::Result<()> {
        let outer = epoll::create(CreateFlags::CLOEXEC)?;
        epoll::add(&outer, self.set()?, EventData::new_u64(0), EventFlags::IN)?;
        let millis = span.as_nanos().div_ceil(1_000_000);
        let millis = u64::try_from(millis).unwrap_or(u64::MAX).min(MAX_MILLIS);
        let limit = timespec(Duration::from_millis(millis));
        let mut seen = Vec::with_capacity(1);
        match epoll::wait(&outer, spare_capacity(&mut seen), Some(&limit)) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Takes the poller's own two descriptors out of the list of events.
    #[inline]
    fn note_own_events(&self, events: &mut Events) {
        events.notified = false;
        let is_own = |event: &epoll::Event| event.data.u64() >= ALARM;
        if events.fetched.iter().any(is_own) {
            self.take_own_events(events);
        }
    }

    fn take_own_events(&self, events: &mut Events) {
        let mut alarmed = false;
        events.fetched.retain(|event| {
            let token = event.data.u64();
            events.notified |= token == NOTIFY;
            alarmed |= token == ALARM;
            token < ALARM
        });
        if alarmed {
            *self.armed.lock() = Deadline::NEVER;
        }
        if let Some(reader) = self.bell_reader.get().filter(|_| events.notified) {
            while retry(|| rustix::io::read(reader, &mut [0u8; 64])).is_ok_and(|count| count > 0) {}
        }
    }

    /// The set of sources; EBADF if its number may name another one by now.
    #[inline]
    fn set(&self) -> io::Result<BorrowedFd<'_>> {
        let lost = LOSSES.load(Ordering::SeqCst) != self.opened.load(Ordering::Acquire);
        let set = self.epoll.get().filter(|_| !lost);
        set.ok_or_else(|| Errno::BADF.into())
    }

    #[inline]
    fn check_home(&self) -> io::Result<()> {
        if self.home.is_here() {
            return Ok(());
        }
        Err(Self::forked())
    }

    #[cold]
    fn forked() -> io::Error {
        io::Error::new(
            io::ErrorKind::Unsupported,
            "this process was forked from the one that made the reactor and cannot use it; call exec, or do not touch \
             async I/O between fork and exec",
        )
    }
}

impl Drop for Poller {
    fn drop(&mut self) {
        self.bell.close();
        self.bell_reader.close();
        self.timer.close();
        self.epoll.close();
    }
}

/// A leader, and the fallback thread that it has displaced.
const MOST_INSIDE: u32 = 2;

/// The longest time-out of `epoll_wait`. Who must sleep longer comes back.
const MAX_MILLIS: u64 = i32::MAX as u64;

/// What a wait has fetched. Belongs to one waiting thread and is used again and again.
pub(crate) struct Events {
    fetched: Vec<epoll::Event>,
    notified: bool,
    /// Which opening of the descriptors the wait was for.
    opened: u32,
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events")
            .field("fetched", &self.fetched.len())
            .field("notified", &self.notified)
            .finish_non_exhaustive()
    }
}

impl poller::Events for Events {
    fn new() -> Self {
        Events {
            fetched: Vec::with_capacity(BATCH),
            notified: false,
            opened: 0,
        }
    }

    fn was_notified(&self) -> bool {
        self.notified
    }

    fn iter(&self) -> impl Iterator<Item = (Key, Event)> + '_ {
        self.fetched.iter().map(|event| {
            let key = Key::from_token(event.data.u64());
            (key, event_of(event.flags))
        })
    }

    fn clear(&mut self) {
        self.fetched.clear();
        self.notified = false;
    }
}

/// Converts the flags of epoll. Their lowest five bits are those of [`Event`], and RDHUP is moved next
/// to them.
#[inline]
fn event_of(flags: EventFlags) -> Event {
    let closed = flags.bits() & EventFlags::RDHUP.bits();
    Event::from_bits((flags.bits() & 0b1_1111) as u8 | (closed >> RDHUP_SHIFT) as u8)
}

const RDHUP_SHIFT: u32 = EventFlags::RDHUP.bits().trailing_zeros() - 5;

#[inline]
fn flags(interest: Interest) -> EventFlags {
    let mut flags = EventFlags::ET;
    if interest == Interest::NONE {
        // Hang-up and error are reported without being asked for. Once is enough for a source that nobody awaits.
        flags |= EventFlags::ONESHOT;
    }
    if interest.read {
        flags |= EventFlags::IN | EventFlags::RDHUP | EventFlags::PRI;
    }
    if interest.write {
        flags |= EventFlags::OUT;
    }
    if interest.exceptions {
        // Errors are reported without being asked for.
        flags |= EventFlags::PRI;
    }
    flags
}

fn borrow<'a>(raw: RawSource) -> BorrowedFd<'a> {
    // SAFETY: the contract of the module asks for an open object. If it is not, epoll refuses the call or changes the
    // entry of another object of this program, whose own calls report that; memory is not at risk.
    unsafe { BorrowedFd::borrow_raw(raw) }
}

/// Adds one to the eventfd. When it is full (which takes 2^64 notifications) it is emptied.
fn ring(bell: BorrowedFd<'_>) {
    let one = 1u64.to_ne_bytes();
    if retry(|| rustix::io::write(bell, &one)) == Err(Errno::AGAIN) {
        let _ = retry(|| rustix::io::read(bell, &mut [0u8; 8]));
        let _ = retry(|| rustix::io::write(bell, &one));
    }
}

fn retry<T>(mut call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            result => return result,
        }
    }
}

fn set_timer(timer: BorrowedFd<'_>, span: Duration) -> Result<(), Errno> {
    let spec = Itimerspec {
        it_interval: Timespec::default(),
        it_value: timespec(span),
    };
    timerfd_settime(timer, TimerfdTimerFlags::empty(), &spec).map(drop)
}

fn timespec(span: Duration) -> Timespec {
    Timespec {
        // A timerfd takes seconds up to i64::MAX, and 584 years fit.
        tv_sec: i64::try_from(span.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(span.subsec_nanos()) as _,
    }
}

impl AsRawFd for Poller {
    fn as_raw_fd(&self) -> RawFd {
        self.descriptor().map_or(ABSENT, |fd| fd.as_raw_fd())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_become_the_events_of_the_same_name() {
        for (flag, event) in [
            (EventFlags::IN, Event::READABLE),
            (EventFlags::PRI, Event::PRIORITY),
            (EventFlags::OUT, Event::WRITABLE),
            (EventFlags::ERR, Event::ERROR),
            (EventFlags::HUP, Event::HANG_UP),
            (EventFlags::RDHUP, Event::READ_CLOSED),
        ] {
            assert_eq!(event_of(flag), event);
            assert_eq!(event_of(flag | EventFlags::ET), event);
        }
        let all = EventFlags::IN | EventFlags::RDHUP | EventFlags::HUP;
        let events = Event::READABLE.and(Event::READ_CLOSED).and(Event::HANG_UP);
        assert_eq!(event_of(all), events);
    }
}
