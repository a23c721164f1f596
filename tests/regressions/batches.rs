//! A waker may wait for a later waker of the same turn without a deadlock.
//!
//! A waker may call `block_on`, which then runs the remaining wakers itself. If a waker blocks by
//! other means, a thread in `block_on` or the fallback thread runs the remaining ones.

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::Waker;
use std::thread;
use std::time::{Duration, Instant};

use async_channel::{Receiver, Sender, bounded};
use async_io::{Async, Timer, block_on};

use crate::support::*;

/// Counts the wakers of a group that have been called.
struct Group {
    size: usize,
    called: Arc<Counter>,
    /// The number of calls that have returned.
    returned: AtomicUsize,
    /// Closed by the call of the last waker.
    open: Mutex<Option<Sender<()>>>,
    complete: Receiver<()>,
}

impl Group {
    fn new(size: usize) -> Arc<Group> {
        let (open, complete) = bounded(1);
        Arc::new(Group {
            size,
            called: Counter::new().0,
            returned: AtomicUsize::new(0),
            open: Mutex::new(Some(open)),
            complete,
        })
    }

    /// Creates the wakers. Each runs `wait`, which may wait until all have been called.
    fn wakers(self: &Arc<Group>, wait: fn(&Group)) -> Vec<Waker> {
        let waker = || {
            let group = Arc::clone(self);
            waker_fn(move || {
                group.call();
                wait(&group);
                group.returned.fetch_add(1, Ordering::SeqCst);
            })
        };
        (0..self.size).map(|_| waker()).collect()
    }

    fn call(&self) {
        std::task::Wake::wake_by_ref(&self.called);
        if self.called.wakes() == self.size {
            self.open.lock().unwrap().take();
        }
    }

    /// Waits in `block_on` without any other wait.
    fn wait_idle(&self) {
        assert!(block_on(self.complete.recv()).is_err());
    }

    /// Waits in `block_on`, woken repeatedly by timers.
    fn wait_with_timers(&self) {
        block_on(async {
            while self.called.wakes() < self.size {
                Timer::after(Duration::from_millis(1)).await;
            }
        });
    }

    /// Blocks the thread.
    fn wait_blocked(&self) {
        self.called.wait_for(self.size);
    }

    /// Waits until all calls have returned, and checks that there was one for each waker.
    #[track_caller]
    fn finish(&self) {
        until("all wakers return", || {
            self.returned.load(Ordering::SeqCst) >= self.size
        });
        assert_eq!(self.called.wakes(), self.size);
    }
}

/// Creates timers with one deadline, one for each waker. They fire in one turn.
fn timers_of_one_deadline(wakers: &[Waker]) -> Vec<Timer> {
    let mut timers: Vec<_> = wakers.iter().map(|_| Timer::after(HOUR)).collect();
    for (timer, waker) in timers.iter_mut().zip(wakers) {
        assert!(poll(timer, waker).is_pending());
    }
    let deadline = Instant::now() + Duration::from_millis(20);
    for timer in &mut timers {
        timer.set_at(deadline);
    }
    timers
}

/// Creates sources that become ready at the same moment, one for each waker. They share one socket.
fn sources_of_one_socket(wakers: &[Waker]) -> (Vec<Async<Local>>, Local) {
    let (ours, peer) = pair();
    let source = |waker| {
        let source = Async::new(ours.try_clone().unwrap()).unwrap();
        assert!(poll_readable(&source, waker).is_pending());
        source
    };
    (wakers.iter().map(source).collect(), peer)
}

