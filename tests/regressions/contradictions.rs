//! An operation that returns "would block" while the kernel reports "ready" is repeated with
//! pauses. Each waiter has at most one pause, which ends with the wait.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io::{Read, Write};
use std::pin::{Pin, pin};
use std::task::{Context, Waker};
use std::time::Duration;

use async_io::{Async, Timer, block_on};
use futures_lite::future::{or, zip};
use futures_lite::{AsyncReadExt, AsyncWriteExt, StreamExt};

use crate::support::*;

const TICKS: usize = 500;

/// Creates a source that has data and room for more.
fn ready_pair() -> (Async<Local>, Local) {
    let (source, mut peer) = local_pair();
    peer.write_all(b"data").unwrap();
    (source, peer)
}

/// Runs an operation that never ends beside an interval of one millisecond, in one task. Returns
/// how often the task was polled until the interval has ticked [`TICKS`] times.
fn polls_beside_an_interval(runner: Runner, operation: impl Future) -> usize {
    let mut polls = 0;
    let ticks = async {
        Timer::interval(Duration::from_millis(1))
            .take(TICKS)
            .count()
            .await
    };
    let operation = async {
        operation.await;
        0
    };
    let mut task = pin!(or(operation, ticks));
    let counted = poll_fn(|cx| {
        polls += 1;
        task.as_mut().poll(cx)
    });
    assert_eq!(runner.block_on(counted), TICKS);
    polls
}

/// Checks that polls caused by the interval neither repeat the operation nor add wake-ups.
#[track_caller]
fn assert_calm(what: &str, runner: Runner, calls: usize, polls: usize, most: usize) {
    assert!(
        calls <= most,
        "{what}, {runner:?}: {calls} calls during {TICKS} ticks"
    );
    assert!(
        polls <= FEW_MORE,
        "{what}, {runner:?}: {polls} wake-ups during {TICKS} ticks"
    );
}

#[test]
fn a_contradicted_closure_is_called_seldom_beside_an_interval() {
    for runner in Runner::BOTH {
        guarded(move || {
            let (source, _peer) = ready_pair();
            let calls = Cell::new(0);
            let op = |_: &Local| {
                calls.set(calls.get() + 1);
                refuse::<()>()
            };
            let polls = polls_beside_an_interval(runner, source.read_with(op));
            assert_calm("read_with", runner, calls.take(), polls, TICKS / 2);
            let polls = polls_beside_an_interval(runner, source.write_with(op));
            assert_calm("write_with", runner, calls.take(), polls, TICKS / 2);
            let both = zip(source.read_with(op), source.write_with(op));
            let polls = polls_beside_an_interval(runner, both);
            assert_calm("both", runner, calls.take(), polls, TICKS / 2);
            let two = zip(source.read_with(op), source.read_with(op));
            let polls = polls_beside_an_interval(runner, two);
            assert_calm("two readers", runner, calls.take(), polls, TICKS / 2);
        });
    }
}

/// The limit for streams, which try the operation in every poll. Few more polls than ticks mean
/// that each pause adds a single wake-up at its end.
const FEW_MORE: usize = TICKS * 3 / 2 + 50;

#[test]
fn a_contradicted_stream_is_called_seldom_beside_an_interval() {
    for runner in Runner::BOTH {
        guarded(move || {
            let (source, _peer) = Unwilling::pair();
            let calls = &source.get_ref().calls;
            let (mut reader, mut writer) = (&source, &source);
            let polls = polls_beside_an_interval(runner, reader.read(&mut [0; 8]));
            assert_calm("read", runner, calls.take(), polls, FEW_MORE);
            let polls = polls_beside_an_interval(runner, writer.write(&[0; 8]));
            assert_calm("write", runner, calls.take(), polls, FEW_MORE);
        });
    }
}

/// Polls a contradicted operation until it pauses, and some more times.
fn poll_into_a_pause(mut poll: impl FnMut() -> bool) {
    for _ in 0..50 {
        assert!(poll());
    }
}

/// The number of attempts at a check that another thread may disturb by calling the waker at the
/// same moment.
const ATTEMPTS: usize = 20;

