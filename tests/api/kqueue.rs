//! The interface that exists only on systems with kqueue.

use std::fmt::Debug;
use std::future::Future;
use std::hash::Hash;
use std::io;
use std::num::NonZeroI32;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::process::Child;
use std::task::{Context, Poll};

use async_io::os::kqueue::{Exit, Filter, Queueable, Ready, Signal};
use static_assertions::{assert_impl_all, assert_not_impl_any};

use crate::traits::converts;

assert_impl_all!(Signal: Queueable, Debug, Copy, Clone, Eq, Ord, Hash);
assert_impl_all!(Exit: Queueable, Debug);
assert_not_impl_any!(Exit: Clone);
assert_not_impl_any!(OwnedFd: Queueable);
assert_impl_all!(Ready<'static, u8>: Future<Output = io::Result<()>>, Send, Sync, Unpin);
assert_impl_all!(Filter<Signal>: Send, Sync, Unpin);

const _: fn(Child) -> Exit = Exit::new;
const _: unsafe fn(NonZeroI32) -> Exit = Exit::from_pid;
const _: Signal = Signal(2);

fn _construction<T: Queueable>() {
    let _: fn(T) -> io::Result<Filter<T>> = Filter::<T>::new;
}

fn _without_bounds<T>() {
    type Wait<T> = for<'a, 'b, 'c> fn(&'a Filter<T>, &'b mut Context<'c>) -> Poll<io::Result<()>>;
    let _: for<'a> fn(&'a Filter<T>) -> &'a T = Filter::<T>::get_ref;
    let _: for<'a> fn(&'a mut Filter<T>) -> &'a mut T = Filter::<T>::get_mut;
    let _: fn(Filter<T>) -> io::Result<T> = Filter::<T>::into_inner;
    let _: for<'a> fn(&'a Filter<T>) -> Ready<'a, T> = Filter::<T>::ready;
    let _: Wait<T> = Filter::<T>::poll_ready;
    let _: for<'a> fn(&'a Filter<T>) -> &'a T = AsRef::<T>::as_ref;
    let _: for<'a> fn(&'a mut Filter<T>) -> &'a mut T = AsMut::<T>::as_mut;
}

fn _descriptors<T: AsFd + AsRawFd>(filter: &Filter<T>) {
    fn has<T: AsFd + AsRawFd>(_: &T) {}
    has(filter);
}

fn _from_descriptor<T: AsFd + From<OwnedFd>>() {
    converts::<OwnedFd, Filter<T>>();
}

fn _into_descriptor<T: Into<OwnedFd>>() {
    converts::<Filter<T>, OwnedFd>();
}

fn _debug<'a, T: Debug + 'a>() {
    fn debug<T: Debug>() {}
    debug::<Filter<T>>();
    debug::<Ready<'a, T>>();
}
