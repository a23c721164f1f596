//! Asynchronous I/O and timers that work with any executor.
//!
//! [`Async<T>`](Async) makes any object asynchronous that the operating system can poll, such as a
//! socket or a pipe, and [`Timer`] is a future or stream that completes at points in time.
//! [`block_on`] runs a future, and processes I/O events and timers while the future waits; if no
//! thread is free to do so, one background thread does.
//!
//! # Example
//!
//! A server and a client on one thread:
//!
//! ```
//! use async_io::{Async, block_on};
//! use futures_lite::{AsyncReadExt, AsyncWriteExt, future};
//! use std::net::{TcpListener, TcpStream};
//!
//! # fn main() -> std::io::Result<()> {
//! block_on(async {
//!     let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
//!     let address = listener.get_ref().local_addr()?;
//!
//!     let server = async {
//!         let (mut stream, _peer) = listener.accept().await?;
//!         let mut request = [0; 5];
//!         stream.read_exact(&mut request).await?;
//!         stream.write_all(&request).await
//!     };
//!     let client = async {
//!         let mut stream = Async::<TcpStream>::connect(address).await?;
//!         stream.write_all(b"hello").await?;
//!         let mut reply = [0; 5];
//!         stream.read_exact(&mut reply).await?;
//!         Ok(reply)
//!     };
//!
//!     let ((), reply) = future::try_zip(server, client).await?;
//!     assert_eq!(&reply, b"hello");
//!     Ok(())
//! })
//! # }
//! ```
//!
//! # How waiting works
//!
//! An operation makes its system call first. If the call succeeds or fails, the future is ready. If
//! the call would block, the task waits:
//!
//! 1. The waker of the task is stored with the object. The object is registered with the operating
//!    system from the moment it becomes an `Async`.
//! 2. One thread at a time asks the system for events, on behalf of all tasks of the process.
//! 3. When the object is ready, or a timer is due, that thread calls the wakers of the tasks that
//!    wait for it. Their executors poll them again, and the operation is tried again.
//!
//! Every thread inside [`block_on`] can take this role. If the thread that has it is busy for about
//! a millisecond, another one takes over. If no thread inside `block_on` is free to do so, a
//! background thread named `async-io` does. That thread starts when the first wait needs it, and
//! runs until the process ends. It calls wakers and polls no future itself.
//!
//! # Choosing an executor
//!
//! `block_on` runs one future. That is enough for futures that are combined into one, by functions
//! such as `zip` and `or`. To spawn tasks, add an executor. Any executor works; this example uses
//! [`async-executor`](https://docs.rs/async-executor):
//!
//! ```
//! use async_executor::LocalExecutor;
//! use async_io::{Timer, block_on};
//! use std::time::Duration;
//!
//! let executor = LocalExecutor::new();
//! let task = executor.spawn(async {
//!     Timer::after(Duration::from_millis(5)).await;
//!     "done"
//! });
//! assert_eq!(block_on(executor.run(task)), "done");
//! ```
//!
//! * Run the executor inside `block_on`, on one thread or on several. These threads then process
//!   I/O events themselves.
//! * An executor that has its own threads works as well. The `async-io` thread then processes the
//!   events, and each wake-up crosses from that thread to the executor's.
//! * This crate implements the traits of [`futures-io`](https://docs.rs/futures-io). Code that
//!   needs the traits of tokio can use an adapter such as
//!   [`tokio-util`](https://docs.rs/tokio-util)'s `compat` module.
//!
//! # One reactor per thread, or inside another event loop
//!
//! A program has one reactor from the start, and code that does not ask for another one uses that. A
//! [`Reactor`] that the program creates becomes the current one of a thread while the thread is inside its
//! [`block_on`](Reactor::block_on), or has entered it. Everything that is created meanwhile belongs to it:
//!
//! ```
//! use async_executor::LocalExecutor;
//! use async_io::{Reactor, Timer};
//! use std::time::Duration;
//!
//! # fn main() -> std::io::Result<()> {
//! let threads = [1, 2].map(|number| {
//!     std::thread::spawn(move || {
//!         let reactor = Reactor::new()?;
//!         let executor = LocalExecutor::new();
//!         reactor.block_on(executor.run(async {
//!             Timer::after(Duration::from_millis(number)).await;
//!         }));
//!         std::io::Result::Ok(())
//!     })
//! });
//! for thread in threads {
//!     thread.join().unwrap()?;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Such threads share no lock and no descriptor of this crate, and no other thread runs beside them. A
//! reactor can also be driven by single [turns](Reactor::turn), for example in the frames of a game, or by
//! an event loop that waits on its [descriptor](Reactor::fd).
//!
//! # Cancellation
//!
//! Dropping a future of this crate cancels its wait. A single operation that has not completed has
//! had no effect: a dropped `accept` loses no connection, and a dropped `read` or `recv` loses no
//! data. Dropping `connect` closes its socket.
//!
//! A combinator that makes several operations, such as `read_exact` or `write_all`, may have
//! completed some of them when it is dropped. To continue later, call `read` or `write` and keep
//! the count.
//!
//! # Timeouts
//!
//! [`timeout`] awaits any future until a time limit, and [`timeout_at`] until a deadline:
//!
//! ```
//! use async_io::{Async, block_on, timeout};
//! use futures_lite::AsyncReadExt;
//! use std::net::{TcpListener, TcpStream};
//! use std::time::Duration;
//!
//! # fn main() -> std::io::Result<()> {
//! block_on(async {
//!     // This listener accepts nothing, so the connection stays silent.
//!     let listener = TcpListener::bind(("127.0.0.1", 0))?;
//!     let mut stream = Async::<TcpStream>::connect(listener.local_addr()?).await?;
//!
//!     let result = timeout(Duration::from_millis(5), stream.read(&mut [0; 16])).await;
//!     assert_eq!(result.unwrap_err().to_string(), "timed out after 5ms");
//!     Ok(())
//! })
//! # }
//! ```
//!
//! In a function that returns `io::Result`, the first `?` after `timeout(...).await` returns an error
//! of kind `TimedOut`, and a second one returns the error of the operation. A result that is ready is
//! never discarded, even if the time is up. The read that was too late is dropped, and the stream can
//! be used again.
//!
//! # Sharing one `Async<T>`
//!
//! Operations take `&self`, so several tasks can use one object through a reference or an
//! [`Arc`](std::sync::Arc). For example, one future reads a connection while another one writes to
//! it:
//!
//! ```
//! # use async_io::{Async, block_on};
//! # use futures_lite::{AsyncReadExt, AsyncWriteExt, future};
//! # use std::net::{Shutdown, TcpListener, TcpStream};
//! #
//! # fn main() -> std::io::Result<()> {
//! # block_on(async {
//! # let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
//! # let peer = async {
//! #     let (stream, _) = listener.accept().await?;
//! #     futures_lite::io::copy(&stream, &stream).await?;
//! #     Ok::<_, std::io::Error>(())
//! # };
//! # let address = listener.get_ref().local_addr()?;
//! # let connection = async {
//! let stream = Async::<TcpStream>::connect(address).await?;
//! let (mut reader, mut writer) = (&stream, &stream);
//!
//! let write = async {
//!     writer.write_all(b"hello").await?;
//!     stream.get_ref().shutdown(Shutdown::Write)
//! };
//! let mut received = Vec::new();
//! let read = reader.read_to_end(&mut received);
//!
//! future::try_zip(write, read).await?;
//! # assert_eq!(received, b"hello");
//! # Ok(())
//! # };
//! # future::try_zip(peer, connection).await?;
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! Any number of tasks may use the methods that return futures. Only one task per direction should
//! use [`AsyncRead`], [`AsyncWrite`] or a `poll_*` function at a time. Two such tasks displace and
//! wake each other in turn, which is correct but wasteful.
//!
//! # Standard input and files
//!
//! A regular file is always ready, so there is nothing to wait for. Linux and Android refuse to
//! register one with [`PermissionDenied`](std::io::ErrorKind::PermissionDenied). Use a thread pool
//! for files, for example [`async-fs`](https://docs.rs/async-fs) or
//! [`blocking`](https://docs.rs/blocking).
//!
//! Do not wrap standard input, output or error. Non-blocking mode belongs to the open file
//! description, which other programs share: the shell may get `WouldBlock` errors. On Linux and
//! Android, `os::linux::stdin()` opens the terminal or pipe again, with a mode of its own. For a
//! program that runs everywhere and may read a file, use a thread that reads standard input, and a
//! channel:
//!
//! ```no_run
//! # fn main() -> std::io::Result<()> {
//! let (sender, lines) = async_channel::bounded(16);
//! std::thread::spawn(move || {
//!     for line in std::io::stdin().lines() {
//!         if sender.send_blocking(line).is_err() {
//!             break;
//!         }
//!     }
//! });
//!
//! async_io::block_on(async {
//!     while let Ok(line) = lines.recv().await {
//!         println!("read {}", line?);
//!     }
//!     Ok(())
//! })
//! # }
//! ```
//!
//! # Foreign libraries
//!
//! [`Async::new`] takes every type that implements `AsFd` (on Windows `AsSocket`), not only those
//! of `std`. Call the methods of a foreign type through [`read_with`](Async::read_with) and
//! [`write_with`](Async::write_with):
//!
//! ```
//! use async_io::{Async, block_on};
//! use socket2::{Domain, Socket, Type};
//! use std::io::Read;
//! use std::net::{Ipv4Addr, SocketAddr};
//!
//! # fn main() -> std::io::Result<()> {
//! block_on(async {
//!     let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
//!     socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
//!     let socket = Async::new(socket)?;
//!
//!     let address = socket.get_ref().local_addr()?;
//!     socket.write_with(|socket| socket.send_to(b"hi", &address)).await?;
//!
//!     let mut buffer = [0; 16];
//!     let count = socket.read_with(|mut socket| socket.read(&mut buffer)).await?;
//!     assert_eq!(&buffer[..count], b"hi");
//!     Ok(())
//! })
//! # }
//! ```
//!
//! A poll function that is written by hand calls [`poll_read_with`](Async::poll_read_with) and
//! [`poll_write_with`](Async::poll_write_with) instead.
//!
//! ## A library that keeps its descriptor
//!
//! Borrow the descriptor and wait for it. The borrow ensures that the library cannot close a
//! descriptor that is still registered:
//!
//! ```
//! # #[cfg(unix)]
//! # fn main() -> std::io::Result<()> {
//! # use std::io::{Read, Write};
//! use async_io::{Async, block_on};
//! use std::os::fd::AsFd;
//!
//! # let (connection, mut peer) = std::os::unix::net::UnixStream::pair()?;
//! # connection.set_nonblocking(true)?;
//! # peer.write_all(b"hi")?;
//! // `connection` belongs to the library, which has put it into non-blocking mode.
//! let watch = Async::new_nonblocking(connection.as_fd())?;
//! block_on(watch.readable())?;
//! # assert_eq!((&connection).read(&mut [0; 16])?, 2);
//! # Ok(())
//! # }
//! # #[cfg(not(unix))]
//! # fn main() {}
//! ```
//!
//! [`Async::new`] on a borrowed descriptor changes the mode for the library as well. A descriptor
//! can be registered only once at a time. Drop the first `Async` before the next one is made, or
//! duplicate the descriptor.
//!
//! ## When `WouldBlock` is trusted
//!
//! `WouldBlock` is trusted from the methods of this crate for sockets, and from `AsyncRead` and
//! `AsyncWrite` of the stream sockets and pipes of `std`. On Linux, Android and systems with a
//! kqueue, the task then waits without another system call.
//!
//! A closure, a `File` or a foreign type may return it for another reason, for example because a
//! TLS record is incomplete. So the kernel is asked, by a system call that does not wait, whether
//! the object is ready. If the kernel says "ready" again and again, the operation is repeated with
//! pauses of up to 10 ms in between. The kernel is also asked when a `UnixDatagram` sends, because
//! the reason may be the queue of the receiver.
//!
//! ## A library with a buffer
//!
//! Data in the buffer of a library does not make a descriptor readable. Call the library until it
//! returns `WouldBlock`, then wait.
//!
//! # Platform notes
//!
//! * **Linux and Android**: any descriptor that epoll takes. Events are edge-triggered. Timers have
//!   a resolution of nanoseconds.
//! * **macOS, iOS and the BSDs**: any descriptor that a kqueue takes. Signals and processes are in
//!   `os::kqueue`.
//! * **illumos, Solaris, Redox, Haiku**: any descriptor that the system can poll.
//! * **Windows**: `Async` takes sockets; processes and other handles are in `os::windows`. Timers
//!   are rounded up to whole milliseconds.
//!
//! The tests run on Linux, and for Windows under Wine. For the other systems the crate is only
//! type-checked. `docs/platforms.md` in the source package has the details, and the module [`os`]
//! has what only some systems offer.
//!
//! A child process made by `fork` has a reactor of its own. The objects of its parent return errors
//! there; see [`Reactor`].
//!
//! # Performance notes
//!
//! * Registering an object costs a system call, and deregistering it another one. So keep an
//!   `Async` for as long as its object is used. On Linux, a read that waits makes no further system
//!   call.
//! * Prefer the methods and the `AsyncRead` and `AsyncWrite` implementations of this crate to
//!   `get_ref` with `readable`. Such a wait costs an additional system call.
//! * A timer that is set and dropped before it fires usually costs no system call on Linux, so a
//!   timeout for every operation is cheap.
//! * Where eight or more timers are due within 180 µs, they may share a wake-up and fire up to 180
//!   µs late.
//! * A task that computes for a long time delays the other tasks of its thread. I/O and timers of
//!   other threads are delayed by about 0.5 to 1.5 ms, until another thread takes over.
//! * Futures that `block_on` polls directly need no second thread. Tasks of an executor start the
//!   `async-io` thread. It sleeps while a thread inside `block_on` processes the events.
//!
//! # Features
//!
//! * `tracing`: emits spans and events of the [`tracing`](https://docs.rs/tracing) crate, at level
//!   TRACE. Off by default.
//!
//! [`AsyncRead`]: https://docs.rs/futures-io/0.3/futures_io/trait.AsyncRead.html
//! [`AsyncWrite`]: https://docs.rs/futures-io/0.3/futures_io/trait.AsyncWrite.html

