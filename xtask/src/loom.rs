//! The models of the pure modules, under loom: every interleaving within its bounds.

use crate::shell::{self, Outcome};

pub(crate) fn run() -> Outcome {
    shell::run(
        shell::cargo()
            .args(["test", "--release", "--lib", "models"])
            .env("RUSTFLAGS", "--cfg async_io_loom")
            .env("CARGO_TARGET_DIR", shell::target("loom")),
    )
}
