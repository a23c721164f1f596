//! Functions and types that only some operating systems have.
//!
//! Each module exists only on its systems.

#[cfg(async_io_kqueue)]
pub mod kqueue;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub mod linux;
#[cfg(unix)]
pub mod unix;
#[cfg(windows)]
pub mod windows;
