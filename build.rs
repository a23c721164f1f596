//! Detects what the compiler's standard library has, and whether `polling` uses a kqueue.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-check-cfg=cfg(async_io_no_pipe)");
    println!("cargo:rustc-check-cfg=cfg(async_io_kqueue)");

    if has_kqueue() {
        println!("cargo:rustc-cfg=async_io_kqueue");
    }

    // `std::io::{PipeReader, PipeWriter}` exist since Rust 1.87. If the version cannot be read,
    // they are assumed to exist, because an unknown compiler is more likely to be new than old.
    if rustc_minor().is_some_and(|minor| minor < 87) {
        println!("cargo:rustc-cfg=async_io_no_pipe");
    }
}

/// Returns whether `polling` uses a kqueue on the target.
fn has_kqueue() -> bool {
    let target = |what: &str| std::env::var(format!("CARGO_CFG_{what}")).unwrap_or_default();
    let systems = ["freebsd", "netbsd", "openbsd", "dragonfly"];
    let has = target("TARGET_VENDOR") == "apple" || systems.contains(&&*target("TARGET_OS"));
    has && std::env::var_os("CARGO_CFG_POLLING_TEST_POLL_BACKEND").is_none()
}

/// Returns the `N` of the compiler's version `1.N.P`.
fn rustc_minor() -> Option<u32> {
    let rustc = std::env::var_os("RUSTC")?;
    let output = Command::new(rustc).arg("--version").output().ok()?;
    let version = String::from_utf8(output.stdout).ok()?;
    let number = version.strip_prefix("rustc 1.")?;
    number.split('.').next()?.parse().ok()
}
