//! Which types implement `IoSafe`, and which do not.

use std::borrow::Cow;
use std::fs::File;
use std::io::{
    BufReader, BufWriter, Cursor, LineWriter, Read, Stderr, StderrLock, Stdin, StdinLock, Stdout,
    StdoutLock, Write,
};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout};
use std::rc::Rc;
use std::sync::Arc;

use async_io::{Async, IoSafe};
use static_assertions::{assert_impl_all, assert_not_impl_any, assert_obj_safe};

fn io_safe<T: IoSafe + ?Sized>() {}

assert_obj_safe!(IoSafe);

assert_impl_all!(File: IoSafe);
assert_impl_all!(TcpStream: IoSafe);
assert_impl_all!(Stdin: IoSafe);
assert_impl_all!(Stdout: IoSafe);
assert_impl_all!(Stderr: IoSafe);
assert_impl_all!(ChildStdin: IoSafe);
assert_impl_all!(ChildStdout: IoSafe);
assert_impl_all!(ChildStderr: IoSafe);

assert_not_impl_any!(TcpListener: IoSafe);
assert_not_impl_any!(UdpSocket: IoSafe);
assert_not_impl_any!(Child: IoSafe);
assert_not_impl_any!(Arc<TcpStream>: IoSafe);
assert_not_impl_any!(Rc<TcpStream>: IoSafe);
assert_not_impl_any!(Cursor<Vec<u8>>: IoSafe);
assert_not_impl_any!(Async<TcpStream>: IoSafe);
assert_not_impl_any!(Box<UdpSocket>: IoSafe);
assert_not_impl_any!(&'static mut UdpSocket: IoSafe);
assert_not_impl_any!(BufReader<UdpSocket>: IoSafe);
assert_not_impl_any!(Cow<'static, u8>: IoSafe);

fn _locks<'a>(_: &'a ()) {
    io_safe::<StdinLock<'a>>();
    io_safe::<StdoutLock<'a>>();
    io_safe::<StderrLock<'a>>();
}

/// A value behind a shared reference cannot be dropped through it.
fn _shared_references<'a, T: ?Sized + 'a>() {
    io_safe::<&'a T>();
}

fn _wrappers<'a, T: IoSafe + ?Sized + 'a>() {
    io_safe::<&'a mut T>();
    io_safe::<Box<T>>();
}

fn _readers<T: IoSafe + Read>() {
    io_safe::<BufReader<T>>();
}

fn _writers<T: IoSafe + Write>() {
    io_safe::<BufWriter<T>>();
    io_safe::<LineWriter<T>>();
}

fn _cow<'a, T: IoSafe + Clone + 'a>() {
    io_safe::<Cow<'a, T>>();
}

/// The trait has no items and no supertraits, not even auto traits.
struct Foreign(Rc<*const u8>);

// SAFETY: the type has no methods that could drop the I/O object.
unsafe impl IoSafe for Foreign {}

fn _foreign(value: Foreign) -> Box<dyn IoSafe> {
    _ = &value.0;
    Box::new(value)
}
