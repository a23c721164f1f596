//! Checks the public interface at compile time: code that compiles here compiles for the users of
//! `async-io` 2.6.
//!
//! Nothing is run: the test passes if it compiles. Some properties cannot be expressed in a test
//! that must compile and are left to review:
//!
//! * `Async<T>` and `Timer` cannot be destructured, and the drop check applies to `T`. Both follow
//!   from their `Drop` impls, which `needs_drop` asserts.
//! * Fields are private.
//! * The pipes of the standard library implement `IoSafe`. (They are newer than the minimum
//!   supported Rust version.)
//! * Doc aliases.
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
