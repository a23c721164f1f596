//! The exact parameters, bounds and result of every function.
//!
//! Each method is coerced to the function pointer type that users' code may rely on. The generic
//! parameters of the checking function have exactly the bounds that the method may require.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use async_io::reactor::{Builder, Entered, StillInUse, Turn};
use async_io::{
    Async, MissedTicks, Reactor, Readable, ReadableOwned, TimedOut, Timeout, Timer, Writable,
    WritableOwned, timeout, timeout_at,
};

type Wait<T> = for<'a, 'b, 'c> fn(&'a Async<T>, &'b mut Context<'c>) -> Poll<io::Result<()>>;

fn _without_bounds<T>() {
    let _: for<'a> fn(&'a Async<T>) -> &'a T = Async::<T>::get_ref;
    let _: for<'a> unsafe fn(&'a mut Async<T>) -> &'a mut T = Async::<T>::get_mut;
    let _: fn(Async<T>) -> io::Result<T> = Async::<T>::into_inner;
    let _: Wait<T> = Async::<T>::poll_readable;
    let _: Wait<T> = Async::<T>::poll_writable;
    let _: for<'a> fn(&'a Async<T>) -> Readable<'a, T> = Async::<T>::readable;
    let _: for<'a> fn(&'a Async<T>) -> Writable<'a, T> = Async::<T>::writable;
    let _: fn(Arc<Async<T>>) -> ReadableOwned<T> = Async::<T>::readable_owned;
    let _: fn(Arc<Async<T>>) -> WritableOwned<T> = Async::<T>::writable_owned;
}

/// `readable_owned` and `writable_owned` are methods of an `Arc`.
fn _as_methods<T>(source: Arc<Async<T>>) -> (ReadableOwned<T>, WritableOwned<T>) {
    (source.clone().readable_owned(), source.writable_owned())
}

fn _sockets<A: Into<SocketAddr>>() {
    let _: fn(A) -> io::Result<Async<TcpListener>> = Async::<TcpListener>::bind::<A>;
    let _: fn(A) -> io::Result<Async<UdpSocket>> = Async::<UdpSocket>::bind::<A>;
    _ = Async::<TcpStream>::connect::<A>;
    _ = Async::<UdpSocket>::send_to::<A>;
}

fn _timer() {
    let _: fn() -> Timer = Timer::never;
    let _: fn(Duration) -> Timer = Timer::after;
    let _: fn(Instant) -> Timer = Timer::at;
    let _: fn(Duration) -> Timer = Timer::interval;
    let _: fn(Instant, Duration) -> Timer = Timer::interval_at;
    let _: for<'a> fn(&'a Timer) -> bool = Timer::will_fire;
    let _: for<'a> fn(&'a mut Timer) = Timer::clear;
    let _: for<'a> fn(&'a mut Timer, Duration) = Timer::set_after;
    let _: for<'a> fn(&'a mut Timer, Instant) = Timer::set_at;
    let _: for<'a> fn(&'a mut Timer, Duration) = Timer::set_interval;
    let _: for<'a> fn(&'a mut Timer, Instant, Duration) = Timer::set_interval_at;
}

fn _additions_to_timers() {
    let _: for<'a> fn(&'a mut Timer, MissedTicks) = Timer::set_missed_ticks;
    let _: for<'a> fn(&'a Timer) -> MissedTicks = Timer::missed_ticks;
    let _: for<'a> fn(&'a Timer) -> Option<Instant> = Timer::deadline;
    let _: for<'a> fn(&'a Timer) -> Option<Duration> = Timer::period;
}

