//! Holds the public interface at compile time: what compiles here compiles for the users of `async-io` 2.6.
//!
//! There is nothing to run: to compile is to pass. Not expressible in a test that must compile, and therefore left to review:
//! that `Async<T>` and `Timer` cannot be destructured and that the drop check applies to `T` (both follow from their
//! `Drop`, of which `needs_drop` is asserted), that fields are private, that `IoSafe` for the standard library's pipes
//! exists (they are younger than our oldest compiler), and doc aliases.
// Nothing here is ever called.
#![allow(dead_code)]
// `IoSafe` is an unsafe trait, and three methods are unsafe.
#![allow(unsafe_code)]

#[path = "api/absent.rs"]
mod absent;
#[path = "api/auto_traits.rs"]
mod auto_traits;
#[path = "api/futures.rs"]
mod futures;
#[path = "api/io_safe.rs"]
mod io_safe;
#[cfg(async_io_kqueue)]
#[path = "api/kqueue.rs"]
mod kqueue;
#[path = "api/signatures.rs"]
mod signatures;
#[path = "api/traits.rs"]
mod traits;
#[cfg(unix)]
#[path = "api/unix.rs"]
mod unix;
#[cfg(windows)]
#[path = "api/windows.rs"]
mod windows;
