//! Realistic programs (`compare/programs`): an HTTP server with hyper, a D-Bus client with zbus,
//! and a transfer with quinn. Each program is built with the published crate and with this one. The
//! rounds of both builds alternate.
//!
//! The measured process has one core to itself. Its partner uses another core.

mod runs;

use std::fs;
use std::path::{Path, PathBuf};

use lexopt::prelude::*;

use crate::compat;
use crate::debian;
use crate::shell::{self, Outcome};
use runs::{SCENARIOS, Scenario};

/// The folder that contains the programs of one build.
struct Build(PathBuf);

pub(crate) fn run(args: &mut lexopt::Parser) -> Outcome {
    let mut rounds = 7;
    while let Some(argument) = args.next().map_err(|error| error.to_string())? {
        match argument {
            Long("rounds") => rounds = shell::number(args.value())?.max(1),
            other => return Err(other.unexpected().to_string()),
        }
    }
    debian::need("dbus-daemon", "dbus-daemon")?;
    debian::need("taskset", "util-linux")?;
    let builds = [build("published", "")?, build("ours", &compat::patch())?];
    let mut lines = vec![
        "| program | figure | ours | async-io 2.6.0 | ours / 2.6.0 |".to_owned(),
        "|---|---|---|---|---|".to_owned(),
    ];
    for scenario in SCENARIOS {
        lines.extend(measure(scenario, &builds, rounds)?);
    }
    println!(
        "\n{rounds} rounds, medians [least, most]\n\n{}",
        lines.join("\n")
    );
    Ok(())
}

/// Builds a copy, so that the patch does not change the committed lock file. Crates that do not
/// depend on the library are built once for both.
fn build(name: &str, patch: &str) -> Outcome<Build> {
    let folder = shell::target("programs");
    let package = folder.join(name);
    let source = shell::root().join("compare/programs");
    shell::fresh_dir(&package)?;
    shell::copy_dir(&source.join("src"), &package.join("src"))?;
    let manifest = shell::read(&source.join("Cargo.toml"))?;
    // The patch contains its own `[workspace]`.
    let manifest = match patch {
        "" => manifest,
        patch => manifest.replace("\n[workspace]\n", patch),
    };
    shell::write(&package.join("Cargo.toml"), &manifest)?;
    let lock = shell::read(&source.join("Cargo.lock"))?;
    shell::write(&package.join("Cargo.lock"), &lock)?;

    let mut cargo = shell::cargo();
    cargo
        .current_dir(&package)
        .env("CARGO_TARGET_DIR", folder.join("build"));
    shell::run(cargo.args(["build", "--release", "--quiet"]))?;
    if !patch.is_empty() {
        compat::built_with_ours(&package)?;
    }
    let programs = package.join("programs");
    shell::fresh_dir(&programs)?;
    for program in ["http", "ping", "bulk"] {
        copy(
            &folder.join("build/release").join(program),
            &programs.join(program),
        )?;
    }
    Ok(Build(programs))
}

fn copy(from: &Path, to: &Path) -> Outcome {
    let copied = fs::copy(from, to).map(drop);
    copied.map_err(|error| format!("cannot copy {}: {error}", from.display()))
}

/// Runs all rounds of one scenario and returns its lines of the table.
fn measure(scenario: &Scenario, builds: &[Build; 2], rounds: usize) -> Outcome<Vec<String>> {
    let mut samples: [Vec<Vec<f64>>; 2] = [Vec::new(), Vec::new()];
    for round in 0..rounds {
        // The builds alternate in which one runs first.
        for turn in 0..2 {
            let which = (round + turn) % 2;
            samples[which].push((scenario.run)(&builds[which].0)?);
        }
        println!("{}: round {} of {rounds}", scenario.name, round + 1);
    }
    let [published, ours] = samples;
    let line = |(at, figure): (usize, &&str)| {
        let of = |samples: &[Vec<f64>]| samples.iter().map(|it| it[at]).collect::<Vec<f64>>();
        let ratios = ours.iter().zip(&published).map(|(a, b)| a[at] / b[at]);
        let ratio = Spread::of(ratios.collect());
        let (ours, published) = (Spread::of(of(&ours)), Spread::of(of(&published)));
        format!(
            "| {} | {figure} | {} | {} | {:.3} [{:.3}, {:.3}] |",
            scenario.name,
            ours.text(),
            published.text(),
            ratio.median,
            ratio.least,
            ratio.most,
        )
    };
    Ok(scenario.figures.iter().enumerate().map(line).collect())
}

struct Spread {
    least: f64,
    median: f64,
    most: f64,
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Spread {
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            values[middle]
        } else {
            (values[middle - 1] + values[middle]) / 2.0
        };
        Spread {
            least: values[0],
            median,
            most: values[values.len() - 1],
        }
    }

    fn text(&self) -> String {
        format!("{:.0} [{:.0}, {:.0}]", self.median, self.least, self.most)
    }
}

#[cfg(test)]
mod tests {
    use super::Spread;

    #[test]
    fn median_of_odd_and_even() {
        let odd = Spread::of(vec![3.0, 1.0, 8.0]);
        assert_eq!((odd.least, odd.median, odd.most), (1.0, 3.0, 8.0));
        assert_eq!(Spread::of(vec![4.0, 1.0, 2.0, 3.0]).median, 2.5);
    }
}
