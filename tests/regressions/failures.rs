//! Waits of the reactor's own threads that fail, because the program has closed the descriptors or
//! a sandbox refuses the call.

use std::io::{Read, Write};
use std::task::Waker;
use std::thread;
use std::time::Duration;

use async_io::{Async, Timer, block_on};
use futures_lite::future::poll_once;

use crate::support::procfs::{descriptors, fallback_thread, wait_until_asleep};
use crate::support::raw;
use crate::support::seccomp::{Filter, Reach, Verdict};
use crate::support::*;

/// Makes every later wait on one epoll set fail.
fn refuse_waits_on(set: i32) {
    let verdict = Verdict::Fail(libc::EBADF);
    let filter = Filter::new()
        .call_on(libc::SYS_epoll_pwait, set, verdict)
        .call_on(libc::SYS_epoll_pwait2, set, verdict);
    #[cfg(target_arch = "x86_64")]
    let filter = filter.call_on(libc::SYS_epoll_wait, set, verdict);
    filter.install(Reach::AllThreads);
}

/// Finds the epoll set that the fallback thread waits on while it is the watcher. `reactor` is the
/// set of the reactor. Returns `None` if the thread does not create one within the time limit.
async fn set_of_the_watch(reactor: &[i32]) -> Option<i32> {
    let (source, mut peer) = local_pair();
    for _ in 0..200 {
        // An event makes the fallback thread leave the wait of the reactor.
        _ = poll_readable(&source, Waker::noop());
        peer.write_all(b"x").unwrap();
        Timer::after(Duration::from_millis(5)).await;
        source.get_ref().read_exact(&mut [0]).unwrap();
        let sets = descriptors("eventpoll");
        if let Some(set) = sets.into_iter().find(|set| !reactor.contains(set)) {
            return Some(set);
        }
    }
    None
}

/// The fallback thread sets an alarm, and its wait for the alarm fails. The alarm is not lost with
/// the descriptors: events are dispatched while the thread in `block_on` is busy.
#[test]
fn an_alarm_outlives_a_failure_of_the_watch() {
    isolated("failures::an_alarm_outlives_a_failure_of_the_watch", || {
        let (source, mut peer) = local_pair();
        let reactor = descriptors("eventpoll");
        // A wait of a foreign task starts the fallback thread.
        let (counter, waker) = Counter::new();
        assert!(poll_readable(&source, &waker).is_pending());
        let fallback = fallback_thread();
        block_on(async {
            let watch = set_of_the_watch(&reactor).await;
            let watch = watch.expect("the fallback thread watches on a set of its own");
            wait_until_asleep(fallback);
            refuse_waits_on(watch);
            // Time for the first alarm and for later ones. The wait for the first one began before
            // the filter was installed.
            thread::sleep(Duration::from_millis(100));
            peer.write_all(b"x").unwrap();
            counter.wait_for(1);
        });
    });
}

/// Reads from the `Debug` output how many events each direction of a source has received.
fn events(source: &Async<Local>) -> Vec<u32> {
    let text = format!("{source:?}");
    let numbers = text.split("events: ").skip(1);
    let number = |rest: &str| rest.split(',').next()?.parse().ok();
    let events: Option<Vec<_>> = numbers.map(number).collect();
    let events = events.unwrap_or_default();
    assert_eq!(events.len(), 2, "no events in {text}");
    events
}

/// A thread fetches an event, and then the reactor permanently loses its epoll set. Later turns of
/// that thread do not dispatch the event again.
#[test]
fn turns_without_a_set_repeat_no_event() {
    isolated("failures::turns_without_a_set_repeat_no_event", || {
        let (source, mut peer) = local_pair();
        block_on(async {
            let mut readable = source.readable();
            assert!(poll_once(&mut readable).await.is_none());
            peer.write_all(b"x").unwrap();
            readable.await.unwrap();
        });
        Filter::new()
            .call(libc::SYS_epoll_create1, Verdict::Fail(libc::ENOSYS))
            .install(Reach::AllThreads);
        for set in descriptors("eventpoll") {
            raw::close(set);
        }
        // Another thread notices the loss first. It has fetched no events.
        let first = thread::spawn(|| block_on(Timer::after(Duration::from_millis(5))));
        first.join().unwrap();
        let before = events(&source);
        for _ in 0..5 {
            block_on(Timer::after(Duration::from_millis(2)));
        }
        let after = events(&source);
        // Failures count as events of both directions. The earlier event was for readers only.
        let news = [after[0] - before[0], after[1] - before[1]];
        assert_eq!(news[0], news[1], "events for readers and for writers");
    });
}