#[test]
fn a_dropped_operation_in_a_pause_releases_its_waker() {
    guarded(|| {
        let released = || {
            let (source, _peer) = ready_pair();
            let (counter, waker) = Counter::new();
            let mut reading = Box::pin(source.read_with(|_| refuse::<()>()));
            let mut writing = Box::pin(source.write_with(|_| refuse::<()>()));
            poll_into_a_pause(|| poll(&mut reading, &waker).is_pending());
            poll_into_a_pause(|| poll(&mut writing, &waker).is_pending());
            drop((reading, writing));
            counter.held(1) == 0
        };
        assert!((0..ATTEMPTS).any(|_| released()), "the waker is kept");
    });
}

#[test]
fn a_dropped_source_in_a_pause_releases_its_wakers() {
    guarded(|| {
        let released = || {
            let (source, _peer) = Unwilling::pair();
            let (counter, waker) = Counter::new();
            let mut cx = Context::from_waker(&waker);
            let (mut reader, mut writer) = (&source, &source);
            poll_into_a_pause(|| {
                let mut buffer = [0; 8];
                let mut read = reader.read(&mut buffer);
                Pin::new(&mut read).poll(&mut cx).is_pending()
            });
            poll_into_a_pause(|| {
                let mut write = writer.write(&[0; 8]);
                Pin::new(&mut write).poll(&mut cx).is_pending()
            });
            drop(source);
            counter.held(1) == 0
        };
        assert!((0..ATTEMPTS).any(|_| released()), "a waker is kept");
    });
}

/// Drives the reactor for longer than the longest pause.
fn outlast_pauses() {
    block_on(Timer::after(Duration::from_millis(30)));
}

#[test]
fn a_dropped_operation_in_a_pause_causes_no_wake_up() {
    guarded(|| {
        let (source, _peer) = ready_pair();
        let (counter, waker) = Counter::new();
        let mut reading = Box::pin(source.read_with(|_| refuse::<()>()));
        poll_into_a_pause(|| poll(&mut reading, &waker).is_pending());
        drop(reading);
        let before = counter.wakes();
        outlast_pauses();
        // One wake-up may have been pending.
        let after = counter.wakes();
        assert!(after <= before + 1, "{} wake-ups", after - before);
    });
}

/// Many polls within one pause do not multiply the wake-up at its end.
#[test]
fn a_pause_ends_with_one_wake_up() {
    guarded(|| {
        let (source, _peer) = ready_pair();
        let (counter, waker) = Counter::new();
        let mut reading = Box::pin(source.read_with(|_| refuse::<()>()));
        poll_into_a_pause(|| poll(&mut reading, &waker).is_pending());
        let before = counter.wakes();
        assert!(poll(&mut reading, &waker).is_pending());
        outlast_pauses();
        let after = counter.wakes();
        // A pause may have ended between two of the polls, and the next one may have begun.
        assert!(after <= before + 5, "{} wake-ups", after - before);
        assert!(after > before, "the pause does not end");
    });
}

/// The end of a pause calls the waker of the last poll.
#[test]
fn a_pause_wakes_the_task_that_polled_last() {
    guarded(|| {
        let (source, _peer) = ready_pair();
        let (former, former_waker) = Counter::new();
        let (latter, latter_waker) = Counter::new();
        let mut reading = Box::pin(source.read_with(|_| refuse::<()>()));
        poll_into_a_pause(|| poll(&mut reading, &former_waker).is_pending());
        let polled = poll(&mut reading, &latter_waker);
        assert!(polled.is_pending());
        let before = former.wakes();
        latter.wait_for(1);
        outlast_pauses();
        let after = former.wakes();
        assert!(after <= before + 1, "{} wake-ups", after - before);
    });
}

/// A closure that begins to succeed is called again, whatever the pause.
#[test]
fn a_pause_ends_for_a_closure_that_succeeds() {
    guarded(|| {
        let (source, _peer) = ready_pair();
        let willing = Cell::new(false);
        let op = |mut io: &Local| {
            if willing.get() {
                io.read(&mut [0; 4])
            } else {
                refuse()
            }
        };
        let mut reading = Box::pin(source.read_with(op));
        poll_into_a_pause(|| poll(&mut reading, Waker::noop()).is_pending());
        willing.set(true);
        assert_eq!(block_on(reading).unwrap(), 4);
    });
}
