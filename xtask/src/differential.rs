//! Runs the program in `compat/differential`, built in release mode. It runs random programs on
//! this crate and on the published async-io 2.6.0, and compares the results.

use std::process::Command;

use crate::shell::{self, Outcome};

pub(crate) fn run(args: &mut lexopt::Parser) -> Outcome {
    let manifest = shell::root().join("compat/differential/Cargo.toml");
    let Some(manifest) = manifest.to_str() else {
        return Err("the path of this folder is not UTF-8".into());
    };
    let program = shell::built(&["--release", "--locked", "--manifest-path", manifest])?;
    let mut command = Command::new(program);
    // The program parses its options and reports errors in them.
    command.args(args.raw_args().map_err(|error| error.to_string())?);
    shell::run(&mut command)
}
