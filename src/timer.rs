//! [`Timer`]: a future and stream that completes at points in time.

mod ticks;

use crate::core::clock::Deadline;
use crate::core::timers::TimerKey;
use crate::core::wake;
use crate::driver::Driver;
use crate::driver::handle::Named;
use futures_core::Stream;
use futures_core::future::FusedFuture;
use futures_core::stream::FusedStream;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
pub use ticks::MissedTicks;
use ticks::Ticks;

/// The longest pause of a poll if no thread can be started to drive the timers.
const PAUSE_WITHOUT_DRIVER: Duration = Duration::from_millis(1);

/// A future and stream that completes at points in time.
///
/// As a future, a timer completes with the [`Instant`] that it was set for. As a stream, it yields
/// that instant, and an interval then continues with the next one. The stream never ends: a timer
/// that will not fire again stays pending. Polling it after that does not panic.
///
/// # Precision
///
/// A timer never fires early. How late it fires depends on the system: tens of microseconds on an
/// idle Linux machine. Where eight or more timers are due within 180 µs, they may share a wake-up,
/// and the first of them then fires up to 180 µs late. A lone timer is not delayed.
///
/// An interval does not drift: each event is due one period after the previous one was *due*.
/// Events that a task was too late for are not skipped or merged. They are yielded one after the
/// other without waiting, each with its own instant. [`set_missed_ticks`](Timer::set_missed_ticks)
/// changes that.
///
/// # Which task is woken
///
/// A pending timer wakes the task that polled it last. It keeps the waker of that task in these
/// cases, so that the task need not poll again:
///
/// * The timer is set or cleared, even if it has woken the task for the previous deadline.
/// * An interval has yielded an event: the task is woken for the next one.
///
/// After its last event, a timer keeps no waker.
///
/// # In `select!`
///
/// A timer can be used in a `select!` of `futures-util` without `fuse()`. As a future, it is
/// [terminated](FusedFuture::is_terminated) from its last event until it is set or cleared. A timer
/// that was never set, or was cleared, is not terminated: `select!` keeps waiting for it. As a stream, a
/// timer is never terminated.
///
/// # Cancellation
///
/// Dropping a timer cancels it and releases its waker immediately.
///
/// # Errors
///
/// A timer has no errors, and its methods do not panic. A time that is out of the range of
/// [`Instant`] means "never". If a timer needs the `async-io` thread and that thread cannot be
/// started, the timer still fires: each poll blocks its thread for up to a millisecond and then
/// wakes its task.
///
/// # Platform notes
///
/// On Windows, and on systems that have `poll()` and not `ppoll()`, a wait is rounded up to whole
/// milliseconds. Everywhere else its resolution is nanoseconds.
///
/// # Examples
///
/// ```
/// use async_io::Timer;
/// use std::time::Duration;
///
/// async_io::block_on(async {
///     Timer::after(Duration::from_millis(5)).await;
/// });
/// ```
///
/// An interval:
///
/// ```
/// use async_io::Timer;
/// use futures_lite::StreamExt;
/// use std::time::Duration;
///
/// async_io::block_on(async {
///     let mut ticks = Timer::interval(Duration::from_millis(1));
///     for _ in 0..3 {
///         ticks.next().await;
///     }
/// });
/// ```
#[doc(alias = "sleep")]
#[doc(alias = "timeout")]
pub struct Timer {
    /// When the timer fires next; `None` if it will not.
    when: Option<Instant>,
    ticks: Ticks,
    /// The task that polled the timer last. `None` before the first poll and after the last event.
    listener: Option<Listener>,
    /// The reactor that fires the timer. `None` until the timer is set.
    reactor: Option<&'static Driver>,
}

/// The task that a timer wakes.
///
/// The queue has a copy of the waker, which it uses up when it fires the timer. If the timer is set
/// again before its task has polled it, the task must be woken for the new deadline as well. That
/// is what this copy is for.
#[derive(Debug)]
struct Listener {
    /// The timer in the queue. The key is outdated if the queue has fired it. `None` if the queue
    /// was full.
    key: Option<TimerKey>,
    waker: Waker,
}

