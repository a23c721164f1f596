//! What the shell of the driver runs on in a model: a reactor, an alarm clock, policies, and the
//! threads that take part.
//!
//! The reactor has an interest set, edges that have not been fetched yet, a timer descriptor, and
//! one notification, which ends any one of the waits in progress. A deadline or an alarm may be
//! reached at any moment after it was set.

use super::explore_within;
use crate::core::clock::{Clock, Deadline};
use crate::core::roles::ThreadId;
use crate::core::sync::{Condvar, Mutex};
use crate::core::timers::Timers;
use crate::core::wake::{UncalledWakers, WakeBatch};
use crate::driver::policy::Policy;
use crate::driver::shell::{Pass, Shell, Turning, Workspace};
use crate::driver::thread::{self, Thread};
use crate::driver::turn_requests::{CallerId, TurnRequests};
use crate::driver::watch::AlarmClock;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, OnceLock};
use std::task::{Wake, Waker};
use std::time::Duration;

/// The largest number of tasks that wait in a model, each for data of its own.
const TASKS: usize = 4;

/// A reactor. With `CONCURRENT`, several threads may be inside its wait at once.
#[derive(Debug)]
pub(super) struct Engine<const CONCURRENT: bool> {
    kernel: Mutex<Kernel>,
    changed: Condvar,
    /// Only the models that need timers have them.
    timers: OnceLock<Timers>,
}

#[derive(Debug)]
struct Kernel {
    tasks: [Task; TASKS],
    /// The tasks with an edge that has not been fetched yet.
    edges: Vec<usize>,
    notified: bool,
    /// The deadline that the timer descriptor is programmed for.
    programmed: Deadline,
    now: Deadline,
    /// Whether a thread is inside the wait. Used only if one thread at a time may be.
    inside: bool,
    /// Whether the next turn panics after it has fetched its events.
    panics: bool,
}

/// What a task waits for, and its waker. The waker of a real task belongs to a source. Here it
/// shares the reactor's lock, because other models cover that part.
#[derive(Debug, Default)]
struct Task {
    data: bool,
    armed: bool,
    waker: Option<Waker>,
}

impl<const CONCURRENT: bool> Engine<CONCURRENT> {
    fn new() -> Self {
        Engine {
            kernel: Mutex::new(Kernel {
                tasks: Default::default(),
                edges: Vec::new(),
                notified: false,
                programmed: Deadline::NEVER,
                now: Deadline::from_nanos(0),
                inside: false,
                panics: false,
            }),
            changed: Condvar::new(),
            timers: OnceLock::new(),
        }
    }

    /// Returns the timers. A model with timers calls this before it starts threads.
    pub(super) fn timers(&self) -> &Timers {
        self.timers.get_or_init(|| Timers::new(1))
    }

    /// Returns whether the data of a task has arrived. If not, the task waits.
    pub(super) fn poll(&self, task: usize, waker: &Waker) -> bool {
        let mut kernel = self.kernel.lock();
        let task = &mut kernel.tasks[task];
        if !task.data {
            task.waker = Some(waker.clone());
            task.armed = true;
        }
        task.data
    }

    /// Has data arrive for each of these tasks at the same moment.
    pub(super) fn post(&self, tasks: &[usize]) {
        let mut kernel = self.kernel.lock();
        for &task in tasks {
            kernel.tasks[task].data = true;
            if kernel.tasks[task].armed {
                kernel.edges.push(task);
            }
        }
        drop(kernel);
        self.changed.notify_all();
    }

    /// Returns whether a task waits.
    pub(super) fn is_waiting(&self, task: usize) -> bool {
        self.kernel.lock().tasks[task].waker.is_some()
    }

    /// Blocks the thread until the descriptor of the poller would be readable.
    pub(super) fn wait_for_descriptor(&self) {
        let mut kernel = self.kernel.lock();
        while kernel.edges.is_empty() && !kernel.notified && kernel.programmed.is_never() {
            kernel = self.changed.wait(kernel);
        }
    }

    /// Programs the timer, also for a later deadline than before.
    pub(super) fn arm(&self, deadline: Deadline) {
        self.kernel.lock().programmed = deadline;
        self.changed.notify_all();
    }

    pub(super) fn now(&self) -> Deadline {
        self.kernel.lock().now
    }

    /// Makes the next turn panic.
    pub(super) fn panic_once(&self) {
        self.kernel.lock().panics = true;
    }
}

impl<const CONCURRENT: bool> Turning for Engine<CONCURRENT> {
    type Buffer = ();

    const CONCURRENT_WAITS: bool = CONCURRENT;

    fn buffer() {}

