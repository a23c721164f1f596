//! The models of the core and of the driver, under loom, which explores every interleaving within
//! bounds. The recipe also checks that the models find mistakes: with each mistake of
//! [`mutations`], its model must fail.
//!
//! A mistake is a `mutation!("name")` in the source. An environment variable plants it, so the
//! models are built only once.

mod mutations;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::shell::{self, Outcome};
use mutations::{MUTATIONS, Mutation};

/// The variable that names the mistake that a model runs with.
const PLANTED: &str = "ASYNC_IO_MUTATION";

pub(crate) fn run(args: &mut lexopt::Parser) -> Outcome {
    let (mut models_only, mut only) = (false, None);
    while let Some(argument) = args.next().map_err(|error| error.to_string())? {
        match argument {
            lexopt::Arg::Long("models-only") => models_only = true,
            lexopt::Arg::Long("planted") => only = Some(shell::text(args.value())?),
            other => return Err(other.unexpected().to_string()),
        }
    }
    check_list()?;
    if only.is_none() {
        explore()?;
    }
    if !models_only {
        plant(only.as_deref().unwrap_or(""))?;
    }
    Ok(())
}

/// Fails if a mutation point of the source is not listed, or if a listed name has no point.
fn check_list() -> Outcome {
    let mut points = BTreeSet::new();
    collect_points(&shell::root().join("src"), &mut points)?;
    let listed: BTreeSet<_> = MUTATIONS.iter().map(|(name, _)| (*name).into()).collect();
    let missing: Vec<_> = points.difference(&listed).cloned().collect();
    let stale: Vec<_> = listed.difference(&points).cloned().collect();
    if missing.is_empty() && stale.is_empty() && listed.len() == MUTATIONS.len() {
        return Ok(());
    }
    Err(format!(
        "xtask/src/loom/mutations.rs does not match the `mutation!` points of src/: \
         not listed: [{}]; without a point: [{}]; each name may be listed once",
        missing.join(", "),
        stale.join(", ")
    ))
}

/// Collects the names of the mutation points in a folder.
fn collect_points(folder: &Path, points: &mut BTreeSet<String>) -> Outcome {
    let failed = |error: std::io::Error| format!("cannot read {}: {error}", folder.display());
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            collect_points(&path, points)?;
        } else if path.extension().is_some_and(|it| it == "rs") {
            let text = shell::read(&path)?;
            // The first piece is the text before the first point.
            for piece in text.split("mutation!(").skip(1) {
                let name = piece.trim_start().strip_prefix('"');
                if let Some((name, _)) = name.and_then(|it| it.split_once('"')) {
                    points.insert(name.into());
                }
            }
        }
    }
    Ok(())
}

/// Runs all models without a mistake.
fn explore() -> Outcome {
    let mut tests = models();
    let printed = shell::capture(tests.args(["models", "--", "--nocapture"]))?;
    let (mut count, mut sum) = (0, 0u64);
    // Output of another thread may precede the line of a model.
    for (_, line) in printed.lines().filter_map(|it| it.split_once("model ")) {
        println!("model {line}");
        let number = line.split(": ").nth(1).and_then(|it| it.split(' ').next());
        sum += number.and_then(|it| it.parse().ok()).unwrap_or(0);
        count += 1;
    }
    println!("{count} models hold in {sum} interleavings");
    if count == 0 {
        return Err("no model has printed the number of its interleavings".into());
    }
    Ok(())
}

/// Plants each mistake that contains `only` in its name or in the name of its model.
fn plant(only: &str) -> Outcome {
    let mut build = models();
    build.args(["--no-run", "--message-format=json-render-diagnostics"]);
    let program = shell::executable(&shell::capture(&mut build)?)?;
    let mut missed = Vec::new();
    let contains = |(name, model): &&Mutation| name.contains(only) || model.contains(only);
    let chosen: Vec<_> = MUTATIONS.iter().filter(contains).collect();
    for (name, model) in &chosen {
        let found = is_found(&program, name, model)?;
        println!(
            "{}: {name}: {model}",
            if found { "found" } else { "NOT FOUND" }
        );
        if !found {
            missed.push(*name);
        }
    }
    if missed.is_empty() {
        println!("{} planted mistakes, all found", chosen.len());
        Ok(())
    } else {
        let missed = missed.join(", ");
        Err(format!("planted mistakes that no model found: {missed}"))
    }
}

/// Returns whether the model fails with the mistake.
fn is_found(program: &Path, name: &str, model: &str) -> Outcome<bool> {
    let mut test = Command::new(program);
    test.args(["--exact", &format!("testing::models::{model}")])
        .env(PLANTED, name)
        .stdin(Stdio::null());
    let tested = test.output();
    let tested = tested.map_err(|error| format!("the models cannot be run: {error}"))?;
    let printed = String::from_utf8_lossy(&tested.stdout);
    if !printed.contains("running 1 test") {
        return Err(format!("there is no model {model}"));
    }
    // If all threads of a model are blocked, the test may abort without a line that says so.
    Ok(!tested.status.success())
}

fn models() -> Command {
    let mut command = shell::cargo();
    command
        .args(["test", "--release", "--lib"])
        .env("RUSTFLAGS", "--cfg async_io_loom")
        .env("CARGO_TARGET_DIR", shell::target("loom"))
        .env_remove(PLANTED);
    command
}
