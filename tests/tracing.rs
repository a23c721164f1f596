//! A subscriber that panics in any event or span of this crate. The panic may propagate out of the
//! call that caused the event, and everything continues to work afterwards.

#![cfg(all(feature = "tracing", unix, not(async_io_loom)))]

mod support;

use std::io::{Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};
use std::thread::{self, ThreadId};
use std::time::Duration;

use async_channel::bounded;
use async_io::{Timer, block_on};
use futures_lite::future::{or, poll_once};
use support::*;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// The thread that causes the counted calls of the subscriber.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Victim {
    Thread(ThreadId),
    Fallback,
}

/// The thread in which the subscriber panics, and the number of calls that remain until then.
static PLAN: Mutex<Option<(Victim, usize)>> = Mutex::new(None);
static PANICS: AtomicUsize = AtomicUsize::new(0);

/// Makes the subscriber panic once, in the `n`th call that the victim causes from now on, counted
/// from zero.
fn plan(victim: Victim, n: usize) {
    *PLAN.lock().unwrap() = Some((victim, n));
}

/// Cancels the plan. Returns whether the panic was still to come.
fn cancel_plan() -> bool {
    PLAN.lock().unwrap().take().is_some()
}

struct Panicking;

fn count_call() {
    let current = thread::current();
    let mut plan = PLAN.lock().unwrap();
    let Some((victim, left)) = plan.as_mut() else {
        return;
    };
    let is_victim = match *victim {
        Victim::Thread(id) => current.id() == id,
        Victim::Fallback => current.name() == Some("async-io"),
    };
    // A second panic during unwinding would abort the process.
    if !is_victim || thread::panicking() {
        return;
    }
    if *left > 0 {
        *left -= 1;
        return;
    }
    *plan = None;
    drop(plan);
    PANICS.fetch_add(1, Ordering::SeqCst);
    resume_unwind(Box::new("a subscriber that panics"));
}

impl Subscriber for Panicking {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("async_io")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        count_call();
        Id::from_u64(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {
        count_call();
    }

    fn enter(&self, _: &Id) {
        count_call();
    }

    fn exit(&self, _: &Id) {
        count_call();
    }
}

fn install() {
    tracing::subscriber::set_global_default(Panicking).unwrap();
}

/// Waits for I/O and for a timer.
async fn io_and_timer() {
    let (source, mut peer) = local_pair();
    for _ in 0..3 {
        assert!(poll_once(source.readable()).await.is_none());
        let waiter = source.readable();
        let write = thread::spawn(move || {
            // The reader may have been dropped.
            _ = peer.write_all(b"x");
            peer
        });
        waiter.await.unwrap();
        source.get_ref().read_exact(&mut [0]).unwrap();
        peer = write.join().unwrap();
        Timer::after(Duration::from_micros(300)).await;
    }
}

/// The number of subscriber calls that are tried, one after the other. A short program makes fewer
/// calls.
const CALLS: usize = 60;

/// A thread that waits in `block_on` for I/O and for timers, before the panic and after it.
struct Bystander {
    thread: thread::JoinHandle<()>,
    stop: async_channel::Sender<()>,
}

impl Bystander {
    /// Starts the thread, and returns when it is inside `block_on` and about to wait.
    fn start() -> Bystander {
        let (stop, stopped) = bounded::<()>(1);
        let (waits, is_waiting) = mpsc::channel();
        let thread = thread::spawn(move || {
            block_on(async {
                let (source, mut peer) = local_pair();
                let mut round = 0;
                while !stopped.is_closed() {
                    round += 1;
                    let readable = source.readable();
                    let pending = Timer::after(Duration::from_micros(200));
                    if round == 1 {
                        waits.send(()).unwrap();
                    }
                    pending.await;
                    assert!(poll_once(source.readable()).await.is_none());
                    let write = thread::spawn(move || {
                        peer.write_all(b"x").unwrap();
                        peer
                    });
                    readable.await.unwrap();
                    source.get_ref().read_exact(&mut [0]).unwrap();
                    peer = write.join().unwrap();
                }
            });
        });
        is_waiting.recv().unwrap();
        Bystander { thread, stop }
    }

