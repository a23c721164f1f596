//! The programs in `compat/smol-app`, which check their own results.

use super::{built_with_ours, cargo_in, folder};
use crate::shell::{self, Outcome};

pub(super) const NAME: &str = "smol-app";

/// The programs, and the compiler flags of each run.
const RUNS: &[(&str, &str)] = &[
    (NAME, ""),
    ("private_reactors", ""),
    // Children are awaited by pidfd, or by SIGCHLD where pidfds are not available.
    ("process_service", ""),
    (
        "process_service",
        "--cfg async_process_force_signal_backend",
    ),
];

pub(super) fn run() -> Outcome<String> {
    let package = shell::root().join("compat").join(NAME);
    built_with_ours(&package)?;
    for (program, flags) in RUNS {
        let mut cargo = cargo_in(&package);
        if !flags.is_empty() {
            // Other flags rebuild everything, so these runs use a separate build folder.
            cargo
                .env("RUSTFLAGS", shell::rustflags(flags))
                .env("CARGO_TARGET_DIR", folder("build-flags"));
        }
        shell::run(cargo.args(["run", "--quiet", "--bin", program]))?;
    }
    Ok(format!("{NAME}: every check passed"))
}
