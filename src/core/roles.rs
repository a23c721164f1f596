//! How the leader is chosen. Pure: nothing here waits or wakes a thread. Functions return the
//! thread that the caller must nudge.
//!
//! # Idea
//!
//! One word names the *leader*, the thread that polls the system for all threads, and says whether
//! it is inside the wait. A leader that returns from a wait keeps the role while it runs its tasks
//! ("away"), because it usually comes back soon. Meanwhile, any idle thread may take the role from
//! it. So the role costs one compare-and-swap per wait and one per return, and no lock.
//!
//! A leader that has many wakers to call announces that, and counts as inside its turn until it has
//! called them. Otherwise the threads that the first wakers have woken would take the role, and the
//! other wakers, from each other. The watcher ends the announcement when its alarm goes off.
//!
//! ```text
//!                    ① try_lead                      ① try_lead (any idle thread)
//!      ┌──────┐ ───────────────▶ ┌─────────────┐ ◀────────────────── ┌──────────┐
//!      │ none │                  │ waiting(id) │ ② leave             │ away(id) │
//!      └──────┘                  └─────────────┘ ──────────────────▶ └──────────┘
//!          ▲                      └─▶ waiting(other): ① by block_on, from the fallback thread  │
//!          └──────────────────────────────────────────────────────── ③ abandon ────────────────┘
//! ```
//!
//! An idle thread that finds a waiting or calling leader *stands by*. One standby thread is the
//! *watcher*, and the others park. If threads stand by when a leader leaves its wait, the leader
//! makes sure that the watcher's alarm is set. If the leader stays away, the alarm goes off and the
//! watcher takes over.
//!
//! # States
//!
//! * `leader`: the leader's id, `WAITING`, `CALLING` (it calls wakers and has announced that), and
//!   two bits about those that wait beside the leader. `FALLBACK_INSIDE` says that the fallback
//!   thread is inside its wait, or about to enter it, even if a `block_on` thread has taken the role.
//!   `FOREIGN_LOOP` says that another event loop waits on the poller's descriptor. Both count as
//!   waiting: a thread that moves the earliest deadline, or leaves a wait, makes sure that the
//!   system's timer is programmed for them.
//! * `standby_count`: the length of the list of standby threads, written under the list's lock.
//!
//! # Rules
//!
//! * A thread that waits for events leads, or stands by while another thread leads, or is about to
//!   call `try_lead`. A watcher that stands by while no leader waits makes sure that its alarm is
//!   set.
//! * While threads stand by, one of them is the watcher. A watcher that leaves names a successor,
//!   which is nudged. If the successor leaves instead of watching, it names the next one.
//! * The fallback thread takes the role only if it is vacant, or from a leader that stayed away. A
//!   `block_on` thread takes the role from the fallback thread at any time, even from inside the
//!   wait. The displaced thread finds out when its wait ends. It then passes on the notification or
//!   the deadline that its wait used up.
//! * The kernel may wake any of the threads inside a wait. Nothing here depends on which one.
//!
//! # Orderings
//!
//! A standby thread reads `leader` *after* it is counted. A leader reads `standby_count` *after* it
//! has left its wait. All of these accesses are sequentially consistent, so at least one of two
//! things happens: the standby thread sees that no leader waits, or the leader sees the standby
//! thread and sets the alarm. A standby thread that sees a calling leader sets the alarm itself.
//!
//! # Rejected
//!
//! * A lock around the wait: a thread that wants the role would sleep in the lock and miss the
//!   calls of its own waker.
//! * Handing over the role at each return: on one processor this costs two context switches per
//!   event.
//! * A watcher that checks the leader every millisecond: an idle process would keep waking up.

use crate::core::sync::atomic::{AtomicUsize, Ordering};
use crate::core::sync::{Mutex, write_before_read};
use std::collections::HashMap;

/// Names a thread in the protocol. Never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ThreadId(usize);