impl Timer {
    /// Creates a timer that never fires unless it is set.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Timer;
    ///
    /// assert!(!Timer::never().will_fire());
    /// ```
    pub fn never() -> Timer {
        Timer {
            when: None,
            ticks: Ticks::ONCE,
            listener: None,
            reactor: None,
        }
    }

    /// Creates a timer that fires once, after `duration`.
    ///
    /// The time counts from this call, not from the first poll. If the deadline is out of the range
    /// of [`Instant`], the timer never fires.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Timer;
    /// use std::time::{Duration, Instant};
    ///
    /// let start = Instant::now();
    /// async_io::block_on(Timer::after(Duration::from_millis(2)));
    /// assert!(start.elapsed() >= Duration::from_millis(2));
    /// ```
    pub fn after(duration: Duration) -> Timer {
        Timer::bound(Instant::now().checked_add(duration), Ticks::ONCE)
    }

    /// Creates a timer that fires once, at `instant`.
    ///
    /// If `instant` has passed, the first poll completes.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Timer;
    /// use std::time::Instant;
    ///
    /// let now = Instant::now();
    /// assert_eq!(async_io::block_on(Timer::at(now)), now);
    /// ```
    pub fn at(instant: Instant) -> Timer {
        Timer::bound(Some(instant), Ticks::ONCE)
    }

    /// Creates a timer that fires every `period`, for the first time one period from this call.
    ///
    /// If that deadline is out of the range of [`Instant`], the timer never fires. If `period` is
    /// zero, every poll yields an event.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Timer;
    /// use futures_lite::StreamExt;
    /// use std::time::Duration;
    ///
    /// let period = Duration::from_millis(1);
    /// async_io::block_on(async {
    ///     let mut ticks = Timer::interval(period);
    ///     let first = ticks.next().await;
    ///     let second = ticks.next().await;
    ///     assert_eq!(second, first.map(|first| first + period));
    /// });
    /// ```
    pub fn interval(period: Duration) -> Timer {
        match Instant::now().checked_add(period) {
            Some(start) => Timer::interval_at(start, period),
            None => Timer::bound(None, Ticks::ONCE),
        }
    }

    /// Creates a timer that fires at `start`, and every `period` after that.
    ///
    /// If `start` has passed, the events from `start` to the present are yielded without waiting,
    /// unless [`set_missed_ticks`](Timer::set_missed_ticks) changes that.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Timer;
    /// use futures_lite::StreamExt;
    /// use std::time::{Duration, Instant};
    ///
    /// let start = Instant::now();
    /// async_io::block_on(async {
    ///     let mut ticks = Timer::interval_at(start, Duration::from_millis(1));
    ///     assert_eq!(ticks.next().await, Some(start));
    /// });
    /// ```
    pub fn interval_at(start: Instant, period: Duration) -> Timer {
        Timer::bound(Some(start), Ticks::every(period))
    }

    /// Returns whether the timer will fire.
    ///
    /// Returns false if the timer was not set, was cleared, or has yielded its last event.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Timer;
    /// use std::time::{Duration, Instant};
    ///
    /// async_io::block_on(async {
    ///     let mut timer = Timer::at(Instant::now());
    ///     assert!(timer.will_fire());
    ///     (&mut timer).await;
    ///     assert!(!timer.will_fire());
    ///     timer.set_after(Duration::from_secs(1));
    ///     assert!(timer.will_fire());
    /// });
    /// ```
    pub fn will_fire(&self) -> bool {
        self.when.is_some()
    }

    /// Sets the timer to fire after `duration`, instead of its previous deadline.
    ///
    /// A task that waits for the timer is woken at the new deadline and need not poll again. An
    /// interval keeps its period and continues from the new deadline. If the deadline is out of the
    /// range of [`Instant`], the timer never fires.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Timer;
    /// use std::time::Duration;
    ///
    /// let mut timer = Timer::after(Duration::from_secs(3600));
    /// timer.set_after(Duration::from_millis(1));
    /// async_io::block_on(timer);
    /// ```
    pub fn set_after(&mut self, duration: Duration) {
        self.set(Instant::now().checked_add(duration));
    }

