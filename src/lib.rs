//! Async I/O and timers, for any executor.
//!
//! Two tools:
//!
//! * [`Async`] makes an I/O object of the standard library asynchronous, or any other object that the operating system
//!   can poll: sockets, pipes, terminals, inotify, timerfds, process descriptors.
//! * [`Timer`] is a future or a stream that completes at points in time: never early, and by itself as exact as the system
//!   allows. Where timers are dense, they may share a wake-up.
//!
//! They work in every executor: the waiting is done by threads inside [`block_on`], and where there is none, or it is
//! busy, by one thread named `async-io`, which is started when it is first needed.
//!
//! # Examples
//!
//! Connect to a host, or give up after ten seconds:
//!
//! ```no_run
//! use async_io::{Async, Timer};
//! use futures_lite::FutureExt;
//! use std::io;
//! use std::net::{TcpStream, ToSocketAddrs};
//! use std::time::Duration;
//!
//! # fn main() -> io::Result<()> {
//! let address = "example.org:80".to_socket_addrs()?.next().ok_or(io::ErrorKind::NotFound)?;
//!
//! let stream = async_io::block_on(async {
//!     let timeout = async {
//!         Timer::after(Duration::from_secs(10)).await;
//!         Err(io::ErrorKind::TimedOut.into())
//!     };
//!     Async::<TcpStream>::connect(address).or(timeout).await
//! })?;
//! # drop(stream);
//! # Ok(())
//! # }
//! ```
//!
//! # Platforms
//!
//! Linux, Android, macOS, iOS, the BSDs, illumos, Solaris, Windows, Redox and Haiku. What only some of them have is in [`os`].
//!
//! # Features
//!
//! * `tracing`: spans and events at TRACE level, about what the driver does.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]
// Under the model checker only the pure modules are there, and not all of what they offer is used.
#![cfg_attr(async_io_loom, allow(dead_code, unused_imports))]

#[cfg(not(any(unix, windows)))]
compile_error!("async-io supports Unix and Windows");

#[macro_use]
mod core;
#[cfg(not(async_io_loom))]
mod adapter;
mod driver;
#[cfg(not(async_io_loom))]
pub mod os;
#[cfg(not(async_io_loom))]
mod reactor;
#[cfg(not(async_io_loom))]
mod ready;
#[cfg(not(async_io_loom))]
mod sys;
#[cfg(any(test, async_io_fuzzing))]
#[doc(hidden)]
pub mod testing;
#[cfg(not(async_io_loom))]
mod timer;
mod trace;

#[cfg(not(async_io_loom))]
pub use adapter::{Async, IoSafe};
#[cfg(not(async_io_loom))]
pub use driver::block_on::block_on;
#[cfg(not(async_io_loom))]
pub use ready::{Readable, ReadableOwned, Writable, WritableOwned};
#[cfg(not(async_io_loom))]
pub use timer::Timer;
