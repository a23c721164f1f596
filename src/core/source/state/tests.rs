use super::*;
use crate::testing::Calls;
use Direction::{Read, Write};
use WaiterId::Shared;
use std::sync::LazyLock;
use std::time::Duration;

const EDGES: Traits = Traits {
    reporting: Reporting::Edges,
    rearms_idle: false,
    arms_silently: false,
    queues_events: false,
};
const ONE_SHOT: Traits = Traits {
    reporting: Reporting::OneShot,
    ..EDGES
};

/// Returns a waker that does not equal any other.
fn waker() -> Waker {
    Calls::new().waker()
}

/// Returns the waker for tasks that do not have to be distinguished. (`Waker::noop` may not equal
/// itself: its table is a constant, which the compiler may duplicate.)
fn plain() -> &'static Waker {
    static PLAIN: LazyLock<Waker> = LazyLock::new(waker);
    &PLAIN
}

struct Bench {
    words: PerDirection<Readiness>,
    state: State,
    batch: WakeBatch,
    /// The most recently started turn.
    turn: Turn,
    /// The waker that was enqueued last.
    latest: Waker,
}

impl Bench {
    fn new(armed: Interest) -> Self {
        Bench::with_nature(armed, Nature::default())
    }

    fn with_nature(armed: Interest, nature: Nature) -> Self {
        let mut state = State::vacant();
        state.occupy(nature, armed);
        Bench {
            words: PerDirection::new(Readiness::new(), Readiness::new()),
            state,
            batch: WakeBatch::default(),
            turn: Turn(0),
            latest: plain().clone(),
        }
    }

    fn enqueue(
        &mut self,
        direction: Direction,
        id: WaiterId,
        request: Request,
        waker: &Waker,
    ) -> Enqueue {
        self.latest = waker.clone();
        let (words, latest) = (&self.words, self.turn);
        self.state
            .enqueue(words, direction, id, request, waker.clone(), latest)
    }

    fn retry(&self, direction: Direction) -> Request {
        Request::Retry(self.words.get(direction).snapshot())
    }

    /// Enqueues the shared waiter. Returns the interest to arm.
    fn wait(&mut self, direction: Direction) -> Option<Interest> {
        let request = self.retry(direction);
        match self.enqueue(direction, Shared, request, plain()) {
            Enqueue::Enqueued { arm, ask, .. } => {
                assert!(!ask);
                arm
            }
            other => panic!("{other:?}"),
        }
    }

    /// Polls for readiness. Returns whether the kernel has to be asked.
    fn asks(&mut self, id: WaiterId, waker: &Waker) -> bool {
        match self.enqueue(Read, id, Request::Ready, waker) {
            Enqueue::Enqueued { ask, .. } => ask,
            other => panic!("{other:?}"),
        }
    }

    /// Polls for readiness, and asserts that the waiter is ready without a question to the kernel.
    fn assert_ready(&mut self, id: WaiterId) {
        let enqueued = self.enqueue(Read, id, Request::Ready, plain());
        assert!(matches!(enqueued, Enqueue::Unneeded { ready: true, .. }));
    }

    /// Has the kernel answer "not ready" to a reader.
    fn say_no(&mut self, id: WaiterId) {
        let (words, waker) = (&self.words, &self.latest);
        self.state.found_unready(words, Read, id, waker, self.turn);
    }

    /// Has the kernel answer "ready".
    fn say_yes(&mut self, direction: Direction, request: Request) -> Step {
        let (words, latest) = (&self.words, self.turn);
        self.state
            .found_ready(words, direction, Shared, request, plain(), latest)
            .step
    }

    fn begin_turn(&mut self) {
        self.turn = Turn(self.turn.0 + 1);
    }

    /// Begins a turn and delivers an event.
    fn deliver(&mut self, event: Event, traits: Traits) -> Option<Interest> {
        self.begin_turn();
        self.state
            .deliver(&self.words, event, self.turn, traits, &mut self.batch)
    }