/// Each form of a limit, and anything that becomes a future.
fn _timeouts<F: IntoFuture>(make: impl Fn() -> F, limit: Duration, at: Instant) {
    _ = timeout(limit, make());
    _ = timeout(Some(limit), make());
    _ = timeout(None, make());
    _ = timeout_at(at, make());
    _ = timeout_at(Some(at), make());
    _ = timeout_at(None, make());
    let _: fn(Timeout<F>) -> F = Timeout::into_inner;
    let _: for<'a> fn(&'a Timeout<F>) -> &'a F = Timeout::get_ref;
    let _: for<'a> fn(&'a mut Timeout<F>) -> &'a mut F = Timeout::get_mut;
    let _: for<'a> fn(&'a TimedOut) -> Option<Duration> = TimedOut::limit;
    let _: fn(TimedOut) -> io::Error = io::Error::from;
}

fn _reactors() {
    let _: fn() -> Reactor = Reactor::global;
    let _: fn() -> Reactor = Reactor::current;
    let _: fn() -> io::Result<Reactor> = Reactor::new;
    let _: fn() -> Builder = Reactor::builder;
    let _: for<'a> fn(&'a Reactor) -> Entered<'a> = Reactor::enter;
    let _: for<'a> fn(&'a Reactor, Option<Duration>) -> io::Result<Turn> = Reactor::turn;
    let _: for<'a> fn(&'a Reactor) -> io::Result<Option<Duration>> = Reactor::prepare;
    let _: for<'a> fn(&'a Reactor) -> Waker = Reactor::waker;
    let _: for<'a> fn(&'a Reactor) -> Option<Instant> = Reactor::next_deadline;
    let _: fn(Reactor) -> Result<(), StillInUse> = Reactor::close;
    let _: fn(StillInUse) -> Reactor = StillInUse::into_reactor;
    let _: fn(Builder, bool) -> Builder = Builder::fallback_thread;
    let _: fn(Builder) -> io::Result<Reactor> = Builder::build;
    let _: for<'a> fn(&'a Turn) -> usize = Turn::woken;
    let _: for<'a> fn(&'a Turn) -> usize = Turn::events;
}

#[cfg(unix)]
fn _descriptor_of_a_reactor() {
    use std::os::fd::BorrowedFd;
    let _: for<'a> fn(&'a Reactor) -> io::Result<BorrowedFd<'a>> = Reactor::fd;
}

fn _reactor_of_a_source<T>() {
    let _: for<'a> fn(&'a Async<T>) -> Reactor = Async::<T>::reactor;
    let _: for<'a, 'b> fn(&'a mut Async<T>, &'b Reactor) -> io::Result<()> = Async::<T>::rebind;
}

/// Anything that becomes a string is a name.
fn _names(builder: fn() -> Builder, text: &str, string: String) {
    _ = builder().name(text);
    _ = builder().name(string);
    _ = builder().name('x');
}

/// As for the free function: the future need not be `Send`, `'static` or `Unpin`.
fn _block_on_of_a_reactor<'a, T: 'a>(reactor: &Reactor, future: impl Future<Output = T> + 'a) -> T {
    reactor.block_on::<T>(future)
}

/// The future need not be `Send`, `'static` or `Unpin`, and `T` is the only parameter that can be
/// named.
fn _block_on<'a, T: 'a>(future: impl Future<Output = T> + 'a) -> T {
    async_io::block_on::<T>(future)
}

/// The compiler warns about readiness futures that are dropped unused, but not about timers and
/// sources.
mod must_use {
    #![deny(unfulfilled_lint_expectations, unused_must_use)]

    use super::{Arc, Async, Reactor, Timer};

    fn _futures<T>(source: &Arc<Async<T>>) {
        #[expect(unused_must_use)]
        {
            source.readable();
        }
        #[expect(unused_must_use)]
        {
            source.writable();
        }
        #[expect(unused_must_use)]
        {
            source.clone().readable_owned();
        }
        #[expect(unused_must_use)]
        {
            source.clone().writable_owned();
        }
    }

    fn _reactors(reactor: &Reactor) {
        #[expect(unused_must_use)]
        {
            reactor.enter();
        }
        #[expect(unused_must_use)]
        {
            Reactor::builder();
        }
    }

    fn _others<T>(make: fn() -> Async<T>) {
        Timer::never();
        make();
    }
}