    fn stop(self) {
        self.stop.close();
        self.thread.join().unwrap();
    }
}

/// Checks other threads, this thread, and foreign executors if there may be a fallback thread.
fn everything_works(with_foreign: bool) {
    thread::spawn(|| block_on(io_and_timer())).join().unwrap();
    block_on(io_and_timer());
    if with_foreign {
        foreign(io_and_timer());
        foreign(or(
            async {
                Timer::after(HOUR).await;
            },
            io_and_timer(),
        ));
    }
}

/// Makes the subscriber panic in each of the first calls that a `block_on` of this thread causes.
fn panic_in_block_on(with_foreign: bool) {
    install();
    everything_works(with_foreign);
    for n in 0..CALLS {
        let bystander = Bystander::start();
        let before = PANICS.load(Ordering::SeqCst);
        plan(Victim::Thread(thread::current().id()), n);
        let result = catch_unwind(AssertUnwindSafe(|| block_on(io_and_timer())));
        let missed = cancel_plan();
        let happened = PANICS.load(Ordering::SeqCst) - before;
        assert!(missed || happened == 1);
        assert!(result.is_ok() || happened == 1, "another panic, at {n}");
        bystander.stop();
        everything_works(with_foreign);
    }
    assert!(PANICS.load(Ordering::SeqCst) > 10, "few panics were caused");
}

#[test]
fn a_panic_in_block_on_leaves_other_threads_alone() {
    isolated("a_panic_in_block_on_leaves_other_threads_alone", || {
        panic_in_block_on(false);
        #[cfg(target_os = "linux")]
        assert!(support::procfs::fallback_threads().is_empty());
    });
}

#[test]
fn a_panic_in_block_on_leaves_the_fallback_thread_alone() {
    isolated(
        "a_panic_in_block_on_leaves_the_fallback_thread_alone",
        || panic_in_block_on(true),
    );
}

/// The fallback thread survives, or another thread replaces it.
#[test]
fn a_panic_on_the_fallback_thread_stops_nothing() {
    isolated("a_panic_on_the_fallback_thread_stops_nothing", || {
        install();
        foreign(io_and_timer());
        for n in 0..CALLS {
            let before = PANICS.load(Ordering::SeqCst);
            plan(Victim::Fallback, n);
            // The panicking thread drives the wait of this thread. No wake-up may be lost.
            for _ in 0..100 {
                foreign(io_and_timer());
                if PANICS.load(Ordering::SeqCst) > before {
                    break;
                }
            }
            assert!(!cancel_plan(), "no call number {n}");
            everything_works(true);
        }
        assert_eq!(PANICS.load(Ordering::SeqCst), CALLS);
    });
}

/// One turn ends the waits of many tasks. A panic in that turn loses none of their wake-ups.
#[test]
fn a_panic_loses_no_wake_up_of_its_turn() {
    isolated("a_panic_loses_no_wake_up_of_its_turn", || {
        install();
        for n in 0..CALLS {
            let mut pairs: Vec<_> = (0..5).map(|_| local_pair()).collect();
            let all: Vec<_> = pairs
                .iter()
                .map(|_| (Counter::new(), Counter::new()))
                .collect();
            let mut timers: Vec<_> = pairs.iter().map(|_| Timer::after(HOUR)).collect();
            for ((pair, (io, time)), timer) in pairs.iter().zip(&all).zip(&mut timers) {
                assert!(poll_readable(&pair.0, &io.1).is_pending());
                assert!(poll(timer, &time.1).is_pending());
            }
            let mut timers_are_set = false;
            plan(Victim::Thread(thread::current().id()), n);
            _ = catch_unwind(AssertUnwindSafe(|| {
                block_on(async {
                    for timer in &mut timers {
                        timer.set_after(Duration::from_millis(1));
                    }
                    timers_are_set = true;
                    for (_, peer) in &mut pairs {
                        peer.write_all(b"x").unwrap();
                    }
                    Timer::after(Duration::from_millis(2)).await;
                });
            }));
            cancel_plan();
            // The panic may have occurred before the future ran. Setting a timer a second time
            // would hide a lost wake-up, so the timers are set here only if they have not been set.
            if !timers_are_set {
                for timer in &mut timers {
                    timer.set_after(Duration::from_millis(1));
                }
            }
            // A second event does not call a waker that was taken and lost.
            for (_, peer) in &mut pairs {
                peer.write_all(b"x").unwrap();
            }
            for (io, time) in &all {
                io.0.wait_for(1);
                time.0.wait_for(1);
            }
        }
    });
}
