//! The protocol of roles put to work: leading, standing by, and passing on.
//!
//! # Idea
//!
//! A thread with nothing to do offers to lead. As the leader it does turns of the reactor; while
//! another thread leads it stands by. `core::roles` decides; this file sleeps, wakes and turns.
//!
//! # Rules
//!
//! * Wakers are called after the role is given up, so that they may block, or call `block_on`.
//! * A turn gives up the role, makes its wakers callable by others, and calls them, also if foreign
//!   code in it panics (a subscriber of `tracing`). That panic is caught, and continues when the
//!   wakers were called.
//! * The wakers of a turn are shared before the role is given up, and a thread that takes the role
//!   from another one takes over what is left of them, and does a turn without waiting. So a waker
//!   that blocks delays the others only until a thread takes over.
//! * Two threads have wakers to call if one of them was displaced inside its wait. Each ends the
//!   other one's wait, and a thread whose wait was ended takes over what the other one has left.
//!   Only one list is shared: a thread that shares its own takes over the former one.
//! * A leader that was displaced inside its wait passes on what was meant for the new one: a
//!   notification, and the alarm for the next deadline.
//!
//! # Orderings
//!
//! `uncalled` is written before `Roles::leave`. It is read after `Roles::try_lead` has taken the
//! role from another thread (both exchange the word of the leader, SeqCst), or after a notification
//! that was sent later.

use super::policy::Policy;
use super::thread::{Interrupt, Thread};
use super::watch::{AlarmClock, WITHOUT_ALARM, Watch};
use crate::core::clock::{Clock, Deadline};
use crate::core::park::Sleep;
use crate::core::roles::{Claim, Lead, Roles, Standby, ThreadId};
use crate::core::sync::Mutex;
use crate::core::wake::{self, UncalledWakers, WakeBatch};
use crate::trace;
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What the protocol needs of a reactor.
pub(crate) trait Turning: Debug + Send + Sync {
    /// What a thread brings along for its turns, and reuses.
    type Buffer;

    /// Whether several threads may be inside a wait at once.
    const CONCURRENT_WAITS: bool;

    fn buffer() -> Self::Buffer;

    /// Does one pass: fetches events, waiting for the first one if `wait`, and adds the wakers of
    /// those tasks to the batch that have something to do. Returns whether a notification may have
    /// been used up.
    fn turn(&self, wait: bool, buffer: &mut Self::Buffer, batch: &mut WakeBatch) -> bool;

    /// Ends a wait in progress, or else the next one.
    fn notify(&self);

    /// Makes the waits in progress end by this deadline.
    fn expect_by(&self, deadline: Deadline);

    /// Returns the earliest deadline of the timers.
    fn next_deadline(&self) -> Deadline;
}

/// A reactor and the threads that drive it.
#[derive(Debug)]
pub(crate) struct Shell<R, A, P> {
    pub(crate) reactor: R,
    pub(super) roles: Roles<Arc<Thread>>,
    pub(super) watch: Watch<A, P>,
    /// The wakers that the thread which led last may have left uncalled.
    uncalled: Mutex<Option<Arc<UncalledWakers>>>,
    threads: AtomicUsize,
}

/// What a thread needs for its turns. Reused for all of them.
#[derive(Debug)]
pub(crate) struct Workspace<B> {
    buffer: B,
    batch: WakeBatch,
    /// Shared by all calls of `block_on` that are nested on one thread.
    uncalled: Arc<UncalledWakers>,
    /// When the thread left its latest wait, if others rely on it to come back.
    pub(super) left_at: Option<Deadline>,
}

impl<B> Workspace<B> {
    pub(crate) fn new(buffer: B, uncalled: Arc<UncalledWakers>) -> Self {
        Workspace {
            buffer,
            batch: WakeBatch::default(),
            uncalled,
            left_at: None,
        }
    }

    pub(super) fn buffer_mut(&mut self) -> &mut B {
        &mut self.buffer
    }
}

