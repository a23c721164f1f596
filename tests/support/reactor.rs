//! Waits for turns of the reactor.

use std::io::{Read, Write};
use std::task::Context;
use std::time::Duration;

use async_io::{Async, Timer};

use super::{Counter, Local, foreign, local_pair};

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
