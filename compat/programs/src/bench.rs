//! The interpreter: runs a program on one library.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::future::poll_fn;
use std::os::unix::net::UnixStream;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::Runtime;
use crate::object::{Object, Outcome, Work};
use crate::script::{Action, Direction, Operation, Program};
use crate::tasks::{Guard, Task, park_on};
use crate::timers::Clock;
use crate::trace::Trace;

/// Where the steps of a program run. This determines which thread drives the reactor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// Inside `block_on`, with every poll using the waker of that call. The library needs no
    /// thread.
    Alone,
    /// Inside `block_on`. Some polls use the waker of that call, others the wakers of other tasks.
    Inside,
    /// On a thread that parks, so the library's own thread drives the reactor.
    Parked,
    /// Outside of `block_on`. Each wait is a short call of `block_on`.
    Between,
}

impl Setting {
    /// All settings.
    pub const ALL: [Setting; 4] = [
        Setting::Alone,
        Setting::Inside,
        Setting::Parked,
        Setting::Between,
    ];
}

/// Why a program failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The number of the step.
    pub step: usize,
    /// What the library did, and what it should have done.
    pub problem: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step {}: {}", self.step, self.problem)
    }
}

/// The result of a step. An error says which rule the library broke.
pub(crate) type Step = Result<(), String>;

/// Runs programs one after another on one thread.
pub struct Lab<R: Runtime> {
    pub(crate) setting: Setting,
    pub(crate) guard: Guard,
    /// A source of the library that is ready only during a turn, and the stream that makes it
    /// ready.
    pub(crate) sentinel: (R::Async<UnixStream>, UnixStream),
    patience: Cell<Duration>,
    counts: RefCell<BTreeMap<&'static str, u64>>,
}

impl<R: Runtime> fmt::Debug for Lab<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lab")
            .field("setting", &self.setting)
            .finish_non_exhaustive()
    }
}

impl<R: Runtime> Lab<R> {
    /// Creates a lab with one registered source, which is used to give the reactor turns.
    ///
    /// # Panics
    ///
    /// Panics if the system has no descriptors left.
    pub fn new(setting: Setting) -> Self {
        let (ours, peer) = UnixStream::pair().expect("a pair of streams");
        Lab {
            setting,
            guard: Guard::start(),
            sentinel: (R::register(ours).expect("a registration"), peer),
            patience: Cell::new(Duration::from_secs(20)),
            counts: RefCell::default(),
        }
    }

    /// Returns the setting that the programs run in.
    pub fn setting(&self) -> Setting {
        self.setting
    }

    /// Sets how long a wake-up may take before the program fails. A short time speeds up
    /// minimizing.
    pub fn set_patience(&self, patience: Duration) {
        self.patience.set(patience);
    }

    pub(crate) fn patience(&self) -> Duration {
        self.patience.get()
    }

    /// Returns how often each kind of step was run.
    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.counts.borrow().clone()
    }

    pub(crate) fn count(&self, what: &'static str) {
        *self.counts.borrow_mut().entry(what).or_default() += 1;
    }

    /// Runs a program.
    ///
    /// # Errors
    ///
    /// Returns the first rule that the library broke.
    pub fn run(&self, program: &Program) -> Result<Trace, Failure> {
        let whole = async { Bench::new(self, program).run(program).await };
        match self.setting {
            Setting::Alone | Setting::Inside => R::block_on(whole),
            Setting::Parked => park_on(whole),
            Setting::Between => match pin!(whole).poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(result) => result,
                Poll::Pending => unreachable!("each wait runs in its own block_on"),
            },
        }
    }
}

/// A waker that the library may hold and call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Registration {
    pub(crate) task: usize,
    /// How often the task had been woken before the poll.
    pub(crate) wakes: usize,
    /// Whether the library must call the waker once the kernel reports readiness.
    pub(crate) must: bool,
}

/// A future, with what the interpreter knows about it.
pub(crate) struct Running {
    pub(crate) id: usize,
    pub(crate) object: usize,
    pub(crate) operation: Operation,
    pub(crate) work: Option<Work>,
    pub(crate) registration: Option<Registration>,
    pub(crate) outcome: Option<Outcome>,
    /// Whether the kernel has reported readiness since the future was created.
    pub(crate) seen_ready: bool,
    /// The number of consecutive polls without a wait that were pending although the kernel
    /// reported readiness.
    pub(crate) unanswered: usize,
}

/// The shared waiter of one direction, which the `poll_*` functions use.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Slot {
    pub(crate) registration: Option<Registration>,
    pub(crate) seen_ready: bool,
    pub(crate) unanswered: usize,
}

pub(crate) struct Entry {
    pub(crate) id: usize,
    pub(crate) object: Object,
    pub(crate) slots: [Slot; 2],
}

/// The state of one run.
pub(crate) struct Bench<'a, R: Runtime> {
    pub(crate) lab: &'a Lab<R>,
    pub(crate) insists: bool,
    pub(crate) tasks: [Task; 3],
    /// How many wake-ups of each task its waits account for.
    pub(crate) budget: [usize; 3],
    pub(crate) own: Waker,
    pub(crate) entries: Vec<Entry>,
    pub(crate) futures: Vec<Running>,
    pub(crate) clocks: Vec<Clock<R>>,
    pub(crate) step: usize,
    pub(crate) ids: usize,
    pub(crate) trace: Trace,
}

