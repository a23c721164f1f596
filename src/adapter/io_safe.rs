//! [`IoSafe`]: the promise that makes the asynchronous `Read` and `Write` of an owned object sound.

#![allow(unsafe_code)]

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufReader, BufWriter, LineWriter, Read, Write};
use std::io::{Stderr, StderrLock, Stdin, StdinLock, Stdout, StdoutLock};
use std::net::TcpStream;
use std::process::{ChildStderr, ChildStdin, ChildStdout};

/// A promise that the I/O traits of a type do not drop its I/O object.
///
/// [`Async<T>`](crate::Async) passes `&mut T` to the implementations of [`Read`] and [`Write`].
/// They must not drop or replace the descriptor that is registered with the reactor: another thread
/// may be using its number. Nearly all types meet this requirement. But any crate can implement the
/// traits, so each type has to promise it.
///
/// The promise is needed only for [`AsyncRead`] and [`AsyncWrite`] of an owned `Async<T>`. They are
/// implemented for `&Async<T>` without it.
///
/// # Safety
///
/// No method of [`Read`] or [`Write`] drops or replaces the I/O object that the `AsFd`
/// implementation (on Windows `AsSocket`) of the type refers to.
///
/// # Examples
///
/// ```
/// use async_io::IoSafe;
/// use std::io::{self, Read};
/// use std::net::TcpStream;
///
/// /// A connection that counts the bytes it has received.
/// struct Counted {
///     stream: TcpStream,
///     received: usize,
/// }
///
/// impl Read for Counted {
///     fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
///         let count = self.stream.read(buffer)?;
///         self.received += count;
///         Ok(count)
///     }
/// }
///
/// // SAFETY: `read` forwards to the stream and leaves it in place.
/// unsafe impl IoSafe for Counted {}
/// ```
///
/// [`AsyncRead`]: https://docs.rs/futures-io/0.3/futures_io/trait.AsyncRead.html
/// [`AsyncWrite`]: https://docs.rs/futures-io/0.3/futures_io/trait.AsyncWrite.html
pub unsafe trait IoSafe {}

/// Implements [`IoSafe`] for types with I/O traits that make system calls.
macro_rules! io_safe {
    ($($type:ty),* $(,)?) => {
        $(
            // SAFETY: `Read` and `Write` of the type make system calls on the object and leave it
            // in place.
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
#[allow(clippy::incompatible_msrv)] // The build script checks that `std` has these types.
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
// SAFETY: nothing can be moved out or replaced through a shared reference.
unsafe impl<T: ?Sized> IoSafe for &T {}