impl ThreadId {
    pub(crate) const FALLBACK: ThreadId = ThreadId(1);

    /// Returns the id of the thread with this running number. After 2^27 threads (on 32-bit
    /// systems) two threads may share an id. If both are alive, both may believe that they lead,
    /// and wake-ups may be lost.
    pub(crate) fn numbered(number: usize) -> ThreadId {
        ThreadId(2 + number % (usize::MAX >> (ID_SHIFT + 1)))
    }
}

/// The value of the word `leader`.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Leader(usize);

const WAITING: usize = 1;
const FALLBACK_INSIDE: usize = 2;
const CALLING: usize = 4;
const FOREIGN_LOOP: usize = 8;
const ID_SHIFT: u32 = 4;

/// Those that wait beside the leader.
const BESIDE: usize = FALLBACK_INSIDE | FOREIGN_LOOP;

impl Leader {
    const NONE: Leader = Leader(0);

    fn is(self, id: ThreadId) -> bool {
        self.0 >> ID_SHIFT == id.0
    }

    fn is_waiting(self) -> bool {
        self.0 & WAITING != 0
    }

    /// Returns whether the leader waits, or has announced that it calls the wakers of its turn.
    fn is_in_turn(self) -> bool {
        self.0 & (WAITING | CALLING) != 0
    }

    fn is_vacant(self) -> bool {
        self.0 >> ID_SHIFT == 0
    }

    /// Returns the value after this thread has become the leader and waits.
    fn waiting(self, id: ThreadId) -> Leader {
        let own = if id == ThreadId::FALLBACK {
            FALLBACK_INSIDE
        } else {
            0
        };
        Leader(id.0 << ID_SHIFT | WAITING | own | self.0 & BESIDE)
    }

    /// Returns the value after the leader has left its wait.
    fn away(self, id: ThreadId, calls: bool) -> Leader {
        let calling = if calls { CALLING } else { 0 };
        Leader(id.0 << ID_SHIFT | calling).with_those_beside(self, id)
    }

    /// Returns the value after the displaced thread `id` has left its wait.
    fn without(self, id: ThreadId) -> Leader {
        Leader(self.0 & !FALLBACK_INSIDE).with_those_beside(self, id)
    }

    /// Keeps those that wait beside the leader, except for the thread that has left its wait.
    fn with_those_beside(self, before: Leader, left: ThreadId) -> Leader {
        let gone = if left == ThreadId::FALLBACK {
            FALLBACK_INSIDE
        } else {
            0
        };
        Leader(self.0 | before.0 & BESIDE & !gone)
    }
}

/// The leaders that a thread may take the role from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// Any leader that is away.
    Away,
    /// None: the role must be vacant, or the thread itself must have led last.
    Vacant,
}

/// The answer to an offer to lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lead {
    /// The thread is the leader and begins its turn.
    Granted {
        /// Whether another thread was the leader. That thread may still run the wakers of its turn.
        from_other: bool,
        /// Whether the fallback thread is still inside its wait.
        fallback_inside: bool,
    },
    /// Another thread has the role, and this thread may not take it.
    Occupied,
}

/// How a standby thread sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standby {
    /// As the watcher, on the alarm clock.
    Watcher,
    /// On its own condition variable.
    Parked,
}

/// The roles of the threads that drive one reactor. `H` is a handle to a thread.
#[derive(Debug)]
pub(crate) struct Roles<H> {
    leader: AtomicUsize,
    standby_count: AtomicUsize,
    standby: Mutex<StandbyThreads<H>>,
}

/// The standby threads, in no particular order. Every operation takes constant time.
#[derive(Debug)]
struct StandbyThreads<H> {
    watcher: Option<ThreadId>,
    threads: Vec<(ThreadId, H)>,
    /// The index of each thread in `threads`.
    indices: HashMap<ThreadId, usize>,
}

