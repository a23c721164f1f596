//! The poller on Linux and Android: epoll, edge-triggered.
//!
//! # Idea
//!
//! One epoll instance holds the sources, an eventfd for [`Poller::notify`] and a timerfd for
//! deadlines. All are edge-triggered, and the last two are never read: a write to the eventfd and
//! an expiry of the timerfd raise an edge even if earlier values are unread. So a notification
//! costs one system call, and programming a deadline costs one.
//!
//! The timerfd is programmed only for a deadline that is *earlier* than its present one, or after
//! it has fired. If the present one is cancelled, the timerfd stays as it is. This costs one early
//! return from a wait, and most cancelled deadlines are not the earliest.
//!
//! # What may be missing
//!
//! A sandbox may refuse individual system calls.
//!
//! * Without timerfd, the wait is a `ppoll` on the epoll descriptor (in nanoseconds, but subject to
//!   timer slack), and an earlier deadline notifies.
//! * Without `ppoll`, that wait is an `epoll_wait` in milliseconds, rounded up.
//! * Without eventfd, notifications go through a pipe, which is read.
//!
//! # Rejected
//!
//! * Time-outs of `epoll_pwait2`: timer slack lengthens them by 0.1 % of a long wait.
//! * Absolute times for the timerfd: `Instant` would have to be CLOCK_MONOTONIC, which std does not
//!   promise. A relative time only costs a reading of the clock in addition to the system call.
//! * Reading the eventfd after each notification: this doubles the cost without a benefit.

#![allow(unsafe_code)]

use super::fork::{self, Home};
use super::raw::{self, RawSource};
use super::{ask, explain};
use crate::core::clock::{AtomicDeadline, Clock, Deadline};
use crate::core::source::state::{Nature, Reporting, Traits};
use crate::core::source::{Answer, Direction, Event, Exception, Interest, Key};
use crate::core::sync::Mutex;
use crate::engine::poller::{self, Events as _, Poller as _, Until};
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

/// The number of times that descriptors of this crate were found closed.
///
/// The count is global because descriptor numbers are: a program that closes the descriptors of one
/// poller usually closes those of all. The first poller that notices this creates a new epoll
/// instance, which may get a number that another poller still considers its own. So each poller
/// that sees a changed count creates new descriptors before it waits.
static LOSSES: AtomicU32 = AtomicU32::new(0);

/// The tokens of the poller's own descriptors. No key has them, because the registry does not use
/// the last two slots.
const NOTIFY: u64 = u64::MAX;
const ALARM: u64 = u64::MAX - 1;

/// The maximum number of events that one wait fetches. The next wait fetches the rest.
const BATCH: usize = 1024;

/// A descriptor of the poller. It is a number and not an `OwnedFd`, because [`Poller::reopen`]
/// replaces it while other threads use it.
#[derive(Debug)]
struct Descriptor(AtomicI32);

const ABSENT: RawFd = -1;

impl Descriptor {
    fn new(fd: Option<OwnedFd>) -> Self {
        Descriptor(AtomicI32::new(fd.map_or(ABSENT, IntoRawFd::into_raw_fd)))
    }

    fn get(&self) -> Option<BorrowedFd<'_>> {
        // Acquire: partner of the Release in `put`. A thread that sees the number also sees that
        // the descriptor was created.
        let raw = self.0.load(Ordering::Acquire);
        // SAFETY: the number came from an `OwnedFd` and is closed only in `Poller::drop`. If the
        // program itself has closed it, the calls fail or reach another object of the program; see
        // `Poller::reopen`.
        (raw != ABSENT).then(|| unsafe { BorrowedFd::borrow_raw(raw) })
    }

    /// Replaces the number. The old number is not closed, because it may name another object by
    /// now.
    fn put(&self, fd: Option<OwnedFd>) {
        self.0
            .store(fd.map_or(ABSENT, IntoRawFd::into_raw_fd), Ordering::Release);
    }

    fn close(&mut self) {
        let raw = std::mem::replace(self.0.get_mut(), ABSENT);
        if raw != ABSENT {
            // SAFETY: the number came from an `OwnedFd` that was given up in `new` or `put`. Only
            // this function closes it, and it has `&mut self`.
            drop(unsafe { OwnedFd::from_raw_fd(raw) });
        }
    }
}

