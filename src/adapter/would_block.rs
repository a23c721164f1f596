//! When `WouldBlock` is conclusive.
//!
//! It is conclusive if it comes from a socket or pipe type that implements `Read` and `Write` by
//! one system call on the registered descriptor. Any other type, such as a TLS stream or a newtype
//! of the user, may mean something else by it. So may a `File`: a terminal also refuses a read
//! while another process reads it, and no change is reported when that process leaves data behind.

use std::any::TypeId;
use std::net::TcpStream;
use std::process::{ChildStderr, ChildStdin, ChildStdout};

/// What `WouldBlock` proves about the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WouldBlock {
    /// It is the result of a system call on this object: the object was not ready, and the kernel
    /// will report a change.
    Conclusive,
    /// The same for a peek. It proves nothing to other operations: a socket with `SO_PEEK_OFF` refuses
    /// a peek at the end of its queue, and still has data for a receiver.
    ConclusiveForPeek,
    /// A closure or a foreign type returned it, possibly for a reason other than this object.
    Inconclusive,
}

impl WouldBlock {
    /// Returns whether the operation that returned it has to wait for a change.
    #[inline]
    pub(super) fn is_conclusive(self) -> bool {
        self != WouldBlock::Inconclusive
    }
}

/// Returns what `WouldBlock` from a `Read` or `Write` operation of `T` proves. The same holds for
/// `&T`, through which the implementations for shared references read and write.
#[inline]
pub(super) fn of<T: ?Sized>() -> WouldBlock {
    if is_known(typeid::of::<T>()) {
        WouldBlock::Conclusive
    } else {
        WouldBlock::Inconclusive
    }
}

/// Returns whether the type is `TcpStream` or `&TcpStream`.
#[inline]
pub(super) fn is_tcp_stream<T: ?Sized>() -> bool {
    let id = typeid::of::<T>();
    id == TypeId::of::<TcpStream>() || id == TypeId::of::<&'static TcpStream>()
}

// Constants are compared, because each operation evaluates this.
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
#[allow(clippy::incompatible_msrv)] // The build script checks that `std` has these types.
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
