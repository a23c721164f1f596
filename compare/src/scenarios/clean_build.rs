//! What it costs to depend on the library.
//!
//! The figures are the number of crates in its normal dependency tree, including itself, and the
//! wall time of a clean release build. Both are for a new program on this machine, with the
//! versions that cargo resolves. A quick run does not build. Nothing is downloaded: cargo uses the
//! crates that it already has.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use super::{Scenario, Target::AtMost, aimed, no_child};
use crate::harness::Outcome;
use crate::harness::job::Job;
use crate::harness::peer::Peer;
use crate::harness::sample::Sample;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "clean_build",
    title: "crates in the dependency tree, and a clean build",
    peers: &[Peer::Ours, Peer::Upstream],
    rounds: (1, 3),
    take,
    child: no_child,
    figures: &[
        aimed("crates", "crates", &[AtMost(1.0, Peer::Upstream)]),
        aimed(
            "build_s",
            "seconds to build",
            &[AtMost(1.0, Peer::Upstream)],
        ),
    ],
};

fn take(job: &Job) -> Outcome<Sample> {
    let folder = std::env::temp_dir().join(format!("compare-build-{}", std::process::id()));
    let sample = write(&folder, job.peer).and_then(|()| measure(&folder, job.quick));
    std::fs::remove_dir_all(&folder)?;
    sample
}

fn write(folder: &Path, peer: Peer) -> Outcome<()> {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()?;
    let source = match peer {
        Peer::Ours => format!("path = {ours:?}"),
        Peer::Upstream => "version = \"=2.6.0\"".to_owned(),
        other => return other.missing(),
    };
    let manifest = format!(
        "[package]\nname = \"program\"\nversion = \"0.0.0\"\nedition = \"2021\"\n\
         [dependencies]\nasync-io = {{ {source} }}\n[workspace]\n"
    );
    std::fs::create_dir_all(folder.join("src"))?;
    std::fs::write(folder.join("Cargo.toml"), manifest)?;
    let program = "fn main() { async_io::block_on(async {}) }\n";
    Ok(std::fs::write(folder.join("src/main.rs"), program)?)
}

fn measure(folder: &Path, quick: bool) -> Outcome<Sample> {
    let tree = [
        "tree",
        "--offline",
        "--edges",
        "normal",
        "--prefix",
        "none",
        "--no-dedupe",
    ];
    let output = cargo(folder, &tree)?;
    let mut crates: Vec<&str> = output
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    crates.sort_unstable();
    crates.dedup();
    // The program itself is not counted.
    let sample = Sample::of("crates", crates.len() as f64 - 1.0);
    if quick {
        return Ok(sample);
    }
    let start = Instant::now();
    cargo(folder, &["build", "--offline", "--release", "--quiet"])?;
    Ok(sample.with("build_s", start.elapsed().as_secs_f64()))
}

fn cargo(folder: &Path, args: &[&str]) -> Outcome<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args(args)
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", folder.join("target"));
    let output = command.stdin(Stdio::null()).output()?;
    if output.status.success() {
        Ok(String::from_utf8(output.stdout)?)
    } else {
        Err(format!(
            "cargo {}: {}",
            args[0],
            String::from_utf8_lossy(&output.stderr)
        )
        .into())
    }
}
