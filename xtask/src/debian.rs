//! Programs that cargo cannot install. They come from Debian's packages, if this process may
//! install those.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::shell::{self, Outcome};

/// Makes sure that `program` can be run. If it is missing, installs the Debian package that
/// contains it.
pub(crate) fn need(program: &str, package: &str) -> Outcome {
    if in_path(program) {
        return Ok(());
    }
    install(&[package])
        .map_err(|error| format!("`{program}` is missing (Debian package {package}): {error}"))
}

/// Installs packages. Packages that are already installed cost little time.
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

/// Updates the list of packages, once. A new machine has no list or an old one.
pub(crate) fn update() -> Outcome {
    static UPDATED: OnceLock<Outcome> = OnceLock::new();
    UPDATED
        .get_or_init(|| {
            if !in_path("apt-get") {
                return Err("apt-get is not available; install the package by hand".into());
            }
            if shell::capture(Command::new("id").arg("-u"))?.trim() != "0" {
                return Err("only root may run apt-get; install the package by hand".into());
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