#[derive(Debug)]
pub(crate) struct Poller {
    clock: Clock,
    home: Home,
    epoll: Descriptor,
    /// Absent if the system refuses timerfds.
    timer: Descriptor,
    /// The descriptor that a notification writes to: an eventfd, or the write end of a pipe.
    bell: Descriptor,
    /// The read end of the pipe. Absent if there is an eventfd.
    bell_reader: Descriptor,
    /// The value of `LOSSES` when the descriptors were created.
    opened: AtomicU32,
    /// The deadline that the timerfd is programmed for. Written while `programming` is held. It may
    /// be later than what the timerfd is programmed for, never earlier.
    armed: AtomicDeadline,
    /// Orders the calls that program the timerfd.
    programming: Mutex<()>,
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
        // A pipe would need even more resources.
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

    #[inline]
    fn process() -> usize {
        fork::generation()
    }

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
            armed: AtomicDeadline::new(Deadline::NEVER),
            programming: Mutex::new(()),
        })
    }

    /// Creates new descriptors after a wait has failed because the program has closed the old ones.
    /// Returns whether the caller must register all sources again. Otherwise another thread has
    /// already replaced the descriptors and registered the sources since the failure.
    ///
    /// The old numbers are not closed, because they may name other objects by now.
    fn reopen(&self, failed: &Events) -> io::Result<bool> {
        self.check_home()?;
        let _programming = self.programming.lock();
        let opened = self.opened.load(Ordering::Acquire);
        if opened != failed.opened {
            return Ok(false);
        }
        // The loss is counted before new numbers are assigned. Only the first poller that notices
        // it adds one, and the others see the change.
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
        // Release: a thread that sees the new count also sees the new descriptors.
        let losses = LOSSES.load(Ordering::SeqCst);
        self.opened.store(losses, Ordering::Release);
        self.set_armed(Deadline::NEVER);
        Ok(true)
    }

    #[inline]
    fn register(&self, raw: RawSource, key: Key, interest: Interest) -> io::Result<()> {
        let data = EventData::new_u64(key.token());
        epoll::add(self.set()?, borrow(raw), data, flags(interest))
            .map_err(|errno| explain(errno.into()))
    }

    fn rearm(&self, raw: RawSource, key: Key, interest: Interest) -> io::Result<()> {
        let data = EventData::new_u64(key.token());
        Ok(epoll::modify(
            self.set()?,
            borrow(raw),
            data,
            flags(interest),
        )?)
    }

    #[inline]
    fn deregister(&self, raw: RawSource) -> io::Result<()> {
        Ok(epoll::delete(self.set()?, borrow(raw))?)
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
            // If the pipe is full, its reader has not read it yet, and is about to return anyway.
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

    /// Most sources are read first. So one system call adds an object and arms it.
    #[inline]
    fn first_interest(_raw: RawSource) -> Interest {
        Interest::READ
    }
}

impl Poller {
    /// Ends the waits that are still in progress on a closed epoll instance.
    ///
    /// The kernel keeps the instance for a thread that was inside its wait when the program closed
    /// the descriptor. The new eventfd cannot end that wait. So the old eventfd is written to, once
    /// for each thread that may be inside, if its number still names an eventfd. If that is a
    /// different eventfd by now, its owner finds an unexpected count. The poller cannot tell the
    /// two apart.
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

    /// Like `expect_by`, but can also move the deadline later.
    pub(crate) fn program_alarm(&self, deadline: Deadline) {
        let programming = self.programming.lock();
        self.set_armed(Deadline::NEVER);
        let set = self.try_set_timer(self.span_until(deadline));
        self.set_armed(deadline);
        drop(programming);
        if !set {
            self.notify();
        }
    }

    /// Cancels the deadline that was given to `expect_by` or `program_alarm`.
    pub(crate) fn expect_nothing(&self) {
        let _programming = self.programming.lock();
        let armed = self.armed();
        if armed.is_never() {
            return;
        }
        self.set_armed(Deadline::NEVER);
        if self.own_timer().is_some() && !self.try_set_timer(Duration::ZERO) {
            self.set_armed(armed);
        }
    }