impl<H: Clone> Roles<H> {
    pub(crate) fn new() -> Self {
        Roles {
            leader: AtomicUsize::new(Leader::NONE.0),
            standby_count: AtomicUsize::new(0),
            standby: Mutex::new(StandbyThreads {
                watcher: None,
                threads: Vec::new(),
                indices: HashMap::new(),
            }),
        }
    }

    /// ① Offers to lead.
    pub(crate) fn try_lead(&self, me: ThreadId, claim: Claim) -> Lead {
        let mut current = self.load();
        loop {
            if !may_take(current, me, claim) {
                return Lead::Occupied;
            }
            match self.replace(current, current.waiting(me)) {
                Ok(()) => {
                    return Lead::Granted {
                        from_other: !current.is_vacant() && !current.is(me),
                        fallback_inside: current.0 & FALLBACK_INSIDE != 0,
                    };
                }
                Err(actual) => current = actual,
            }
        }
    }

    /// ② Leaves the wait. `calls` announces that the thread calls wakers next, until
    /// [`end_calls`](Self::end_calls). Returns whether the thread still has the role. If not,
    /// another thread has taken it.
    pub(crate) fn leave(&self, me: ThreadId, calls: bool) -> bool {
        let mut current = self.load();
        loop {
            let keeps = current.is(me) || mutation!("displaced_thread_keeps_the_role");
            let next = if keeps {
                current.away(me, calls)
            } else {
                current.without(me)
            };
            if next == current {
                return keeps;
            }
            match self.replace(current, next) {
                Ok(()) => return keeps,
                Err(actual) => current = actual,
            }
        }
    }

    /// Ends the announcement of the leader: it has called its wakers, or is late, or waits for this
    /// thread inside one of them. Without an announcement, this changes nothing.
    pub(crate) fn end_calls(&self) {
        let mut current = self.load();
        while current.0 & CALLING != 0 && !mutation!("late_leader_keeps_its_wakers") {
            match self.replace(current, Leader(current.0 & !CALLING)) {
                Ok(()) => return,
                Err(actual) => current = actual,
            }
        }
    }

    /// ③ Gives up the role of a thread that will not come back. Returns whether the thread had the
    /// role, which is then vacant.
    pub(crate) fn abandon(&self, me: ThreadId) -> bool {
        let mut current = self.load();
        while current.is(me) && !current.is_waiting() {
            match self.replace(current, Leader(current.0 & BESIDE)) {
                Ok(()) => return true,
                Err(actual) => current = actual,
            }
        }
        false
    }

    /// Returns whether the thread was the last to lead and is away.
    pub(crate) fn was_last(&self, me: ThreadId) -> bool {
        let current = self.load();
        current.is(me) && !current.is_waiting()
    }

    /// Returns whether a leader is inside the wait or has announced that it is about to enter it.
    #[inline]
    pub(crate) fn leader_waits(&self) -> bool {
        self.load().is_waiting()
    }

    /// Returns whether a leader is inside a turn: it waits, or calls the wakers of its turn.
    pub(crate) fn leader_is_in_turn(&self) -> bool {
        self.load().is_in_turn()
    }

    /// Returns whether the fallback thread may be inside its wait.
    pub(crate) fn fallback_is_inside(&self) -> bool {
        self.load().0 & FALLBACK_INSIDE != 0
    }

    /// Returns whether the fallback thread may be inside its wait, or a foreign event loop waits.
    pub(crate) fn any_waits_beside(&self) -> bool {
        self.load().0 & BESIDE != 0
    }

    /// Returns whether any thread waits for events, or a foreign event loop does.
    #[inline]
    pub(crate) fn any_thread_waits(&self) -> bool {
        self.load().0 & (WAITING | BESIDE) != 0
    }