impl<R, A, P> Shell<R, A, P>
where
    R: Turning,
    A: AlarmClock<Buffer = R::Buffer>,
    P: Policy,
{
    pub(crate) fn new(reactor: R, clock: Clock) -> Self {
        Shell {
            reactor,
            roles: Roles::new(),
            watch: Watch::new(clock),
            uncalled: Mutex::new(None),
            threads: AtomicUsize::new(0),
        }
    }

    pub(crate) fn next_thread_id(&self) -> ThreadId {
        // Relaxed: the number only has to be different.
        ThreadId::numbered(self.threads.fetch_add(1, Ordering::Relaxed))
    }

    /// A deadline has become the earliest one: a wait in progress may have to end earlier.
    ///
    /// A thread that is not inside a wait reads the timers before it waits. It announces its wait
    /// first and reads then; here the timer is in the queue first. (Both are sequentially
    /// consistent.)
    #[inline]
    pub(crate) fn earliest_moved(&self, deadline: Deadline) {
        if !deadline.is_never() && self.roles.any_thread_waits() {
            self.reactor.expect_by(deadline);
        }
    }

    /// Waits until the thread is notified: as the leader, or standing by while another one leads.
    pub(crate) fn wait_as(&self, thread: &Arc<Thread>, workspace: &mut Workspace<R::Buffer>) {
        // Inside a waker: what this call waits for may depend on a later waker of the same batch.
        if !mutation!("nested_call_leaves_the_batch") {
            workspace.uncalled.run();
        }
        while !thread.parker.state.is_notified() {
            match self.roles.try_lead(thread.id(), Claim::Away) {
                Lead::Occupied => {
                    trace::sleeping();
                    let alarmed = self.stand_by(thread, &mut workspace.buffer);
                    if alarmed && self.roles.leader_waits() {
                        self.watch.false_alarm();
                    }
                }
                granted => self.lead(thread, granted, true, workspace),
            }
        }
    }

    /// Lets I/O and timers make progress although the thread has something to do. Not needed if
    /// another thread leads. But from the fallback thread the role is taken back: otherwise that
    /// thread would fetch events one by one for as long as this one is busy.
    pub(crate) fn turn_without_waiting(
        &self,
        thread: &Arc<Thread>,
        workspace: &mut Workspace<R::Buffer>,
    ) {
        match self.roles.try_lead(thread.id(), Claim::Away) {
            Lead::Occupied => workspace.left_at = None,
            granted => self.lead(thread, granted, false, workspace),
        }
    }

    /// Does one turn of the reactor, on a thread that was just granted the lead.
    pub(super) fn lead(
        &self,
        thread: &Thread,
        granted: Lead,
        wait: bool,
        workspace: &mut Workspace<R::Buffer>,
    ) {
        let mut turn = Turn {
            shell: self,
            thread,
            workspace,
            sleeps: false,
            notified: true,
        };
        let result = catch_unwind(AssertUnwindSafe(|| turn.run(granted, wait)));
        if let Err(payload) = result {
            if !mutation!("panicking_turn_keeps_the_role") {
                turn.finish();
            }
            resume_unwind(payload);
        }
        turn.finish();
    }

    /// Makes sure that a thread which stays inside its wait comes back for the next deadline.
    fn arm_next(&self) {
        let next = self.reactor.next_deadline();
        if !next.is_never() {
            self.reactor.expect_by(next);
        }
    }

    /// Sleeps while another thread leads. Returns whether the watch's alarm has ended the sleep.
    pub(super) fn stand_by(&self, thread: &Arc<Thread>, buffer: &mut R::Buffer) -> bool {
        // Made before the thread is counted: a leader that leaves its wait and sees the count finds
        // the alarm clock.
        let alarm = self.watch.alarm().ok();
        thread.parker.state.forget_nudges();
        let Some(standby) = self.roles.stand_by(thread.id(), Arc::clone(thread)) else {
            return false;
        };
        let _leaves = LeavesStandby {
            roles: &self.roles,
            id: thread.id(),
        };
        self.sleep_until_needed(thread, standby, alarm, buffer)
    }

    /// Sleeps until the thread is notified, or has to look at the roles. Returns whether that is
    /// because of the alarm.
    fn sleep_until_needed(
        &self,
        thread: &Thread,
        mut standby: Standby,
        alarm: Option<&A>,
        buffer: &mut R::Buffer,
    ) -> bool {
        let (id, state) = (thread.id(), &thread.parker.state);
        loop {
            let watches_alone = id == ThreadId::FALLBACK && !self.roles.leader_waits();
            if watches_alone && !mutation!("fallback_stands_by_without_an_alarm") {
                self.watch.leader_left();
            }
            let alarmed = self.sleep(thread, standby, alarm, buffer);
            if alarmed || state.is_notified() {
                return alarmed && !state.is_notified();
            }
            if standby == Standby::Watcher || !self.roles.is_watcher(id) {
                return false;
            }
            // The watcher has left and named this thread. The nudge is cleared before the leader is
            // looked at: it came from a leader that had left before.
            state.forget_nudges();
            if id != ThreadId::FALLBACK && !self.roles.leader_waits() {
                return false;
            }
            standby = Standby::Watcher;
        }
    }

    /// Sleeps once. Returns whether the watch's alarm has gone off.
    fn sleep(
        &self,
        thread: &Thread,
        standby: Standby,
        alarm: Option<&A>,
        buffer: &mut R::Buffer,
    ) -> bool {
        let state = &thread.parker.state;
        let alarm = match (standby, alarm) {
            (Standby::Parked, _) => {
                thread.parker.park(None);
                return false;
            }
            (Standby::Watcher, None) => {
                thread.parker.park(Some(WITHOUT_ALARM));
                return true;
            }
            (Standby::Watcher, Some(alarm)) => alarm,
        };
        while state.begin(Sleep::Watching) {
            let mut interrupted = false;
            let alarmed = self.watch.sleep(alarm, buffer, || {
                interrupted = !state.is_asleep();
                state.end();
            });
            if alarmed || interrupted {
                return alarmed;
            }
        }
        false
    }

    /// The thread ends a call of `block_on` and will not come back by itself.
    pub(crate) fn retire(&self, thread: &Thread) {
        if self.roles.abandon(thread.id()) {
            if let Some(candidate) = self.roles.candidate() {
                candidate.nudge();
            }
            if self.roles.any_stands_by() {
                self.watch.leader_left();
            }
        }
    }
}