    #[inline]
    fn armed(&self) -> Deadline {
        // SeqCst: see `program`.
        self.armed.load(Ordering::SeqCst)
    }

    /// Records what the timerfd is programmed for. The caller holds `programming`.
    fn set_armed(&self, deadline: Deadline) {
        self.armed.store(deadline, Ordering::SeqCst);
    }

    /// Prepares for a wait of another event loop on the descriptor, which becomes readable at the
    /// deadline. Without a timerfd, it does not.
    ///
    /// Unlike `expect_by`, this also moves the timerfd later, if it was programmed for a deadline that has
    /// been cancelled since. The caller then reads the deadlines again: a thread that has set one in
    /// the meantime may have relied on the former one. A deadline that has passed stays, because the
    /// loop still has to fetch its event.
    pub(crate) fn arm(&self, deadline: Deadline) {
        let armed = self.armed();
        if armed >= deadline || armed <= self.clock.now() {
            self.program(deadline);
        } else if deadline.is_never() {
            self.expect_nothing();
        } else {
            self.program_alarm(deadline);
        }
    }

    /// Returns whether there is a [`descriptor`](Self::descriptor).
    pub(crate) fn has_descriptor(&self) -> bool {
        true
    }

    /// Returns the descriptor that is readable when this poller has something to report.
    pub(crate) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.epoll.get()
    }

    /// Returns the timerfd in order to program it. Returns `None` in a forked child: it shares the
    /// timerfd with its parent, which would then sleep too long.
    fn own_timer(&self) -> Option<BorrowedFd<'_>> {
        self.timer.get().filter(|_| self.home.is_here())
    }

    /// Makes the timerfd fire by the deadline. Returns false if there is no timerfd or it cannot be
    /// programmed.
    ///
    /// If the timerfd fires early enough anyway, no lock is taken. The caller has made its deadline
    /// known to the timers, and then reads `armed`. The thread that fetches the event of the timerfd
    /// clears `armed`, and then reads the timers: in its next wait, or in `Shell::arm_next` if another
    /// thread is inside the wait when it leaves. All four accesses are sequentially consistent. So
    /// either the caller sees that the timerfd has fired, or that thread sees the caller's deadline.
    ///
    /// A leader that announces its wait and then reads an outdated `armed` relies on `arm_next` as
    /// well: the other thread clears `armed` before it leaves its wait, and then sees the announcement.
    fn program(&self, deadline: Deadline) -> bool {
        if self.armed() <= deadline {
            return true;
        }
        // The lock is taken first, because `reopen` replaces the timerfd under it.
        let _programming = self.programming.lock();
        if deadline < self.armed() {
            if !self.try_set_timer(self.span_until(deadline)) {
                return false;
            }
            self.set_armed(deadline);
        }
        true
    }

    /// Programs the timerfd. Returns false if there is none that works. The caller holds
    /// `programming`. A caller that needs the deadline then ends the wait in progress, or waits
    /// without the timerfd itself.
    ///
    /// A timerfd that cannot be programmed is not used again. It is not closed, because its number
    /// may name another object by now.
    fn try_set_timer(&self, span: Duration) -> bool {
        let Some(timer) = self.own_timer() else {
            return false;
        };
        let set = set_timer(timer, span).is_ok();
        if !set {
            self.timer.put(None);
        }
        set
    }

    /// Returns the time for which the timerfd is programmed. It is never zero, which would disarm
    /// the timerfd.
    fn span_until(&self, deadline: Deadline) -> Duration {
        deadline
            .after(self.clock.now())
            .max(Duration::from_nanos(1))
    }

    /// Sleeps until an event arrives or the deadline has passed, without relying on the timerfd.
    fn wait_without_timer(&self, deadline: Deadline) -> io::Result<()> {
        let deadline = deadline.min(self.armed());
        let set = self.set()?;
        let mut fds = [PollFd::from_borrowed_fd(set, PollFlags::IN)];
        let span = deadline.after(self.clock.now());
        let limit = (!deadline.is_never()).then(|| timespec(span));
        let slept = match poll(&mut fds, limit.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(Errno::NOSYS | Errno::PERM) => self.wait_in_milliseconds(span),
            Err(errno) => Err(errno.into()),
        };
        // A deadline that has passed is cleared.
        let _programming = self.programming.lock();
        if self.armed() <= self.clock.now() {
            self.set_armed(Deadline::NEVER);
        }
        slept
    }

    /// Sleeps in `epoll_wait`, on a system without `ppoll`.
    ///
    /// An outer epoll instance watches the descriptor of the inner one. It is level-triggered, so
    /// nothing is taken from the inner instance that the caller could not fetch.
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

    /// Removes the events of the poller's own descriptors from the list.
    #[inline]
    fn note_own_events(&self, events: &mut Events) {
        events.notified = false;
        events.is_full = events.fetched.len() >= BATCH;
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
            let _programming = self.programming.lock();
            // A timerfd that is no longer used may fire for an earlier deadline.
            if self.timer.get().is_some() || self.armed() <= self.clock.now() {
                self.set_armed(Deadline::NEVER);
            }
        }
        if let Some(reader) = self.bell_reader.get().filter(|_| events.notified) {
            while retry(|| rustix::io::read(reader, &mut [0u8; 64])).is_ok_and(|count| count > 0) {}
        }
    }

    /// Returns the epoll instance, or EBADF if its number may name another object by now.
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
        Err(fork::error())
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

