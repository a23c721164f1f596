//! Waiters that have ended or were dropped leave no memory behind. The test needs an allocator of
//! its own, so it has a file of its own.

#![cfg(all(unix, not(async_io_loom)))]

mod support;

use std::io::{Read, Write};
use std::time::Duration;

use async_io::{Async, Timer, block_on};
use futures_lite::future::poll_once;
use support::*;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const WAITERS: usize = 20_000;

/// The memory that may remain: buffers of a fixed size.
const SLACK: isize = 64 * 1024;

fn waiters(source: &Async<Local>) -> Vec<async_io::Readable<'_, Local>> {
    (0..WAITERS).map(|_| source.readable()).collect()
}

/// Polls waiters in one `block_on` with its waker, and drops them.
async fn wait_and_drop(source: &Async<Local>) {
    let mut waits = waiters(source);
    for wait in &mut waits {
        assert!(poll_once(wait).await.is_none());
    }
}

/// Polls waiters, wakes all of them by one event, and completes them.
async fn wait_and_finish(source: &Async<Local>, mut peer: &Local) {
    let mut waits = waiters(source);
    for wait in &mut waits {
        assert!(poll_once(wait).await.is_none());
    }
    peer.write_all(b"x").unwrap();
    for wait in waits {
        wait.await.unwrap();
    }
    source.get_ref().read_exact(&mut [0]).unwrap();
}

/// Waits for one event on another source, so that a further turn is completed.
async fn one_more_turn() {
    let (source, mut peer) = local_pair();
    assert!(poll_once(source.readable()).await.is_none());
    peer.write_all(b"x").unwrap();
    source.readable().await.unwrap();
    Timer::after(Duration::from_millis(1)).await;
}

#[track_caller]
fn returns_memory(what: &str, mut body: impl AsyncFnMut()) {
    // In the second run, all buffers that are created only once already exist.
    for first in [true, false] {
        let before = ALLOCATOR.allocated();
        block_on(async {
            body().await;
            one_more_turn().await;
        });
        let kept = ALLOCATOR.allocated() - before;
        assert!(kept < SLACK, "{what} (first: {first}): {kept} bytes kept");
    }
}

#[test]
fn dropped_waiters_leave_no_memory() {
    isolated("dropped_waiters_leave_no_memory", || {
        let (source, _peer) = local_pair();
        block_on(one_more_turn());
        returns_memory("dropped waiters", async || wait_and_drop(&source).await);
    });
}

#[test]
fn woken_waiters_leave_no_memory() {
    isolated("woken_waiters_leave_no_memory", || {
        let (source, peer) = local_pair();
        block_on(one_more_turn());
        returns_memory("woken waiters", async || {
            wait_and_finish(&source, &peer).await;
        });
    });
}

/// The wakers of many waiters are collected before they are called.
#[test]
fn waiters_of_other_tasks_leave_no_memory() {
    isolated("waiters_of_other_tasks_leave_no_memory", || {
        let (source, mut peer) = local_pair();
        block_on(one_more_turn());
        settle();
        let (counter, waker) = Counter::new();
        let before = ALLOCATOR.allocated();
        let mut waits = waiters(&source);
        for wait in &mut waits {
            assert!(poll(wait, &waker).is_pending());
        }
        peer.write_all(b"x").unwrap();
        counter.wait_for(WAITERS);
        drop(waits);
        source.get_ref().read_exact(&mut [0]).unwrap();
        settle();
        block_on(one_more_turn());
        let kept = ALLOCATOR.allocated() - before;
        assert!(kept < SLACK, "{kept} bytes kept");
    });
}