    /// Sets the timer to fire at `instant`, instead of its previous deadline.
    ///
    /// A task that waits for the timer is woken at the new deadline and need not poll again. An
    /// interval keeps its period and continues from the new deadline.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Timer;
    /// use std::time::Instant;
    ///
    /// let mut timer = Timer::never();
    /// timer.set_at(Instant::now());
    /// async_io::block_on(timer);
    /// ```
    pub fn set_at(&mut self, instant: Instant) {
        self.set(Some(instant));
    }

    /// Sets the timer to fire every `period`, for the first time one period from this call.
    ///
    /// A task that waits for the timer is woken at the new deadline and need not poll again. If
    /// that deadline is out of the range of [`Instant`], the timer never fires, and keeps its former
    /// period.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Timer;
    /// use futures_lite::StreamExt;
    /// use std::time::Duration;
    ///
    /// let mut timer = Timer::never();
    /// timer.set_interval(Duration::from_millis(1));
    /// async_io::block_on(async {
    ///     timer.next().await;
    ///     timer.next().await;
    /// });
    /// ```
    pub fn set_interval(&mut self, period: Duration) {
        let start = Instant::now().checked_add(period);
        if start.is_some() {
            self.ticks.set_period(period);
        }
        self.set(start);
    }

    /// Sets the timer to fire at `start`, and every `period` after that.
    ///
    /// A task that waits for the timer is woken at the new deadline and need not poll again.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Timer;
    /// use futures_lite::StreamExt;
    /// use std::time::{Duration, Instant};
    ///
    /// let start = Instant::now();
    /// let mut timer = Timer::never();
    /// timer.set_interval_at(start, Duration::from_millis(1));
    /// async_io::block_on(async {
    ///     assert_eq!(timer.next().await, Some(start));
    /// });
    /// ```
    pub fn set_interval_at(&mut self, start: Instant, period: Duration) {
        self.ticks.set_period(period);
        self.set(Some(start));
    }

    /// Cancels the timer: it does not fire unless it is set again.
    ///
    /// A task that waits for the timer keeps waiting, and is woken if the timer is set again and
    /// fires.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Timer;
    /// use std::time::Duration;
    ///
    /// let mut timer = Timer::after(Duration::from_millis(1));
    /// timer.clear();
    /// assert!(!timer.will_fire());
    /// ```
    pub fn clear(&mut self) {
        self.set(None);
    }

    /// Sets what an interval does about events that its task was too late for.
    ///
    /// The policy applies from the next event on, and stays when the timer is set again. It does not
    /// matter for a timer that fires once.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::{MissedTicks, Timer};
    /// use std::time::Duration;
    ///
    /// let mut heartbeat = Timer::interval(Duration::from_secs(1));
    /// heartbeat.set_missed_ticks(MissedTicks::Delay);
    /// assert_eq!(heartbeat.missed_ticks(), MissedTicks::Delay);
    /// ```
    pub fn set_missed_ticks(&mut self, policy: MissedTicks) {
        self.ticks.missed = policy;
    }

    /// Returns what an interval does about events that its task was too late for.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::{MissedTicks, Timer};
    ///
    /// assert_eq!(Timer::never().missed_ticks(), MissedTicks::Burst);
    /// ```
    pub fn missed_ticks(&self) -> MissedTicks {
        self.ticks.missed
    }

    /// Returns the instant at which the timer fires next.
    ///
    /// Returns `None` if the timer will not fire (see [`will_fire`](Timer::will_fire)). The instant
    /// is in the past if the timer is due and was not polled since.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Timer;
    /// use std::time::{Duration, Instant};
    ///
    /// let at = Instant::now() + Duration::from_secs(1);
    /// let mut timer = Timer::at(at);
    /// assert_eq!(timer.deadline(), Some(at));
    /// timer.clear();
    /// assert_eq!(timer.deadline(), None);
    /// ```
    pub fn deadline(&self) -> Option<Instant> {
        self.when
    }

