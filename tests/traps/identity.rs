//! Descriptor numbers do not identify sources: they are reused, duplicated, closed by other code,
//! and inherited.

use std::io::{Read, Write};
use std::os::fd::{AsRawFd, IntoRawFd};
use std::os::unix::net::UnixStream;
use std::task::Context;
use std::thread;

use async_io::{Async, Timer};
use futures_lite::AsyncReadExt;

use crate::support::procfs::{fallback_thread, wait_until_asleep};
use crate::support::raw::Number;
use crate::support::{
    Counter, Runner, assert_quiet, deliver_event, fill, foreign, guarded, isolated, poll, raw,
    stress, tcp_streams, while_reactor_is_held,
};

/// Waits until the reactor has done a complete turn, so that events from before the call have been
/// delivered.
fn one_more_turn(control: &Async<UnixStream>, peer: &UnixStream) {
    deliver_event(control, peer);
    control.get_ref().read_exact(&mut [0]).unwrap();
}

/// An event of a source that is dropped meanwhile must not reach the source that reuses its slot
/// and its number.
#[test]
fn events_of_a_dropped_source_do_not_reach_its_successor() {
    isolated(
        "identity::events_of_a_dropped_source_do_not_reach_its_successor",
        || {
            let (local, control_peer) = UnixStream::pair().unwrap();
            let control = Async::new(local).unwrap();
            let mut reused = 0;
            for _ in 0..stress(2_000) {
                let (old, mut old_peer) = UnixStream::pair().unwrap();
                let (new, mut new_peer) = tcp_streams();
                let old = Async::new(old).unwrap();
                let (_old_wakes, old_waker) = Counter::new();
                assert!(poll(&mut Box::pin(old.readable()), &old_waker).is_pending());
                let mut old_readable = old.readable();
                assert!(poll(&mut old_readable, &old_waker).is_pending());
                let number = old.as_raw_fd();

                old_peer.write_all(b"for the old one").unwrap();
                drop(old_readable);
                drop(old);
                // The lowest free number is that of the closed descriptor.
                let new_source = Async::new(new.try_clone().unwrap()).unwrap();
                reused += usize::from(new_source.as_raw_fd() == number);
                let (_new_wakes, new_waker) = Counter::new();
                let mut readable = new_source.readable();
                assert!(poll(&mut readable, &new_waker).is_pending());
                one_more_turn(&control, &control_peer);
                assert!(poll(&mut readable, &new_waker).is_pending());

                new_peer.write_all(b"for the new one").unwrap();
                foreign(readable).unwrap();
            }
            assert!(
                reused > 0,
                "no number was ever reused, so nothing was tested"
            );
        },
    );
}

/// A copy of the descriptor keeps the open file description alive. Its events must be ignored.
#[test]
fn events_of_a_copy_of_a_dropped_source_are_ignored() {
    isolated(
        "identity::events_of_a_copy_of_a_dropped_source_are_ignored",
        || {
            for runner in Runner::BOTH {
                let (local, mut peer) = UnixStream::pair().unwrap();
                let source = Async::new(local).unwrap();
                let (counter, waker) = Counter::new();
                let mut readable = source.readable();
                assert!(poll(&mut readable, &waker).is_pending());
                let copy = source.get_ref().try_clone().unwrap();
                let number = source.as_raw_fd();
                drop(readable);
                drop(source);

                // Another source gets the number, and a task waits for it.
                let (local, mut new_peer) = UnixStream::pair().unwrap();
                let mut new_source = Async::new(local).unwrap();
                assert_eq!(new_source.as_raw_fd(), number);
                let reader = thread::spawn(move || {
                    let mut byte = [0];
                    runner.block_on(new_source.read_exact(&mut byte)).unwrap();
                    byte
                });
                peer.write_all(b"o").unwrap();
                assert_quiet("a copy of a dropped source became readable");
                assert_eq!(counter.wakes(), 0, "nobody waited for the dropped source");
                new_peer.write_all(b"n").unwrap();
                assert_eq!(reader.join().unwrap(), *b"n");

                // The copy can be registered like any other object.
                let mut copy = Async::new(copy).unwrap();
                let mut byte = [0];
                runner.block_on(copy.read_exact(&mut byte)).unwrap();
                assert_eq!(byte, *b"o");
            }
        },
    );
}

/// A source and a copy of its descriptor: removing one does not affect the other, in both orders.
#[test]
fn removing_one_of_two_copies_leaves_the_other_working() {
    guarded(|| {
        for first_goes in [true, false] {
            let (local, mut peer) = UnixStream::pair().unwrap();
            let copy = Async::new(local.try_clone().unwrap()).unwrap();
            let source = Async::new(local).unwrap();
            let (goes, stays) = if first_goes {
                (source, copy)
            } else {
                (copy, source)
            };
            let (counter, waker) = Counter::new();
            let mut readable = stays.readable();
            assert!(poll(&mut readable, &waker).is_pending());
            let returned = goes.into_inner().unwrap();
            peer.write_all(b"x").unwrap();
            counter.wait_for(1);
            foreign(readable).unwrap();
            // An object that was deregistered can be registered again.
            let back = Async::new(returned).unwrap();
            foreign(back.readable()).unwrap();
        }
    });
}

