//! The rule "when a poll may keep waiting without a system call" of `core::source::state`.
//!
//! A task polls several times, a peer writes, and a leader begins turns, fetches the edge and
//! delivers it. Two properties must hold:
//!
//! * Data that has arrived is reported by the latest poll, or wakes the task. It wakes the task if
//!   the waker was called since that poll began, or if the task is enqueued and the kernel has an
//!   edge that no turn has fetched.
//! * If no turn has begun since the previous poll, a poll reports all data that arrived before it.

use super::{Calls, Object, explore_within};
use crate::core::source::state::{Enqueue, Repoll, Request};
use crate::core::source::waiters::WaiterId;
use crate::core::source::{Direction, Event, Interest, Turn, Turns};
use crate::core::sync::Mutex;
use crate::core::sync::atomic::{AtomicUsize, Ordering};
use crate::core::wake::{self, WakeBatch};
use loom::sync::Arc;
use loom::thread;

/// The kernel's state of one socket with an armed interest.
#[derive(Default)]
struct Socket {
    bytes: usize,
    edge: bool,
}

struct World {
    object: Arc<Object>,
    turns: Turns,
    socket: Mutex<Socket>,
    /// The number of bytes that the peer has written.
    written: AtomicUsize,
}

impl World {
    fn new() -> Arc<World> {
        Arc::new(World {
            object: Object::armed(Interest::READ),
            turns: Turns::new(),
            socket: Mutex::default(),
            written: AtomicUsize::new(0),
        })
    }

    /// Writes a byte, as the peer.
    fn write(&self) {
        let mut socket = self.socket.lock();
        socket.bytes += 1;
        socket.edge = true;
        drop(socket);
        self.written.fetch_add(1, Ordering::Release);
    }

    /// Performs one turn without waiting.
    fn turn(&self) {
        let turn = self.turns.begin();
        let edge = std::mem::take(&mut self.socket.lock().edge);
        let mut batch = WakeBatch::default();
        if edge {
            self.object.deliver(Event::READABLE, turn, &mut batch);
        }
        batch.run();
    }
}

/// A task. `polled` and its result are what the properties need.
struct Task {
    world: Arc<World>,
    calls: std::sync::Arc<Calls>,
    id: WaiterId,
    polled: Polled,
}

/// What is known about a poll.
#[derive(Clone, Copy)]
struct Polled {
    /// The latest turn before and after the poll.
    turns: (Turn, Turn),
    /// The bytes that had certainly arrived before the poll.
    arrived: usize,
    /// The number of calls of the waker before the poll.
    called: usize,
    result: Result,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Result {
    /// Ready, or bytes were read.
    Ready,
    /// Pending, and the kernel was asked in this poll.
    Asked,
    /// Pending, and the kernel was not asked.
    Skipped,
}

impl Task {
    fn new(world: &Arc<World>, id: WaiterId) -> Task {
        Task {
            world: Arc::clone(world),
            calls: Calls::new(),
            id,
            polled: Polled {
                turns: Default::default(),
                arrived: 0,
                called: 0,
                result: Result::Ready,
            },
        }
    }

    /// Polls. Returns the previous poll and this one.
    fn poll(&mut self, poll: fn(&Task) -> Result) -> (Polled, Polled) {
        let world = Arc::clone(&self.world);
        let arrived = world.written.load(Ordering::Acquire);
        let called = self.calls.count();
        let before = world.turns.latest();
        let result = poll(self);
        let now = Polled {
            turns: (before, world.turns.latest()),
            arrived,
            called,
            result,
        };
        (std::mem::replace(&mut self.polled, now), now)
    }

    /// Polls for readiness, as `Engine::wait_for` and `Engine::ask` do.
    fn ask(&self) -> Result {
        let World { object, turns, .. } = &*self.world;
        let (waker, read) = (self.calls.waker(), Direction::Read);
        let former = match object.enqueue(self.id, Request::Ready, &waker, turns.latest()) {
            Enqueue::Unneeded { .. } => return Result::Ready,
            Enqueue::Enqueued {
                former, ask: false, ..
            } => {
                wake::discard(former);
                return Result::Skipped;
            }
            Enqueue::Enqueued { former, .. } => former,
        };
        wake::discard(former);
        let ready = self.world.socket.lock().bytes > 0;
        let latest = turns.latest_after_call();
        let mut state = object.state.lock();
        if ready {
            let (words, request) = (&object.words, Request::Ready);
            let _ = state.found_ready(words, read, self.id, request, &waker, latest);
            return Result::Ready;
        }
        state.found_unready(&object.words, read, self.id, &waker, latest);
        Result::Asked
    }