#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]
// Loom compiles only the pure modules, and its models do not use all of their items.
#![cfg_attr(async_io_loom, allow(dead_code, unused_imports))]

#[cfg(not(any(unix, windows)))]
compile_error!("async-io supports Unix and Windows");

#[macro_use]
mod core;
#[cfg(not(async_io_loom))]
mod adapter;
mod driver;
#[cfg(not(async_io_loom))]
mod engine;
#[cfg(not(async_io_loom))]
pub mod os;
#[cfg(not(async_io_loom))]
pub mod reactor;
#[cfg(not(async_io_loom))]
mod ready;
#[cfg(not(async_io_loom))]
mod sys;
#[cfg(any(test, fuzzing))]
mod testing;
#[cfg(not(async_io_loom))]
mod timeout;
#[cfg(not(async_io_loom))]
mod timer;
mod trace;

/// The examples of the README compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(not(async_io_loom))]
pub use adapter::{Async, IoSafe};
#[cfg(not(async_io_loom))]
pub use driver::block_on::block_on;
#[cfg(not(async_io_loom))]
pub use reactor::Reactor;
#[cfg(not(async_io_loom))]
pub use ready::{Readable, ReadableOwned, Writable, WritableOwned};
#[cfg(not(async_io_loom))]
pub use timeout::{TimedOut, Timeout, timeout, timeout_at};
#[cfg(not(async_io_loom))]
pub use timer::{MissedTicks, Timer};

// cargo-fuzz sets this cfg. The targets of `fuzz/` are the only users.
#[cfg(all(fuzzing, unix, not(async_io_loom)))]
#[doc(hidden)]
pub use testing::naive as fuzz;