    /// Returns the time from one event of an interval to the next.
    ///
    /// Returns `None` if the timer fires only once. A period of [`Duration::MAX`] counts as that.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Timer;
    /// use std::time::Duration;
    ///
    /// let second = Duration::from_secs(1);
    /// assert_eq!(Timer::interval(second).period(), Some(second));
    /// assert_eq!(Timer::after(second).period(), None);
    /// ```
    pub fn period(&self) -> Option<Duration> {
        Some(self.ticks.period()).filter(|period| *period != Duration::MAX)
    }

    /// Creates a timer of the current reactor.
    #[inline]
    fn bound(when: Option<Instant>, ticks: Ticks) -> Timer {
        let (driver, is_counted) = Driver::current();
        if is_counted {
            driver.add_holder();
        }
        Timer {
            when,
            ticks,
            listener: None,
            reactor: Some(driver),
        }
    }

    /// Returns the driver that fires the timer: the current one if the timer has none yet.
    #[inline]
    fn driver(&mut self) -> &'static Driver {
        match self.reactor {
            Some(driver) => driver,
            None => self.bind(),
        }
    }

    #[cold]
    fn bind(&mut self) -> &'static Driver {
        let (driver, is_counted) = Driver::current();
        if is_counted {
            driver.add_holder();
        }
        self.reactor = Some(driver);
        driver
    }

    fn set(&mut self, when: Option<Instant>) {
        let driver = self.driver();
        self.when = when;
        self.ticks.ended = false;
        // In a forked child, the task polls again by itself.
        if let Some(listener) = self.listener.as_mut().filter(|_| driver.is_here()) {
            let clock = driver.engine.clock();
            let deadline = when.map_or(Deadline::NEVER, |when| clock.deadline(when));
            // The queue may have used up its waker. Then it was not seen that the task waits.
            driver.promise_again(&listener.waker);
            listener.wait_until(driver, deadline);
        }
    }

    /// Advances from an event that is due to the next one.
    fn fire(&mut self, when: Instant, now: Instant, waker: &Waker) {
        self.when = self.ticks.after(when, now);
        self.ticks.ended = self.when.is_none();
        match self.when {
            // The task is woken for the next event even if it does not poll the timer before that.
            Some(next) => self.wait(next, waker),
            None => self.release_task(),
        }
    }

    /// Enqueues the task: its waker is called at `when`.
    fn wait(&mut self, when: Instant, waker: &Waker) {
        let driver = self.driver();
        let promise = driver.promise(waker);
        if promise.is_err() && !driver.is_here() {
            // The locks of the queue may be held by threads that this forked child does not have.
            wait_without_driver(when, waker);
            return;
        }
        let deadline = driver.engine.clock().deadline(when);
        // With a poller, timers are exact. Without one they still fire, so an error is no problem.
        let _ = driver.engine.poller();
        match &mut self.listener {
            Some(listener) => {
                listener.set_task(driver, waker);
                // A poll does not schedule the timer again, so that it keeps its place among timers
                // with the same deadline.
                if !listener.waits_until(driver, deadline) {
                    listener.wait_until(driver, deadline);
                }
            }
            None => self.listener = Some(Listener::new(driver, deadline, waker)),
        }
        let is_scheduled = self.listener.as_ref().is_some_and(|it| it.key.is_some());
        if promise.is_err() || !is_scheduled {
            wait_without_driver(when, waker);
        }
    }

    /// Polls a timer that will not fire. If it was cleared while a task waited, it keeps the waker
    /// of the latest poll. This includes a timer that had fired and was cleared before its task
    /// polled it.
    fn keep_task(&mut self, waker: &Waker) {
        if self.listener.is_none() {
            return;
        }
        let driver = self.driver();
        if let Some(listener) = self.listener.as_mut().filter(|_| driver.is_here()) {
            // The timer may be set again, and then a thread must drive it. If the promise fails,
            // the next poll of the timer that is set handles that.
            let _ = driver.promise(waker);
            listener.set_task(driver, waker);
        }
    }

    fn release_task(&mut self) {
        if let Some(driver) = self.reactor {
            // In a forked child, the key belongs to the parent.
            let is_here = driver.is_here();
            self.release_task_of(driver, is_here);
        }
    }

    /// Drops the waker, and cancels the timer.
    #[inline]
    fn release_task_of(&mut self, driver: &'static Driver, cancels: bool) {
        if let Some(Listener { key, waker }) = self.listener.take() {
            if let Some(key) = key.filter(|_| cancels) {
                driver.cancel(key);
            }
            wake::discard(Some(waker));
        }
    }

    /// Drops a timer that its reactor counts.
    #[cold]
    fn leave(&mut self, driver: &'static Driver) {
        self.release_task();
        driver.remove_holder();
    }
}

