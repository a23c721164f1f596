//! Waits for turns of the reactor, and holds it up.

use std::io::{Read, Write};
use std::sync::{Mutex, mpsc};
use std::task::Context;
use std::time::Duration;

use async_io::{Async, Timer};

use super::{Counter, Local, foreign, local_pair, poll_readable, waker_fn};

/// Waits until the reactor has done several turns that start after the call. Events that were
/// pending before the call have been delivered when it returns.
pub(crate) fn settle() {
    let (source, mut peer) = local_pair();
    for _ in 0..3 {
        peer.write_all(b"s").unwrap();
        foreign(async {
            source.readable().await.unwrap();
            Timer::after(Duration::from_millis(2)).await;
        });
        source.get_ref().read_exact(&mut [0]).unwrap();
    }
}

/// Makes the reactor deliver one event for `source`, by a byte from `peer`.
pub(crate) fn deliver_event(source: &Async<Local>, mut peer: &Local) {
    let (counter, waker) = Counter::new();
    let mut context = Context::from_waker(&waker);
    // Counted before the poll: any wake-up after it, spurious or not, consumes the waker, so no
    // second one can come.
    let mut before = counter.wakes();
    while source.poll_readable(&mut context).is_ready() {
        before = counter.wakes();
    }
    peer.write_all(b"e").unwrap();
    counter.wait_for(before + 1);
}

/// Blocks the fallback thread inside a waker while `body` runs, so that all events of `body` come
/// in one batch, and another event loop can see them. No thread may be in `block_on`.
pub(crate) fn while_reactor_is_held<R>(body: impl FnOnce() -> R) -> R {
    let (source, mut peer) = local_pair();
    let (enter, entered) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let waker = waker_fn(move || {
        _ = enter.send(());
        // Returns an error when the sender is dropped.
        _ = released.lock().unwrap().recv();
    });
    assert!(poll_readable(&source, &waker).is_pending());
    peer.write_all(b"x").unwrap();
    entered.recv().unwrap();
    let result = body();
    drop(release);
    result
}
