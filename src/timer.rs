//! [`Timer`]: points in time as a future and as a stream.

use crate::core::clock::Deadline;
use crate::core::timers::TimerKey;
use crate::core::wake;
use crate::driver::Driver;
use futures_core::Stream;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// How long a poll pauses at most if no thread can be started to drive the timers.
const PAUSE_WITHOUT_DRIVER: Duration = Duration::from_millis(1);

/// A future or stream that emits timed events.
///
/// As a future it completes once, with the [`Instant`] that it was set for. As a stream it emits that instant; an interval
/// goes on with the next, for ever. The stream never ends: a timer that will not fire (again) is just pending.
///
/// A timer is never early. How late it is depends on the system: on Linux tens of microseconds on an idle machine, on
/// other systems up to the resolution of their wait. Where many are due close together (eight or more within 180 µs), they
/// may share a wake-up, and the first of them then comes up to 180 µs late; a timer by itself does not wait for others.
///
/// An interval has no drift: each event is due one period after the time that the last one was *due*. Events that were
/// missed are not skipped or merged, they are emitted one after the other at once, each with its own instant.
///
/// # Tasks
///
/// A pending timer wakes the task that polled it last. Setting it anew keeps the task: it is woken for the new time without
/// having to poll again, also if it has been woken for the old one already. So is a task that got an event of an interval, for
/// the next one. A task that has got the last event is not kept.
///
/// # Cancellation
///
/// Dropping a timer takes it back at once, and it gives its waker back at once. Dropping it loses nothing else.
///
/// # Errors and panics
///
/// None. Times beyond the range of [`Instant`] mean "never". If the `async-io` thread is needed and cannot be started, the
/// timer still fires: each poll then pauses its thread for up to a millisecond, and wakes its task.
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
/// Every millisecond, three times:
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
#[derive(Debug)]
#[doc(alias = "sleep")]
#[doc(alias = "timeout")]
pub struct Timer {
    /// When the timer fires next; `None` if it will not.
    when: Option<Instant>,
    /// The time from one event to the next. It is so large that the sum overflows if there is only
    /// one event.
    period: Duration,
    /// The task that polled the timer and was not given an event since.
    listener: Option<Listener>,
}

/// The task that a timer wakes.
///
/// The queue has a copy of the waker, which is used up when the deadline comes. If the timer is set
/// again before its task has polled it, the task must be woken for the new time as well.
#[derive(Debug)]
struct Listener {
    /// The timer in the queue. The key is outdated if the queue has fired it. `None` if the queue is
    /// full.
    key: Option<TimerKey>,
    waker: Waker,
}

/// A period after which there is no next event.
const ONCE: Duration = Duration::MAX;

