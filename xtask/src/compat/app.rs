//! The program in `compat/smol-app`, which checks its own results.

use super::{built_with_ours, cargo_in};
use crate::shell::{self, Outcome};

pub(super) const NAME: &str = "smol-app";

pub(super) fn run() -> Outcome<String> {
    let package = shell::root().join("compat").join(NAME);
    built_with_ours(&package)?;
    shell::run(cargo_in(&package).args(["run", "--quiet"]))?;
    Ok(format!("{NAME}: every check passed"))
}
