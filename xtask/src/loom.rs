//! The models of the pure modules, under loom: every interleaving within their bounds. And the proof that they look: for
//! each mistake in [`mutations`], on a copy of the source that has it, its model must fail.

mod mutations;

use std::path::Path;
use std::process::{Command, Stdio};

use crate::shell::{self, Outcome};
use mutations::{MUTATIONS, Mutation};

/// What the copy needs to be built.
const PARTS: &[&str] = &[
    "src",
    "load",
    "xtask",
    "Cargo.toml",
    "Cargo.lock",
    "build.rs",
];

pub(crate) fn run(args: &mut lexopt::Parser) -> Outcome {
    let (mut models_only, mut only) = (false, None);
    while let Some(argument) = args.next().map_err(|error| error.to_string())? {
        match argument {
            lexopt::Arg::Long("models-only") => models_only = true,
            lexopt::Arg::Long("planted") => only = Some(shell::text(args.value())?),
            other => return Err(other.unexpected().to_string()),
        }
    }
    if only.is_none() {
        explore()?;
    }
    if !models_only {
        plant(only.as_deref().unwrap_or(""))?;
    }
    Ok(())
}

/// All models, on the source as it is.
fn explore() -> Outcome {
    let printed = shell::capture(models(&shell::root()).args(["models", "--", "--nocapture"]))?;
    let (mut count, mut sum) = (0, 0u64);
    for line in printed.lines().filter(|line| line.starts_with("model ")) {
        println!("{line}");
        let number = line
            .split(": ")
            .nth(1)
            .and_then(|rest| rest.split(' ').next());
        sum += number.and_then(|it| it.parse().ok()).unwrap_or(0);
        count += 1;
    }
    println!("{count} models hold in {sum} interleavings");
    if count == 0 {
        return Err("no model has told how many interleavings it has".into());
    }
    Ok(())
}

/// Each mistake by itself, if its model's name contains `only`.
fn plant(only: &str) -> Outcome {
    let copy = shell::target("loom").join("mutated");
    shell::fresh_dir(&copy)?;
    for part in PARTS {
        let (from, to) = (shell::root().join(part), copy.join(part));
        if from.is_dir() {
            shell::copy_dir(&from, &to)?;
        } else {
            std::fs::copy(&from, &to)
                .map_err(|error| format!("cannot copy {}: {error}", from.display()))?;
        }
    }
    let mut missed = Vec::new();
    let chosen = MUTATIONS.iter().filter(|it| it.model.contains(only));
    for mutation in chosen.clone() {
        let found = try_out(mutation, &copy)?;
        let verdict = if found { "found" } else { "NOT FOUND" };
        println!(
            "{verdict}: {} in {}: {}",
            mutation.what, mutation.file, mutation.model
        );
        if !found {
            missed.push(mutation.what);
        }
    }
    if missed.is_empty() {
        println!("{} planted mistakes, all found", chosen.count());
        Ok(())
    } else {
        Err(format!(
            "planted mistakes that no model found: {}",
            missed.join("; ")
        ))
    }
}

/// Whether the model fails on the source with the mistake in it.
fn try_out(mutation: &Mutation, copy: &Path) -> Outcome<bool> {
    let path = copy.join(mutation.file);
    let original = shell::read(&path)?;
    if original.matches(mutation.from).count() != 1 {
        return Err(format!(
            "{}: these lines are not there exactly once any more, so \"{}\" cannot be planted:\n{}",
            mutation.file, mutation.what, mutation.from
        ));
    }
    shell::write(&path, &original.replace(mutation.from, mutation.to))?;
    let mut build = models(copy);
    build.args(["--no-run"]).stderr(Stdio::piped());
    let built = build.stdin(Stdio::null()).output();
    let built = built.map_err(|error| format!("cargo cannot be run: {error}"))?;
    if !built.status.success() {
        // A mistake that does not compile says nothing about the model.
        return Err(format!(
            "\"{}\" does not compile:\n{}",
            mutation.what,
            String::from_utf8_lossy(&built.stderr)
        ));
    }
    let mut test = models(copy);
    test.args([mutation.model, "--", "--exact"])
        .stdin(Stdio::null());
    let tested = test.output();
    let tested = tested.map_err(|error| format!("cargo cannot be run: {error}"))?;
    shell::write(&path, &original)?;
    let printed = String::from_utf8_lossy(&tested.stdout);
    if !printed.contains("running 1 test") {
        return Err(format!("there is no model {}", mutation.model));
    }
    // A model whose threads are all blocked may end in an abort, without the line that says so.
    Ok(!tested.status.success())
}

fn models(root: &Path) -> Command {
    let mut command = shell::cargo();
    command
        .current_dir(root)
        .args(["test", "--release", "--lib"])
        .env("RUSTFLAGS", "--cfg async_io_loom")
        // A build that was interrupted must not spoil the next one.
        .env("CARGO_INCREMENTAL", "0")
        .env("CARGO_TARGET_DIR", shell::target("loom"));
    command
}
