//! Checks the guarded counts: see `src/guards/mod.rs`.

use std::process::ExitCode;

fn main() -> ExitCode {
    match compare::guards::run(std::env::args_os().skip(1).collect()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("guards: {error}");
            ExitCode::FAILURE
        }
    }
}