    /// Records that a foreign event loop waits on the descriptor of the poller, from now on.
    pub(crate) fn add_foreign_loop(&self) {
        // SeqCst: partner of `any_thread_waits`, as for a leader that announces its wait.
        if !mutation!("foreign_loop_is_not_announced") {
            self.leader.fetch_or(FOREIGN_LOOP, Ordering::SeqCst);
        }
        write_before_read();
    }

    /// Records that no foreign event loop waits any more.
    pub(crate) fn remove_foreign_loop(&self) {
        self.leader.fetch_and(!FOREIGN_LOOP, Ordering::SeqCst);
    }

    /// Returns whether any thread stands by and relies on the leader to come back.
    #[inline]
    pub(crate) fn any_stands_by(&self) -> bool {
        // SeqCst: see the head of the file. Partner of the store in `publish`.
        write_before_read();
        let least = if mutation!("leader_overlooks_standby") {
            1
        } else {
            0
        };
        self.standby_count.load(Ordering::SeqCst) > least
    }

    /// Adds a thread that found the role occupied to the standby threads. Returns `None` if the
    /// thread must offer to lead again.
    pub(crate) fn stand_by(&self, me: ThreadId, handle: H) -> Option<Standby> {
        let mut standby = self.standby.lock();
        standby.add(me, handle);
        self.publish(&standby);
        let looks = me != ThreadId::FALLBACK && !mutation!("standby_ignores_the_leader");
        if looks && !self.leader_is_in_turn() {
            standby.remove(me);
            self.publish(&standby);
            return None;
        }
        if standby.watcher.is_none() {
            standby.watcher = Some(me);
            return Some(Standby::Watcher);
        }
        Some(Standby::Parked)
    }

    /// Removes a standby thread. If it was the watcher, another standby thread becomes the watcher.
    /// The caller nudges the returned thread, which may be parked.
    pub(crate) fn leave_standby(&self, me: ThreadId) -> Option<H> {
        let mut standby = self.standby.lock();
        standby.remove(me);
        self.publish(&standby);
        if standby.watcher != Some(me) {
            return None;
        }
        let successor = standby.threads.first().cloned();
        standby.watcher = successor.as_ref().map(|(id, _)| *id);
        if mutation!("watcher_names_no_successor") {
            standby.watcher = None;
        }
        let successor = successor.map(|(_, handle)| handle);
        successor.filter(|_| !mutation!("successor_is_not_nudged"))
    }

    /// Returns whether this standby thread is the watcher.
    pub(crate) fn is_watcher(&self, me: ThreadId) -> bool {
        self.standby.lock().watcher == Some(me)
    }

    /// Returns a standby `block_on` thread, which is a better leader than the fallback thread.
    pub(crate) fn candidate(&self) -> Option<H> {
        let standby = self.standby.lock();
        let mut threads = standby.threads.iter();
        let found = threads.find(|(id, _)| *id != ThreadId::FALLBACK);
        found.map(|(_, handle)| handle.clone())
    }

    fn publish(&self, standby: &StandbyThreads<H>) {
        self.standby_count
            .store(standby.threads.len(), Ordering::SeqCst);
    }

    #[inline]
    fn load(&self) -> Leader {
        write_before_read();
        // SeqCst: partner of `replace`. The other threads write the standby count or the timers'
        // flag before they read this word. The leader writes this word before it reads those two.
        Leader(self.leader.load(Ordering::SeqCst))
    }

    #[inline]
    fn replace(&self, from: Leader, to: Leader) -> Result<(), Leader> {
        self.leader
            .compare_exchange(from.0, to.0, Ordering::SeqCst, Ordering::SeqCst)
            .map(drop)
            .map_err(Leader)
    }
}

/// Returns whether a thread may take the role from the current leader.
fn may_take(current: Leader, me: ThreadId, claim: Claim) -> bool {
    let from_fallback = current.is(ThreadId::FALLBACK) && me != ThreadId::FALLBACK;
    if current.is_in_turn() {
        return from_fallback || mutation!("waiting_leader_is_replaced");
    }
    let fallback_gives_up = mutation!("fallback_takes_only_a_vacant_role");
    let only_vacant = claim == Claim::Vacant || fallback_gives_up && me == ThreadId::FALLBACK;
    !only_vacant || current.is_vacant() || current.is(me)
}