    /// Polls a read, as the adapter does for TCP. All available bytes fit into the buffer.
    fn read(&self) -> Result {
        let World { object, turns, .. } = &*self.world;
        let waker = self.calls.waker();
        let enqueue = |request, latest| {
            let result = object.enqueue(self.id, request, &waker, latest);
            matches!(result, Enqueue::Enqueued { .. })
        };
        let seen = object.reading().snapshot();
        let latest = turns.latest();
        if seen.is_drained() && object.enqueue_after_short_read(seen, &waker, latest) {
            return Result::Skipped;
        }
        loop {
            let seen = object.reading().snapshot();
            if std::mem::take(&mut self.world.socket.lock().bytes) > 0 {
                object.reading().note_drained(seen);
                return Result::Ready;
            }
            if enqueue(Request::Retry(seen), turns.latest_after_call()) {
                return Result::Asked;
            }
        }
    }

    /// Polls an operation that takes one byte, as `accept` takes one connection.
    fn take_one(&self) -> Result {
        let World { object, turns, .. } = &*self.world;
        let (waker, read) = (self.calls.waker(), Direction::Read);
        let repoll = object
            .state
            .lock()
            .repoll(read, self.id, &waker, turns.latest());
        let waits = match repoll {
            Repoll::KeepsWaiting => true,
            Repoll::WaitsAgain => {
                let mut state = object.state.lock();
                let enqueued = state.enqueue_again(self.id, waker.clone(), turns.latest());
                enqueued.is_ok()
            }
            Repoll::Tries => false,
        };
        if waits {
            return Result::Skipped;
        }
        loop {
            let seen = object.reading().snapshot();
            let mut socket = self.world.socket.lock();
            if socket.bytes > 0 {
                socket.bytes -= 1;
                return Result::Ready;
            }
            drop(socket);
            let latest = turns.latest_after_call();
            let enqueued = object.enqueue(self.id, Request::Retry(seen), &waker, latest);
            if let Enqueue::Enqueued { former, .. } = enqueued {
                wake::discard(former);
                return Result::Asked;
            }
        }
    }

