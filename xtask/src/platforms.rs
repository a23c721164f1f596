//! Checks every platform from one machine. All targets are type-checked. The tests run where that
//! is possible on this machine: with emulators, with Wine, with another C library, and with the
//! other forms of the poller.
//!
//! A failure does not stop the other platforms. It is shown in the table at the end and in the exit
//! status.

mod machine;
mod table;
mod toolchain;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use lexopt::prelude::*;

use crate::shell::{self, Outcome};
use crate::tally::{self, Tally};
use table::{Depth, Machine, PLATFORMS, Platform};

/// The result of one platform.
#[derive(Debug)]
struct Row {
    platform: &'static Platform,
    checked: bool,
    linked: Option<bool>,
    ran: Option<Tally>,
    /// How long the tests took. This includes the build, if the build is for this row only.
    took: Option<Duration>,
    /// A short description of the failure.
    failure: Option<String>,
}

impl Row {
    fn new(platform: &'static Platform) -> Self {
        Row {
            platform,
            checked: false,
            linked: None,
            ran: None,
            took: None,
            failure: None,
        }
    }

    fn fail(&mut self, message: impl Into<String>) {
        self.failure.get_or_insert(message.into());
    }

    /// Prints the end of a log, and records where the log is.
    fn fail_with(&mut self, log: &Path, lines: usize) {
        println!("{}", shell::tail(log, lines));
        self.fail(format!("see {}", log.display()));
    }
}

pub(crate) fn run(args: &mut lexopt::Parser) -> Outcome {
    let chosen = choose(args)?;
    toolchain::install(&chosen)?;
    shell::fresh_dir(&logs())?;

    let mut rows: Vec<Row> = chosen.into_iter().map(Row::new).collect();
    check(&mut rows);
    build(&mut rows);
    for row in &mut rows {
        let start = Instant::now();
        let outcome = match row.platform.depth {
            Depth::Check => Ok(()),
            Depth::Run(machine) if row.linked == Some(true) => test(row, machine),
            Depth::Run(_) => Ok(()),
            Depth::Here { flags } => test_here(row, flags),
        };
        if let Err(message) = outcome {
            row.fail(message);
        }
        row.took = row.ran.map(|_| start.elapsed());
    }
    print(&rows);
    verdict(&rows)
}

fn choose(args: &mut lexopt::Parser) -> Outcome<Vec<&'static Platform>> {
    let mut chosen: Vec<&Platform> = PLATFORMS.iter().collect();
    while let Some(argument) = args.next().map_err(|error| error.to_string())? {
        match argument {
            Long("ci") => chosen.retain(|platform| platform.in_ci),
            Long("only") => {
                let names = shell::text(args.value())?;
                let names: Vec<&str> = names.split(',').collect();
                for name in &names {
                    if !PLATFORMS.iter().any(|platform| platform.name == *name) {
                        let known: Vec<_> = PLATFORMS.iter().map(|known| known.name).collect();
                        let known = known.join(", ");
                        return Err(format!(
                            "there is no platform {name:?}; the platforms are {known}"
                        ));
                    }
                }
                chosen.retain(|platform| names.contains(&platform.name));
            }
            other => return Err(other.unexpected().to_string()),
        }
    }
    Ok(chosen)
}

/// A lint that does not recognize the existing `const` on systems without native thread-locals.
const BLIND_LINT: &str = "clippy::missing_const_for_thread_local";

/// Type-checks and lints all platforms that are not built anyway. They are checked together. If
/// that fails, each is checked separately to find those that fail.
fn check(rows: &mut [Row]) {
    let mut rows = of(rows, |depth| depth == Depth::Check);
    let all: Vec<&'static Platform> = rows.iter().map(|row| row.platform).collect();
    if all.is_empty() {
        return;
    }
    let start = Instant::now();
    let together = lint(&all, &logs().join("check.log")) == Ok(true);
    for row in &mut rows {
        let log = logs().join(format!("check-{}.log", row.platform.name));
        match if together {
            Ok(true)
        } else {
            lint(&[row.platform], &log)
        } {
            Ok(true) => row.checked = true,
            Ok(false) => row.fail_with(&log, 40),
            Err(message) => row.fail(message),
        }
    }
    println!("type-checks: {} s", start.elapsed().as_secs());
}

