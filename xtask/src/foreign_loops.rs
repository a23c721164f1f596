//! Runs the programs in `compat/foreign-loops`: a reactor inside the event loops of calloop and GLib.
//! They check their own results.

use std::process::{Command, Stdio};

use crate::debian;
use crate::shell::{self, Outcome};

const PROGRAMS: &[&str] = &["in_calloop", "in_glib"];

/// The time limit of a program. It takes about a second. After a lost wake-up it would wait forever.
const LIMIT_SECONDS: &str = "60";

pub(crate) fn run() -> Outcome {
    need_glib()?;
    let manifest = shell::root().join("compat/foreign-loops/Cargo.toml");
    let Some(manifest) = manifest.to_str() else {
        return Err("the path of this folder is not UTF-8".into());
    };
    let package = ["--locked", "--manifest-path", manifest];
    let mut clippy = shell::cargo();
    shell::run(
        clippy
            .arg("clippy")
            .args(package)
            .args(["--", "-D", "warnings"]),
    )?;
    for name in PROGRAMS {
        let program = shell::built(&[&package[..], &["--bin", name]].concat())?;
        let mut limited = Command::new("timeout");
        limited.args(["--kill-after=5", LIMIT_SECONDS]).arg(program);
        shell::run(&mut limited)?;
    }
    Ok(())
}

/// Makes sure that the headers of GLib are there, which the build looks for with pkg-config.
fn need_glib() -> Outcome {
    debian::need("pkg-config", "pkg-config")?;
    let found = Command::new("pkg-config")
        .args(["--exists", "glib-2.0"])
        .stdin(Stdio::null())
        .status();
    if found.is_ok_and(|status| status.success()) {
        return Ok(());
    }
    debian::install(&["libglib2.0-dev"])
        .map_err(|error| format!("GLib is missing (Debian package libglib2.0-dev): {error}"))
}
