//! Who drives the reactor: the protocol of roles. Pure: it waits for nothing and wakes nobody; it says who must be nudged.
//!
//! # Idea
//!
//! One word names the *leader*, the thread that polls for everybody, and whether it is inside a wait. A leader that comes
//! back from a wait keeps the role while it runs its tasks ("away"), because it will most likely be back in a moment;
//! but anybody who is idle may take the role from it then. So the role costs one compare-and-swap per wait and one per
//! return, and no lock.
//!
//! ```text
//!                    ① try_lead                      ① try_lead (anybody idle)
//!      ┌──────┐ ───────────────▶ ┌─────────────┐ ◀────────────────── ┌──────────┐
//!      │ none │                  │ waiting(id) │ ② leave             │ away(id) │
//!      └──────┘                  └─────────────┘ ──────────────────▶ └──────────┘
//!          ▲                      └─▶ waiting(other): ① by block_on, from the fallback thread    │
//!          └──────────────────────────────────────────────────────── ③ abandon ──────────────────┘
//! ```
//!
//! Idle threads that find a waiting leader *sit*: one as the *watcher*, the others parked. The leader arms the watcher's
//! kernel timer when it leaves a wait while somebody sits (`Watch`); if it stays away, the watcher wakes up and takes over.
//!
//! # Rules
//!
//! * Who waits for events either leads, or sits while somebody leads, or is on its way to `try_lead`.
//! * Who sits looks at the leader *after* it is counted; who leaves looks at the count *after* it has left. Both are
//!   sequentially consistent, so either the sitter sees that nobody waits, or the leaver arms the timer.
//! * While somebody sits there is a watcher. One that rises names a successor, who is nudged; if that one rises instead of
//!   watching (it had been notified in the same moment), it names the next.
//! * The fallback thread takes the role only from nobody, or from a leader that stayed away; and a `block_on` thread takes
//!   it from the fallback thread at any time, even from inside its wait. The displaced thread finds out when its wait
//!   ends. It passes on what it used up (see `Driver::after_turn`).
//! * The fallback thread that was displaced may stay inside its wait for long, also when nobody leads any more. It counts as
//!   waiting: whoever changes the next deadline, or leaves a wait, makes sure that the timer is armed for it.
//! * The kernel may wake any of the threads inside a wait. Nothing here depends on which.
//!
//! # Rejected
//!
//! * A lock around the wait (a thread that wants the role would sleep in the lock and not hear its own waker).
//! * Handing the role over at each return: on one processor that is two context switches per event.
//! * A watcher that looks at the leader every millisecond: wake-ups of an idle process.

use crate::core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::core::sync::{Mutex, write_before_read};

/// A thread's seat in the protocol: a number that is never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seat(usize);

impl Seat {
    pub(crate) const FALLBACK: Seat = Seat(1);

    /// The seat with this running number. Numbers that wrap around after 2^30 threads share a seat with a thread that
    /// has most likely gone; if not, both merely believe to lead at once, which costs wake-ups.
    pub(crate) fn numbered(number: usize) -> Seat {
        Seat(2 + number % (usize::MAX >> 2))
    }
}

/// The leader's word: a seat and a bit.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Leader(usize);

impl Leader {
    const NONE: Leader = Leader(0);

    fn waiting(seat: Seat) -> Leader {
        Leader(seat.0 << 1 | 1)
    }

    fn away(seat: Seat) -> Leader {
        Leader(seat.0 << 1)
    }