impl<R, A, P> Interrupt for Shell<R, A, P>
where
    R: Turning,
    A: AlarmClock<Buffer = R::Buffer>,
    P: Policy,
{
    fn end_wait(&self) {
        self.reactor.notify();
    }

    fn end_watch(&self) {
        self.watch.ring();
    }
}

/// A standby thread. When dropped, it stands by no longer, and its successor is nudged.
struct LeavesStandby<'a> {
    roles: &'a Roles<Arc<Thread>>,
    id: ThreadId,
}

impl Drop for LeavesStandby<'_> {
    fn drop(&mut self) {
        if let Some(successor) = self.roles.leave_standby(self.id) {
            successor.nudge();
        }
    }
}

/// A turn in progress.
struct Turn<'a, R, A, P>
where
    R: Turning,
    A: AlarmClock<Buffer = R::Buffer>,
    P: Policy,
{
    shell: &'a Shell<R, A, P>,
    thread: &'a Thread,
    workspace: &'a mut Workspace<R::Buffer>,
    sleeps: bool,
    /// A notification may have been used up.
    notified: bool,
}

impl<R, A, P> Turn<'_, R, A, P>
where
    R: Turning,
    A: AlarmClock<Buffer = R::Buffer>,
    P: Policy,
{
    /// Fetches events, on a thread that was just granted the lead.
    fn run(&mut self, granted: Lead, mut wait: bool) {
        let (shell, thread) = (self.shell, self.thread);
        if let Lead::Granted {
            from_other,
            fallback_inside,
        } = granted
        {
            if from_other {
                self.take_abandoned_wakers();
                wait &= self.workspace.batch.len() == 0;
            }
            // The fallback thread has to leave a wait that only one thread can be inside of.
            let blocks_the_wait = fallback_inside && !R::CONCURRENT_WAITS;
            if blocks_the_wait
                && thread.id() != ThreadId::FALLBACK
                && !mutation!("fallback_thread_is_not_called_out")
            {
                shell.reactor.notify();
            }
        }
        if wait {
            trace::waiting_on_io();
            if shell.roles.any_stands_by() {
                shell.watch.leader_waits();
            }
            self.sleeps = thread.parker.state.begin(Sleep::Polling);
        }
        let Workspace { buffer, batch, .. } = &mut *self.workspace;
        self.notified = shell.reactor.turn(self.sleeps, buffer, batch);
    }

    /// Gives up the role and calls the wakers of the turn.
    fn finish(&mut self) {
        self.leave();
        self.workspace.batch.run();
        self.workspace.uncalled.run();
    }

    /// Takes over the wakers that another thread has not called yet, perhaps because one of them
    /// blocks it.
    fn take_abandoned_wakers(&mut self) {
        if mutation!("uncalled_wakers_are_ignored") {
            return;
        }
        let Workspace {
            batch, uncalled, ..
        } = &mut *self.workspace;
        take_over(&self.shell.uncalled.lock(), uncalled, batch);
    }

    /// Makes the wakers of the turn available to other threads, and returns whether there are any.
    /// A single one is not shared: while it is called, none is left.
    fn share_wakers(&mut self) -> bool {
        let Workspace {
            batch, uncalled, ..
        } = &mut *self.workspace;
        if batch.len() < 2 {
            return false;
        }
        let mut shared = self.shell.uncalled.lock();
        if !mutation!("shared_wakers_are_replaced") {
            take_over(&shared, uncalled, batch);
        }
        uncalled.append(batch);
        let known = shared.as_ref();
        if !known.is_some_and(|known| Arc::ptr_eq(known, uncalled)) {
            *shared = Some(Arc::clone(uncalled));
        }
        true
    }

    /// Another thread took the role while this one was inside its wait, and may be inside one now.
    /// What was used up here may have been meant for it.
    fn pass_on(&mut self, shares_wakers: bool) {
        // A panic of the subscriber must not get out: the wakers are yet to be called.
        wake::guarded(trace::stops_hogging);
        let shell = self.shell;
        let waits = shell.roles.leader_waits();
        let used_up = waits && self.notified && !mutation!("notification_is_not_passed_on");
        // The leader may be away and come back: its next wait ends then.
        let shares_wakers = shares_wakers && !mutation!("displaced_thread_keeps_its_wakers");
        if used_up || shares_wakers {
            shell.reactor.notify();
        }
        if waits && !mutation!("displaced_thread_passes_no_deadline_on") {
            shell.arm_next();
        }
    }

    /// Gives up the role.
    fn leave(&mut self) {
        let (shell, thread) = (self.shell, self.thread);
        if self.sleeps {
            thread.parker.state.end();
        }
        if self.notified && !mutation!("notified_thread_ignores_wakers") {
            self.take_abandoned_wakers();
        }
        let shares_wakers = self.share_wakers();
        self.workspace.left_at = None;
        if !shell.roles.leave(thread.id()) {
            self.pass_on(shares_wakers);
            return;
        }
        // The fallback thread was displaced (or has taken the role in this moment). Inside its wait
        // it does not notice that this thread stays away.
        if shell.roles.fallback_is_inside() {
            if shares_wakers && !mutation!("displaced_thread_is_not_called_back") {
                shell.reactor.notify();
            }
            if !mutation!("deadline_of_a_displaced_thread_is_not_armed") {
                shell.arm_next();
            }
        }
        if shell.roles.any_stands_by() {
            self.workspace.left_at = Some(shell.watch.leader_left());
        }
    }
}

/// Moves the wakers that another thread has shared to the batch.
fn take_over(
    shared: &Option<Arc<UncalledWakers>>,
    own: &Arc<UncalledWakers>,
    batch: &mut WakeBatch,
) {
    if let Some(shared) = shared {
        if !Arc::ptr_eq(shared, own) {
            shared.drain_into(batch);
        }
    }
}
