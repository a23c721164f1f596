//! The interface that exists only on Windows.

use std::cell::Cell;
use std::convert::Infallible;
use std::fmt::Debug;
use std::future::Future;
use std::io;
use std::marker::PhantomPinned;
use std::net::TcpStream;
use std::os::windows::io::{
    AsHandle, AsRawHandle, AsRawSocket, AsSocket, BorrowedSocket, FromRawSocket, IntoRawSocket,
    OwnedHandle, OwnedSocket,
};
use std::rc::Rc;
use std::task::{Context, Poll};

use async_io::os::windows::{Ready, Waitable};
use async_io::{Async, IoSafe};
use static_assertions::{assert_impl_all, assert_not_impl_any, const_assert};

use crate::traits::converts;

assert_not_impl_any!(OwnedSocket: IoSafe);
assert_not_impl_any!(OwnedHandle: IoSafe);
assert_not_impl_any!(BorrowedSocket<'static>: IoSafe);

assert_not_impl_any!(Async<TcpStream>: From<OwnedSocket>, Into<OwnedSocket>);
assert_not_impl_any!(Async<TcpStream>: IntoRawSocket, FromRawSocket, AsHandle, AsRawHandle);
assert_not_impl_any!(Async<Infallible>: AsSocket, AsRawSocket);

const_assert!(std::mem::needs_drop::<Async<BorrowedSocket<'static>>>());
const_assert!(std::mem::needs_drop::<Waitable<&'static u8>>());

fn _construction<T: AsSocket>() {
    let _: fn(T) -> io::Result<Async<T>> = Async::<T>::new;
    let _: fn(T) -> io::Result<Async<T>> = Async::<T>::new_nonblocking;
}

fn _as_socket<T: AsSocket>(source: &Async<T>) {
    fn has<T: AsSocket>(_: &T) {}
    has(source);
}

fn _as_raw_socket<T: AsRawSocket>(source: &Async<T>) {
    fn has<T: AsRawSocket>(_: &T) {}
    has(source);
}

fn _from_socket<T: AsSocket + From<OwnedSocket>>() {
    converts::<OwnedSocket, Async<T>>();
}

fn _into_socket<T: Into<OwnedSocket>>() {
    converts::<Async<T>, OwnedSocket>();
}

fn _waitable_construction<T: AsHandle>() {
    let _: fn(T) -> io::Result<Waitable<T>> = Waitable::<T>::new;
}

fn _waitable_without_bounds<T>() {
    type Wait<T> = for<'a, 'b, 'c> fn(&'a Waitable<T>, &'b mut Context<'c>) -> Poll<io::Result<()>>;
    let _: for<'a> fn(&'a Waitable<T>) -> &'a T = Waitable::<T>::get_ref;
    let _: for<'a> unsafe fn(&'a mut Waitable<T>) -> &'a mut T = Waitable::<T>::get_mut;
    let _: fn(Waitable<T>) -> io::Result<T> = Waitable::<T>::into_inner;
    let _: for<'a> fn(&'a Waitable<T>) -> Ready<'a, T> = Waitable::<T>::ready;
    let _: Wait<T> = Waitable::<T>::poll_ready;
    let _: for<'a> fn(&'a Waitable<T>) -> &'a T = AsRef::<T>::as_ref;
}

fn _waitable_handles<T: AsHandle + AsRawHandle>(waitable: &Waitable<T>) {
    fn has<T: AsHandle + AsRawHandle>(_: &T) {}
    has(waitable);
}

fn _from_handle<T: AsHandle + From<OwnedHandle>>() {
    converts::<OwnedHandle, Waitable<T>>();
}

fn _into_handle<T: Into<OwnedHandle>>() {
    converts::<Waitable<T>, OwnedHandle>();
}

fn _debug<'a, T: Debug + 'a>() {
    fn debug<T: Debug>() {}
    debug::<Waitable<T>>();
    debug::<Ready<'a, T>>();
}

assert_impl_all!(Ready<'static, u8>: Future<Output = io::Result<()>>, Send, Sync, Unpin);
assert_impl_all!(Ready<'static, PhantomPinned>: Unpin);
assert_not_impl_any!(Ready<'static, Cell<u8>>: Send, Sync);
assert_impl_all!(Waitable<u8>: Send, Sync, Unpin);
assert_impl_all!(Waitable<PhantomPinned>: Unpin);
assert_impl_all!(Waitable<Cell<u8>>: Send);
assert_not_impl_any!(Waitable<Cell<u8>>: Sync);
assert_not_impl_any!(Waitable<Rc<u8>>: Send, Sync);

struct Plain;
assert_not_impl_any!(Waitable<Plain>: Debug);
