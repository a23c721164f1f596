//! A registration with the reactor, as the public types hold it. It has everything about waiting
//! that does not depend on `T`.

use super::would_block::WouldBlock;
use crate::core::source::readiness::Snapshot;
use crate::core::source::state::{Repoll, Reporting, Request};
use crate::core::source::waiters::{Subject, WaiterId};
use crate::core::source::{Direction, Summary};
use crate::core::wake::{self, WakeBatch};
use crate::driver::Driver;
use crate::driver::handle::Handle;
use crate::driver::local::{self, Scope};
use crate::engine::Target;
use crate::engine::poller::Poller as _;
use crate::engine::waiting::{Pausing, WaitPoint, Waited};
use crate::sys::raw::RawSource;
use crate::sys::{self, Poller, REPORTS_CLOSING};
use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

/// Names a source of a driver. It has no `Drop`: the owner deregisters it before it closes the
/// object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Registration {
    driver: &'static Driver,
    target: Target<'static, RawSource>,
}

impl Registration {
    /// Registers an object with the current reactor.
    pub(crate) fn new(raw: RawSource) -> io::Result<Registration> {
        let (driver, is_counted) = Driver::current();
        if is_counted {
            driver.check_home()?;
        }
        let target = driver.engine.insert(raw)?;
        if is_counted {
            driver.add_holder();
        }
        Ok(Registration { driver, target })
    }

