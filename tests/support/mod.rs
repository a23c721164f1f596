//! Helpers shared by the test programs.
//!
//! | module | helpers |
//! |---|---|
//! | `guards` | limits for tests that hang, and the factor for their load |
//! | `process` | tests in processes of their own |
//! | `polls` | ways to poll and to run futures |
//! | `wakers` | wakers that count, call closures, panic, or use the library |
//! | `reactor` | waits for turns of the reactor, and holds it up |
//! | `streams` | pairs of connected streams |
//! | `descriptors` | flags, number and limit of descriptors |
//! | `allocator` | an allocator that counts the allocated bytes |
//! | `noise` | pseudo-random numbers and delays |
//! | `procfs` | threads and descriptors of this process, from `/proc/self` |
//! | `raw` | system calls without a safe equivalent in `std` |
//! | `seccomp` | system calls that fail on purpose |

// Each test program compiles its own copy of this module and uses only a part of it.
#![allow(dead_code, unused_imports, unused_macros)]

mod allocator;
mod descriptors;
mod guards;
mod noise;
mod polls;
mod process;
#[cfg(target_os = "linux")]
pub(crate) mod procfs;
#[cfg(target_os = "linux")]
pub(crate) mod raw;
mod reactor;
#[cfg(all(
    target_os = "linux",
    any(
        target_arch = "x86_64",
        target_arch = "aarch64",
        target_arch = "x86",
        target_arch = "arm",
        target_arch = "s390x",
    )
))]
pub(crate) mod seccomp;
mod streams;
mod wakers;

pub(crate) use allocator::*;
pub(crate) use descriptors::*;
pub(crate) use guards::*;
pub(crate) use noise::*;
pub(crate) use polls::*;
pub(crate) use process::*;
#[cfg(target_os = "linux")]
pub(crate) use procfs::assert_quiet;
pub(crate) use reactor::*;
pub(crate) use streams::*;
pub(crate) use wakers::*;
