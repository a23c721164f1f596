//! Programs that cargo cannot bring, taken from Debian's packages where we may install them.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::shell::{self, Outcome};

/// Makes sure that `program` can be run, if need be by installing the Debian package that has it.
pub(crate) fn need(program: &str, package: &str) -> Outcome {
    if in_path(program) {
        return Ok(());
    }
    install(&[package])
        .map_err(|error| format!("`{program}` is missing (Debian package {package}): {error}"))
}

/// Installs packages. Packages that are there already cost little.
pub(crate) fn install(packages: &[&str]) -> Outcome {
    update()?;
    let options = [
        "install",
        "-y",
        "-qq",
        "--no-install-recommends",
        "-o",
        "DPkg::Lock::Timeout=300",
    ];
    shell::run(apt_get().args(options).args(packages).stdout(Stdio::null()))
}

/// Brings the list of packages up to date, once: a new machine has none or an old one.
pub(crate) fn update() -> Outcome {
    static UPDATED: OnceLock<Outcome> = OnceLock::new();
    UPDATED
        .get_or_init(|| {
            if !in_path("apt-get") {
                return Err("there is no apt-get here; install it by hand".into());
            }
            if shell::capture(Command::new("id").arg("-u"))?.trim() != "0" {
                return Err("only root may run apt-get; install it by hand".into());
            }
            shell::run(apt_get().args(["update", "-qq"]).stdout(Stdio::null()))
        })
        .clone()
}

pub(crate) fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

fn in_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| Path::new(&folder).join(program).is_file())
}
