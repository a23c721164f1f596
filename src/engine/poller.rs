//! The operations that an engine needs from the operating system.

use crate::core::clock::{Clock, Deadline};
use crate::core::source::state::{Nature, Traits};
use crate::core::source::{Answer, Direction, Event, Exception, Interest, Key};
use std::fmt::Debug;
use std::io;

/// How long to wait for events.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Until {
    /// Only fetch the events that are already there.
    Now,
    /// Wait for the first event, but not beyond this deadline. With `Deadline::NEVER` there is no
    /// limit.
    Deadline(Deadline),
}

/// A poller of the operating system: the set of registered objects, and the wait for their events.
///
/// `sys` chooses the poller of the platform. Tests also use scripted pollers.
///
/// In a forked child of the process that created the poller, only `wait` and `notify` are called. They
/// leave the set of the parent alone.
pub(crate) trait Poller: Sized + Debug + Send + Sync {
    /// The system's name for a registered object, such as a descriptor.
    type Raw: Copy + Debug + Send + Sync + 'static;

    /// The events that a wait has fetched.
    type Events: Events;

    /// The properties that the decisions about a source depend on.
    const TRAITS: Traits;

    /// Whether several threads may be inside `wait` at once. If not, a second thread queues behind
    /// the first one.
    const CONCURRENT_WAITS: bool;

    /// Identifies the running process: a forked child has a number that its parent has not.
    fn process() -> usize;

    /// Creates a poller, or returns why there is none.
    fn new(clock: Clock) -> io::Result<Self>;

    /// Returns how an object differs from a descriptor.
    fn nature(raw: Self::Raw) -> Nature;

    /// Returns the interest that a new object is registered with.
    fn first_interest(raw: Self::Raw) -> Interest;

    /// Adds an object. A direction that is already ready is reported. The object must stay open
    /// until `deregister`. An owner that breaks this rule loses the events of this object, and of
    /// no other.
    fn register(&self, raw: Self::Raw, key: Key, interest: Interest) -> io::Result<()>;

    /// Replaces the interest. A direction that is already ready is reported.
    fn rearm(&self, raw: Self::Raw, key: Key, interest: Interest) -> io::Result<()>;

    /// Removes an object. Events that were fetched before may still carry its key.
    fn deregister(&self, raw: Self::Raw) -> io::Result<()>;

    /// Waits, and replaces the contents of `events`. Returns at the first event, after a `notify`,
    /// at the deadline (never much earlier, and no later than the platform forces it to), or early
    /// without a reason.
    ///
    /// # Errors
    ///
    /// The poller has stopped working, for example because the program has closed its descriptor.
    fn wait(&self, events: &mut Self::Events, until: Until) -> io::Result<()>;

    /// Opens the poller again after `wait` has failed with these events. Returns whether the caller
    /// must register all objects again. If not, another thread has already done that.
    fn reopen(&self, failed: &Self::Events) -> io::Result<bool>;

    /// Ends one wait in progress, or the next wait if there is none. Any thread may call this at
    /// any time.
    fn notify(&self);

    /// Makes the waits in progress end no later than the deadline.
    fn expect_by(&self, deadline: Deadline);

    /// Asks the system whether an object is ready. Changes no interest.
    fn ready_now(raw: Self::Raw, direction: Direction) -> io::Result<Answer>;

    /// Asks the system whether an object reports an exception.
    fn exception_now(raw: Self::Raw, exception: Exception) -> io::Result<bool>;

    /// Returns whether an object that the system reports as ready may still refuse an operation.
    /// This costs system calls, so it is asked only about an object under suspicion.
    fn may_refuse(raw: Self::Raw, direction: Direction) -> bool;
}

/// The events of one wait. They belong to one waiting thread, which reuses the buffer.
pub(crate) trait Events: Debug {
    fn new() -> Self;

    fn clear(&mut self);

    /// Returns whether the wait may have used up a `notify`. If the notification was meant for
    /// another thread, this thread notifies again.
    fn was_notified(&self) -> bool;

    /// Returns the number of events.
    fn len(&self) -> usize;

    /// Returns whether the buffer may have been too small for all events. The next wait fetches the
    /// rest.
    fn is_full(&self) -> bool;

    fn iter(&self) -> impl Iterator<Item = (Key, Event)> + '_;
}
