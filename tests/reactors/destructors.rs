//! Reactors in the destructors of thread-local values.
//!
//! Not on Windows, which calls such destructors under a lock that every thread needs when it starts or
//! ends. So they cannot wait for other threads there, and these tests do.

use std::cell::RefCell;
use std::io::Write;
use std::mem;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use async_io::{Reactor, Timer};

use crate::support::{foreign, guarded, local_pair};
use crate::{SHORT, manual, named, timer_in};

/// The destructor of a thread-local value runs a closure.
struct AtExit(RefCell<Option<Box<dyn FnOnce()>>>);

impl Drop for AtExit {
    fn drop(&mut self) {
        if let Some(action) = self.0.take() {
            action();
        }
    }
}

thread_local! {
    static AT_EXIT: AtExit = const { AtExit(RefCell::new(None)) };
}

/// Runs `action` in the destructor of a thread-local value, before or after the values of the library.
fn at_exit(library_first: bool, action: impl FnOnce() + Send + 'static) {
    let (ended, end) = mpsc::channel();
    thread::spawn(move || {
        let uses =
            || async_io::block_on(async { _ = Timer::after(Duration::from_micros(100)).await });
        if library_first {
            uses();
        }
        AT_EXIT.with(|it| {
            it.0.replace(Some(Box::new(move || {
                action();
                ended.send(()).unwrap();
            })))
        });
        uses();
    })
    .join()
    .unwrap();
    end.recv().unwrap();
}

/// In such a destructor, guards that are dropped out of order leave no reactor that has ended.
#[test]
fn destructors_may_drop_guards_out_of_order() {
    guarded(|| {
        for library_first in [false, true] {
            at_exit(library_first, || {
                let (first, second) = (named("first"), named("second"));
                let guards = (first.enter(), second.enter());
                drop(guards.0);
                drop(guards.1);
                drop(first);
                drop(Timer::after(SHORT));
                let all = [(); 3].map(|()| named("new"));
                assert!(all[0] != all[1] && all[1] != all[2] && all[0] != all[2]);
                drop(second);
            });
        }
    });
}

/// Destructors of thread-local values may use reactors and timers, also if those of the library have
/// run already.
#[test]
fn destructors_of_threads_may_use_reactors() {
    guarded(|| {
        for library_first in [false, true] {
            for create in [named, manual] {
                let reactor = create("exit");
                at_exit(library_first, move || {
                    let uses = || {
                        reactor.block_on(async {
                            assert_eq!(Reactor::current(), reactor);
                            Timer::after(SHORT).await;
                            let (source, mut peer) = local_pair();
                            assert_eq!(source.reactor(), reactor);
                            let writer = thread::spawn(move || peer.write_all(b"x").unwrap());
                            source.readable().await.unwrap();
                            writer.join().unwrap();
                        });
                    };
                    uses();
                    let entered = reactor.enter();
                    assert_eq!(Reactor::current(), reactor);
                    async_io::block_on(async { _ = Timer::after(SHORT).await });
                    drop(entered);
                    assert_eq!(Reactor::current(), Reactor::global());
                    uses();
                    let start = Instant::now();
                    reactor.turn(Some(SHORT)).unwrap();
                    assert!(start.elapsed() >= SHORT);
                    let other = named("new");
                    reactor.block_on(async {
                        other.block_on(async { _ = Timer::after(SHORT).await })
                    });
                    foreign(timer_in(&other, SHORT));
                    foreign(Timer::after(SHORT));
                    assert!(reactor.close().is_ok());
                });
            }
        }
    });
}

/// A thread ends inside a reactor, by a forgotten guard. Its destructors may still use the library.
#[test]
fn destructors_of_a_thread_with_a_forgotten_guard() {
    guarded(|| {
        for library_first in [false, true] {
            let reactor = named("ended");
            let entered = reactor.clone();
            let (ended, end) = mpsc::channel();
            thread::spawn(move || {
                let forget = || mem::forget(entered.enter());
                if library_first {
                    forget();
                }
                AT_EXIT.with(|it| {
                    it.0.replace(Some(Box::new(move || {
                        foreign(Timer::after(SHORT));
                        async_io::block_on(async { _ = Timer::after(SHORT).await });
                        local_pair();
                        ended.send(()).unwrap();
                    })))
                });
                if !library_first {
                    forget();
                }
            })
            .join()
            .unwrap();
            end.recv().unwrap();
            assert!(reactor.close().is_ok());
        }
    });
}