/// Creates a source and closes its number while a copy keeps the kernel's entry alive. The source
/// waits in both directions, so its first event makes a one-shot reactor re-arm it, which fails.
/// Checks that an unrelated source with an event in the same batch is woken nevertheless.
fn one_bad_descriptor(bad_first: bool) {
    let (bad, mut bad_peer) = UnixStream::pair().unwrap();
    let (good, mut good_peer) = UnixStream::pair().unwrap();
    bad.set_nonblocking(true).unwrap();
    fill(&bad);
    let copy = bad.try_clone().unwrap();
    let bad = Async::new(Number(bad.into_raw_fd())).unwrap();
    let good = Async::new(good).unwrap();

    let (_bad_wakes, bad_waker) = Counter::new();
    let (good_wakes, good_waker) = Counter::new();
    let mut context = Context::from_waker(&bad_waker);
    assert!(bad.poll_readable(&mut context).is_pending());
    assert!(bad.poll_writable(&mut context).is_pending());
    let mut readable = good.readable();
    assert!(poll(&mut readable, &good_waker).is_pending());

    while_reactor_is_held(|| {
        raw::close(bad.get_ref().0);
        if bad_first {
            bad_peer.write_all(b"x").unwrap();
        }
        good_peer.write_all(b"x").unwrap();
        if !bad_first {
            bad_peer.write_all(b"x").unwrap();
        }
    });
    good_wakes.wait_for(1);
    foreign(readable).unwrap();
    drop((bad, copy));
}

/// A descriptor that other code closes affects only its own source. async-io 2.6.0 loses the events
/// of the others.
#[test]
fn a_descriptor_closed_by_other_code_affects_only_its_source() {
    isolated(
        "identity::a_descriptor_closed_by_other_code_affects_only_its_source",
        || {
            for round in 0..stress(100) {
                one_bad_descriptor(round % 2 == 0);
            }
            assert_quiet("after other code closed descriptors");
            foreign(Timer::after(std::time::Duration::from_millis(1)));
        },
    );
}

/// The same for the waiters of that source. The kernel has removed the descriptor, so no event can
/// come. The wait has to end with an error, or with readiness, after which the operation fails.
#[test]
fn waits_for_a_closed_descriptor_end() {
    isolated("identity::waits_for_a_closed_descriptor_end", || {
        for _ in 0..100 {
            let (local, _peer) = UnixStream::pair().unwrap();
            let source = Async::new(Number(local.into_raw_fd())).unwrap();
            raw::close(source.get_ref().0);
            let ends = [
                foreign(source.readable()),
                foreign(source.writable()),
                foreign(source.read_with(|number| raw::recv(number, &mut [0], 0))).map(drop),
            ];
            for error in ends.into_iter().filter_map(Result::err) {
                assert_eq!(error.raw_os_error(), Some(libc::EBADF));
            }
        }
        assert_quiet("after waiting for closed descriptors");
    });
}

/// async-io 2.6.0 loses the batch in which a re-arm fails, including the wakers that it has already
/// collected.
#[test]
fn a_failing_rearm_loses_no_wake_up() {
    isolated("identity::a_failing_rearm_loses_no_wake_up", || {
        const SOURCES: usize = 8;
        for bad_at in 0..SOURCES {
            let pairs = [(); SOURCES].map(|()| UnixStream::pair().unwrap());
            let (bad, _) = &pairs[bad_at];
            bad.set_nonblocking(true).unwrap();
            fill(bad);
            let copy = bad.try_clone().unwrap();
            let (objects, mut peers): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
            let numbers = objects.into_iter().map(|object| object.into_raw_fd());
            let sources: Vec<_> = numbers.map(|fd| Async::new(Number(fd)).unwrap()).collect();
            let counters: Vec<_> = sources.iter().map(|_| Counter::new()).collect();
            for (source, (_, waker)) in sources.iter().zip(&counters) {
                let mut context = Context::from_waker(waker);
                assert!(source.poll_readable(&mut context).is_pending());
            }
            let mut context = Context::from_waker(&counters[bad_at].1);
            assert!(sources[bad_at].poll_writable(&mut context).is_pending());
            while_reactor_is_held(|| {
                raw::close(sources[bad_at].get_ref().0);
                for peer in &mut peers {
                    peer.write_all(b"x").unwrap();
                }
            });
            for (index, (counter, _)) in counters.iter().enumerate() {
                if index != bad_at {
                    counter.wait_for(1);
                }
            }
            drop(copy);
        }
    });
}

/// Copies of the sources that a forked child drops do not affect its parent. (A child cannot use
/// the reactor: fork without exec is not supported.)
#[test]
fn drops_in_a_forked_child_do_not_affect_the_parent() {
    isolated(
        "identity::drops_in_a_forked_child_do_not_affect_the_parent",
        || {
            let (local, mut peer) = UnixStream::pair().unwrap();
            let (idle, mut idle_peer) = UnixStream::pair().unwrap();
            let mut source = Some(Async::new(local).unwrap());
            let mut not_awaited = Some(Async::new(idle).unwrap());
            let (counter, waker) = Counter::new();
            let ready = source.as_ref().unwrap();
            assert!(
                ready
                    .poll_readable(&mut Context::from_waker(&waker))
                    .is_pending()
            );
            // No thread may hold a lock at the moment of the fork.
            wait_until_asleep(fallback_thread());

            let status = raw::in_forked_child(|| {
                drop(source.take());
                drop(not_awaited.take());
            });
            assert_eq!(status, 0, "the child did not end by itself");

            peer.write_all(b"x").unwrap();
            counter.wait_for(1);
            let not_awaited = not_awaited.unwrap();
            let (counter, waker) = Counter::new();
            let mut readable = not_awaited.readable();
            assert!(poll(&mut readable, &waker).is_pending());
            idle_peer.write_all(b"x").unwrap();
            counter.wait_for(1);
            foreign(readable).unwrap();
        },
    );
}