impl<H> StandbyThreads<H> {
    fn add(&mut self, me: ThreadId, handle: H) {
        self.indices.insert(me, self.threads.len());
        self.threads.push((me, handle));
    }

    fn remove(&mut self, me: ThreadId) {
        let Some(index) = self.indices.remove(&me) else {
            return;
        };
        self.threads.swap_remove(index);
        // The last thread has taken its place.
        if let Some((moved, _)) = self.threads.get(index) {
            self.indices.insert(*moved, index);
        }
    }
}

#[cfg(all(test, not(async_io_loom)))]
mod tests {
    use super::*;

    const ONE: ThreadId = ThreadId(7);
    const TWO: ThreadId = ThreadId(8);
    const FALLBACK: ThreadId = ThreadId::FALLBACK;

    fn granted(from_other: bool, fallback_inside: bool) -> Lead {
        Lead::Granted {
            from_other,
            fallback_inside,
        }
    }

    #[test]
    fn waiting_leader_keeps_others_out_and_an_absent_one_does_not() {
        let roles = Roles::<u8>::new();
        assert_eq!(roles.try_lead(ONE, Claim::Away), granted(false, false));
        assert_eq!(roles.try_lead(TWO, Claim::Away), Lead::Occupied);
        assert!(roles.leader_waits() && roles.any_thread_waits());
        assert!(roles.leave(ONE, false));
        assert!(!roles.any_thread_waits() && roles.was_last(ONE));
        assert_eq!(roles.try_lead(ONE, Claim::Away), granted(false, false));
        assert!(roles.leave(ONE, false));
        assert_eq!(roles.try_lead(TWO, Claim::Away), granted(true, false));
        assert!(!roles.leave(ONE, false));
    }

    #[test]
    fn block_on_takes_the_role_from_the_fallback_thread_inside_its_wait() {
        let roles = Roles::<u8>::new();
        assert_eq!(
            roles.try_lead(FALLBACK, Claim::Vacant),
            granted(false, false)
        );
        assert!(roles.fallback_is_inside());
        assert_eq!(roles.try_lead(ONE, Claim::Away), granted(true, true));
        assert!(roles.fallback_is_inside());
        assert!(roles.leave(ONE, false));
        // The fallback thread is still inside, without the role.
        assert!(!roles.leader_waits() && roles.any_thread_waits());
        assert!(!roles.leave(FALLBACK, false));
        assert!(!roles.any_thread_waits() && roles.was_last(ONE));
    }

    #[test]
    fn fallback_thread_takes_a_vacant_role_or_one_whose_leader_stays_away() {
        let roles = Roles::<u8>::new();
        roles.try_lead(ONE, Claim::Away);
        assert_eq!(roles.try_lead(FALLBACK, Claim::Vacant), Lead::Occupied);
        assert_eq!(roles.try_lead(FALLBACK, Claim::Away), Lead::Occupied);
        roles.leave(ONE, false);
        assert_eq!(roles.try_lead(FALLBACK, Claim::Vacant), Lead::Occupied);
        assert!(roles.abandon(ONE) && !roles.abandon(ONE));
        assert_eq!(
            roles.try_lead(FALLBACK, Claim::Vacant),
            granted(false, false)
        );
        assert!(roles.leave(FALLBACK, false));
        assert_eq!(
            roles.try_lead(FALLBACK, Claim::Vacant),
            granted(false, false)
        );
        assert!(roles.leave(FALLBACK, false));
        roles.try_lead(ONE, Claim::Away);
        assert!(!roles.abandon(ONE), "a waiting leader keeps the role");
        roles.leave(ONE, false);
        assert_eq!(roles.try_lead(FALLBACK, Claim::Away), granted(true, false));
    }

