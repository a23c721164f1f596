//! Trait impls with their exact bounds.

use std::convert::Infallible;
use std::fmt::Debug;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};

use async_io::{Async, IoSafe, Readable, ReadableOwned, Writable, WritableOwned};
use futures_io::{AsyncRead, AsyncWrite};

fn async_read<T: AsyncRead>() {}
fn async_write<T: AsyncWrite>() {}
fn debug<T: Debug>() {}
pub(super) fn converts<From, To: TryFrom<From, Error = io::Error>>() {}

fn _owned_read<T: IoSafe + Read>() {
    async_read::<Async<T>>();
}

fn _owned_write<T: IoSafe + Write>() {
    async_write::<Async<T>>();
}

fn _shared_read<'x, T: 'x>()
where
    for<'a> &'a T: Read,
{
    async_read::<&'x Async<T>>();
}

fn _shared_write<'x, T: 'x>()
where
    for<'a> &'a T: Write,
{
    async_write::<&'x Async<T>>();
}

fn _debug<T: Debug>() {
    debug::<Async<T>>();
}

fn _debug_of_futures<'a, T: 'a>() {
    debug::<Readable<'a, T>>();
    debug::<Writable<'a, T>>();
    debug::<ReadableOwned<T>>();
    debug::<WritableOwned<T>>();
}

fn _as_ref<T>(source: &Async<T>) -> &T {
    AsRef::<T>::as_ref(source)
}

fn _from_std() {
    converts::<TcpListener, Async<TcpListener>>();
    converts::<TcpStream, Async<TcpStream>>();
    converts::<UdpSocket, Async<UdpSocket>>();
}

/// The I/O traits require only the corresponding traits of `T`.
fn _bounds_are_minimal() {
    static_assertions::assert_not_impl_any!(Async<Infallible>: AsyncRead, AsyncWrite);
    static_assertions::assert_impl_all!(Async<Infallible>: Debug, AsRef<Infallible>);
}