/// Runs two wakers in one turn, with timers and with sources. Each of the two waits for the other,
/// so the first one needs the second one. `drive` makes sure that threads drive the
/// reactor until the group is complete.
fn wakers_of_one_turn(wait: fn(&Group), drive: fn(&Group)) {
    for _ in 0..5 {
        let group = Group::new(2);
        let timers = timers_of_one_deadline(&group.wakers(wait));
        drive(&group);
        group.finish();
        drop(timers);

        let group = Group::new(2);
        let (sources, mut peer) = sources_of_one_socket(&group.wakers(wait));
        thread::scope(|scope| {
            scope.spawn(|| {
                // Time for the other thread to begin its wait. Without it the test is only less
                // strict.
                thread::sleep(Duration::from_millis(5));
                peer.write_all(b"x").unwrap();
            });
            drive(&group);
        });
        group.finish();
        drop(sources);
    }
}

#[test]
fn a_waker_may_wait_in_block_on_for_a_later_one_of_its_batch() {
    isolated(
        "batches::a_waker_may_wait_in_block_on_for_a_later_one_of_its_batch",
        || {
            for wait in [Group::wait_idle, Group::wait_with_timers] {
                wakers_of_one_turn(wait, Group::wait_idle);
            }
        },
    );
}

/// The same on the fallback thread.
#[test]
fn a_waker_of_the_fallback_thread_may_wait_in_block_on_for_a_later_one() {
    isolated(
        "batches::a_waker_of_the_fallback_thread_may_wait_in_block_on_for_a_later_one",
        || {
            for wait in [Group::wait_idle, Group::wait_with_timers] {
                wakers_of_one_turn(wait, Group::wait_blocked);
            }
        },
    );
}

/// A batch of many wakers, each of which waits for all later ones: the calls nest.
#[test]
fn wakers_that_wait_in_block_on_may_nest() {
    isolated("batches::wakers_that_wait_in_block_on_may_nest", || {
        let group = Group::new(20);
        let timers = timers_of_one_deadline(&group.wakers(Group::wait_idle));
        group.wait_idle();
        group.finish();
        drop(timers);
    });
}

/// A waker blocks the fallback thread. A `block_on` that begins afterwards runs the remaining
/// wakers.
#[test]
fn a_block_on_runs_the_wakers_behind_one_that_blocks_the_fallback_thread() {
    isolated(
        "batches::a_block_on_runs_the_wakers_behind_one_that_blocks_the_fallback_thread",
        || {
            for drive in [Group::wait_idle, Group::wait_with_timers] {
                for _ in 0..5 {
                    let group = Group::new(2);
                    let timers = timers_of_one_deadline(&group.wakers(Group::wait_blocked));
                    group.called.wait_for(1);
                    drive(&group);
                    group.finish();
                    drop(timers);
                }
            }
        },
    );
}

/// A waker blocks a thread in `block_on`. The fallback thread runs the remaining wakers.
#[test]
fn the_fallback_thread_runs_the_wakers_behind_one_that_blocks_a_block_on() {
    isolated(
        "batches::the_fallback_thread_runs_the_wakers_behind_one_that_blocks_a_block_on",
        || wakers_of_one_turn(Group::wait_blocked, Group::wait_idle),
    );
}

/// Two threads are in `block_on`, and a waker blocks one of them. The other one runs the remaining
/// wakers. The fallback thread is kept busy throughout.
#[test]
fn another_block_on_runs_the_wakers_behind_one_that_blocks() {
    isolated(
        "batches::another_block_on_runs_the_wakers_behind_one_that_blocks",
        || {
            let (release, released) = mpsc::channel::<()>();
            let released = Mutex::new(released);
            let (entered, gate) = Counter::new();
            let blocking = waker_fn(move || {
                gate.wake_by_ref();
                _ = released.lock().unwrap().recv();
            });
            let mut timer = Timer::after(Duration::from_millis(1));
            _ = poll(&mut timer, &blocking);
            entered.wait_for(1);

            let drive = |group: &Group| {
                thread::scope(|scope| {
                    scope.spawn(|| group.wait_idle());
                    group.wait_idle();
                });
            };
            wakers_of_one_turn(Group::wait_blocked, drive);
            drop(release);
        },
    );
}