    #[test]
    fn abandoned_role_keeps_the_fallback_thread_counted() {
        let roles = Roles::<u8>::new();
        roles.try_lead(FALLBACK, Claim::Vacant);
        roles.try_lead(ONE, Claim::Away);
        roles.leave(ONE, false);
        assert!(roles.abandon(ONE));
        assert!(roles.fallback_is_inside() && roles.any_thread_waits());
        assert_eq!(roles.try_lead(ONE, Claim::Away), granted(false, true));
    }

    #[test]
    fn first_standby_thread_watches_and_names_a_successor() {
        let roles = Roles::<u8>::new();
        let (three, four) = (ThreadId(9), ThreadId(10));
        assert_eq!(roles.stand_by(TWO, 2), None, "no leader waits");
        assert!(!roles.any_stands_by());
        roles.try_lead(ONE, Claim::Away);
        assert_eq!(roles.stand_by(TWO, 2), Some(Standby::Watcher));
        assert_eq!(roles.stand_by(three, 3), Some(Standby::Parked));
        assert_eq!(roles.stand_by(four, 4), Some(Standby::Parked));
        assert!(roles.is_watcher(TWO) && roles.any_stands_by());
        assert_eq!(roles.leave_standby(three), None);
        assert_eq!(roles.leave_standby(TWO), Some(4));
        assert!(roles.is_watcher(four));
        assert_eq!(roles.leave_standby(four), None);
        assert!(!roles.any_stands_by() && !roles.is_watcher(four));
    }

    #[test]
    fn fallback_thread_stands_by_without_a_leader_and_is_no_candidate() {
        let roles = Roles::<u8>::new();
        assert_eq!(roles.stand_by(FALLBACK, 1), Some(Standby::Watcher));
        assert_eq!(roles.candidate(), None);
        roles.try_lead(ONE, Claim::Away);
        assert_eq!(roles.stand_by(TWO, 2), Some(Standby::Parked));
        assert_eq!(roles.candidate(), Some(2));
    }

    #[test]
    fn leader_that_calls_wakers_keeps_the_role_until_the_announcement_ends() {
        let roles = Roles::<u8>::new();
        roles.try_lead(ONE, Claim::Away);
        assert!(roles.leave(ONE, true));
        assert!(!roles.leader_waits() && roles.leader_is_in_turn());
        assert_eq!(roles.try_lead(TWO, Claim::Away), Lead::Occupied);
        assert_eq!(roles.stand_by(TWO, 2), Some(Standby::Watcher));
        roles.end_calls();
        assert!(!roles.leader_is_in_turn() && roles.was_last(ONE));
        assert_eq!(roles.try_lead(TWO, Claim::Away), granted(true, false));
        roles.end_calls();
        assert!(roles.leader_waits());
    }

    #[test]
    fn foreign_loop_waits_until_it_is_removed() {
        let roles = Roles::<u8>::new();
        roles.add_foreign_loop();
        assert!(roles.any_thread_waits() && !roles.leader_waits());
        for (id, from_other) in [(ONE, false), (FALLBACK, true), (TWO, true)] {
            assert_eq!(roles.try_lead(id, Claim::Away), granted(from_other, false));
            assert!(roles.leave(id, true) && roles.any_thread_waits());
            roles.end_calls();
        }
        assert!(roles.abandon(TWO) && roles.any_thread_waits());
        roles.remove_foreign_loop();
        assert!(!roles.any_thread_waits() && !roles.was_last(TWO));
    }

    #[test]
    fn fallback_thread_that_calls_wakers_gives_way_to_block_on() {
        let roles = Roles::<u8>::new();
        roles.try_lead(FALLBACK, Claim::Vacant);
        assert!(roles.leave(FALLBACK, true));
        assert_eq!(roles.try_lead(ONE, Claim::Away), granted(true, false));
    }
}