    /// Asserts the first property after all threads have ended.
    fn assert_data_is_reported(&self) {
        let Polled { result, called, .. } = self.polled;
        let socket = self.world.socket.lock();
        if result == Result::Ready || socket.bytes == 0 {
            return;
        }
        let mut state = self.world.object.state.lock();
        let waiter = state.waiters.get(Direction::Read, self.id);
        let will_be_woken = socket.edge && waiter.is_some_and(|waiter| waiter.is_enqueued());
        assert!(
            will_be_woken || self.calls.count() > called,
            "data is there, and the task will not be woken"
        );
    }
}

/// Asserts the second property.
fn assert_poll_without_a_turn_asks((previous, now): (Polled, Polled)) {
    if previous.turns.0 == now.turns.1 && now.arrived > 0 {
        assert_eq!(
            now.result,
            Result::Ready,
            "no turn has begun, and the data stays unseen"
        );
    }
}

/// Asserts the second property for tasks that take data from each other: the poll tries the
/// operation.
fn assert_poll_without_a_turn_tries((previous, now): (Polled, Polled)) {
    if previous.turns.0 == now.turns.1 {
        assert_ne!(
            now.result,
            Result::Skipped,
            "no turn has begun, and the operation is not tried"
        );
    }
}

/// Asks for readiness three times, while data arrives and a leader performs one turn.
fn readiness_is_polled_three_times(name: &str, listed: bool) {
    explore_within(name, 3, move || {
        let world = World::new();
        let id = if listed {
            world.object.add(Direction::Read)
        } else {
            WaiterId::Shared
        };
        let mut task = Task::new(&world, id);
        let [peer, leader] = [World::write, World::turn].map(|run| {
            let world = Arc::clone(&world);
            thread::spawn(move || run(&world))
        });
        for number in 0..3 {
            let polls = task.poll(Task::ask);
            if number > 0 {
                assert_poll_without_a_turn_asks(polls);
            }
            if polls.1.result == Result::Ready {
                break;
            }
        }
        peer.join().unwrap();
        leader.join().unwrap();
        task.assert_data_is_reported();
    });
}

/// Excluded: `poll_readable` keeps waiting although data has arrived, and its task is not woken, or
/// is woken only by a turn that the polling thread never performs.
#[test]
fn shared_waiter_is_polled_three_times() {
    readiness_is_polled_three_times("shared_waiter_is_polled_three_times", false);
}

/// Excluded: the same for `readable()`.
#[test]
fn listed_waiter_is_polled_three_times() {
    readiness_is_polled_three_times("listed_waiter_is_polled_three_times", true);
}

/// Excluded, while two turns are in progress: an event that was fetched before the kernel answered
/// "not ready" makes the task ready, or an event that was fetched later does not wake it.
#[test]
fn two_turns_overlap_with_polls() {
    explore_within("two_turns_overlap_with_polls", 2, || {
        let world = World::new();
        let mut task = Task::new(&world, WaiterId::Shared);
        let [peer, one, two] = [World::write, World::turn, World::turn].map(|run| {
            let world = Arc::clone(&world);
            thread::spawn(move || run(&world))
        });
        for _ in 0..2 {
            let (_, polled) = task.poll(Task::ask);
            if polled.result == Result::Ready {
                let bytes = world.socket.lock().bytes;
                assert!(bytes > 0, "ready without data");
                break;
            }
        }
        for thread in [peer, one, two] {
            thread.join().unwrap();
        }
        task.assert_data_is_reported();
    });
}

/// Excluded: reads after short reads skip the system call twice although no turn has begun in
/// between. Also excluded: a task that skipped a read is not woken for data that has arrived.
#[test]
fn read_after_a_short_read_skips_once() {
    explore_within("read_after_a_short_read_skips_once", 3, || {
        let world = World::new();
        world.object.reading().set_tcp(true);
        world.write();
        let mut task = Task::new(&world, WaiterId::Shared);
        let [peer, leader] = [World::write, World::turn].map(|run| {
            let world = Arc::clone(&world);
            thread::spawn(move || run(&world))
        });
        let mut latest_skip: Option<Polled> = None;
        for _ in 0..4 {
            let (_, now) = task.poll(Task::read);
            if now.result != Result::Skipped {
                continue;
            }
            if let Some(before) = latest_skip.replace(now) {
                assert_ne!(before.turns.0, now.turns.1, "two skips without a turn");
            }
        }
        peer.join().unwrap();
        leader.join().unwrap();
        task.assert_data_is_reported();
    });
}

/// Excluded: one event wakes two tasks, and the task that finds nothing lets the other one wait
/// although there is more, or waits itself without being woken for what arrives later.
#[test]
fn two_operations_are_woken_by_one_event() {
    explore_within("two_operations_are_woken_by_one_event", 2, || {
        let world = World::new();
        let mut tasks = [(); 2].map(|()| Task::new(&world, world.object.add(Direction::Read)));
        for task in &mut tasks {
            task.poll(Task::take_one);
        }
        let [mut first, mut second] = tasks;
        world.write();
        world.turn();
        let [peer, leader] = [World::write, World::turn].map(|run| {
            let world = Arc::clone(&world);
            thread::spawn(move || run(&world))
        });
        let other = thread::spawn(move || {
            assert_poll_without_a_turn_tries(second.poll(Task::take_one));
            second
        });
        for _ in 0..3 {
            let polls = first.poll(Task::take_one);
            assert_poll_without_a_turn_tries(polls);
            if polls.1.result == Result::Ready {
                break;
            }
        }
        for thread in [peer, leader] {
            thread.join().unwrap();
        }
        let second = other.join().unwrap();
        first.assert_data_is_reported();
        second.assert_data_is_reported();
    });
}
