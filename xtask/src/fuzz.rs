//! The fuzz targets: libFuzzer generates scripts for the models of `src/testing/naive/`.
//!
//! Coverage instrumentation and sanitizers are unstable options of the compiler. `RUSTC_BOOTSTRAP`
//! makes a stable compiler accept them, for this build only. cargo-fuzz is not needed.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::shell::{self, Outcome};
use lexopt::prelude::*;

const TARGETS: &[&str] = &[
    "readiness",
    "waiters",
    "timers",
    "registry",
    "reactor_on_edges",
    "reactor_on_one_shots",
];

const FLAGS: &str = "--cfg fuzzing -Cdebug-assertions -Ccodegen-units=1 \
    -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";

pub(crate) fn run(args: &mut lexopt::Parser) -> Outcome {
    let (mut seconds, mut only) = (10, None);
    while let Some(argument) = args.next().map_err(|error| error.to_string())? {
        match argument {
            Long("seconds") => seconds = shell::number(args.value())?,
            Long("only") => only = Some(shell::text(args.value())?),
            other => return Err(other.unexpected().to_string()),
        }
    }
    let wanted = |name: &&&str| only.as_deref().is_none_or(|only| only == **name);
    let chosen: Vec<&str> = TARGETS.iter().filter(wanted).copied().collect();
    if chosen.is_empty() {
        return Err(format!("the targets are {}", TARGETS.join(", ")));
    }

    let host = host()?;
    let programs = build(&host)?;
    let mut sum = 0;
    for name in chosen {
        sum += fuzz(&programs, name, seconds)?;
    }
    println!("{sum} scripts, none failed");
    Ok(())
}

/// Builds all targets, with AddressSanitizer if the compiler supports it.
fn build(host: &str) -> Outcome<PathBuf> {
    let target = shell::target("fuzz");
    let build = |flags: String| {
        let mut command = shell::cargo();
        command
            .args(["build", "--release", "--locked", "--manifest-path"])
            .arg(shell::root().join("fuzz/Cargo.toml"))
            // With a named target the flags do not apply to build scripts.
            .args(["--target", host])
            .env("CARGO_TARGET_DIR", &target)
            .env("RUSTC_BOOTSTRAP", "1")
            .env("RUSTFLAGS", flags);
        shell::run(&mut command)
    };
    if let Err(error) = build(format!("{FLAGS} -Zsanitizer=address")) {
        println!("{error}; retrying without AddressSanitizer");
        build(FLAGS.into())?;
    }
    Ok(target.join(host).join("release"))
}

/// Runs one target. Returns how many scripts it has run.
fn fuzz(programs: &Path, name: &str, seconds: usize) -> Outcome<u64> {
    let found = shell::target("fuzz").join("corpus").join(name);
    let artifacts = shell::target("fuzz").join("artifacts");
    for folder in [&found, &artifacts] {
        std::fs::create_dir_all(folder)
            .map_err(|error| format!("cannot create {}: {error}", folder.display()))?;
    }
    let mut command = Command::new(programs.join(name));
    command
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-artifact_prefix={}/{name}-", artifacts.display()))
        .args(["-max_len=600", "-timeout=20", "-print_final_stats=1"])
        .arg(&found)
        .arg(shell::root().join("fuzz/corpus").join(name))
        .stdin(Stdio::null());
    let output = command
        .output()
        .map_err(|error| format!("{name} cannot be run: {error}"))?;
    let printed = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        eprintln!("{printed}");
        return Err(format!(
            "{name} failed; the script is in {}",
            artifacts.display()
        ));
    }
    let executed = printed
        .lines()
        .find_map(|line| line.strip_prefix("stat::number_of_executed_units:"))
        .and_then(|number| number.trim().parse().ok())
        .ok_or_else(|| format!("{name} did not report how many scripts it has run"))?;
    println!("{name}: {executed} scripts");
    Ok(executed)
}

/// Returns the target triple of the host, as the compiler reports it.
fn host() -> Outcome<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let printed = shell::capture(Command::new(rustc).arg("-vV"))?;
    let host = printed.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(String::from)
        .ok_or_else(|| "the compiler did not report its host".into())
}
