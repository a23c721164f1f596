//! Counts what must not get worse: system calls, allocations, context switches, instructions. See `compare/src/guards.rs`.

use crate::debian;
use crate::shell::{self, Outcome};

pub(crate) fn run() -> Outcome {
    debian::need("perf", "linux-perf")?;
    debian::need("strace", "strace")?;
    debian::need("valgrind", "valgrind")?;
    let mut cargo = shell::cargo();
    cargo.args([
        "run",
        "--locked",
        "--release",
        "--manifest-path",
        "compare/Cargo.toml",
    ]);
    shell::run(cargo.args(["--bin", "guards"]))
}
