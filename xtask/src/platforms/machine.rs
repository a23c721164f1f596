//! The means to run a program of another platform: an emulator with the target's libraries, or
//! Wine.

use std::path::PathBuf;
use std::process::Command;

use super::table::Machine;
use super::toolchain;
use crate::shell::{self, Outcome};

/// The variable that names the runner. Tests that start themselves again put it in front of their
/// own path.
const RUNNER: &str = "ASYNC_IO_TEST_RUNNER";

const WINE: &str = "/usr/lib/wine/wine64";

/// The library that Wine lacks.
const SHIM: &str = include_str!("bcryptprimitives.c");

/// Makes `cargo` run the programs of `target` on the machine.
pub(crate) fn prepare(cargo: &mut Command, target: &str, machine: Machine) -> Outcome {
    let runner = match machine {
        Machine::Loader(_) | Machine::Static => return Ok(()),
        Machine::Qemu { program, libraries } => {
            cargo.env("QEMU_LD_PREFIX", libraries);
            // Random cases and long repetition do not depend on the processor, and they take long in
            // an emulator.
            cargo.env("PROPTEST_CASES", "32");
            cargo.env("ASYNC_IO_STRESS", "0.25");
            program
        }
        Machine::Wine => {
            let shim = shim()?;
            let prefix = toolchain::folder().join("wine");
            cargo
                .env("WINEPREFIX", &prefix)
                .env("WINEPATH", shim)
                .env("WINEDEBUG", "-all")
                .env("WINEDLLOVERRIDES", "mscoree,mshtml=")
                .env("DISPLAY", "");
            WINE
        }
    };
    let target = target.to_uppercase().replace('-', "_");
    cargo.env(format!("CARGO_TARGET_{target}_RUNNER"), runner);
    // Under Wine, Windows programs start other programs directly.
    if !matches!(machine, Machine::Wine) {
        cargo.env(RUNNER, runner);
    }
    Ok(())
}

/// Builds the missing library and returns its folder.
fn shim() -> Outcome<PathBuf> {
    let folder = toolchain::folder().join("wine-libraries");
    shell::fresh_dir(&folder)?;
    let source = folder.join("bcryptprimitives.c");
    shell::write(&source, SHIM)?;
    let mut compiler = Command::new("x86_64-w64-mingw32-gcc");
    compiler.args(["-shared", "-O1", "-o"]);
    compiler.arg(folder.join("bcryptprimitives.dll"));
    shell::run(compiler.arg(&source).arg("-ladvapi32"))?;
    Ok(folder)
}
