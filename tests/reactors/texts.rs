//! `close` and its report, the output of `Debug`, and the texts of errors.

use std::collections::HashSet;
use std::error::Error;
use std::io::ErrorKind;
use std::sync::mpsc;
use std::thread;

use async_io::{Reactor, Timer};

use crate::support::{guarded, poll, waker_fn};
use crate::{SHORT, manual, named, pair_in, timer_in};

/// `close` succeeds if nothing else uses the reactor, and lists what does otherwise.
#[test]
fn close_lists_what_is_left() {
    guarded(|| {
        assert!(named("unused").close().is_ok());
        let reactor = named("db");
        let expect = |reactor: Reactor, uses: &str| {
            let error = reactor.close().unwrap_err();
            let text = format!("the reactor `db` is still in use by {uses}");
            assert_eq!(error.to_string(), text);
            assert!(error.source().is_none());
            assert!(format!("{error:?}").contains("db"));
            error.into_reactor()
        };
        let other = reactor.clone();
        let reactor = expect(reactor, "1 other handle");
        let entered = other.enter();
        let reactor = expect(reactor, "2 other handles");
        drop(entered);
        drop(other);
        let sources = [pair_in(&reactor), pair_in(&reactor)];
        let reactor = expect(reactor, "2 I/O objects");
        let timers: Vec<_> = (0..3).map(|_| timer_in(&reactor, SHORT)).collect();
        let reactor = expect(reactor, "2 I/O objects, 3 timers");
        let other = reactor.clone();
        let reactor = expect(reactor, "1 other handle, 2 I/O objects, 3 timers");
        drop((other, sources));
        let reactor = expect(reactor, "3 timers");
        // A timer that has fired, or was cleared, can be set again.
        let mut timers = timers.into_iter();
        let (mut fired, mut cleared) = (timers.next().unwrap(), timers.next().unwrap());
        drop(timers);
        reactor.block_on(&mut fired);
        cleared.clear();
        let reactor = expect(reactor, "2 timers");
        drop(fired);
        let reactor = expect(reactor, "1 timer");
        drop(cleared);
        // `Timer::never()` belongs to no reactor.
        let entered = reactor.enter();
        let _never = Timer::never();
        drop(entered);
        reactor.close().unwrap();
    });
}

/// Calls in progress count as handles.
#[test]
fn close_counts_calls_in_progress() {
    guarded(|| {
        let reactor = manual("calls");
        reactor.block_on(async {
            let error = reactor.clone().close().unwrap_err();
            assert!(error.to_string().ends_with("2 other handles"), "{error}");
        });
        let in_turn = reactor.clone();
        let waker = waker_fn(move || {
            let error = in_turn.clone().close().unwrap_err();
            // Besides the clone: the handle of the test, that of this waker, and the turn.
            assert!(error.to_string().contains("3 other handles"), "{error}");
        });
        let mut timer = timer_in(&reactor, SHORT);
        assert!(poll(&mut timer, &waker).is_pending());
        while reactor.turn(None).unwrap().woken() == 0 {}
        let other = reactor.clone();
        thread::spawn(move || drop(other.close().unwrap_err()))
            .join()
            .unwrap();
    });
}

/// A handle that another thread drops meanwhile counts as a handle or not at all.
#[test]
fn close_takes_no_handle_for_an_object() {
    guarded(|| {
        let (send, drops) = mpsc::sync_channel::<Reactor>(0);
        let dropper = thread::spawn(move || drops.into_iter().for_each(drop));
        for _ in 0..crate::support::stress(5000) {
            let mut reactor = manual("handles");
            send.send(reactor.clone()).unwrap();
            while let Err(error) = reactor.close() {
                let text = error.to_string();
                assert!(text.ends_with("in use by 1 other handle"), "{text}");
                reactor = error.into_reactor();
            }
        }
        drop(send);
        dropper.join().unwrap();
    });
}

/// The global reactor is always in use.
#[test]
fn the_global_reactor_cannot_be_closed() {
    let error = Reactor::global().close().unwrap_err();
    assert_eq!(
        error.to_string(),
        "the global reactor is always in use and cannot be closed"
    );
    assert_eq!(error.into_reactor(), Reactor::global());
}

