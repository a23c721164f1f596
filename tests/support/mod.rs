//! Helpers shared by the test programs.

// Each test program compiles its own copy of this module and uses only a part of it.
#![allow(dead_code, unused_imports)]

pub(crate) mod common;
mod descriptors;
mod guards;
#[cfg(target_os = "linux")]
mod linux;
mod polls;
mod process;
#[cfg(target_os = "linux")]
pub(crate) mod procfs;
#[cfg(target_os = "linux")]
pub(crate) mod raw;
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
mod wakers;

pub(crate) use descriptors::*;
pub(crate) use guards::*;
#[cfg(target_os = "linux")]
pub(crate) use linux::*;
pub(crate) use process::*;
