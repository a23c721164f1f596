//! Whose "would block" can be believed: that of types whose `Read` and `Write` are known to be one system call on the
//! registered descriptor, which is a socket or a pipe. Anything else (a TLS stream, a user's newtype) may mean something
//! else by it. So may a `File`: a terminal also refuses because another process is reading it, and tells of no change when
//! that one has left something.

use super::registered::Trust;
use std::any::TypeId;
use std::net::TcpStream;
use std::process::{ChildStderr, ChildStdin, ChildStdout};

/// What is known of `T`. Also of `&T`, which the implementations for shared references read and write through.
pub(super) fn of<T: ?Sized>() -> Trust {
    if is_known(typeid::of::<T>()) {
        Trust::Kernel
    } else {
        Trust::Nobody
    }
}

/// Whether the type is `TcpStream`, by itself or by reference.
pub(super) fn is_tcp_stream<T: ?Sized>() -> bool {
    let id = typeid::of::<T>();
    id == TypeId::of::<TcpStream>() || id == TypeId::of::<&'static TcpStream>()
}

// Those that it is compared with are constants: this is looked at in each operation.
fn is_known(id: TypeId) -> bool {
    let is = |known: TypeId| id == known;
    is(TypeId::of::<TcpStream>())
        || is(TypeId::of::<&'static TcpStream>())
        || is(TypeId::of::<ChildStdin>())
        || is(TypeId::of::<ChildStdout>())
        || is(TypeId::of::<ChildStderr>())
        || is_known_unix(id)
        || is_known_pipe(id)
}

#[cfg(unix)]
fn is_known_unix(id: TypeId) -> bool {
    use std::os::unix::net::UnixStream;
    id == TypeId::of::<UnixStream>() || id == TypeId::of::<&'static UnixStream>()
}

#[cfg(not(unix))]
fn is_known_unix(_id: TypeId) -> bool {
    false
}

#[cfg(not(async_io_no_pipe))]
#[allow(clippy::incompatible_msrv)] // The build script has found these types.
fn is_known_pipe(id: TypeId) -> bool {
    id == TypeId::of::<std::io::PipeReader>() || id == TypeId::of::<std::io::PipeWriter>()
}

#[cfg(async_io_no_pipe)]
fn is_known_pipe(_id: TypeId) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_types_are_known_and_others_are_not() {
        struct Wrapper<'a>(#[allow(dead_code)] &'a TcpStream);
        assert_eq!(of::<TcpStream>(), Trust::Kernel);
        assert_eq!(of::<&TcpStream>(), Trust::Kernel);
        assert_eq!(of::<Wrapper<'_>>(), Trust::Nobody);
        assert_eq!(of::<Box<TcpStream>>(), Trust::Nobody);
        assert_eq!(of::<std::fs::File>(), Trust::Nobody);
        assert_eq!(of::<&std::fs::File>(), Trust::Nobody);
    }
}