    fn wait_for(&mut self, exception: Exception) -> WaiterId {
        let id = self.state.waiters.add(exception);
        self.enqueue_for_exception(id);
        id
    }

    /// Enqueues a task that waits for an exception. Returns the interest to arm.
    fn enqueue_for_exception(&mut self, id: WaiterId) -> Option<Interest> {
        let waker = plain().clone();
        let (_former, arm) = self.state.enqueue_for_exception(id, waker);
        if let Some(interest) = arm {
            self.state.has_armed(interest);
        }
        arm
    }
}

// When the kernel is asked.

#[test]
fn second_poll_without_a_turn_asks_again() {
    let mut bench = Bench::new(Interest::READ);
    let (id, waker) = (bench.state.waiters.add(Read), waker());
    for _ in 0..3 {
        assert!(bench.asks(id, &waker));
        bench.say_no(id);
    }
}

#[test]
fn poll_after_a_turn_keeps_waiting_and_the_next_one_asks() {
    let mut bench = Bench::new(Interest::READ);
    for id in [Shared, bench.state.waiters.add(Read)] {
        let waker = waker();
        assert!(bench.asks(id, &waker));
        bench.say_no(id);
        for _ in 0..3 {
            bench.begin_turn();
            assert!(!bench.asks(id, &waker));
            // A turn lies between this poll and the question, but not between this poll and the
            // previous one.
            assert!(bench.asks(id, &waker));
            bench.say_no(id);
        }
    }
}

#[test]
fn operation_keeps_waiting_by_the_same_rule() {
    let mut bench = Bench::new(Interest::READ);
    let (id, own) = (bench.state.waiters.add(Read), waker());
    let request = bench.retry(Read);
    bench.enqueue(Read, id, request, &own);
    assert!(!bench.state.keeps_waiting(Read, id, &own, bench.turn));
    bench.begin_turn();
    let other = waker();
    assert!(!bench.state.keeps_waiting(Read, id, &other, bench.turn));
    assert!(bench.state.keeps_waiting(Read, id, &own, bench.turn));
    assert!(!bench.state.keeps_waiting(Read, id, &own, bench.turn));
}

#[test]
fn operation_waits_again_if_another_one_found_nothing() {
    let mut bench = Bench::new(Interest::READ);
    let ids = [(); 2].map(|()| bench.state.waiters.add(Read));
    let (first, second) = (waker(), waker());
    for (id, waker) in ids.into_iter().zip([&first, &second]) {
        let request = bench.retry(Read);
        bench.enqueue(Read, id, request, waker);
    }
    bench.deliver(Event::READABLE, EDGES);
    let turn = bench.turn;
    let repoll = |bench: &mut Bench, id, waker| bench.state.repoll(Read, id, waker, turn);
    assert_eq!(repoll(&mut bench, ids[1], &second), Repoll::Tries);
    let request = bench.retry(Read);
    bench.enqueue(Read, ids[0], request, &first);
    assert_eq!(repoll(&mut bench, ids[1], &second), Repoll::WaitsAgain);
    assert!(
        bench
            .state
            .enqueue_again(ids[1], second.clone(), turn)
            .is_ok()
    );
    // No turn has begun since.
    assert_eq!(repoll(&mut bench, ids[1], &second), Repoll::Tries);
    assert_eq!(bench.state.waiters.count(Read), 2);
    bench.deliver(Event::READABLE, EDGES);
    assert_eq!(repoll(&mut bench, ids[1], &second), Repoll::Tries);
}

#[test]
fn peek_that_finds_nothing_says_nothing_to_other_operations() {
    let mut bench = Bench::new(Interest::READ);
    let ids = [(); 2].map(|()| bench.state.waiters.add(Read));
    let request = bench.retry(Read);
    bench.enqueue(Read, ids[1], request, plain());
    bench.deliver(Event::READABLE, EDGES);
    let peek = Request::RetryPeek(bench.words.get(Read).snapshot());
    bench.enqueue(Read, ids[0], peek, plain());
    let turn = bench.turn;
    assert_eq!(
        bench.state.repoll(Read, ids[1], plain(), turn),
        Repoll::Tries
    );
}