/// The maximum number of threads inside a wait: a leader, and the fallback thread that it has
/// displaced.
const MOST_INSIDE: u32 = 2;

/// The longest time-out of `epoll_wait`. A thread that must sleep longer waits again.
const MAX_MILLIS: u64 = i32::MAX as u64;

/// The events that a wait has fetched. Belongs to one waiting thread, which reuses it.
pub(crate) struct Events {
    fetched: Vec<epoll::Event>,
    notified: bool,
    /// Whether the buffer was too small for more events.
    is_full: bool,
    /// The value of `Poller::opened` when the wait began.
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
            is_full: false,
            opened: 0,
        }
    }

    fn was_notified(&self) -> bool {
        self.notified
    }

    #[inline]
    fn len(&self) -> usize {
        self.fetched.len()
    }

    #[inline]
    fn is_full(&self) -> bool {
        self.is_full
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
        self.is_full = false;
    }
}

/// Converts the flags of epoll. Their lowest five bits are those of [`Event`], and RDHUP is moved
/// next to them.
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
        // Hang-ups and errors are reported without being requested. Once is enough for a source
        // that no task waits for.
        flags |= EventFlags::ONESHOT;
    }
    if interest.read {
        flags |= EventFlags::IN | EventFlags::RDHUP | EventFlags::PRI;
    }
    if interest.write {
        flags |= EventFlags::OUT;
    }
    if interest.exceptions {
        // Errors are reported without being requested.
        flags |= EventFlags::PRI;
    }
    flags
}

fn borrow<'a>(raw: RawSource) -> BorrowedFd<'a> {
    // SAFETY: the contract of `poller::Poller` requires an open object. If it is not open, epoll
    // refuses the call or changes the entry of another object of this program, and the calls for
    // that object report errors. Memory is not at risk.
    unsafe { BorrowedFd::borrow_raw(raw) }
}

/// Adds one to the eventfd. If it is full, which takes 2^64 notifications, it is emptied first.
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
        // A timerfd accepts seconds up to `i64::MAX`, and a deadline is at most 584 years away.
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

    #[test]
    fn expiry_of_an_unused_timerfd_leaves_a_later_alarm_pending() {
        let poller = Poller::new(Clock::new()).unwrap();
        let soon = poller.clock.now().plus(Duration::from_millis(1));
        poller.program_alarm(soon);
        // As after the system has refused to program it.
        poller.timer.put(None);
        let late = soon.plus(Duration::from_secs(3600));
        poller.program_alarm(late);
        std::thread::sleep(Duration::from_millis(5));
        poller.wait(&mut Events::new(), Until::Now).unwrap();
        assert_eq!(poller.armed(), late);
    }
}
