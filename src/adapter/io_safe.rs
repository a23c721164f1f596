//! [`IoSafe`]: the promise that makes the asynchronous `Read` and `Write` of an owned object sound.

#![allow(unsafe_code)]

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufReader, BufWriter, LineWriter, Read, Write};
use std::io::{Stderr, StderrLock, Stdin, StdinLock, Stdout, StdoutLock};
use std::net::TcpStream;
use std::process::{ChildStderr, ChildStdin, ChildStdout};

/// Types whose I/O traits do not drop their underlying I/O object.
///
/// [`Async`](crate::Async) hands out `&mut T` to the implementations of [`Read`] and [`Write`]. They must not drop or
/// replace the descriptor that is registered with the reactor: another thread may be using its number.
///
/// Nearly every type is like that; but since the traits are implemented in foreign crates, each type has to promise it.
///
/// # Safety
///
/// No method of the type's I/O traits ([`Read`] and [`Write`]) drops or replaces the I/O object whose descriptor the
/// type's `AsFd` (on Windows `AsSocket`) returns.
///
/// # Examples
///
/// ```
/// use async_io::IoSafe;
/// use std::net::TcpStream;
///
/// struct Logged(TcpStream);
///
/// // SAFETY: the type's I/O traits only forward to the stream.
/// unsafe impl IoSafe for Logged {}
/// ```
pub unsafe trait IoSafe {}

/// The implementations below are alike: the I/O traits of these types make system calls, or forward to the inner type.
macro_rules! io_safe {
    ($($type:ty),* $(,)?) => {
        $(
            // SAFETY: the type's `Read` and `Write` make system calls on the object and leave it in place.
            unsafe impl IoSafe for $type {}
        )*
    };
}

io_safe! {
    File,
    Stderr,
    StderrLock<'_>,
    Stdin,
    StdinLock<'_>,
    Stdout,
    StdoutLock<'_>,
    TcpStream,
    ChildStdin,
    ChildStdout,
    ChildStderr,
}

#[cfg(unix)]
io_safe!(std::os::unix::net::UnixStream);

#[cfg(not(async_io_no_pipe))]
#[allow(clippy::incompatible_msrv)] // The build script has found these types.
mod pipe {
    use super::IoSafe;

    io_safe!(std::io::PipeReader, std::io::PipeWriter);
}

// SAFETY: `BufReader` reads from the inner object and does not replace it.
unsafe impl<T: IoSafe + Read> IoSafe for BufReader<T> {}
// SAFETY: `BufWriter` writes to the inner object and does not replace it.
unsafe impl<T: IoSafe + Write> IoSafe for BufWriter<T> {}
// SAFETY: `LineWriter` writes to the inner object and does not replace it.
unsafe impl<T: IoSafe + Write> IoSafe for LineWriter<T> {}
// SAFETY: forwards to the inner object.
unsafe impl<T: IoSafe + ?Sized> IoSafe for &mut T {}
// SAFETY: forwards to the inner object.
unsafe impl<T: IoSafe + ?Sized> IoSafe for Box<T> {}
// SAFETY: forwards to the inner object.
unsafe impl<T: Clone + IoSafe> IoSafe for Cow<'_, T> {}
// SAFETY: through a shared reference nothing can be moved out or replaced.
unsafe impl<T: ?Sized> IoSafe for &T {}