    fn turn(&self, limit: Option<Deadline>, _buffer: &mut (), batch: &mut WakeBatch) -> Pass {
        let waits = limit.is_some();
        let timers = self.timers.get();
        let limit = limit.unwrap_or(Deadline::NEVER);
        let deadline = timers.map_or(limit, |it| it.wake_up_time().min(limit));
        let mut kernel = self.kernel.lock();
        while kernel.inside {
            kernel = self.changed.wait(kernel);
        }
        kernel.inside = !CONCURRENT;
        kernel.programmed = kernel.programmed.min(deadline);
        if !limit.is_never() {
            // The timer descriptor is programmed, and then the thread enters the wait.
            drop(kernel);
            self.changed.notify_all();
            kernel = self.kernel.lock();
        }
        while waits && kernel.edges.is_empty() && !kernel.notified && kernel.programmed.is_never() {
            kernel = self.changed.wait(kernel);
        }
        kernel.inside = false;
        let notified = std::mem::take(&mut kernel.notified);
        let fired = std::mem::replace(&mut kernel.programmed, Deadline::NEVER);
        if !fired.is_never() {
            kernel.now = kernel.now.max(fired);
        }
        for task in std::mem::take(&mut kernel.edges) {
            if let Some(waker) = kernel.tasks[task].waker.take() {
                batch.push(waker);
            }
        }
        let now = kernel.now;
        let panics = std::mem::take(&mut kernel.panics);
        drop(kernel);
        if !CONCURRENT {
            self.changed.notify_all();
            // A thread that queues for the wait enters it before this thread comes back.
            loom::thread::yield_now();
        }
        if let Some(timers) = timers {
            timers.expire(now, usize::MAX, batch);
        }
        if panics {
            resume_unwind(Box::new(()));
        }
        Pass {
            notified,
            events: 0,
        }
    }

    fn notify(&self) {
        self.kernel.lock().notified = true;
        self.changed.notify_all();
    }

    fn expect_by(&self, deadline: Deadline) {
        let mut kernel = self.kernel.lock();
        kernel.programmed = kernel.programmed.min(deadline);
        drop(kernel);
        self.changed.notify_all();
    }

    fn next_deadline(&self) -> Deadline {
        self.timers.get().map_or(Deadline::NEVER, Timers::next)
    }

    fn is_here(&self) -> bool {
        true
    }
}

/// An alarm clock that goes off at any time after its alarm was set.
#[derive(Debug)]
pub(super) struct Alarm {
    state: Mutex<AlarmState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct AlarmState {
    set: bool,
    rung: bool,
}

impl AlarmClock for Alarm {
    type Buffer = ();