impl Listener {
    fn new(driver: &'static Driver, deadline: Deadline, waker: &Waker) -> Self {
        // Clone the waker before changing any state: `clone` is user code and may panic.
        let own = waker.clone();
        Listener {
            key: driver.schedule(deadline, waker),
            waker: own,
        }
    }

    /// Replaces the task that is woken by the one with this waker.
    fn set_task(&mut self, driver: &Driver, waker: &Waker) {
        if self.waker.will_wake(waker) {
            return;
        }
        let (own, waker) = (waker.clone(), waker.clone());
        let timers = &driver.engine.timers;
        let former = std::mem::replace(&mut self.waker, waker);
        let unused = match self.key {
            Some(key) => timers.set_waker(key, own).unwrap_or_else(Option::Some),
            None => Some(own),
        };
        wake::discard(Some(former));
        wake::discard(unused);
    }

    /// Returns whether the queue will wake the task at this deadline.
    fn waits_until(&self, driver: &Driver, deadline: Deadline) -> bool {
        let timers = &driver.engine.timers;
        self.key
            .is_some_and(|key| timers.has_deadline(key, deadline))
    }

    /// Schedules the timer for a deadline. With `NEVER` it becomes idle.
    fn wait_until(&mut self, driver: &Driver, deadline: Deadline) {
        // If the queue has fired the timer, a cleared timer needs no new entry in it.
        let is_pending = || {
            let key = self.key;
            key.is_some_and(|key| driver.engine.timers.is_pending(key))
        };
        if !deadline.is_never() || is_pending() {
            self.key = match self.key {
                Some(key) => driver.reschedule(key, deadline, &self.waker),
                None => driver.schedule(deadline, &self.waker),
            };
        }
    }
}

/// Makes the task poll again, after a pause that keeps it from spinning.
///
/// Called if no thread can be started that would drive the timer, or if the queue is full. A timer
/// cannot return an error.
#[cold]
fn wait_without_driver(when: Instant, waker: &Waker) {
    let left = when.saturating_duration_since(Instant::now());
    std::thread::sleep(left.min(PAUSE_WITHOUT_DRIVER));
    wake::wake_by_ref(waker);
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timer")
            .field("when", &self.when)
            .field("ticks", &self.ticks)
            .field("waits", &self.listener.is_some())
            .field("reactor", &self.reactor.map(Named))
            .finish()
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        match self.reactor {
            Some(driver) if driver.is_global() => self.release_task_of(driver, true),
            Some(driver) => self.leave(driver),
            None => {}
        }
    }
}

impl Future for Timer {
    type Output = Instant;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.poll_next(cx) {
            Poll::Ready(Some(when)) => Poll::Ready(when),
            // The stream never ends.
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}

impl Stream for Timer {
    type Item = Instant;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(when) = self.when else {
            self.keep_task(cx.waker());
            return Poll::Pending;
        };
        let now = Instant::now();
        if now >= when {
            self.fire(when, now, cx.waker());
            return Poll::Ready(Some(when));
        }
        self.wait(when, cx.waker());
        Poll::Pending
    }
}

impl FusedFuture for Timer {
    /// Returns whether the timer has had its last event, and was neither set nor cleared since.
    fn is_terminated(&self) -> bool {
        self.ticks.ended
    }
}

impl FusedStream for Timer {
    /// Returns false: the stream never ends.
    fn is_terminated(&self) -> bool {
        false
    }
}
