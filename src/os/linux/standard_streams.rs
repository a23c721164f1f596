//! Standard input, output and error, opened again so that other processes keep their mode.

use crate::Async;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, IsTerminal};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Opens standard input again and registers it.
///
/// Non-blocking mode belongs to the open file description, which a process shares with the shell
/// that started it. `Async::new(std::io::stdin())` changes the mode for the shell as well, and for
/// every other process that uses the same terminal or pipe. This function opens the object behind
/// descriptor 0 again, through `/proc/self/fd/0`. Only the new file description is non-blocking,
/// and descriptor 0 itself does not change.
///
/// Descriptor 0 must be a pipe or a terminal:
///
/// * All readers of a pipe or terminal compete for its data, as with any duplicate: each byte goes
///   to one of them. This includes the other processes, and every `Async` that this function
///   returns.
/// * `std::io::stdin()` has a buffer. Data that it has already read from the system is not seen
///   here, so do not mix the two.
/// * A terminal passes its input on line by line, unless the program has set another mode. The mode
///   belongs to the terminal, not to the descriptor. Ctrl-D at the start of a line is the end of
///   the input.
/// * A background process that reads from its terminal is stopped by `SIGTTIN`, as usual.
/// * If the last writer of a named pipe has closed it before this call, the end is reported by a
///   read, and not by [`readable`](Async::readable).
///
/// # Errors
///
/// The text of each of these errors says what to do instead. Reading with `std` on a thread of its
/// own works in all cases except the last two.
///
/// * [`PermissionDenied`](ErrorKind::PermissionDenied) for a regular file, a directory and a device
///   other than a terminal, such as `/dev/null`. The system reports them as always ready, and
///   reading a file may block. (A file would also be read from its start, because a new file
///   description has an offset of its own.)
/// * [`PermissionDenied`](ErrorKind::PermissionDenied) if the terminal or pipe belongs to another
///   user, as it does after `su` and `sudo -u`.
/// * [`Unsupported`](ErrorKind::Unsupported) for a socket, which the system cannot open again
///   (`ENXIO`), and for every other kind of object, such as the master of a pseudo-terminal or an
///   eventfd. A duplicate of the descriptor can be registered, as the example below does. It shares
///   its mode with other processes.
/// * [`NotFound`](ErrorKind::NotFound) if `/proc` is not mounted.
/// * [`NotFound`](ErrorKind::NotFound) if descriptor 0 is closed. The runtime of Rust opens
///   `/dev/null` for a descriptor that is closed when the program starts.
/// * [`PermissionDenied`](ErrorKind::PermissionDenied) if descriptor 0 is open only for writing.
///
/// Other errors of the system are returned unchanged. A terminal that has been hung up gives `EIO`.
///
/// # Cancellation
///
/// This function does not wait. A read that is dropped while it waits loses no data. Dropping the
/// `Async` closes the new file description, and descriptor 0 stays open.
///
/// # Platform notes
///
/// Only on Linux and Android. Other systems cannot open a descriptor again: there, `/dev/fd/0` is a
/// duplicate with the same mode, or does not exist. Read standard input on a thread of its own on
/// these systems, for example with the `blocking` crate. On Unix, `Async::new(std::io::stdin())`
/// works as well, but changes the mode for the shell, also after the program has ended.
///
/// # Examples
///
/// Read a line, but wait at most for a tenth of a second:
///
/// ```
/// use async_io::{os::linux, timeout};
/// use futures_lite::{AsyncBufReadExt, StreamExt, io::BufReader};
/// use std::time::Duration;
///
/// # fn main() -> std::io::Result<()> {
/// async_io::block_on(async {
///     let stdin = match linux::stdin() {
///         Ok(stdin) => stdin,
///         // For example a file. `std::io::stdin()` reads it.
///         Err(error) => {
///             println!("{error}");
///             return Ok(());
///         }
///     };
///     let mut lines = BufReader::new(stdin).lines();
///     match timeout(Duration::from_millis(100), lines.next()).await {
///         Ok(Some(line)) => println!("read {:?}", line?),
///         Ok(None) => println!("the end of the input"),
///         Err(error) => println!("{error}"),
///     }
///     Ok(())
/// })
/// # }
/// ```
///
/// A socket, as inetd passes it, has to be registered itself:
///
/// ```no_run
/// use async_io::Async;
/// use std::net::TcpStream;
/// use std::os::fd::AsFd;
///
/// # fn main() -> std::io::Result<()> {
/// let duplicate = std::io::stdin().as_fd().try_clone_to_owned()?;
/// let stream = Async::new(TcpStream::from(duplicate))?;
/// # drop(stream);
/// # Ok(())
/// # }
/// ```
pub fn stdin() -> io::Result<Async<File>> {
    reopen(Stream::Input)
}