/// An event of a turn that began before the task's previous poll is not newer than that poll.
#[test]
fn operation_that_a_stale_event_has_woken_is_tried() {
    let mut bench = Bench::new(Interest::READ);
    let ids = [(); 2].map(|()| bench.state.waiters.add(Read));
    bench.begin_turn();
    let request = bench.retry(Read);
    bench.enqueue(Read, ids[1], request, plain());
    let (event, turn) = (Event::READABLE, bench.turn);
    let batch = &mut bench.batch;
    let _ = bench.state.deliver(&bench.words, event, turn, EDGES, batch);
    let request = bench.retry(Read);
    bench.enqueue(Read, ids[0], request, plain());
    assert_eq!(
        bench.state.repoll(Read, ids[1], plain(), turn),
        Repoll::Tries
    );
}

#[test]
fn shared_operation_is_tried_in_each_poll() {
    let mut bench = Bench::new(Interest::READ);
    bench.wait(Read);
    bench.begin_turn();
    let waker = plain();
    assert!(!bench.state.keeps_waiting(Read, Shared, waker, bench.turn));
}

#[test]
fn displaced_waiter_starts_without_knowledge() {
    let mut bench = Bench::new(Interest::READ);
    let (first, second) = (waker(), waker());
    assert!(bench.asks(Shared, &first));
    bench.say_no(Shared);
    bench.begin_turn();
    match bench.enqueue(Read, Shared, Request::Ready, &second) {
        Enqueue::Enqueued {
            former: Some(former),
            displaced: true,
            ask: true,
            ..
        } => assert!(former.will_wake(&first)),
        other => panic!("{other:?}"),
    }
    bench.begin_turn();
    assert!(bench.asks(Shared, &second));
}

#[test]
fn disarmed_waiter_asks() {
    let mut bench = Bench::new(Interest::READ);
    let waker = waker();
    assert!(bench.asks(Shared, &waker));
    bench.say_no(Shared);
    bench.begin_turn();
    bench.state.armed = Interest::NONE;
    assert!(bench.asks(Shared, &waker));
}

#[test]
fn only_an_event_of_a_later_turn_answers_a_question() {
    let mut bench = Bench::new(Interest::READ);
    let waker = waker();
    assert!(bench.asks(Shared, &waker));
    // The event is fetched before the answer and delivered after it.
    bench.turn = Turn(1);
    bench.say_no(Shared);
    bench.turn = Turn(0);
    bench.deliver(Event::READABLE, EDGES);
    assert!(bench.asks(Shared, &waker));
    bench.say_no(Shared);
    bench.deliver(Event::READABLE, EDGES);
    bench.assert_ready(Shared);
}

#[test]
fn poll_that_keeps_waiting_is_told_of_later_events_only() {
    let mut bench = Bench::new(Interest::READ);
    let waker = waker();
    assert!(bench.asks(Shared, &waker));
    bench.say_no(Shared);
    bench.turn = Turn(2);
    assert!(!bench.asks(Shared, &waker));
    bench.turn = Turn(1);
    bench.deliver(Event::READABLE, EDGES);
    assert!(bench.asks(Shared, &waker));
}

#[test]
fn event_between_operation_and_wait_makes_it_try_again() {
    let mut bench = Bench::new(Interest::READ);
    let request = bench.retry(Read);
    bench.deliver(Event::READABLE, EDGES);
    let enqueued = bench.enqueue(Read, Shared, request, plain());
    assert!(matches!(enqueued, Enqueue::Unneeded { ready: false, .. }));
}

