//! What only some operating systems have.

#[cfg(async_io_kqueue)]
pub mod kqueue;
#[cfg(unix)]
pub mod unix;
#[cfg(windows)]
pub mod windows;
