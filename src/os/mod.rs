//! What only some operating systems have.

#[cfg(async_io_kqueue)]
pub mod kqueue;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub mod linux;
#[cfg(unix)]
pub mod unix;
#[cfg(windows)]
pub mod windows;
