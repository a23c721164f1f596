//! Who drives: the protocol of roles put to work.
//!
//! * [`crate::core::roles`]: who leads and who sits, pure.
//! * [`crate::core::parker`], [`waker`]: how a thread sleeps, and what ends that.
//! * [`watch`]: how somebody notices that a leader stays away.
//! * [`block_on`], [`fallback`]: the two kinds of thread that take part.
//!
//! The invariant: whenever somebody waits (a waker is registered with a source, or a polled `Timer` is pending), a thread
//! is inside the reactor's wait, or is certain to be within about a millisecond. What makes it certain:
//!
//! * A wait whose waker belongs to a `block_on` that is running on the same thread is *local*: that thread will either poll
//!   its future again or wait itself, as leader or sitting. Any other wait starts the fallback thread
//!   ([`Driver::promise`]), which from then on leads, sits, or is inside a wait.
//! * A leader that leaves its wait sets the watch's alarm if somebody sits. Who sits has made sure that a leader waits, or
//!   that the alarm is set.

pub(crate) mod block_on;
mod fallback;
pub(crate) mod waker;
mod watch;

use crate::core::clock::Deadline;
use crate::core::parker::Sleep;
use crate::core::roles::{Lead, Roles, Seat, Sitting};
use crate::core::timers::TimerKey;
use crate::reactor::{Outcome, Reactor, Scratch};
use crate::sys::{CONCURRENT_WAITS, Events, Poller};
use crate::trace;
use fallback::Fallback;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::Waker;
use waker::Thread;
use watch::{WITHOUT_ALARM, Watch};

/// A reactor and those who drive it.
#[derive(Debug)]
pub(crate) struct Driver {
    pub(crate) reactor: Reactor,
    roles: Roles<Arc<Thread>>,
    pub(crate) watch: Watch,
    fallback: Fallback,
    seats: AtomicUsize,
}

impl Driver {
    fn new() -> Self {
        let reactor = Reactor::new();
        let watch = Watch::new(reactor.clock());
        Driver {
            reactor,
            roles: Roles::new(),
            watch,
            fallback: Fallback::new(),
            seats: AtomicUsize::new(0),
        }
    }