    pub(crate) fn driver(&self) -> &'static Driver {
        self.driver
    }

    pub(crate) fn raw(&self) -> RawSource {
        self.target.raw
    }

    /// Returns the state of a direction, for the `Debug` output. Returns `None` in a forked child.
    pub(crate) fn summary(&self, direction: Direction) -> Option<Summary> {
        let is_here = self.driver.is_here();
        is_here.then(|| self.target.source.summary(direction))
    }

    /// Removes the object from the reactor. The owner calls this once, at the end.
    ///
    /// In a forked child, the registration is leaked: it belongs to the parent.
    pub(crate) fn deregister(&self) -> io::Result<()> {
        let is_counted = !self.driver.is_global();
        if is_counted && !self.driver.is_here() {
            return Ok(());
        }
        let result = self.driver.engine.remove(&self.target);
        if is_counted {
            self.driver.remove_holder();
        }
        result
    }

    /// Moves the object to the reactor of another driver, and wakes the tasks that wait for it.
    pub(crate) fn rebind(&mut self, driver: &'static Driver) -> io::Result<()> {
        if std::ptr::eq(self.driver, driver) {
            return driver.check_home();
        }
        let entered = Scope::new(Handle::new(driver));
        let new = Registration::new(self.target.raw)?;
        drop(entered);
        let old = std::mem::replace(self, new);
        if old.driver.is_here() {
            let mut tasks = WakeBatch::default();
            // An error means that the program has closed the descriptor meanwhile.
            let _ = old.driver.engine.remove_and_wake(&old.target, &mut tasks);
            old.driver.remove_holder();
            tasks.run();
        }
        Ok(())
    }

    #[inline]
    fn snapshot(&self, direction: Direction) -> Snapshot {
        self.target.source.word(direction).snapshot()
    }

    /// Tries an operation until it returns something other than `WouldBlock`. In between, the task
    /// waits as the shared waiter of the direction. Each poll tries the operation.
    #[inline]
    pub(crate) fn poll_shared<R>(
        &self,
        direction: Direction,
        would_block: WouldBlock,
        cx: &mut Context<'_>,
        operation: impl FnMut() -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        let id = || WaiterId::Shared;
        self.poll_operation(direction, would_block, id, cx, operation)
    }

    /// As [`poll_shared`](Self::poll_shared), with a waiter that belongs to one future. A poll that
    /// may keep waiting, or that comes during a pause, does not try the operation.
    #[inline]
    pub(crate) fn poll_listed<R>(
        &self,
        direction: Direction,
        would_block: WouldBlock,
        waiter: &mut ListedWaiter,
        cx: &mut Context<'_>,
        operation: impl FnMut() -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        if let Some(id) = waiter.existing() {
            self.driver.check_home()?;
            if self.goes_on_waiting(WaitPoint { direction, id }, would_block, cx) {
                return Poll::Pending;
            }
        }
        let id = || waiter.id(self, direction);
        self.poll_operation(direction, would_block, id, cx, operation)
    }

    /// Returns whether a future that is polled again keeps waiting without trying its operation.
    fn goes_on_waiting(
        &self,
        at: WaitPoint,
        would_block: WouldBlock,
        cx: &mut Context<'_>,
    ) -> bool {
        let (engine, waker) = (&self.driver.engine, cx.waker());
        // Not for writes: `WouldBlock` may be about the receiver, which no edge reports.
        if at.direction == Direction::Read && would_block.is_conclusive() {
            let waits = match engine.repoll(&self.target, at, waker) {
                Repoll::KeepsWaiting => true,
                // If the fallback thread cannot be started, the operation returns the error.
                Repoll::WaitsAgain => {
                    self.driver.promise(waker).is_ok()
                        && engine.wait_again(&self.target, at.id, waker)
                }
                Repoll::Tries => false,
            };
            if waits {
                return true;
            }
        }
        // If the fallback thread cannot be started, the operation returns the error.
        self.snapshot(at.direction).is_contradicted()
            && self.driver.promise(waker).is_ok()
            && engine.pausing(&self.target, at, cx.waker()) == Pausing::Yes
    }

    #[inline]
    fn poll_operation<R>(
        &self,
        direction: Direction,
        would_block: WouldBlock,
        mut id: impl FnMut() -> WaiterId,
        cx: &mut Context<'_>,
        mut operation: impl FnMut() -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        // With one-shot reporting, arming reports again what is ready. If `WouldBlock` contradicted
        // that, the wait would be a busy loop. So the kernel is asked, and contradictions are
        // counted.
        let would_block = match Poller::TRAITS.reporting {
            Reporting::Edges => would_block,
            Reporting::OneShot => WouldBlock::Inconclusive,
        };
        loop {
            // Read before the operation: after a later event, the operation is tried again.
            let seen = self.snapshot(direction);
            match operation() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => {
                    if seen.is_contradicted() && self.driver.is_here() {
                        let at = WaitPoint {
                            direction,
                            id: id(),
                        };
                        self.driver.engine.forgive(&self.target, at);
                    }
                    return Poll::Ready(result);
                }
            }
            let at = WaitPoint {
                direction,
                id: id(),
            };
            let request = match would_block {
                WouldBlock::Conclusive => Request::Retry(seen),
                WouldBlock::ConclusiveForPeek => Request::RetryPeek(seen),
                WouldBlock::Inconclusive => Request::Refused,
            };
            match self.wait(at, request, cx) {
                Ok(Waited::Enqueued) => return Poll::Pending,
                Ok(Waited::TryAgain | Waited::Ready) => {}
                Ok(waited) => return self.slow_down(at, waited, cx),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Reads from a `TcpStream`. This is like [`poll_shared`](Self::poll_shared), but a read after
    /// one that was shorter than its buffer waits without a system call, if that is safe.
    #[inline]
    pub(crate) fn poll_read_stream(
        &self,
        capacity: usize,
        cx: &mut Context<'_>,
        mut read: impl FnMut() -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        let mut seen = self.snapshot(Direction::Read);
        if seen.is_drained() && self.waits_after_short_read(seen, cx) {
            return Poll::Pending;
        }
        loop {
            match read() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => {
                    if matches!(result, Ok(count) if 0 < count && count < capacity) {
                        self.note_short_read(seen);
                    }
                    return Poll::Ready(result);
                }
            }
            let request = match Poller::TRAITS.reporting {
                Reporting::Edges => Request::Retry(seen),
                Reporting::OneShot => Request::Refused,
            };
            let at = WaitPoint {
                direction: Direction::Read,
                id: WaiterId::Shared,
            };
            match self.wait(at, request, cx) {
                Ok(Waited::Enqueued) => return Poll::Pending,
                Ok(Waited::TryAgain | Waited::Ready) => {}
                Ok(waited) => return self.slow_down(at, waited, cx),
                Err(error) => return Poll::Ready(Err(error)),
            }
            seen = self.snapshot(Direction::Read);
        }
    }

    /// Returns whether the read after a short read waits without a system call.
    #[inline]
    fn waits_after_short_read(&self, seen: Snapshot, cx: &mut Context<'_>) -> bool {
        let (driver, waker) = (self.driver, cx.waker());
        // If the fallback thread cannot be started, the read makes the same promise and returns the
        // error.
        local::has_waited()
            && driver.promise(waker).is_ok()
            && driver
                .engine
                .wait_after_short_read(&self.target, seen, waker)
    }

    #[inline]
    fn note_short_read(&self, seen: Snapshot) {
        match seen.allows_shortcut() {
            Some(true) => self.target.source.word(Direction::Read).note_drained(seen),
            Some(false) => {}
            // Asks the system, once per object. The next short read is noted.
            None => drop(self.is_tcp()),
        }
    }

    /// Returns whether the object is a TCP socket for which a short read is conclusive. That
    /// requires a system that reports the end of a stream together with its last data. The type
    /// proves nothing, because a `TcpStream` can be made from any descriptor.
    pub(crate) fn is_tcp(&self) -> bool {
        let word = self.target.source.word(Direction::Read);
        if let Some(known) = word.snapshot().allows_shortcut() {
            return known;
        }
        let is_tcp = REPORTS_CLOSING && sys::socket::is_tcp(self.target.raw);
        word.set_tcp(is_tcp);
        is_tcp
    }

    /// Records that the object is a TCP socket that this crate has connected or accepted.
    pub(crate) fn set_tcp(&self) {
        let word = self.target.source.word(Direction::Read);
        word.set_tcp(REPORTS_CLOSING);
    }

    /// Waits until the operating system reports that an operation would not block.
    #[inline]
    pub(crate) fn poll_ready(
        &self,
        direction: Direction,
        id: WaiterId,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let at = WaitPoint { direction, id };
        if self.snapshot(direction).is_contradicted() {
            self.driver.promise(cx.waker())?;
            match self.driver.engine.pausing(&self.target, at, cx.waker()) {
                Pausing::Yes => return Poll::Pending,
                Pausing::Over if self.driver.engine.is_ready_now(&self.target, direction) => {
                    return Poll::Ready(Ok(()));
                }
                Pausing::Over | Pausing::No => {}
            }
        }
        match self.wait(at, Request::Ready, cx) {
            Ok(Waited::Enqueued) => Poll::Pending,
            Ok(Waited::TryAgain | Waited::Ready) => Poll::Ready(Ok(())),
            Ok(waited) => {
                // If the executor of this thread has nothing else to run, `block_on` would poll the
                // task again without a turn in between.
                local::request_turn();
                self.slow_down(at, waited, cx)
            }
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    /// Waits until the operating system reports an exception.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn poll_exception(
        &self,
        exception: crate::core::source::Exception,
        waiter: &mut ListedWaiter,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if let Err(error) = self.driver.promise(cx.waker()) {
            return Poll::Ready(Err(error));
        }
        let id = waiter.id(self, exception);
        let engine = &self.driver.engine;
        match engine.wait_for_exception(&self.target, id, exception, cx.waker()) {
            Ok(false) => Poll::Pending,
            Ok(true) => Poll::Ready(Ok(())),
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    /// Registers a wait, and makes certain that a thread will drive it.
    #[inline]
    fn wait(&self, at: WaitPoint, request: Request, cx: &mut Context<'_>) -> io::Result<Waited> {
        self.driver.promise(cx.waker())?;
        let engine = &self.driver.engine;
        // Arming would report again what is ready, and end the pause.
        if matches!(request, Request::Refused)
            && self.snapshot(at.direction).is_contradicted()
            && engine.pausing(&self.target, at, cx.waker()) == Pausing::Yes
        {
            return Ok(Waited::Enqueued);
        }
        engine.wait_for(&self.target, at, request, cx.waker())
    }

    /// Makes the task yield or pause. An event does not end the pause, because a refused attempt
    /// may cause an event itself.
    #[cold]
    fn slow_down<R>(&self, at: WaitPoint, waited: Waited, cx: &mut Context<'_>) -> Poll<R> {
        match waited {
            Waited::Pause(pause) => self.pause(at, pause, cx),
            _ => wake::wake_by_ref(cx.waker()),
        }
        Poll::Pending
    }

    fn pause(&self, at: WaitPoint, pause: Duration, cx: &mut Context<'_>) {
        let engine = &self.driver.engine;
        let deadline = engine.clock().now().plus(pause);
        match self.driver.schedule(deadline, cx.waker()) {
            Some(timer) => engine.set_pause(&self.target, at, timer),
            // The timer queue is full. The task yields instead.
            None => wake::wake_by_ref(cx.waker()),
        }
    }
}

/// The waiter of one future. It is added to its source when it is first needed, and removed when it
/// is dropped.
#[derive(Debug, Default)]
pub(crate) struct ListedWaiter {
    listed: Option<(Registration, WaiterId)>,
}

impl ListedWaiter {
    pub(crate) const fn new() -> Self {
        ListedWaiter { listed: None }
    }

    fn existing(&self) -> Option<WaiterId> {
        self.listed.map(|(_, id)| id)
    }

    /// Returns the id of the waiter. Adds the waiter to the source if necessary.
    ///
    /// In a forked child, no lock of the parent's source is taken. The wait then fails.
    pub(crate) fn id(
        &mut self,
        registration: &Registration,
        subject: impl Into<Subject>,
    ) -> WaiterId {
        if !registration.driver.is_here() {
            return WaiterId::Shared;
        }
        let (_, id) = *self.listed.get_or_insert_with(|| {
            let mut slot = registration.target.source.lock();
            (*registration, slot.state.waiters.add(subject))
        });
        id
    }

    /// Removes the waiter from its source. Its waker is dropped immediately and will not be called.
    pub(crate) fn remove(&mut self) {
        if let Some((registration, id)) = self.listed.take() {
            if registration.driver.is_here() {
                let engine = &registration.driver.engine;
                engine.remove_waiter(&registration.target, id);
            }
        }
    }
}

impl Drop for ListedWaiter {
    fn drop(&mut self) {
        self.remove();
    }
}