impl<'a, R: Runtime> Bench<'a, R> {
    fn new(lab: &'a Lab<R>, program: &Program) -> Self {
        Bench {
            lab,
            insists: program.insists,
            tasks: [Task::new(), Task::new(), Task::new()],
            budget: [0; 3],
            own: Waker::noop().clone(),
            entries: Vec::new(),
            futures: Vec::new(),
            clocks: Vec::new(),
            step: 0,
            ids: 0,
            trace: Trace::default(),
        }
    }

    async fn run(mut self, program: &Program) -> Result<Trace, Failure> {
        let result = self.run_steps(program).await;
        let step = self.step;
        result.map_err(|problem| Failure { step, problem })?;
        Ok(self.trace)
    }

    async fn run_steps(&mut self, program: &Program) -> Step {
        for (number, &action) in program.steps.iter().enumerate() {
            self.step = number;
            self.own = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
            self.act(action).await?;
            self.own = Waker::noop().clone();
            self.sample();
            self.check_held().await?;
            self.check_budget()?;
        }
        self.step = program.steps.len();
        self.own = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
        self.finish().await
    }

    async fn act(&mut self, action: Action) -> Step {
        self.lab.count(action.name());
        match action {
            Action::Open(kind) => return self.open(kind),
            Action::Close(object) => self.close(object),
            Action::PeerSends(object, count) => {
                self.with(object, |object| object.peer_sends(count));
            }
            Action::PeerDrains(object) => self.with(object, Object::peer_drains),
            Action::PeerHalfCloses(object) => self.with(object, Object::peer_half_closes),
            Action::PeerCloses(object) => self.with(object, Object::peer_closes),
            Action::Fill(object) => self.with(object, |object| object.fill()),
            Action::ReadBehind(object) => return self.read_behind(object),
            Action::Start(object, operation) => self.start(object, operation),
            Action::Poll {
                future,
                task,
                times,
            } => {
                if let Some(index) = pick(future, self.futures.len()) {
                    return self.poll_future(index, self.task(task), times);
                }
            }
            Action::DropFuture(future) => {
                if let Some(index) = pick(future, self.futures.len()) {
                    self.drop_future(index);
                }
            }
            Action::PollReady {
                object,
                direction,
                task,
                times,
            } => return self.poll_ready(object, direction, self.task(task), times),
            Action::PollIo {
                object,
                direction,
                task,
                times,
            } => return self.poll_io(object, direction, self.task(task), times),
            Action::StandardLoop(object, direction) => {
                return self.standard_loop(object, direction);
            }
            Action::Hear(future) => return self.hear(future).await,
            Action::NewTimer(when) => self.new_timer(when),
            Action::SetTimer(timer, when) => self.set_timer(timer, when),
            Action::ClearTimer(timer) => self.clear_timer(timer),
            Action::PollTimer { timer, task } => return self.poll_timer(timer, self.task(task)),
            Action::DropTimer(timer) => {
                if let Some(index) = pick(timer, self.clocks.len()) {
                    self.clocks.remove(index);
                }
            }
            Action::EqualTimers(count) => return self.equal_timers(count).await,
            Action::Turn => return self.settle().await,
            Action::Sleep => {
                self.sleep().await?;
                return self.settle().await;
            }
            Action::SlowYield(future) => return self.slow_yield(future).await,
        }
        Ok(())
    }

    fn with(&mut self, object: u8, action: impl FnOnce(&mut Object)) {
        if let Some(index) = pick(object, self.entries.len()) {
            action(&mut self.entries[index].object);
        }
    }

    /// Returns the index of the task with this number. Task 0 runs the program, if there is such a
    /// task.
    pub(crate) fn task(&self, number: u8) -> usize {
        match self.lab.setting {
            Setting::Alone => 0,
            _ => usize::from(number) % 3,
        }
    }

    /// Returns whether the task runs the program. Its wake-ups are not counted.
    pub(crate) fn is_own(&self, task: usize) -> bool {
        task == 0 && self.lab.setting != Setting::Between
    }

    pub(crate) fn waker(&self, task: usize) -> Waker {
        if self.is_own(task) {
            self.own.clone()
        } else {
            self.tasks[task].waker().clone()
        }
    }

    pub(crate) fn wakes(&self, task: usize) -> usize {
        self.tasks[task].wakes()
    }

    /// Records that the library was given the waker of a task and may call it once.
    pub(crate) fn register(
        &mut self,
        former: Option<Registration>,
        task: usize,
        wakes: usize,
        must: bool,
    ) -> Option<Registration> {
        let still_there = former.is_some_and(|former| former.task == task && former.wakes == wakes);
        if self.has_other_threads() {
            // An event may arrive during the poll, and the poll may then enqueue the task again.
            self.budget[task] += 2;
        } else if !still_there {
            self.budget[task] += 1;
        }
        Some(Registration { task, wakes, must })
    }

    /// Records a poll that was ready. The library's thread may have woken the task during the poll.
    pub(crate) fn explain_early_wake(&mut self, task: usize) {
        if self.has_other_threads() {
            self.budget[task] += 1;
        }
    }

    /// Returns whether a thread of the library may deliver events between two steps.
    pub(crate) fn has_other_threads(&self) -> bool {
        // `Inside`: the library's thread may still be in a wait that it began before `block_on`.
        R::PUBLISHED || self.lab.setting != Setting::Alone
    }
}

/// Returns an index below `count`, or `None` if `count` is 0.
pub(crate) fn pick(number: u8, count: usize) -> Option<usize> {
    usize::from(number).checked_rem(count)
}

pub(crate) const DIRECTIONS: [Direction; 2] = [Direction::Read, Direction::Write];