impl Timer {
    /// A timer that never fires, until it is set.
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
            period: ONCE,
            listener: None,
        }
    }

    /// A timer that fires once, after `duration`. If that is beyond the range of [`Instant`], it never fires.
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
        Timer {
            when: Instant::now().checked_add(duration),
            period: ONCE,
            listener: None,
        }
    }

    /// A timer that fires once, at `instant`; at once if that has passed.
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
        Timer {
            when: Some(instant),
            period: ONCE,
            listener: None,
        }
    }

    /// A timer that fires every `period`, for the first time one period from now. If that is beyond the range of
    /// [`Instant`], it never fires.
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
        Timer {
            when: Instant::now().checked_add(period),
            period,
            listener: None,
        }
    }

    /// A timer that fires at `start`, and every `period` after that.
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
        Timer {
            when: Some(start),
            period,
            listener: None,
        }
    }

    /// Whether the timer will fire: it is set, and if it fires once, it has not yet.
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

    /// Sets the timer to fire `duration` from now. If that is beyond the range of [`Instant`], it never fires.
    ///
    /// The task that polls the timer is woken for the new time. The period of an interval stays: it goes on from there.
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

    /// Sets the timer to fire at `instant`. Otherwise like [`set_after`](Timer::set_after).
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

    /// Makes the timer an interval that fires every `period`, for the first time one period from now. If that is beyond
    /// the range of [`Instant`], it never fires. The task that polls the timer is woken for the new times.
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
        self.period = period;
        self.set(Instant::now().checked_add(period));
    }

    /// Makes the timer an interval that fires at `start`, and every `period` after that. The task that polls the timer is
    /// woken for the new times.
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
        self.period = period;
        self.set(Some(start));
    }

    /// Makes the timer never fire, until it is set again. The task that polled it is kept for that.
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

    fn set(&mut self, when: Option<Instant>) {
        self.when = when;
        if let Some(listener) = &mut self.listener {
            let clock = Driver::global().reactor.clock();
            listener.wait_until(when.map_or(Deadline::NEVER, |when| clock.deadline(when)));
        }
    }

    /// Emits an event that is due, and advances to the next one.
    fn fire(&mut self, when: Instant, waker: &Waker) {
        self.when = when.checked_add(self.period);
        match self.when {
            // The task is woken for the next event even if it does not poll the timer before.
            Some(next) => self.wait(next, waker),
            None => self.release_task(),
        }
    }

    /// Wakes the task at `when`.
    fn wait(&mut self, when: Instant, waker: &Waker) {
        let driver = Driver::global();
        let deadline = driver.reactor.clock().deadline(when);
        let promise = driver.promise(waker);
        // With a poller, timers are exact. Without one they still fire.
        let _ = driver.reactor.poller();
        match &mut self.listener {
            Some(listener) => {
                listener.set_task(waker);
                // Another poll is no new scheduling: the order among equal deadlines stays.
                if !listener.waits_until(deadline) {
                    listener.wait_until(deadline);
                }
            }
            None => self.listener = Some(Listener::new(deadline, waker)),
        }
        let is_scheduled = self.listener.as_ref().is_some_and(|it| it.key.is_some());
        if promise.is_err() || !is_scheduled {
            wait_without_driver(when, waker);
        }
    }

    /// A timer that was cleared while a task waited keeps that task. The task of the latest poll is
    /// kept, also if the timer had fired and its task has not polled it: the event was taken back.
    fn keep_task(&mut self, waker: &Waker) {
        if let Some(listener) = &mut self.listener {
            // For the time when the timer is set again. A failure is met by the poll after that.
            let _ = Driver::global().promise(waker);
            listener.set_task(waker);
        }
    }

    fn release_task(&mut self) {
        if let Some(Listener { key, waker }) = self.listener.take() {
            if let Some(key) = key {
                Driver::global().cancel(key);
            }
            wake::discard(Some(waker));
        }
    }
}

impl Listener {
    fn new(deadline: Deadline, waker: &Waker) -> Self {
        // Foreign code: cloned before anything changes, because `clone` may panic.
        let own = waker.clone();
        Listener {
            key: Driver::global().schedule(None, deadline, waker),
            waker: own,
        }
    }

    /// Makes the task with this waker the one to wake.
    fn set_task(&mut self, waker: &Waker) {
        if self.waker.will_wake(waker) {
            return;
        }
        let (own, waker) = (waker.clone(), waker.clone());
        let timers = &Driver::global().reactor.timers;
        let former = std::mem::replace(&mut self.waker, waker);
        let unused = match self.key {
            Some(key) => timers.set_waker(key, own).unwrap_or_else(Option::Some),
            None => Some(own),
        };
        wake::discard(Some(former));
        wake::discard(unused);
    }

    /// Returns whether the queue will wake the task at this deadline.
    fn waits_until(&self, deadline: Deadline) -> bool {
        let timers = &Driver::global().reactor.timers;
        self.key
            .is_some_and(|key| timers.has_deadline(key, deadline))
    }

    /// Wakes the task at a deadline; `NEVER` for as long as there is none.
    fn wait_until(&mut self, deadline: Deadline) {
        let driver = Driver::global();
        // A timer that has fired and is cleared needs no entry in the queue.
        let is_pending = || {
            let key = self.key;
            key.is_some_and(|key| driver.reactor.timers.is_pending(key))
        };
        if !deadline.is_never() || is_pending() {
            self.key = driver.schedule(self.key, deadline, &self.waker);
        }
    }
}

/// No thread can be started that would drive this timer, or there are too many timers, and there is no
/// error to return: the task polls again, after a pause that keeps it from spinning.
#[cold]
fn wait_without_driver(when: Instant, waker: &Waker) {
    let left = when.saturating_duration_since(Instant::now());
    std::thread::sleep(left.min(PAUSE_WITHOUT_DRIVER));
    wake::wake_by_ref(waker);
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.release_task();
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
        if Instant::now() >= when {
            self.fire(when, cx.waker());
            return Poll::Ready(Some(when));
        }
        self.wait(when, cx.waker());
        Poll::Pending
    }
}