    /// The one of this process.
    pub(crate) fn global() -> &'static Driver {
        static GLOBAL: LazyLock<Driver> = LazyLock::new(Driver::new);
        &GLOBAL
    }

    fn next_seat(&self) -> Seat {
        Seat::numbered(self.seats.fetch_add(1, Ordering::Relaxed))
    }

    /// Makes certain that somebody will drive a wait with this waker.
    ///
    /// # Errors
    ///
    /// The fallback thread is needed and cannot be made. Inside `block_on` that is no error, because this thread drives
    /// whenever it is idle; the next call tries again.
    pub(crate) fn promise(&'static self, waker: &Waker) -> io::Result<()> {
        if self.fallback.is_running() || block_on::is_own(waker) {
            return Ok(());
        }
        match self.start_fallback() {
            Err(_) if block_on::is_running() => Ok(()),
            result => result,
        }
    }

    /// Adds a timer.
    pub(crate) fn insert_timer(&self, deadline: Deadline, waker: Waker) -> TimerKey {
        let (key, earliest) = self.reactor.timers.insert(deadline, waker);
        self.earliest_moved(earliest, deadline);
        key
    }

    /// Gives a timer another deadline. False if it has fired.
    pub(crate) fn reset_timer(&self, key: TimerKey, deadline: Deadline) -> bool {
        let reset = self.reactor.timers.reset(key, deadline);
        self.earliest_moved(reset == Some(true), deadline);
        reset.is_some()
    }

    /// A wait in progress may have to end earlier. Who is not inside one will look at the timers before it waits: it says
    /// "waiting" first and looks then, and here the timer is in the queue first. (Both are sequentially consistent.)
    fn earliest_moved(&self, is_earliest: bool, deadline: Deadline) {
        if is_earliest && !deadline.is_never() && self.roles.somebody_waits() {
            self.reactor.expect_by(deadline);
        }
    }

    /// Waits until this thread is notified: as leader, or sitting while another thread leads.
    fn wait_as(&self, thread: &Arc<Thread>, scratch: &mut Scratch) {
        while !thread.parker.state.is_notified() {
            match self.roles.try_lead(thread.parker.seat) {
                Lead::Occupied => {
                    trace::sleeping();
                    let alarmed = self.sit(thread, &mut scratch.events);
                    if alarmed && self.roles.leader_waits() {
                        self.watch.false_alarm();
                    }
                }
                lead => {
                    trace::waiting_on_io();
                    self.make_room(lead);
                    self.lead(thread, true, scratch);
                }
            }
        }
    }

    /// Lets I/O and timers proceed although this thread has something to do. Not needed if another thread leads; but from
    /// the fallback thread the role is taken back, or it would fetch events one by one for as long as this thread is busy.
    fn turn_without_waiting(&self, thread: &Arc<Thread>, scratch: &mut Scratch) {
        match self.roles.try_lead(thread.parker.seat) {
            Lead::Occupied => scratch.left_at = None,
            lead => {
                self.make_room(lead);
                self.lead(thread, false, scratch);
            }
        }
    }

    /// Where only one thread can be inside the poller's wait, the fallback thread has to come out.
    fn make_room(&self, lead: Lead) {
        if lead == Lead::GrantedOver && !CONCURRENT_WAITS {
            self.reactor.notify();
        }
    }

    /// Whether a thread that goes on without waiting should have a turn, because others rely on it.
    fn is_overdue(&self, scratch: &Scratch) -> bool {
        scratch
            .left_at
            .is_some_and(|left_at| self.watch.is_overdue(left_at))
    }

    /// One turn of the reactor, by a thread that has just been granted the lead. Wakers run after the role is given up, so
    /// that they may block, or call `block_on` themselves.
    fn lead(&self, thread: &Thread, wait: bool, scratch: &mut Scratch) {
        if wait && self.roles.somebody_sits() {
            self.watch.leader_waits();
        }
        let sleeps = wait && thread.parker.state.begin(Sleep::Polling);
        let outcome = self.reactor.turn(sleeps, scratch);
        if sleeps {
            thread.parker.state.end();
        }
        if thread.parker.seat == Seat::FALLBACK {
            self.roles.fallback_is_out();
        }
        scratch.left_at = self.after_turn(thread.parker.seat, outcome);
        scratch.batch.run();
    }

    /// Gives the role up. Returns the time if others rely on this thread to come back.
    fn after_turn(&self, seat: Seat, outcome: Outcome) -> Option<Deadline> {
        if !self.roles.leave(seat) {
            self.pass_on(outcome);
            return None;
        }
        if self.roles.fallback_is_inside() {
            self.arm_next();
        }
        let others_rely = self.roles.somebody_sits();
        others_rely.then(|| self.watch.leader_left())
    }

    /// Somebody took the role while this thread was inside its wait, and may be inside one now. What was used up here may
    /// have been meant for there: a notification, and the alarm for the next deadline.
    fn pass_on(&self, outcome: Outcome) {
        trace::stops_hogging();
        if self.roles.leader_waits() {
            if outcome.notified {
                self.reactor.notify();
            }
            self.arm_next();
        }
    }

    /// Makes sure that a thread which stays inside its wait comes back for the next deadline.
    fn arm_next(&self) {
        let next = self.reactor.timers.next();
        if !next.is_never() {
            self.reactor.expect_by(next);
        }
    }

    /// Sleeps while another thread leads. True if the watch's alarm has ended it.
    fn sit(&self, thread: &Arc<Thread>, events: &mut Events) -> bool {
        // Made before sitting down: who leaves its wait and sees a sitter finds the alarm.
        let watch = self.watch.poller();
        let seat = thread.parker.seat;
        let state = &thread.parker.state;
        state.forget_nudges();
        let Some(mut sitting) = self.roles.sit(seat, Arc::clone(thread)) else {
            return false;
        };
        let alarmed = loop {
            if seat == Seat::FALLBACK && !self.roles.leader_waits() {
                self.watch.leader_left();
            }
            let alarmed = self.sleep(thread, sitting, watch.as_ref().ok().copied(), events);
            if alarmed || state.is_notified() {
                break alarmed && !state.is_notified();
            }
            if sitting == Sitting::Watching || !self.roles.is_watcher(seat) {
                break false;
            }
            // The watcher has risen and named this thread. First forget, then look: a nudge that is forgotten here came
            // from a leader that has gone before.
            state.forget_nudges();
            if seat != Seat::FALLBACK && !self.roles.leader_waits() {
                break false;
            }
            sitting = Sitting::Watching;
        };
        if let Some(successor) = self.roles.rise(seat) {
            successor.nudge();
        }
        alarmed
    }

    /// Sleeps as the thread sits. True if the watch's alarm has gone off.
    fn sleep(
        &self,
        thread: &Thread,
        sitting: Sitting,
        watch: Option<&Poller>,
        events: &mut Events,
    ) -> bool {
        let state = &thread.parker.state;
        match (sitting, watch) {
            (Sitting::Parked, _) => {
                thread.parker.park(None);
                false
            }
            (Sitting::Watching, None) => {
                thread.parker.park(Some(WITHOUT_ALARM));
                true
            }
            (Sitting::Watching, Some(poller)) => {
                let mut alarmed = false;
                while !alarmed && state.begin(Sleep::Watching) {
                    // If even this wait fails, the pause keeps the thread from spinning.
                    if self.watch.sleep(poller, events).is_err() {
                        std::thread::sleep(WITHOUT_ALARM);
                    }
                    let interrupted = !state.is_asleep();
                    state.end();
                    alarmed = self.watch.take_alarm();
                    if interrupted {
                        break;
                    }
                }
                alarmed
            }
        }
    }

    /// A call of `block_on` has ended on this thread.
    fn retire(&'static self, thread: &Arc<Thread>, waker_is_held: bool) {
        if self.roles.abandon(thread.parker.seat) {
            if let Some(candidate) = self.roles.candidate() {
                candidate.nudge();
            }
            if self.roles.somebody_sits() {
                self.watch.leader_left();
            }
        }
        // A wait that this call leaves behind is nobody's own any more.
        if waker_is_held && !self.fallback.is_running() {
            let is_ours = |waker: &Waker| {
                waker::thread_of(waker).is_some_and(|other| std::ptr::eq(other, &**thread))
            };
            if self.reactor.anybody_waits(is_ours) {
                // Nobody to tell; the next wait tries again.
                let _ = self.start_fallback();
            }
        }
    }

    /// Has somebody look at the reactor who is not inside `block_on`.
    pub(crate) fn start_fallback(&'static self) -> io::Result<()> {
        self.fallback.start(self)
    }
}
