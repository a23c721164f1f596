//! What a reactor needs of the operating system.

use crate::core::clock::{Clock, Deadline};
use crate::core::source::state::{Nature, Traits};
use crate::core::source::{Answer, Direction, Event, Exception, Interest, Key};
use std::fmt::Debug;
use std::io;

/// How long to wait for events.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Until {
    /// Only fetch the events that are there.
    Now,
    /// Wait for the first event, at most until then (`Deadline::NEVER`: without limit).
    Deadline(Deadline),
}

/// A poller of the operating system: the set of registered objects and the wait for their events.
///
/// `sys` chooses the poller of the platform. Tests have pollers that follow a script.
pub(crate) trait Poller: Sized + Debug + Send + Sync {
    /// What the system calls a registered object.
    type Raw: Copy + Debug + Send + Sync + 'static;

    /// What a wait has fetched.
    type Events: Events;

    /// The properties that the decisions about a source depend on.
    const TRAITS: Traits;

    /// Whether several threads may be inside `wait` at once. If not, the second one queues behind
    /// the first.
    const CONCURRENT_WAITS: bool;

    /// Makes a poller, or returns why there is none.
    fn new(clock: Clock) -> io::Result<Self>;

    /// Returns how an object differs from a descriptor.
    fn nature(raw: Self::Raw) -> Nature;

    /// Returns the interest that a new object is registered with.
    fn first_interest(raw: Self::Raw) -> Interest;

    /// Adds an object. What is ready already is reported. The object stays open until `deregister`;
    /// an owner that breaks this rule loses the events of this object, and of no other.
    fn register(&self, raw: Self::Raw, key: Key, interest: Interest) -> io::Result<()>;

    /// Replaces the interest, and reports what is ready already.
    fn rearm(&self, raw: Self::Raw, key: Key, interest: Interest) -> io::Result<()>;

    /// Removes an object. Events that were fetched before may still name its key.
    fn deregister(&self, raw: Self::Raw) -> io::Result<()>;

    /// Replaces the contents of `events`. Returns at the first event, after a `notify`, at the
    /// deadline (never much earlier, and not later than the platform forces it to), or early without
    /// a reason.
    ///
    /// # Errors
    ///
    /// The poller does not work any more, for example because the program has closed its descriptor.
    fn wait(&self, events: &mut Self::Events, until: Until) -> io::Result<()>;

    /// Makes the poller work again after `wait` has failed with these events. Returns whether the
    /// caller must register all objects again; otherwise another thread has done that.
    fn reopen(&self, failed: &Self::Events) -> io::Result<bool>;

    /// Ends one wait in progress, or else the next one. Any thread may call this at any time.
    fn notify(&self);

    /// Makes the waits in progress end by the deadline, if they would last longer.
    fn expect_by(&self, deadline: Deadline);

    /// Asks the system whether an object is ready now. Changes no interest.
    fn ready_now(raw: Self::Raw, direction: Direction) -> io::Result<Answer>;

    /// Asks the system whether an object reports an exception now.
    fn exception_now(raw: Self::Raw, exception: Exception) -> io::Result<bool>;

    /// Returns whether an object that the system reports as ready may refuse an operation all the
    /// same. This costs system calls, and is asked only about an object under suspicion.
    fn may_refuse(raw: Self::Raw, direction: Direction) -> bool;
}

/// The events of one wait. Belongs to one waiting thread, which reuses it.
pub(crate) trait Events: Debug {
    fn new() -> Self;

    fn clear(&mut self);

    /// Returns whether a `notify` may have been used up by the wait. A thread that it was not meant
    /// for notifies again.
    fn was_notified(&self) -> bool;

    fn iter(&self) -> impl Iterator<Item = (Key, Event)> + '_;
}
