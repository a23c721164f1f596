//! Carries out the protocol of `core::roles`: leading, standing by, and handing over.
//!
//! # Idea
//!
//! A thread with nothing to do offers to lead. As the leader it runs turns of the reactor. While
//! another thread leads, it stands by. `core::roles` makes the decisions; this module sleeps, ends
//! sleeps, and runs turns.
//!
//! # Rules
//!
//! * A thread calls wakers only after it has left its wait, when another thread can take the role, so
//!   a waker may block or call `block_on`. If the leader has announced the calls, another thread takes
//!   the role once the announcement has ended.
//! * At the end of a turn, the thread shares its wakers with other threads, gives up the role, and
//!   calls the wakers. These steps are also taken if user code inside the turn (a `tracing`
//!   subscriber) panics. The panic is caught, and resumed after the wakers have been called.
//! * The wakers of a turn are shared before the role is given up. A thread that takes the role from
//!   another thread takes over the shared wakers that are left. If there are any, its turn does not
//!   wait. So a waker that blocks delays the others only until another thread takes over.
//! * If a thread was displaced inside its wait, both that thread and the new leader may have wakers
//!   to call. Each of them that shares wakers ends the wait of the other. A thread whose wait was
//!   ended by a notification takes over the wakers that the other thread has left. Only one list is
//!   shared at a time: a thread that shares its own list first takes over the wakers of the
//!   previous one.
//! * A thread that was displaced inside its wait passes on what may have been meant for the new
//!   leader: the notification that it used up, and the next deadline.
//!
//! # Orderings
//!
//! `uncalled` is written before `Roles::leave`. A thread that must see the list reads it after one
//! of two events. Either its `Roles::try_lead` has taken the role from another thread: both
//! functions exchange the word of the leader (SeqCst). Or its wait was ended by a notification,
//! which was sent after the write.

use super::policy::Policy;
use super::thread::{Interrupt, Thread, thread_of};
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
use std::task::Waker;

/// The operations that the protocol needs from an engine.
pub(crate) trait Turning: Debug + Send + Sync {
    /// The buffer that a thread provides for its turns and reuses.
    type Buffer;

    /// Whether several threads may be inside a wait at once.
    const CONCURRENT_WAITS: bool;

    fn buffer() -> Self::Buffer;

    /// Runs one pass: fetches events, and adds the wakers of the tasks that can proceed to the
    /// batch. Waits for the first event or timer, but not beyond the limit. Without a limit, does
    /// not wait.
    fn turn(
        &self,
        limit: Option<Deadline>,
        buffer: &mut Self::Buffer,
        batch: &mut WakeBatch,
    ) -> Pass;

    /// Ends one wait in progress. If there is none, the next wait ends at once.
    fn notify(&self);

    /// Makes the waits in progress end by this deadline.
    fn expect_by(&self, deadline: Deadline);

    /// Returns the earliest deadline of the timers.
    fn next_deadline(&self) -> Deadline;

    /// Returns false in a forked child of the process that created the engine. No lock may be taken there.
    fn is_here(&self) -> bool;
}

/// What a pass has found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pass {
    /// Whether a notification may have been used up.
    pub(crate) notified: bool,
    /// The number of events.
    pub(crate) events: usize,
}

/// An engine and the threads that drive it.
#[derive(Debug)]
pub(crate) struct Shell<R, A, P> {
    pub(crate) engine: R,
    pub(super) roles: Roles<Arc<Thread>>,
    pub(super) watch: Watch<A, P>,
    /// The list that was shared most recently. Some of its wakers may not have been called yet.
    uncalled: Mutex<Option<Arc<UncalledWakers>>>,
    threads: AtomicUsize,
    /// The number of turns with a limit of their own, which the timers do not know.
    ///
    /// SeqCst, as `Roles::leader_waits`: see `pass_on` and `call_back_limited_turns`.
    limited: AtomicUsize,
    /// How many sleeps of threads were ended.
    ///
    /// Relaxed: the count decides only whether a future is polled once more.
    ended_sleeps: AtomicUsize,
}