/// Records a short read and polls the read that follows. Returns whether that read waits without a
/// system call.
fn skips(bench: &mut Bench, waker: &Waker) -> bool {
    let word = bench.words.get(Read);
    word.note_drained(word.snapshot());
    let (seen, latest) = (word.snapshot(), bench.turn);
    let own = waker.clone();
    let state = &mut bench.state;
    state
        .enqueue_after_short_read(word, seen, own, latest)
        .is_ok()
}

#[test]
fn read_after_a_short_read_waits_once_until_a_turn_has_begun() {
    let mut bench = Bench::new(Interest::READ);
    for _ in 0..3 {
        assert!(skips(&mut bench, plain()));
        assert!(!bench.words.get(Read).snapshot().is_drained());
        assert!(!skips(&mut bench, plain()));
        bench.begin_turn();
    }
    // The next object of the slot starts over.
    assert!(skips(&mut bench, plain()));
    let _ = bench.state.vacate();
    bench.state.occupy(Nature::default(), Interest::READ);
    assert!(skips(&mut bench, plain()));
}

#[test]
fn read_after_a_short_read_is_tried_if_an_event_came_or_nothing_is_armed() {
    let mut bench = Bench::new(Interest::READ);
    let seen = bench.words.get(Read).snapshot();
    bench.deliver(Event::READABLE, EDGES);
    let (word, own) = (bench.words.get(Read), plain().clone());
    let waits = bench
        .state
        .enqueue_after_short_read(word, seen, own, bench.turn);
    assert!(waits.is_err());
    bench.state.has_armed(Interest::NONE);
    assert!(!skips(&mut bench, plain()));
}