/// Opens standard output again and registers it.
///
/// This is [`stdin`] for descriptor 1, open for writing. Only the new file description is
/// non-blocking. The shell, and `std::io::stdout()`, stay in blocking mode.
///
/// Bytes go to the pipe or terminal in the order of the system calls. `std::io::stdout()` has a
/// buffer: flush it before a write to this object that has to come later. A pipe and a terminal have
/// no offset, so nothing is overwritten.
///
/// The flags of descriptor 1 do not apply to the new file description. A pipe that was made with
/// `O_DIRECT` takes packets through descriptor 1, and a stream of bytes through this object.
///
/// # Errors
///
/// Returns the same errors as [`stdin`], with reading and writing exchanged, and:
///
/// * [`BrokenPipe`](ErrorKind::BrokenPipe) if a named pipe has no reader (`ENXIO`). For a pipe
///   without a name, the first write fails with this error instead.
///
/// # Cancellation
///
/// This function does not wait. A write that is dropped while it waits has written nothing, but
/// `write_all` may have written a part. Dropping the `Async` closes the new file description. The
/// reader of a pipe sees the end when descriptor 1 is closed as well.
///
/// # Platform notes
///
/// As for [`stdin`].
///
/// # Examples
///
/// ```
/// use async_io::os::linux;
/// use futures_lite::AsyncWriteExt;
///
/// # fn main() -> std::io::Result<()> {
/// async_io::block_on(async {
///     match linux::stdout() {
///         Ok(mut stdout) => stdout.write_all(b"hello\n").await,
///         // For example a file. Writing to it does not wait for another process.
///         Err(_) => {
///             println!("hello");
///             Ok(())
///         }
///     }
/// })
/// # }
/// ```
pub fn stdout() -> io::Result<Async<File>> {
    reopen(Stream::Output)
}

/// Opens standard error again and registers it.
///
/// This is [`stdout`] for descriptor 2. `std::io::stderr()` has no buffer, and stays in blocking
/// mode, so panic messages and `eprintln!` are not cut off.
///
/// # Errors
///
/// Returns the same errors as [`stdout`].
///
/// # Cancellation
///
/// As for [`stdout`].
///
/// # Platform notes
///
/// As for [`stdin`].
///
/// # Examples
///
/// ```
/// use async_io::os::linux;
/// use futures_lite::AsyncWriteExt;
///
/// # fn main() -> std::io::Result<()> {
/// async_io::block_on(async {
///     match linux::stderr() {
///         Ok(mut stderr) => stderr.write_all(b"warning\n").await,
///         Err(_) => {
///             eprintln!("warning");
///             Ok(())
///         }
///     }
/// })
/// # }
/// ```
pub fn stderr() -> io::Result<Async<File>> {
    reopen(Stream::Error)
}

/// The device number (5, 2) of `/dev/ptmx`, which the masters of pseudo-terminals have. Opening one
/// creates another pseudo-terminal.
const PTMX: u64 = (5 << 8) | 2;

/// One of the three streams that a process starts with.
#[derive(Clone, Copy)]
enum Stream {
    Input,
    Output,
    Error,
}

impl Stream {
    /// Returns the number of the descriptor.
    fn number(self) -> u8 {
        self as u8
    }

    /// Returns the name of the function of `std::io`.
    fn name(self) -> &'static str {
        match self {
            Stream::Input => "stdin",
            Stream::Output => "stdout",
            Stream::Error => "stderr",
        }
    }

    fn is_terminal(self) -> bool {
        match self {
            Stream::Input => io::stdin().is_terminal(),
            Stream::Output => io::stdout().is_terminal(),
            Stream::Error => io::stderr().is_terminal(),
        }
    }

    fn is_read(self) -> bool {
        matches!(self, Stream::Input)
    }

    /// Creates an error. Its text begins with the number of the descriptor.
    fn error(self, kind: ErrorKind, text: &str) -> io::Error {
        io::Error::new(kind, format!("descriptor {} {text}", self.number()))
    }
}