    fn is_waiting(self) -> bool {
        self.0 & 1 == 1
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lead {
    /// Go and wait for events.
    Granted,
    /// The same, and the fallback thread is still inside its wait.
    GrantedOver,
    /// Somebody else waits for events.
    Occupied,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sitting {
    /// Sleep on the watch.
    Watching,
    /// Sleep.
    Parked,
}

#[derive(Debug)]
pub(crate) struct Roles<H> {
    leader: AtomicUsize,
    /// Whether the fallback thread is inside its wait, or about to be; also when the role has been taken from it.
    fallback_inside: AtomicBool,
    /// How many sit. Written under the lock of `seats`.
    sitting: AtomicUsize,
    seats: Mutex<Seats<H>>,
}

#[derive(Debug)]
struct Seats<H> {
    watcher: Option<Seat>,
    sitting: Vec<(Seat, H)>,
}

impl<H: Clone> Roles<H> {
    pub(crate) fn new() -> Self {
        Roles {
            leader: AtomicUsize::new(Leader::NONE.0),
            fallback_inside: AtomicBool::new(false),
            sitting: AtomicUsize::new(0),
            seats: Mutex::new(Seats {
                watcher: None,
                sitting: Vec::new(),
            }),
        }
    }

    /// ① An idle thread offers to wait for events.
    pub(crate) fn try_lead(&self, me: Seat) -> Lead {
        let mut current = self.load();
        loop {
            let over_fallback = current == Leader::waiting(Seat::FALLBACK);
            if current.is_waiting() && !(over_fallback && me != Seat::FALLBACK) {
                return Lead::Occupied;
            }
            match self.replace(current, Leader::waiting(me)) {
                Ok(()) if self.fallback_is_inside() && me != Seat::FALLBACK => {
                    return Lead::GrantedOver;
                }
                Ok(()) => return Lead::Granted,
                Err(actual) => current = actual,
            }
        }
    }

    /// The fallback thread says that it will be inside its wait, before it offers to lead.
    pub(crate) fn fallback_enters(&self) {
        self.fallback_inside.store(true, Ordering::SeqCst);
    }

    /// It is outside again, and will look at the leader next.
    pub(crate) fn fallback_is_out(&self) {
        self.fallback_inside.store(false, Ordering::SeqCst);
    }

    /// Whether the fallback thread may be inside its wait without leading. It must be told of earlier deadlines then.
    pub(crate) fn fallback_is_inside(&self) -> bool {
        write_before_read();
        self.fallback_inside.load(Ordering::SeqCst)
    }

    /// ① for the fallback thread that did not wait for its turn: only from nobody, or from itself.
    pub(crate) fn try_lead_vacant(&self, me: Seat) -> Lead {
        let current = self.load();
        let vacant = current == Leader::NONE || current == Leader::away(me);
        if vacant && self.replace(current, Leader::waiting(me)).is_ok() {
            Lead::Granted
        } else {
            Lead::Occupied
        }
    }

    /// ② The leader has come back from its wait. False if somebody has taken the role meanwhile.
    pub(crate) fn leave(&self, me: Seat) -> bool {
        self.replace(Leader::waiting(me), Leader::away(me)).is_ok()
    }

    /// ③ A thread will not come back. True if it held the role, which nobody has now.
    pub(crate) fn abandon(&self, me: Seat) -> bool {
        self.load() == Leader::away(me) && self.replace(Leader::away(me), Leader::NONE).is_ok()
    }

    /// Whether this thread was the last to lead, and is away.
    pub(crate) fn was_last(&self, me: Seat) -> bool {
        self.load() == Leader::away(me)
    }

    /// Whether a leader waits for events, or is about to and has said so.
    pub(crate) fn leader_waits(&self) -> bool {
        self.load().is_waiting()
    }

    /// Whether any thread waits for events.
    pub(crate) fn somebody_waits(&self) -> bool {
        self.leader_waits() || self.fallback_is_inside()
    }

    /// Whether somebody sits and relies on the leader to come back.
    pub(crate) fn somebody_sits(&self) -> bool {
        // SeqCst: see the rules; partner of the store in `publish`.
        write_before_read();
        self.sitting.load(Ordering::SeqCst) > 0
    }

    /// A thread that found the role occupied sits down. `None` if it should offer to lead again.
    pub(crate) fn sit(&self, me: Seat, handle: H) -> Option<Sitting> {
        let mut seats = self.seats.lock();
        seats.sitting.push((me, handle));
        self.publish(&seats);
        if me != Seat::FALLBACK && !self.leader_waits() {
            seats.remove(me);
            self.publish(&seats);
            return None;
        }
        if seats.watcher.is_none() {
            seats.watcher = Some(me);
            return Some(Sitting::Watching);
        }
        Some(Sitting::Parked)
    }

    /// A thread gets up. If it was the watcher, another sitter is that now; it must be nudged, because it may be sleeping as
    /// one of the parked.
    pub(crate) fn rise(&self, me: Seat) -> Option<H> {
        let mut seats = self.seats.lock();
        seats.remove(me);
        self.publish(&seats);
        if seats.watcher != Some(me) {
            return None;
        }
        let successor = seats.sitting.first().cloned();
        seats.watcher = successor.as_ref().map(|(seat, _)| *seat);
        successor.map(|(_, handle)| handle)
    }

    /// Whether a sitter has become the watcher.
    pub(crate) fn is_watcher(&self, me: Seat) -> bool {
        self.seats.lock().watcher == Some(me)
    }

    /// A `block_on` thread that sits, and would be a better leader than the fallback thread.
    pub(crate) fn candidate(&self) -> Option<H> {
        let seats = self.seats.lock();
        let mut others = seats.sitting.iter();
        let found = others.find(|(seat, _)| *seat != Seat::FALLBACK);
        found.map(|(_, handle)| handle.clone())
    }

    fn publish(&self, seats: &Seats<H>) {
        self.sitting.store(seats.sitting.len(), Ordering::SeqCst);
    }

    fn load(&self) -> Leader {
        write_before_read();
        // SeqCst: partner of `replace` on one side, of the count of sitters and of the timers' flag on the other.
        Leader(self.leader.load(Ordering::SeqCst))
    }

    fn replace(&self, from: Leader, to: Leader) -> Result<(), Leader> {
        self.leader
            .compare_exchange(from.0, to.0, Ordering::SeqCst, Ordering::SeqCst)
            .map(drop)
            .map_err(Leader)
    }
}

impl<H> Seats<H> {
    fn remove(&mut self, me: Seat) {
        self.sitting.retain(|(seat, _)| *seat != me);
    }
}

#[cfg(all(test, not(async_io_loom)))]
mod tests {
    use super::*;

    fn seats() -> (Roles<usize>, Seat, Seat) {
        (Roles::new(), Seat::numbered(0), Seat::numbered(1))
    }

    #[test]
    fn every_number_has_a_seat_that_fits_into_the_word() {
        for number in [0, 1, usize::MAX >> 2, usize::MAX >> 1, usize::MAX] {
            let seat = Seat::numbered(number);
            assert!(seat.0 > Seat::FALLBACK.0);
            assert_eq!(Leader::waiting(seat).0 >> 1, seat.0);
        }
        assert_ne!(Seat::numbered(0), Seat::numbered(1));
    }

    #[test]
    fn leader_keeps_the_role_until_somebody_is_idle() {
        let (roles, one, two) = seats();
        assert_eq!(roles.try_lead(one), Lead::Granted);
        assert_eq!(roles.try_lead(two), Lead::Occupied);
        assert!(roles.leave(one));
        assert!(!roles.leader_waits());
        assert_eq!(roles.try_lead(one), Lead::Granted);
        assert!(roles.leave(one));
        assert_eq!(roles.try_lead(two), Lead::Granted);
        assert!(!roles.abandon(one));
        assert!(roles.leave(two) && roles.abandon(two));
    }

    #[test]
    fn role_that_was_given_up_is_nobodys() {
        let (roles, one, two) = seats();
        assert!(!roles.was_last(one) && !roles.abandon(one));
        assert_eq!(roles.try_lead(one), Lead::Granted);
        assert!(!roles.was_last(one) && !roles.abandon(one));
        assert!(roles.leave(one));
        assert!(roles.was_last(one) && !roles.was_last(two));
        assert!(roles.abandon(one));
        assert!(!roles.was_last(one) && !roles.abandon(one));
    }

    #[test]
    fn block_on_displaces_the_fallback_thread_and_not_the_reverse() {
        let (roles, one, _) = seats();
        assert!(!roles.somebody_waits());
        roles.fallback_enters();
        assert_eq!(roles.try_lead_vacant(Seat::FALLBACK), Lead::Granted);
        assert_eq!(roles.try_lead(one), Lead::GrantedOver);
        assert!(roles.leave(one) && roles.abandon(one));
        // Nobody leads, and still somebody is inside a wait who must hear of earlier deadlines.
        assert!(!roles.leader_waits() && roles.somebody_waits());
        assert_eq!(roles.try_lead(one), Lead::GrantedOver);
        roles.fallback_is_out();
        assert!(!roles.leave(Seat::FALLBACK));
        assert!(roles.leave(one));
        assert_eq!(roles.try_lead_vacant(Seat::FALLBACK), Lead::Occupied);
        // The leader has stayed away.
        assert_eq!(roles.try_lead(Seat::FALLBACK), Lead::Granted);
        assert_eq!(roles.try_lead(one), Lead::Granted);
    }

    #[test]
    fn one_watches_and_names_a_successor() {
        let (roles, one, two) = seats();
        let three = Seat::numbered(2);
        assert_eq!(roles.try_lead(one), Lead::Granted);
        assert_eq!(roles.sit(two, 2), Some(Sitting::Watching));
        assert_eq!(roles.sit(three, 3), Some(Sitting::Parked));
        assert!(roles.somebody_sits());
        assert_eq!(roles.sit(Seat::FALLBACK, 1), Some(Sitting::Parked));
        assert!(roles.is_watcher(two) && !roles.is_watcher(three));
        assert_eq!(roles.rise(two), Some(3));
        assert!(roles.is_watcher(three) && !roles.is_watcher(two));
        // It leaves instead of watching: the next one is it.
        assert_eq!(roles.rise(three), Some(1));
        assert!(roles.is_watcher(Seat::FALLBACK));
        assert_eq!(roles.rise(Seat::FALLBACK), None);
        assert!(!roles.somebody_sits());
        assert_eq!(roles.sit(two, 2), Some(Sitting::Watching));
    }

    #[test]
    fn only_block_on_threads_are_candidates() {
        let (roles, one, two) = seats();
        assert_eq!(roles.candidate(), None);
        assert_eq!(roles.try_lead(one), Lead::Granted);
        roles.sit(Seat::FALLBACK, 1);
        assert_eq!(roles.candidate(), None);
        roles.sit(two, 2);
        assert_eq!(roles.candidate(), Some(2));
        roles.rise(two);
        assert_eq!(roles.candidate(), None);
    }

    #[test]
    fn nobody_sits_down_without_a_leader_inside_its_wait() {
        let (roles, one, two) = seats();
        assert_eq!(roles.sit(two, 2), None);
        assert_eq!(roles.try_lead(one), Lead::Granted);
        assert!(roles.leave(one));
        assert_eq!(roles.sit(two, 2), None);
        assert!(!roles.somebody_sits());
        // The fallback thread may: it is there to watch a leader that is away.
        assert_eq!(roles.sit(Seat::FALLBACK, 1), Some(Sitting::Watching));
        assert_eq!(roles.candidate(), None);
    }
}