    fn open(_clock: Clock) -> io::Result<Self> {
        Ok(Alarm {
            state: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    fn now(&self, _clock: Clock) -> Deadline {
        Deadline::from_nanos(0)
    }

    fn set_alarm(&self, _at: Deadline) {
        self.state.lock().set = true;
        self.changed.notify_all();
    }

    fn cancel_alarm(&self) {
        self.state.lock().set = false;
    }

    fn sleep(&self, _buffer: &mut ()) -> io::Result<bool> {
        let mut state = self.state.lock();
        while !state.set && !state.rung {
            state = self.changed.wait(state);
        }
        let went_off = state.set;
        *state = AlarmState::default();
        drop(state);
        if went_off {
            // Time passes until the next alarm, so the other threads run meanwhile.
            loom::thread::yield_now();
        }
        Ok(false)
    }

    fn ring(&self) {
        self.state.lock().rung = true;
        self.changed.notify_all();
    }
}

/// A policy that always gives the same answers: whether the alarm is postponed and cancelled each
/// time, whether the fallback thread takes the place of an absent leader at the first alarm or
/// never, and whether a leader announces that it calls wakers.
#[derive(Debug, Default)]
pub(super) struct Adversary<
    const POSTPONES: bool,
    const CANCELS: bool,
    const DISPLACES: bool,
    const ANNOUNCES: bool,
>;

impl<const POSTPONES: bool, const CANCELS: bool, const DISPLACES: bool, const ANNOUNCES: bool>
    Policy for Adversary<POSTPONES, CANCELS, DISPLACES, ANNOUNCES>
{
    const GRACE: Duration = Duration::ZERO;

    fn postpones(&mut self, _set_at: Deadline, _now: Deadline) -> bool {
        POSTPONES
    }

    fn leader_left(&mut self, _now: Deadline) {}

    fn cancels(&mut self) -> bool {
        CANCELS
    }

    fn false_alarm(&mut self) {}

    fn displaces(_absences: u32) -> bool {
        DISPLACES
    }

    fn announces_calls(wakers: usize) -> bool {
        ANNOUNCES && wakers > 0
    }
}

/// Changes the alarm whenever it may do so.
pub(super) type Restless = Adversary<true, true, true, false>;
/// Cancels the alarm, but relies on a pending one. Announces all calls.
pub(super) type Canceling = Adversary<false, true, true, true>;
/// The policy of a second driver beside one of the others.
pub(super) type Second = Adversary<true, false, true, false>;
/// Leaves the alarm as it is, and an absent leader in its place. Announces all calls.
pub(super) type Passive = Adversary<false, false, false, true>;

/// The real shell in a model.
pub(super) type Driver<const CONCURRENT: bool, P> = Shell<Engine<CONCURRENT>, Alarm, P>;

/// A static value that each execution of a model creates for itself.
pub(super) trait PerExecution: Sized + 'static {
    fn get() -> &'static Self;
}

macro_rules! drivers {
    ($($concurrent:literal $policy:ty;)*) => {$(
        impl PerExecution for Driver<$concurrent, $policy> {
            fn get() -> &'static Self {
                static DRIVER: loom::lazy_static::Lazy<Driver<$concurrent, $policy>> =
                    loom::lazy_static::Lazy {
                        init: || Shell::new(Engine::new(), Clock::new()),
                        _p: std::marker::PhantomData,
                    };
                DRIVER.get()
            }
        }
    )*};
}

drivers! {
    true Restless;
    true Canceling;
    true Passive;
    true Second;
    false Restless;
}

/// Runs a model of the driver in all interleavings with at most this many preemptions.
pub(super) fn explore_driver<const CONCURRENT: bool, P: Policy>(
    name: &str,
    preemptions: usize,
    model: impl Fn(&'static Driver<CONCURRENT, P>) + Sync + Send + 'static,
) where
    Driver<CONCURRENT, P>: PerExecution,
{
    explore_within(name, preemptions, move || model(PerExecution::get()));
}

loom::thread_local! {
    /// The wakers that this thread has yet to call.
    static UNCALLED: Arc<UncalledWakers> = Arc::default();
}

/// Defines the tests of the models of the driver: each model runs under every policy, and once on a
/// reactor without concurrent waits. The number is the preemption bound of [`explore_driver`].
macro_rules! models {
    ($($(#[$doc:meta])* $name:ident, $preemptions:literal;)*) => {$(
        $(#[$doc])*
        mod $name {
            use crate::testing::models::system::{Canceling, Passive, Restless, explore_driver};

            #[test]
            fn restless() {
                let name = concat!(stringify!($name), "::restless");
                explore_driver(name, $preemptions, super::$name::<true, Restless>);
            }

            #[test]
            fn canceling() {
                let name = concat!(stringify!($name), "::canceling");
                explore_driver(name, $preemptions, super::$name::<true, Canceling>);
            }

            #[test]
            fn passive() {
                let name = concat!(stringify!($name), "::passive");
                explore_driver(name, $preemptions, super::$name::<true, Passive>);
            }

            #[test]
            fn one_inside() {
                let name = concat!(stringify!($name), "::one_inside");
                explore_driver(name, $preemptions, super::$name::<false, Restless>);
            }
        }
    )*};
}

pub(super) use models;

/// A thread that takes part in driving, as a call of `block_on` or as the fallback thread.
pub(super) struct Participant<const CONCURRENT: bool, P: 'static> {
    driver: &'static Driver<CONCURRENT, P>,
    thread: Arc<Thread>,
    waker: Waker,
    workspace: Workspace<()>,
}

impl<const CONCURRENT: bool, P: Policy> Participant<CONCURRENT, P> {
    /// Creates a participant for a call of `block_on` on this thread, possibly inside a waker.
    pub(super) fn new(driver: &'static Driver<CONCURRENT, P>) -> Self {
        Self::with(driver, driver.next_thread_id())
    }

    /// Creates a participant for the fallback thread, which is this thread.
    pub(super) fn fallback(driver: &'static Driver<CONCURRENT, P>) -> Self {
        Self::with(driver, ThreadId::FALLBACK)
    }

    fn with(driver: &'static Driver<CONCURRENT, P>, id: ThreadId) -> Self {
        let thread = Arc::new(Thread::new(driver, id));
        let uncalled = UNCALLED.with(Arc::clone);
        Participant {
            driver,
            waker: thread::waker(Arc::clone(&thread)),
            thread,
            workspace: Workspace::new((), uncalled),
        }
    }

    pub(super) fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// Polls a future until it is ready, as `block_on` does.
    pub(super) fn block_on(&mut self, mut poll: impl FnMut(&Waker) -> bool) {
        while !poll(&self.waker) {
            if !self.thread.parker.state.take() {
                self.driver.wait_as(&self.thread, &mut self.workspace);
                self.thread.parker.state.take();
            }
        }
    }

    /// Blocks until the data of a task has arrived.
    pub(super) fn block_on_task(&mut self, task: usize) {
        let driver = self.driver;
        self.block_on(|waker| driver.engine.poll(task, waker));
    }

    /// Waits until the thread is notified.
    pub(super) fn block_until_notified(&mut self) {
        while !self.thread.parker.state.take() {
            self.driver.wait_as(&self.thread, &mut self.workspace);
        }
    }

    /// Gives the reactor a turn, as `block_on` does while its future keeps waking itself.
    pub(super) fn give_turn(&mut self) {
        let (thread, workspace) = (&self.thread, &mut self.workspace);
        self.driver.turn_without_waiting(thread, workspace);
    }

    /// Waits for a turn that does something, as `Driver::turn` does. Here, only a request ends it.
    pub(super) fn turn(&mut self, requests: &TurnRequests) {
        let (driver, thread) = (self.driver, &self.thread);
        let mut waits = !requests.begin(thread, CallerId(0));
        while waits {
            let limit = Some(Deadline::NEVER);
            if driver
                .lead_once(thread, limit, &mut self.workspace)
                .is_none()
            {
                driver.stand_by_once(thread, &mut self.workspace);
            }
            waits = !(thread.parker.state.take() && requests.has_ended(thread));
        }
        requests.end(thread);
    }

    /// Waits for a turn that does something, until a limit. Here, only the limit ends it.
    pub(super) fn turn_until(&mut self, limit: Deadline) {
        while self.driver.engine.now() < limit {
            let (driver, thread) = (self.driver, &self.thread);
            let led = driver.lead_once(thread, Some(limit), &mut self.workspace);
            assert!(led.is_some(), "no other thread keeps the role");
        }
    }

    /// Ends the call of `block_on`.
    pub(super) fn retire(self) {
        self.driver.retire(&self.thread);
    }

    /// Leads once, as the fallback thread, if the role is vacant. Returns whether it did.
    pub(super) fn lead_once(&mut self) -> bool {
        let claim = crate::core::roles::Claim::Vacant;
        let Participant {
            driver,
            thread,
            workspace,
            ..
        } = self;
        driver.fallback_leads(thread, workspace, claim, true)
    }

    /// Runs the rounds of the fallback thread until the gate is open. Panics are caught.
    pub(super) fn drive_until(&mut self, gate: &Gate) {
        let mut absences = 0;
        while !gate.is_open() {
            let round = || {
                self.driver
                    .fallback_round(&self.thread, &mut self.workspace, &mut absences);
            };
            let _ = catch_unwind(AssertUnwindSafe(round));
        }
    }
}

/// A gate that threads and tasks wait for. Waking it opens it.
#[derive(Debug, Default)]
pub(super) struct Gate {
    state: Mutex<GateState>,
    opened: Condvar,
}

#[derive(Debug, Default)]
struct GateState {
    open: bool,
    wakers: Vec<Waker>,
}

impl Gate {
    pub(super) fn new() -> Arc<Gate> {
        Arc::default()
    }

    pub(super) fn is_open(&self) -> bool {
        self.state.lock().open
    }

    /// Blocks the thread without driving.
    pub(super) fn wait(&self) {
        let mut state = self.state.lock();
        while !state.open {
            state = self.opened.wait(state);
        }
    }

    /// Returns whether the gate is open. If not, the task waits.
    pub(super) fn poll(&self, waker: &Waker) -> bool {
        let mut state = self.state.lock();
        if !state.open {
            state.wakers.push(waker.clone());
        }
        state.open
    }
}

impl Wake for Gate {
    fn wake(self: Arc<Self>) {
        let mut state = self.state.lock();
        state.open = true;
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        self.opened.notify_all();
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// A waker that blocks the thread that calls it until a gate is open.
pub(super) struct Blocks(pub(super) Arc<Gate>);

impl Wake for Blocks {
    fn wake(self: Arc<Self>) {
        self.0.wait();
    }
}

/// Starts the fallback thread. It ends when the gate is open.
pub(super) fn spawn_fallback<const CONCURRENT: bool, P: Policy>(
    driver: &'static Driver<CONCURRENT, P>,
    gate: &Arc<Gate>,
) -> loom::thread::JoinHandle<()> {
    let gate = Arc::clone(gate);
    loom::thread::spawn(move || {
        let mut fallback = Participant::fallback(driver);
        if !gate.poll(&fallback.waker()) {
            fallback.drive_until(&gate);
        }
    })
}