fn reopen(stream: Stream) -> io::Result<Async<File>> {
    let path = format!("/proc/self/fd/{}", stream.number());
    let path = Path::new(&path);
    // The object is examined first. Opening a device may have an effect, or create another object.
    examine(stream, path)?;
    let opened = OpenOptions::new()
        .read(stream.is_read())
        .write(!stream.is_read())
        // std adds O_CLOEXEC.
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path);
    Async::new_nonblocking(opened.map_err(|error| explain_open(stream, error))?)
}

/// Returns an error unless the object behind a descriptor is a pipe or a terminal that can be opened
/// again in the direction of the stream.
fn examine(stream: Stream, path: &Path) -> io::Result<()> {
    let link = fs::symlink_metadata(path).map_err(|error| explain_missing(stream, error))?;
    // The permissions of the link are the access mode of the descriptor. A pipe can be opened in
    // both directions, so a reader would be made from the writing end.
    let (needed, other) = match stream.is_read() {
        true => (0o400, "is open only for writing"),
        false => (0o200, "is open only for reading"),
    };
    if link.permissions().mode() & needed == 0 {
        return Err(stream.error(ErrorKind::PermissionDenied, other));
    }

    let object = fs::metadata(path).map_err(|error| explain_missing(stream, error))?;
    let kind = object.file_type();
    let is_master = object.rdev() == PTMX;
    let is_device = kind.is_char_device() || kind.is_block_device();
    if kind.is_fifo() || (kind.is_char_device() && !is_master && stream.is_terminal()) {
        Ok(())
    } else if kind.is_file() || kind.is_dir() || (is_device && !is_master) {
        Err(always_ready(stream))
    } else if kind.is_socket() {
        Err(cannot_open_again(
            stream,
            "is a socket",
            "TcpStream` or a `UnixStream",
        ))
    } else {
        Err(cannot_open_again(
            stream,
            "is neither a pipe nor a terminal",
            "File",
        ))
    }
}

fn always_ready(stream: Stream) -> io::Error {
    let calls = match stream.is_read() {
        true => "read it",
        false => "write to it",
    };
    let text = format!(
        "is a file, a directory or a device other than a terminal, which the system reports as always ready: {calls} \
         with `std::io::{}()`, on a thread pool if that may block",
        stream.name()
    );
    stream.error(ErrorKind::PermissionDenied, &text)
}

/// Creates the error for an object that can be registered, but not opened again.
fn cannot_open_again(stream: Stream, what: &str, target: &str) -> io::Error {
    let text = format!(
        "{what}, which cannot be opened again: duplicate it with `std::io::{}().as_fd().try_clone_to_owned()`, convert \
         the duplicate into a `{target}` and register that with `Async::new`; all processes that share the object then \
         share its non-blocking mode",
        stream.name()
    );
    stream.error(ErrorKind::Unsupported, &text)
}

/// Explains why the descriptor is not listed in `/proc/self/fd`.
fn explain_missing(stream: Stream, error: io::Error) -> io::Error {
    match error.kind() {
        ErrorKind::NotFound if Path::new("/proc/self/fd").exists() => {
            stream.error(ErrorKind::NotFound, "is closed: open it before it is used")
        }
        kind @ (ErrorKind::NotFound | ErrorKind::PermissionDenied) => {
            let text = format!(
                "cannot be opened again, because /proc/self/fd is not accessible ({error}): mount /proc, or use \
                 `std::io::{}()` on a thread of its own",
                stream.name()
            );
            stream.error(kind, &text)
        }
        _ => error,
    }
}

/// Explains why a pipe or a terminal was not opened again.
fn explain_open(stream: Stream, error: io::Error) -> io::Error {
    if error.kind() == ErrorKind::PermissionDenied {
        let text = format!(
            "cannot be opened again, because it belongs to another user ({error}), as after `su` or `sudo -u`: use \
             `std::io::{name}()` on a thread of its own, or `Async::new(std::io::{name}())`, which changes the mode \
             for all processes that share it",
            name = stream.name()
        );
        return stream.error(ErrorKind::PermissionDenied, &text);
    }
    // The object is a pipe or a terminal. Of these, only a named pipe without a reader gives ENXIO.
    if error.raw_os_error() == Some(libc::ENXIO) && !stream.is_read() {
        return stream.error(ErrorKind::BrokenPipe, "is a pipe without a reader");
    }
    error
}