#[test]
fn read_after_a_short_read_displaces_another_task() {
    let mut bench = Bench::new(Interest::READ);
    let (first, second) = (waker(), waker());
    assert!(bench.asks(Shared, &first));
    bench.say_no(Shared);
    let word = bench.words.get(Read);
    word.note_drained(word.snapshot());
    let (seen, latest) = (word.snapshot(), bench.turn);
    let enqueued = bench
        .state
        .enqueue_after_short_read(word, seen, second, latest);
    match enqueued {
        Ok((Some(former), true)) => assert!(former.will_wake(&first)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn read_after_a_short_read_forgets_that_the_object_was_ready() {
    let mut bench = Bench::new(Interest::READ);
    let (first, second) = (waker(), waker());
    // A task waits for readiness, is woken, and reads without asking again.
    assert!(bench.asks(Shared, &first));
    bench.say_no(Shared);
    bench.deliver(Event::READABLE, EDGES);
    assert!(skips(&mut bench, &first));
    // Another task must not be told "ready", with the waker of the first one discarded.
    assert!(bench.asks(Shared, &second));
}

#[test]
fn poll_after_a_read_that_was_skipped_asks_unless_a_turn_has_begun() {
    let mut bench = Bench::new(Interest::READ);
    let waker = waker();
    assert!(bench.asks(Shared, &waker));
    bench.say_no(Shared);
    bench.begin_turn();
    assert!(skips(&mut bench, &waker));
    assert!(bench.asks(Shared, &waker));
}

#[test]
fn refused_closure_asks_in_each_poll() {
    let mut bench = Bench::new(Interest::READ);
    let id = bench.state.waiters.add(Read);
    for _ in 0..3 {
        let enqueued = bench.enqueue(Read, id, Request::Refused, plain());
        assert!(matches!(enqueued, Enqueue::Enqueued { ask: true, .. }));
        bench.say_no(id);
        bench.begin_turn();
    }
}

// What is armed.

#[test]
fn flood_without_a_waiter_is_disarmed_at_the_second_event() {
    let mut bench = Bench::new(Interest::READ);
    assert_eq!(bench.deliver(Event::READABLE, EDGES), None);
    let less = bench.deliver(Event::READABLE, EDGES);
    assert_eq!(less, Some(Interest::NONE));
    bench.state.has_armed(Interest::NONE);
    assert_eq!(bench.wait(Read), Some(Interest::READ));
}

#[test]
fn writing_is_disarmed_at_the_third_unclaimed_event() {
    let both = Interest::READ.with(Write);
    let mut bench = Bench::new(both);
    for _ in 0..2 {
        assert_eq!(bench.deliver(Event::WRITABLE, EDGES), None);
    }
    let less = bench.deliver(Event::WRITABLE, EDGES);
    assert_eq!(less, Some(Interest::READ));
}

#[test]
fn unclaimed_event_after_a_refusal_disarms_again() {
    let mut bench = Bench::new(Interest::READ);
    bench.wait(Write);
    bench.state.fail(&bench.words, &mut bench.batch);
    assert_eq!(bench.batch.len(), 1);
    for _ in 0..3 {
        let again = bench.deliver(Event::READABLE, EDGES);
        assert_eq!(again, Some(Interest::NONE));
    }
    bench.state.has_armed(Interest::NONE);
    assert_eq!(bench.deliver(Event::READABLE, EDGES), None);
}

#[test]
fn new_waiter_resets_the_count_of_unclaimed_events() {
    let mut bench = Bench::new(Interest::READ);
    for _ in 0..10 {
        assert_eq!(bench.deliver(Event::READABLE, EDGES), None);
        assert_eq!(bench.wait(Read), None);
        assert_eq!(bench.deliver(Event::READABLE, EDGES), None);
    }
    assert_eq!(bench.batch.len(), 10);
}

#[test]
fn one_shot_event_rearms_only_the_direction_that_has_waiters() {
    let mut bench = Bench::new(Interest::NONE);
    assert_eq!(bench.wait(Read), Some(Interest::READ));
    bench.state.has_armed(Interest::READ);
    let both = Interest::READ.with(Write);
    assert_eq!(bench.wait(Write), Some(both));
    bench.state.has_armed(both);
    let again = bench.deliver(Event::WRITABLE, ONE_SHOT);
    assert_eq!(again, Some(Interest::READ));
    bench.state.has_armed(Interest::READ);
    assert_eq!(bench.deliver(Event::READABLE, ONE_SHOT), None);
    assert_eq!(bench.state.armed, Interest::NONE);
}

#[test]
fn poller_that_rearms_idle_objects_is_told_after_each_event() {
    let mut bench = Bench::new(Interest::NONE);
    let traits = Traits {
        rearms_idle: true,
        ..ONE_SHOT
    };
    let change = bench.deliver(Event::HANG_UP, traits);
    assert_eq!(change, Some(Interest::NONE));
}

#[test]
fn doubted_arming_is_repeated_and_its_tasks_try_again() {
    let mut bench = Bench::new(Interest::READ);
    let reader = bench.words.get(Read).snapshot();
    bench.wait(Read);
    bench
        .state
        .doubt_arming(&bench.words, Read, &mut bench.batch);
    assert_eq!(bench.batch.len(), 1);
    assert!(!bench.words.get(Read).is_current(reader));
    assert_eq!(bench.wait(Read), Some(Interest::READ));
}

#[test]
fn failure_wakes_all_tasks() {
    let mut bench = Bench::new(Interest::READ);
    bench.wait(Read);
    bench.wait(Write);
    bench.wait_for(Exception::Error);
    bench.state.fail(&bench.words, &mut bench.batch);
    assert_eq!(bench.batch.len(), 3);
    assert!(!bench.state.waiters.any(Read) && !bench.state.waiters.any(Write));
    assert!(!bench.state.waiters.any_exception());
}

// Events that are not about data.

#[test]
fn write_event_keeps_the_snapshot_of_a_reader_current() {
    let mut bench = Bench::new(Interest::READ.with(Write));
    let read = bench.words.get(Read).snapshot();
    let write = bench.words.get(Write).snapshot();
    bench.deliver(Event::WRITABLE, EDGES);
    assert!(bench.words.get(Read).is_current(read));
    assert!(!bench.words.get(Write).is_current(write));
}

#[test]
fn urgent_data_is_remembered_until_a_reader_is_told() {
    let mut bench = Bench::new(Interest::READ);
    bench.deliver(Event::READABLE, EDGES);
    assert!(!bench.state.take_urgent(Shared));
    bench.deliver(Event::PRIORITY, EDGES);
    bench.deliver(Event::READABLE, EDGES);
    assert!(bench.state.take_urgent(Shared));
    assert!(!bench.state.take_urgent(Shared));
    // A reader waits, is woken by urgent data, and polls again.
    bench.wait(Read);
    bench.deliver(Event::PRIORITY, EDGES);
    assert!(bench.asks(Shared, plain()));
    assert!(bench.state.take_urgent(Shared));
}

#[test]
fn exception_wakes_only_the_tasks_that_wait_for_it() {
    let mut bench = Bench::new(Interest::READ);
    let priority = bench.state.waiters.add(Exception::Priority);
    let both = Interest::READ.with_exceptions();
    assert_eq!(bench.enqueue_for_exception(priority), Some(both));
    let error = bench.state.waiters.add(Exception::Error);
    assert_eq!(bench.enqueue_for_exception(error), None);

    bench.deliver(Event::READABLE.and(Event::WRITABLE), EDGES);
    assert_eq!(bench.batch.len(), 0);
    bench.deliver(Event::PRIORITY, EDGES);
    assert_eq!(bench.batch.len(), 1);
    bench.enqueue_for_exception(priority);
    bench.deliver(Event::ERROR, EDGES);
    assert_eq!(bench.batch.len(), 2);
    bench.deliver(Event::HANG_UP, EDGES);
    assert_eq!(bench.batch.len(), 3);
}

#[test]
fn interest_in_exceptions_outlives_that_in_reading_and_ends_unclaimed() {
    let mut bench = Bench::new(Interest::READ);
    bench.wait_for(Exception::Priority);
    let alone = Interest::NONE.with_exceptions();
    assert_eq!(bench.deliver(Event::READABLE, EDGES), None);
    let less = bench.deliver(Event::READABLE, EDGES);
    assert_eq!(less, Some(alone));
    bench.state.has_armed(alone);
    assert_eq!(bench.deliver(Event::PRIORITY, EDGES), None);
    let none = bench.deliver(Event::PRIORITY, EDGES);
    assert_eq!(none, Some(Interest::NONE));
}

#[test]
fn one_shot_event_rearms_for_a_task_that_waits_for_an_exception() {
    let mut bench = Bench::new(Interest::NONE);
    bench.wait_for(Exception::Error);
    let again = bench.deliver(Event::PRIORITY, ONE_SHOT);
    assert_eq!(again, Some(Interest::NONE.with_exceptions()));
    assert_eq!(bench.deliver(Event::ERROR, ONE_SHOT), None);
}

// Objects that are reported once.

#[test]
fn event_of_a_descriptor_is_never_missed() {
    let mut bench = Bench::new(Interest::READ);
    bench.deliver(Event::READABLE, ONE_SHOT);
    assert!(bench.asks(Shared, plain()));
}

#[test]
fn object_that_is_reported_once_is_never_asked() {
    let nature = Nature {
        reported_once: true,
        stays_ready: false,
    };
    let mut bench = Bench::with_nature(Interest::NONE, nature);
    assert!(!bench.asks(Shared, plain()));
    bench.deliver(Event::READABLE, ONE_SHOT);
    bench.assert_ready(Shared);
    // An event without a waiter is reported to the next one, once.
    bench.deliver(Event::READABLE, ONE_SHOT);
    bench.assert_ready(Shared);
    assert!(!bench.asks(Shared, plain()));
}

#[test]
fn object_that_stays_ready_is_always_ready_after_its_event() {
    let nature = Nature {
        reported_once: true,
        stays_ready: true,
    };
    let mut bench = Bench::with_nature(Interest::NONE, nature);
    bench.wait(Read);
    bench.deliver(Event::READABLE, ONE_SHOT);
    for _ in 0..3 {
        bench.assert_ready(Shared);
    }
}

// When the kernel answers "ready" but the task may make no progress.

#[test]
fn refused_operation_proceeds_then_yields_then_pauses() {
    let mut bench = Bench::new(Interest::READ);
    let steps: Vec<Step> = (0..6)
        .map(|_| bench.say_yes(Read, Request::Refused))
        .collect();
    let pauses = [1, 2].map(|ms| Step::Pause(Duration::from_millis(ms)));
    assert_eq!(steps[0], Step::Proceed);
    assert_eq!(steps[1..4], [Step::Yield; 3]);
    assert_eq!(steps[4..], pauses);
    assert!(bench.words.get(Read).snapshot().is_contradicted());
    assert!(!bench.words.get(Write).snapshot().is_contradicted());
    bench.state.forgive(&bench.words, Read);
    assert!(!bench.words.get(Read).snapshot().is_contradicted());
    assert_eq!(bench.say_yes(Read, Request::Refused), Step::Proceed);
}

#[test]
fn kernel_that_agrees_ends_a_contradiction() {
    let mut bench = Bench::new(Interest::READ);
    for _ in 0..4 {
        bench.say_yes(Read, Request::Refused);
        bench.say_yes(Read, Request::Ready);
    }
    bench.say_no(Shared);
    assert!(!bench.words.get(Read).snapshot().is_contradicted());
    assert_eq!(bench.say_yes(Read, Request::Refused), Step::Proceed);
    assert_eq!(bench.say_yes(Read, Request::Ready), Step::Proceed);
}

#[test]
fn readiness_again_and_again_yields_and_is_then_granted() {
    let mut bench = Bench::new(Interest::READ);
    for _ in 0..4 {
        assert!(bench.asks(Shared, plain()));
        assert_eq!(bench.say_yes(Read, Request::Ready), Step::Proceed);
    }
    for _ in 0..60 {
        assert!(bench.asks(Shared, plain()));
        assert_eq!(bench.say_yes(Read, Request::Ready), Step::Yield);
        bench.assert_ready(Shared);
    }
    let pause = Step::Pause(Duration::from_millis(1));
    assert_eq!(bench.say_yes(Read, Request::Ready), pause);
    // A refused attempt may cause an event, which may arrive before the kernel's answer.
    bench.deliver(Event::READABLE, EDGES);
    let pause = Step::Pause(Duration::from_millis(2));
    assert_eq!(bench.say_yes(Read, Request::Ready), pause);
    assert!(bench.asks(Shared, plain()));
    bench.deliver(Event::READABLE, EDGES);
    let pause = Step::Pause(Duration::from_millis(4));
    assert_eq!(bench.say_yes(Read, Request::Ready), pause);
    // The kernel's "not ready" shows that the task waits.
    assert!(bench.asks(Shared, plain()));
    bench.say_no(Shared);
    assert_eq!(bench.say_yes(Read, Request::Ready), Step::Proceed);
}

#[test]
fn readiness_once_per_turn_is_not_slowed_down() {
    let mut bench = Bench::new(Interest::READ.with(Write));
    for _ in 0..100 {
        assert_eq!(bench.say_yes(Read, Request::Ready), Step::Proceed);
        bench.begin_turn();
    }
}

#[test]
fn readiness_of_both_directions_once_per_turn_is_not_slowed_down() {
    let mut bench = Bench::new(Interest::READ.with(Write));
    for _ in 0..100 {
        for direction in Direction::BOTH {
            assert_eq!(bench.say_yes(direction, Request::Ready), Step::Proceed);
        }
        bench.begin_turn();
    }
}

#[test]
fn event_that_was_queued_wakes_the_task_which_asks_again() {
    let mut bench = Bench::new(Interest::READ);
    let queued = Traits {
        queues_events: true,
        ..EDGES
    };
    assert!(bench.asks(Shared, plain()));
    bench.say_no(Shared);
    bench.begin_turn();
    bench.deliver(Event::READABLE, queued);
    assert_eq!(bench.batch.len(), 1);
    assert!(bench.asks(Shared, plain()));
    // An event that reports more than data needs no further question.
    bench.say_no(Shared);
    bench.begin_turn();
    bench.deliver(Event::HANG_UP, queued);
    bench.assert_ready(Shared);
}

#[test]
fn events_of_an_object_that_is_reported_once_do_not_disarm_it() {
    let mut bench = Bench::new(Interest::READ);
    let nature = Nature {
        reported_once: true,
        stays_ready: false,
    };
    bench.state.occupy(nature, Interest::READ);
    for _ in 0..5 {
        assert_eq!(bench.deliver(Event::READABLE, EDGES), None);
    }
    bench.assert_ready(Shared);
}

#[test]
fn event_of_a_cancelled_wait_is_kept_if_the_object_is_reported_once() {
    let mut bench = Bench::new(Interest::READ);
    let nature = Nature {
        reported_once: true,
        stays_ready: false,
    };
    bench.state.occupy(nature, Interest::READ);
    let id = bench.state.waiters.add(Read);
    assert!(!bench.asks(id, plain()));
    bench.deliver(Event::READABLE, EDGES);
    drop(bench.state.remove_waiter(id));
    let next = bench.state.waiters.add(Read);
    bench.assert_ready(next);
    drop(bench.state.remove_waiter(next));
    assert!(!bench.asks(Shared, plain()), "an event is reported once");
    assert!(bench.state.waiters.any(Read));
}

#[test]
fn answer_to_a_displaced_task_says_nothing_to_the_next_one() {
    let mut bench = Bench::new(Interest::READ);
    let (first, second) = (waker(), waker());
    assert!(bench.asks(Shared, &first));
    assert!(bench.asks(Shared, &second));
    let (words, turn) = (&bench.words, bench.turn);
    bench.state.found_unready(words, Read, Shared, &first, turn);
    bench.begin_turn();
    assert!(
        bench.asks(Shared, &second),
        "the kernel has not answered the second task yet"
    );
}

#[test]
fn waiter_leaves_only_with_its_own_waker() {
    let mut bench = Bench::new(Interest::READ);
    let (own, other) = (waker(), waker());
    assert!(bench.asks(Shared, &own));
    assert!(bench.state.leave(Read, Shared, &other).is_none());
    assert!(bench.state.waiters.any(Read));
    let left = bench.state.leave(Read, Shared, &own);
    assert!(left.is_some_and(|left| left.will_wake(&own)));
    assert!(!bench.state.waiters.any(Read));
}

// The slot.

#[test]
fn vacating_changes_the_generation_and_takes_the_waiters() {
    let mut bench = Bench::new(Interest::READ);
    let before = bench.state.generation;
    bench.wait(Read);
    assert!(bench.state.vacate().unwrap().discard().is_empty());
    assert_ne!(bench.state.generation, before);
    assert!(!bench.state.waiters.any(Read));
}

#[test]
fn new_object_of_a_slot_starts_over() {
    let mut bench = Bench::new(Interest::READ);
    for _ in 0..10 {
        bench.say_yes(Read, Request::Ready);
        bench.say_yes(Read, Request::Refused);
    }
    bench.deliver(Event::PRIORITY, EDGES);
    let _ = bench.state.vacate();
    bench.state.occupy(Nature::default(), Interest::READ);
    assert!(!bench.state.take_urgent(Shared));
    assert_eq!(bench.say_yes(Read, Request::Ready), Step::Proceed);
    assert_eq!(bench.say_yes(Read, Request::Refused), Step::Proceed);
}

#[test]
fn refusal_of_a_former_object_is_forgotten() {
    let mut bench = Bench::new(Interest::READ);
    bench.state.fail(&bench.words, &mut bench.batch);
    let _ = bench.state.vacate();
    bench.state.occupy(Nature::default(), Interest::READ);
    assert_eq!(bench.deliver(Event::READABLE, EDGES), None);
}