/// An error of `close` keeps the reactor: its objects work, and it stays manual.
#[test]
fn a_failed_close_changes_nothing() {
    guarded(|| {
        let reactor = manual("stays");
        let timer = timer_in(&reactor, SHORT);
        let error = reactor.close().unwrap_err();
        let reactor = error.into_reactor();
        assert!(format!("{reactor:?}").contains("manual: true"));
        reactor.block_on(timer);
        reactor.close().unwrap();
    });
}

#[test]
fn debug_names_the_reactor() {
    guarded(|| {
        let (private, by_hand) = (named("db"), manual("ui"));
        assert_eq!(
            format!("{private:?}"),
            "Reactor { name: \"db\", manual: false, .. }"
        );
        assert_eq!(
            format!("{by_hand:?}"),
            "Reactor { name: \"ui\", manual: true, .. }"
        );
        let global = format!("{:?}", Reactor::global());
        assert_eq!(global, "Reactor { name: global, manual: false, .. }");
        let entered = private.enter();
        assert_eq!(format!("{entered:?}"), format!("Entered({private:?})"));
        drop(entered);
        let turn = private.turn(Some(std::time::Duration::ZERO)).unwrap();
        assert_eq!(format!("{turn:?}"), "Turn { woken: 0, events: 0 }");
        let builder = format!("{:?}", Reactor::builder().name("ui").fallback_thread(false));
        assert!(
            builder.contains("ui") && builder.contains("false"),
            "{builder}"
        );
        let error = format!("{:?}", Reactor::global().close().unwrap_err());
        assert!(error.contains("global"), "{error}");
    });
}

/// Reactors without a name have different numbers.
#[test]
// A handle is compared by its address. Nothing inside changes that.
#[allow(clippy::mutable_key_type)]
fn reactors_without_a_name_are_numbered() {
    let reactors: Vec<_> = (0..5).map(|_| Reactor::new().unwrap()).collect();
    let names: HashSet<_> = reactors.iter().map(|it| format!("{it:?}")).collect();
    assert_eq!(names.len(), reactors.len());
    let handles: HashSet<_> = reactors.iter().chain(&reactors).cloned().collect();
    assert_eq!(handles.len(), reactors.len());
}

/// A name with a zero byte is refused. Any other name is accepted, and two reactors may share one.
#[test]
fn names_are_checked() {
    guarded(|| {
        for name in ["\0", "a\0b", "ab\0"] {
            let error = Reactor::builder().name(name).build().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.to_string().contains("remove it"), "{error}");
        }
        for name in ["", "ä", "a long name that the system cuts", "a/b", "a"] {
            let (reactor, other) = (named(name), named(name));
            assert_ne!(reactor, other);
            crate::support::foreign(timer_in(&reactor, SHORT));
            crate::support::foreign(timer_in(&other, SHORT));
        }
    });
}

/// Without descriptors, `new` returns an error that says what to do, and works again later.
#[cfg(target_os = "linux")]
#[test]
fn a_lack_of_descriptors_is_an_error() {
    crate::support::isolated("texts::a_lack_of_descriptors_is_an_error", || {
        let limit = crate::support::limit_descriptors(Some(40));
        let mut reactors = Vec::new();
        let error = loop {
            match Reactor::new() {
                Ok(reactor) => reactors.push(reactor),
                Err(error) => break error,
            }
            assert!(reactors.len() < 40);
        };
        assert!(
            error
                .to_string()
                .contains("close descriptors, or raise their limit"),
            "{error}"
        );
        let last = reactors.pop().unwrap();
        last.block_on(async { _ = Timer::after(SHORT).await });
        drop(last);
        // That of the last one is vacant.
        reactors.push(Reactor::new().unwrap());
        crate::support::limit_descriptors(limit);
        reactors.push(Reactor::new().unwrap());
        for reactor in reactors {
            reactor.block_on(async { _ = Timer::after(SHORT).await });
        }
    });
}
