//! Private reactors: which one is current, which thread drives it, how long it lives, and how another
//! event loop drives it.
//!
//! | module | behaviour |
//! |---|---|
//! | `current` | the current reactor of a thread, and the reactor of an object |
//! | `waits` | a wait ends, whatever thread made it and wherever its object belongs |
//! | `threads` | when a reactor starts a thread, and when it does not |
//! | `lifetime` | what keeps a reactor alive, and what remains of it |
//! | `rebind` | moving an object to another reactor |
//! | `turns` | single turns |
//! | `foreign` | another event loop waits on the descriptor |
//! | `forks` | a forked child |
//! | `scopes` | guards, panics, the end of a thread, stale wakers |
//! | `destructors` | the destructors of thread-local values |
//! | `texts` | `close`, `Debug`, the texts of errors |

#![cfg(not(async_io_loom))]

#[path = "reactors/current.rs"]
mod current;
#[cfg(unix)]
#[path = "reactors/destructors.rs"]
mod destructors;
#[cfg(all(target_os = "linux", not(polling_test_poll_backend)))]
#[path = "reactors/foreign.rs"]
mod foreign;
#[cfg(target_os = "linux")]
#[path = "reactors/forks.rs"]
mod forks;
#[path = "reactors/lifetime.rs"]
mod lifetime;
#[path = "reactors/rebind.rs"]
mod rebind;
#[path = "reactors/scopes.rs"]
mod scopes;
mod support;
#[path = "reactors/texts.rs"]
mod texts;
#[cfg(target_os = "linux")]
#[path = "reactors/threads.rs"]
mod threads;
#[path = "reactors/turns.rs"]
mod turns;
#[path = "reactors/waits.rs"]
mod waits;

use std::time::Duration;

use async_io::{Async, Reactor, Timer};
use support::{Counting, Local, local_pair};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const SHORT: Duration = Duration::from_millis(5);

/// Creates a reactor with a name.
fn named(name: &str) -> Reactor {
    Reactor::builder().name(name).build().unwrap()
}

/// Creates a manual reactor with a name.
fn manual(name: &str) -> Reactor {
    let builder = Reactor::builder().name(name).fallback_thread(false);
    builder.build().unwrap()
}

/// Creates a registered stream of a reactor, and its blocking peer.
fn pair_in(reactor: &Reactor) -> (Async<Local>, Local) {
    let _entered = reactor.enter();
    local_pair()
}

/// Creates a timer of a reactor.
fn timer_in(reactor: &Reactor, after: Duration) -> Timer {
    let _entered = reactor.enter();
    Timer::after(after)
}

/// Fetches the events that a reactor has for new objects.
fn flush(reactor: &Reactor) {
    while reactor.turn(Some(Duration::ZERO)).unwrap().events() > 0 {}
}