/// The buffers that a thread needs for its turns. They are reused for all turns.
#[derive(Debug)]
pub(crate) struct Workspace<B> {
    buffer: B,
    batch: WakeBatch,
    /// The wakers that this thread has shared. All nested calls of `block_on` on one thread use the
    /// same list.
    uncalled: Arc<UncalledWakers>,
    /// When the thread left its latest wait, if standby threads rely on it to come back.
    pub(super) left_at: Option<Deadline>,
    /// Whether the latest turn has woken tasks of an executor, which has woken another thread.
    may_share_executor: bool,
    /// The number of events of the latest turn, and of tasks that it has woken.
    pub(super) latest: Outcome,
}

/// What a turn has done.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) events: usize,
    pub(crate) woken: usize,
}

impl<B> Workspace<B> {
    pub(crate) fn new(buffer: B, uncalled: Arc<UncalledWakers>) -> Self {
        Workspace {
            buffer,
            batch: WakeBatch::default(),
            uncalled,
            left_at: None,
            may_share_executor: false,
            latest: Outcome::default(),
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
    pub(crate) fn new(engine: R, clock: Clock) -> Self {
        Shell {
            engine,
            roles: Roles::new(),
            watch: Watch::new(clock),
            uncalled: Mutex::new(None),
            threads: AtomicUsize::new(0),
            limited: AtomicUsize::new(0),
            ended_sleeps: AtomicUsize::new(0),
        }
    }

    pub(crate) fn next_thread_id(&self) -> ThreadId {
        // Relaxed: the numbers only have to be different.
        ThreadId::numbered(self.threads.fetch_add(1, Ordering::Relaxed))
    }

    /// Shortens the waits in progress after `deadline` has become the earliest one.
    ///
    /// A thread that is about to wait announces the wait first, and then reads the timers. Here,
    /// the timer was inserted first, and then the announcement is read. Both sides are sequentially
    /// consistent. So either that thread sees the timer, or this one sees the announcement.
    #[inline]
    pub(crate) fn earliest_moved(&self, deadline: Deadline) {
        if !deadline.is_never() && self.roles.any_thread_waits() {
            self.engine.expect_by(deadline);
        }
    }

    /// Waits until the thread is notified, as the leader or standing by while another thread leads.
    ///
    /// Returns early after a turn that has woken tasks of an executor, if the executor has woken
    /// another thread. If this thread runs the same executor, it can run the tasks without a context
    /// switch. To find out, the caller polls its future.
    pub(crate) fn wait_as(&self, thread: &Arc<Thread>, workspace: &mut Workspace<R::Buffer>) {
        // If this call runs inside a waker, what it waits for may depend on a later waker of the
        // batch.
        if !mutation!("nested_call_leaves_the_batch") {
            self.run_uncalled(workspace);
        }
        // A waker may have called `fork`. The child returns to its caller.
        while !thread.parker.state.is_notified() && self.engine.is_here() {
            match self.roles.try_lead(thread.id(), Claim::Away) {
                Lead::Occupied => self.stand_by_once(thread, workspace),
                granted => {
                    self.lead(thread, granted, Some(Deadline::NEVER), workspace);
                    if workspace.may_share_executor {
                        return;
                    }
                }
            }
        }
    }

    /// Calls the wakers that this thread has shared.
    #[inline]
    fn run_uncalled(&self, workspace: &Workspace<R::Buffer>) {
        workspace.uncalled.run(|| self.engine.is_here());
    }

    /// Runs a turn that does not wait, so that I/O and timers make progress while the thread is
    /// busy.
    ///
    /// Not needed while another `block_on` thread waits as the leader. From the fallback thread,
    /// however, the role is taken back even inside its wait. Otherwise the fallback thread would
    /// fetch events one by one for as long as this thread is busy.
    pub(crate) fn turn_without_waiting(
        &self,
        thread: &Arc<Thread>,
        workspace: &mut Workspace<R::Buffer>,
    ) {
        // What this thread is busy with may depend on a waker of the leader, and no watcher may notice
        // that the leader is late.
        self.roles.end_calls();
        match self.roles.try_lead(thread.id(), Claim::Away) {
            Lead::Occupied => workspace.left_at = None,
            granted => self.lead(thread, granted, None, workspace),
        }
    }

    /// Runs one turn, which waits at most until the limit, or does not wait without a limit. Returns
    /// `None` if another thread leads, and in a forked child.
    pub(crate) fn lead_once(
        &self,
        thread: &Arc<Thread>,
        limit: Option<Deadline>,
        workspace: &mut Workspace<R::Buffer>,
    ) -> Option<Outcome> {
        // As in `wait_as`, and as in `turn_without_waiting`.
        self.run_uncalled(workspace);
        if !self.engine.is_here() {
            return None;
        }
        self.roles.end_calls();
        let _limited = limit.is_some().then(|| Limited::new(&self.limited));
        match self.roles.try_lead(thread.id(), Claim::Away) {
            Lead::Occupied => None,
            granted => {
                self.lead(thread, granted, limit, workspace);
                Some(workspace.latest)
            }
        }
    }

    /// Sleeps while another thread leads, until this thread is notified or has to offer to lead again.
    pub(crate) fn stand_by_once(&self, thread: &Arc<Thread>, workspace: &mut Workspace<R::Buffer>) {
        workspace.left_at = None;
        if thread.parker.state.is_notified() {
            return;
        }
        trace::sleeping();
        if self.stand_by(thread, &mut workspace.buffer) && self.roles.leader_waits() {
            self.watch.false_alarm();
        }
    }

    /// Announces that a foreign event loop waits on the descriptor of the poller from now on. Returns the
    /// deadline by which the descriptor must be readable. A thread that sets an earlier one sees the
    /// announcement.
    pub(crate) fn foreign_loop_waits(&self) -> Deadline {
        self.roles.add_foreign_loop();
        self.engine.next_deadline()
    }

    /// Ends the waits of turns with a limit of their own, which program the system's timer again. Returns
    /// whether there may be any.
    ///
    /// Called after a foreign event loop has programmed the timer later. A turn counts its limit before it
    /// looks at the timer. Both are sequentially consistent, so the turn sees the later deadline, or this
    /// thread sees the turn.
    pub(crate) fn call_back_limited_turns(&self) -> bool {
        let any = self.limited.load(Ordering::SeqCst) > 0;
        if any && !mutation!("prepared_loop_ignores_limits") {
            self.engine.notify();
        }
        any
    }

    /// Returns to the state without threads, alarm and shared wakers. No thread takes part.
    pub(crate) fn reset(&self) {
        self.roles.remove_foreign_loop();
        self.watch.reset();
        *self.uncalled.lock() = None;
    }

    /// Runs one turn of the reactor on a thread that was just granted the role.
    pub(super) fn lead(
        &self,
        thread: &Thread,
        granted: Lead,
        limit: Option<Deadline>,
        workspace: &mut Workspace<R::Buffer>,
    ) {
        let mut turn = Turn {
            shell: self,
            thread,
            workspace,
            sleeps: false,
            notified: true,
            announces_calls: false,
            counts: thread.is_in_turn(),
        };
        let result = catch_unwind(AssertUnwindSafe(|| turn.run(granted, limit)));
        if let Err(payload) = result {
            if !mutation!("panicking_turn_keeps_the_role") {
                turn.finish();
            }
            resume_unwind(payload);
        }
        turn.finish();
    }

    /// Makes a thread that is still inside its wait come back by the next deadline.
    fn arm_next(&self) {
        let next = self.engine.next_deadline();
        if !next.is_never() {
            self.engine.expect_by(next);
        }
    }

    /// Sleeps while another thread leads. Returns whether the watch's alarm ended the sleep.
    pub(super) fn stand_by(&self, thread: &Arc<Thread>, buffer: &mut R::Buffer) -> bool {
        // The alarm clock is created before the thread is counted. So a leader that leaves its wait
        // and sees the count also finds the alarm clock.
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

    /// Sleeps until the thread is notified or has to look at the roles again. Returns whether the
    /// alarm is the reason.
    fn sleep_until_needed(
        &self,
        thread: &Thread,
        mut standby: Standby,
        alarm: Option<&A>,
        buffer: &mut R::Buffer,
    ) -> bool {
        let (id, state) = (thread.id(), &thread.parker.state);
        loop {
            if !self.roles.leader_waits() {
                self.watch_absent_leader(id, standby);
            }
            let alarmed = self.sleep(thread, standby, alarm, buffer);
            if alarmed {
                // Before this thread names a successor, which looks at the leader.
                self.roles.end_calls();
            }
            if alarmed || state.is_notified() {
                return alarmed && !state.is_notified();
            }
            if standby == Standby::Watcher || !self.roles.is_watcher(id) {
                return false;
            }
            // The watcher has left and named this thread as its successor. The nudge is cleared
            // before the leader is read. So a nudge that is cleared here was sent after its sender
            // changed the roles, and the read below sees that change.
            state.forget_nudges();
            if id != ThreadId::FALLBACK && !self.roles.leader_is_in_turn() {
                return false;
            }
            standby = Standby::Watcher;
        }
    }

    /// Makes sure that an alarm is pending for a standby thread. No leader waits: the fallback thread
    /// stands by beside an absent leader, and a watcher beside one that calls wakers. Such a leader
    /// has set an alarm only if threads stood by before.
    fn watch_absent_leader(&self, id: ThreadId, standby: Standby) {
        if id == ThreadId::FALLBACK {
            if !mutation!("fallback_stands_by_without_an_alarm") {
                self.watch.leader_left();
            }
        } else if standby == Standby::Watcher && !mutation!("watcher_relies_on_a_calling_leader") {
            self.watch.ensure_alarm();
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

    /// Vacates the role at the end of a call of `block_on`, because the thread will not come back
    /// by itself. A standby thread is nudged to take over.
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
    fn count_ended_sleep(&self) {
        self.ended_sleeps.fetch_add(1, Ordering::Relaxed);
    }

    fn end_wait(&self) {
        self.engine.notify();
    }

    fn end_watch(&self) {
        self.watch.ring();
    }
}

/// A standby thread. Dropping this value removes the thread from the standby threads, and nudges
/// the successor if the thread was the watcher.
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

/// Counts a turn with a limit of its own, until it is dropped.
struct Limited<'a>(&'a AtomicUsize);

impl<'a> Limited<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Limited(count)
    }
}

impl Drop for Limited<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
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
    /// Whether the turn may have used up a notification.
    notified: bool,
    /// Whether the turn has announced that it calls wakers.
    announces_calls: bool,
    /// Whether the tasks that it wakes are counted.
    counts: bool,
}

impl<R, A, P> Turn<'_, R, A, P>
where
    R: Turning,
    A: AlarmClock<Buffer = R::Buffer>,
    P: Policy,
{
    /// Fetches events on a thread that was just granted the role.
    fn run(&mut self, granted: Lead, mut limit: Option<Deadline>) {
        let (shell, thread) = (self.shell, self.thread);
        if let Lead::Granted {
            from_other,
            fallback_inside,
        } = granted
        {
            if from_other {
                self.take_abandoned_wakers();
                limit = limit.filter(|_| self.workspace.batch.len() == 0);
            }
            // Only one thread can be inside the wait, so the fallback thread has to leave it.
            let blocks_the_wait = fallback_inside && !R::CONCURRENT_WAITS;
            if blocks_the_wait
                && thread.id() != ThreadId::FALLBACK
                && !mutation!("fallback_thread_is_not_called_out")
            {
                shell.engine.notify();
            }
        }
        if limit.is_some() {
            trace::waiting_on_io();
            if shell.roles.any_stands_by() {
                shell.watch.leader_waits();
            }
            self.sleeps = thread.parker.state.begin(Sleep::Polling);
        }
        let Workspace { buffer, batch, .. } = &mut *self.workspace;
        let limit = limit.filter(|_| self.sleeps);
        let pass = shell.engine.turn(limit, buffer, batch);
        self.notified = pass.notified;
        self.workspace.latest.events = pass.events;
    }

    /// Gives up the role and calls the wakers of the turn.
    fn finish(&mut self) {
        let ended_sleeps = || self.shell.ended_sleeps.load(Ordering::Relaxed);
        let before = ended_sleeps();
        if self.counts {
            // The end of the limit of another thread's turn wakes no task.
            let is_task = |waker: &Waker| thread_of(waker).is_none_or(|it| !it.is_in_turn());
            self.workspace.latest.woken = self.workspace.batch.count(is_task);
        }
        let has_tasks = self.workspace.batch.any(|waker| thread_of(waker).is_none());
        self.leave();
        self.workspace.batch.run();
        self.shell.run_uncalled(self.workspace);
        if self.announces_calls {
            self.shell.roles.end_calls();
        }
        self.workspace.may_share_executor = has_tasks && ended_sleeps() != before;
    }

    /// Takes over the wakers that another thread has shared but not called yet, perhaps because one
    /// of them blocks that thread.
    fn take_abandoned_wakers(&mut self) {
        if mutation!("uncalled_wakers_are_ignored") {
            return;
        }
        let Workspace {
            batch, uncalled, ..
        } = &mut *self.workspace;
        take_over(&self.shell.uncalled.lock(), uncalled, batch);
    }

    /// Shares the wakers of the turn with other threads. Returns whether any were shared.
    ///
    /// A single waker is not shared: while it is called, none is left.
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

    /// Passes on what this thread has used up but may have been meant for the new leader.
    ///
    /// Another thread took the role while this one was inside its wait. The new leader may be
    /// inside a wait now.
    fn pass_on(&mut self, shares_wakers: bool) {
        // A panic of the subscriber must not unwind from here: the wakers have not been called yet.
        wake::guarded(trace::stops_hogging);
        let shell = self.shell;
        let waits = shell.roles.leader_waits();
        let used_up = waits && self.notified && !mutation!("notification_is_not_passed_on");
        // This thread may have fetched the expiry that was meant for the limit of the leader. The
        // leader counts its limit before it announces its wait, so this thread sees both.
        let limited = waits && shell.limited.load(Ordering::SeqCst) > 0;
        let limited = limited && !mutation!("limit_of_a_turn_is_not_passed_on");
        // Shared wakers are also announced while the leader is away: the notification then ends the
        // leader's next wait.
        let shares_wakers = shares_wakers && !mutation!("displaced_thread_keeps_its_wakers");
        if used_up || shares_wakers || limited {
            shell.engine.notify();
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
        self.announces_calls = P::announces_calls(self.workspace.batch.len());
        let shares_wakers = self.share_wakers();
        self.workspace.left_at = None;
        if !shell.roles.leave(thread.id(), self.announces_calls) {
            self.pass_on(shares_wakers);
            return;
        }
        // The fallback thread was displaced, or took the role at this moment. While it is inside
        // its wait, it does not notice that this thread stays away.
        let called_back = shares_wakers && shell.roles.fallback_is_inside();
        if called_back && !mutation!("displaced_thread_is_not_called_back") {
            shell.engine.notify();
        }
        // The same holds for a foreign event loop and its deadline.
        let waits_beside = shell.roles.any_waits_beside();
        if waits_beside && !mutation!("deadline_of_a_displaced_thread_is_not_armed") {
            shell.arm_next();
        }
        if shell.roles.any_stands_by() {
            self.workspace.left_at = Some(shell.watch.leader_left());
        }
    }
}

/// Moves the wakers that another thread has shared into the batch.
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
