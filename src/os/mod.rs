//! Functions and types that only some operating systems have.
//!
//! Each module exists only on its systems:
//!
//! * `linux` (Linux and Android): waiting for priority events and errors alone, and the
//!   standard streams.
//! * `kqueue` (macOS, iOS and the BSDs): waiting for signals and for the end of a process.
//! * `unix` (all Unix systems): the descriptor of the reactor.
//! * `windows`: waiting for handles, such as that of a process.

#[cfg(async_io_kqueue)]
pub mod kqueue;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub mod linux;
#[cfg(unix)]
pub mod unix;
#[cfg(windows)]
pub mod windows;
