//! When `WouldBlock` is conclusive.
//!
//! It is conclusive from types whose `Read` and `Write` are one system call on the registered
//! descriptor, which is a socket or a pipe. Anything else (a TLS stream, a user's newtype) may mean
//! something else by it. So may a `File`: a terminal also refuses because another process is reading
//! it, and reports no change when that process has left data behind.

use std::any::TypeId;
use std::net::TcpStream;
use std::process::{ChildStderr, ChildStdin, ChildStdout};

/// What an operation's `WouldBlock` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WouldBlock {
    /// This crate made the system call on this object: the kernel has nothing, and will report a
    /// change.
    Conclusive,
    /// A closure or a foreign type returned it: it may be about something else.
    Inconclusive,
}

/// Returns what `WouldBlock` of `T`'s operations says. The same holds for `&T`, through which the
/// implementations for shared references read and write.
#[inline]
pub(super) fn of<T: ?Sized>() -> WouldBlock {
    if is_known(typeid::of::<T>()) {
        WouldBlock::Conclusive
    } else {
        WouldBlock::Inconclusive
    }
}

/// Returns whether the type is `TcpStream`, by itself or by reference.
#[inline]
pub(super) fn is_tcp_stream<T: ?Sized>() -> bool {
    let id = typeid::of::<T>();
    id == TypeId::of::<TcpStream>() || id == TypeId::of::<&'static TcpStream>()
}

// The ids are constants, because this is evaluated in each operation.
#[inline]
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
        assert_eq!(of::<TcpStream>(), WouldBlock::Conclusive);
        assert_eq!(of::<&TcpStream>(), WouldBlock::Conclusive);
        assert_eq!(of::<Wrapper<'_>>(), WouldBlock::Inconclusive);
        assert_eq!(of::<Box<TcpStream>>(), WouldBlock::Inconclusive);
        assert_eq!(of::<std::fs::File>(), WouldBlock::Inconclusive);
        assert_eq!(of::<&std::fs::File>(), WouldBlock::Inconclusive);
    }
}