fn lint(platforms: &[&'static Platform], log: &Path) -> Outcome<bool> {
    let mut cargo = toolchain::cargo("clippy", platforms)?;
    cargo.args(["--tests", "--examples", "--", "--allow", BLIND_LINT]);
    shell::run_logged(&mut cargo, log)
}

/// Builds and links the tests and the examples of all platforms that run. Each platform is built
/// separately. Together, the dependencies would get the features that any target asks for, and the
/// separate test runs would build everything again.
fn build(rows: &mut [Row]) {
    for row in of(rows, |depth| matches!(depth, Depth::Run(_))) {
        let platform = row.platform;
        let log = logs().join(format!("build-{}.log", platform.name));
        let built = build_on(platform, &log);
        row.checked = built == Ok(true);
        row.linked = Some(row.checked);
        match built {
            Ok(true) => {}
            Ok(false) => row.fail_with(&log, 40),
            Err(message) => row.fail(message),
        }
    }
}

/// Builds the examples as programs, which a test runs, and then the tests.
fn build_on(platform: &'static Platform, log: &Path) -> Outcome<bool> {
    let mut cargo = toolchain::cargo("build", &[platform])?;
    if !shell::run_logged(cargo.arg("--examples"), log)? {
        return Ok(false);
    }
    let mut cargo = toolchain::cargo("test", &[platform])?;
    shell::run_logged(cargo.args(["--tests", "--no-run"]), log)
}

fn of(rows: &mut [Row], condition: impl Fn(Depth) -> bool) -> Vec<&mut Row> {
    rows.iter_mut()
        .filter(|row| condition(row.platform.depth))
        .collect()
}

/// Runs the tests of a target on its machine.
fn test(row: &mut Row, machine: Machine) -> Outcome {
    let platform = row.platform;
    let mut cargo = toolchain::cargo("test", &[platform])?;
    machine::prepare(&mut cargo, platform.name, machine)?;
    // `build` has built the examples with the same features, so that nothing is built twice.
    cargo.args(["--lib", "--tests", "--no-fail-fast", "--"]);
    for left_out in platform.left_out() {
        cargo.args(["--skip", left_out.test]);
    }
    let log = logs().join(format!("test-{}.log", platform.name));
    run_tests(row, &mut cargo, &log)?;
    if machine == Machine::Static {
        statically_linked(&shell::read(&log)?)?;
    }
    Ok(())
}

/// Runs the tests on this system, with other flags.
fn test_here(row: &mut Row, flags: &str) -> Outcome {
    let name = row.platform.name;
    let cargo = |subcommand| {
        let mut cargo = shell::cargo();
        cargo
            .args([subcommand, "--locked"])
            .env("RUSTFLAGS", shell::rustflags(flags))
            .env("CARGO_TARGET_DIR", shell::target(name));
        cargo
    };
    let log = logs().join(format!("test-{name}.log"));
    // A test runs the examples. With `--tests`, cargo does not build them.
    if !shell::run_logged(cargo("build").arg("--examples"), &log)? {
        println!("{}", shell::tail(&log, 80));
        return Err(format!("examples: see {}", log.display()));
    }
    let mut cargo = cargo("test");
    cargo.args(["--lib", "--tests", "--no-fail-fast"]);
    let outcome = run_tests(row, &mut cargo, &log);
    row.checked = row.ran.is_some();
    row.linked = Some(row.checked);
    outcome
}

fn run_tests(row: &mut Row, cargo: &mut Command, log: &Path) -> Outcome {
    let passed = shell::run_logged(cargo, log)?;
    let output = shell::read(log)?;
    let tally = Tally::of(&output);
    if tally.passed > 0 {
        row.ran = Some(tally);
    }
    if passed && tally.passed > 0 {
        return Ok(());
    }
    match tally::failures(&output) {
        none if none.is_empty() => println!("{}", shell::tail(log, 80)),
        failures => println!("{}", failures.join("\n")),
    }
    Err(format!("tests: see {}", log.display()))
}

/// Checks that the programs that cargo has run are linked statically, which means that they request
/// no loader.
fn statically_linked(log: &str) -> Outcome {
    let programs: Vec<&str> = log
        .lines()
        .filter(|line| line.trim_start().starts_with("Running "))
        .filter_map(|line| line.rsplit_once('(')?.1.strip_suffix(')'))
        .collect();
    if programs.is_empty() {
        return Err("cargo did not report that a program has run".into());
    }
    for program in programs {
        let mut readelf = Command::new("readelf");
        let program = shell::root().join(program);
        let headers = shell::capture(readelf.args(["--program-headers", "--wide"]).arg(&program))?;
        if headers.contains("INTERP") {
            return Err(format!("{} is not linked statically", program.display()));
        }
    }
    Ok(())
}

fn print(rows: &[Row]) {
    let width = rows.iter().map(|row| row.platform.name.len()).max();
    let width = width.unwrap_or(0);
    let yes = |value: Option<bool>| match value {
        Some(true) => "yes",
        Some(false) => "NO",
        None => "-",
    };
    println!(
        "\n{:width$}  checked  linked    ran  passed  left out  seconds",
        "platform"
    );
    for row in rows {
        let (ran, passed) = row.ran.map_or(("-".into(), "-".into()), |tally| {
            let ran = tally.passed + tally.failed;
            (ran.to_string(), tally.passed.to_string())
        });
        let left_out = match row.platform.depth {
            Depth::Check => "-".into(),
            _ => row.platform.left_out().count().to_string(),
        };
        let took = row.took.map(|took| took.as_secs().to_string());
        let took = took.as_deref().unwrap_or("-");
        println!(
            "{:width$}  {:>7}  {:>6}  {ran:>5}  {passed:>6}  {left_out:>8}  {took:>7}",
            row.platform.name,
            yes(Some(row.checked)),
            yes(row.linked),
        );
    }
    let mut told = Vec::new();
    for left_out in rows.iter().flat_map(|row| row.platform.left_out()) {
        if !told.contains(&left_out.test) {
            told.push(left_out.test);
            println!("left out: {}: {}", left_out.test, left_out.reason);
        }
    }
}

fn verdict(rows: &[Row]) -> Outcome {
    let failures: Vec<String> = rows
        .iter()
        .filter_map(|row| Some(format!("{} ({})", row.platform.name, row.failure.as_ref()?)))
        .collect();
    if failures.is_empty() {
        Ok(())
    } else {
        Err(failures.join("; "))
    }
}

fn logs() -> PathBuf {
    toolchain::folder().join("logs")
}
