//! Takes the samples in rounds. Each round takes one sample of every implementation, so that a
//! disturbance of the machine affects all of them.

use std::collections::BTreeMap;

use indicatif::{ProgressBar, ProgressStyle};

use crate::harness::Outcome;
use crate::harness::job::Job;
use crate::harness::peer::Peer;
use crate::harness::sample::Sample;
use crate::options::Options;
use crate::report::{self, json, markdown, plots};
use crate::scenarios::{self, ROWS, Row};

/// The measurements of one row: the samples of each implementation, in the order of the rounds.
pub(crate) struct Measured {
    pub(crate) row: &'static Row,
    pub(crate) samples: BTreeMap<Peer, Vec<Sample>>,
    /// The implementations that failed, with the error. They are left out of the remaining rounds.
    pub(crate) errors: BTreeMap<Peer, String>,
}

impl Measured {
    /// Returns one figure of one implementation, in the order of the rounds.
    pub(crate) fn figures(&self, peer: Peer, name: &str) -> Vec<f64> {
        let samples = self.samples.get(&peer).into_iter().flatten();
        samples.filter_map(|sample| sample.get(name)).collect()
    }
}

/// Takes one sample and prints it. A child process does nothing else.
pub(crate) fn child(job: &Job) -> Outcome<()> {
    let sample = (scenarios::by_number(job.row)?.child)(job)?;
    print!("{}", sample.to_lines());
    Ok(())
}

/// Measures the chosen rows, prints the results and writes the requested files.
pub(crate) fn compare(options: &Options) -> Outcome<()> {
    let chosen = choose(options)?;
    let rounds = |row: &Row| {
        let (quick, full) = row.rounds;
        options
            .rounds
            .unwrap_or(if options.quick { quick } else { full })
    };
    let samples: usize = chosen.iter().map(|row| rounds(row) * row.peers.len()).sum();
    let style = "{elapsed_precise} [{bar:32}] {pos}/{len} {msg}";
    let bar = ProgressBar::new(samples as u64).with_style(ProgressStyle::with_template(style)?);
    let mut measured = Vec::new();
    for row in chosen {
        let done = measure(row, rounds(row), options, &bar);
        bar.suspend(|| print!("{}", report::row(&done)));
        measured.push(done);
    }
    bar.finish_and_clear();
    print!("{}", report::summary(&measured));
    if let Some(path) = &options.json {
        std::fs::write(path, json::of(&measured, options)?)?;
    }
    if let Some(path) = &options.markdown {
        std::fs::write(path, markdown::of(&measured))?;
    }
    if let Some(folder) = &options.plots {
        plots::draw(&measured, folder)?;
    }
    Ok(())
}

/// Returns the rows of `--only`. Without that option, returns all rows, but leaves out those
/// without a target if no plot is drawn: only the plots use them.
fn choose(options: &Options) -> Outcome<Vec<&'static Row>> {
    if options.only.is_empty() {
        let has_target = |row: &&Row| row.figures.iter().any(|figure| !figure.targets.is_empty());
        let all = ROWS.iter();
        return Ok(all
            .filter(|row| options.plots.is_some() || has_target(row))
            .collect());
    }
    options
        .only
        .iter()
        .map(|&number| scenarios::by_number(number))
        .collect()
}

fn measure(row: &'static Row, rounds: usize, options: &Options, bar: &ProgressBar) -> Measured {
    let mut done = Measured {
        row,
        samples: BTreeMap::new(),
        errors: BTreeMap::new(),
    };
    // Disturbances of the machine last for seconds, so many short rounds are better than a few long
    // ones.
    for round in 0..rounds {
        // Rotate the order, so that no implementation is always the first.
        let mut order = row.peers.to_vec();
        order.rotate_left(round % row.peers.len());
        for peer in order {
            if done.errors.contains_key(&peer) {
                bar.inc(1);
                continue;
            }
            bar.set_message(format!("row {}: {}", row.number, peer.name()));
            let (near, far) = options.cores;
            let quick = options.quick;
            let job = Job {
                row: row.number,
                peer,
                quick,
                near,
                far,
                part: String::new(),
            };
            match (row.take)(&job) {
                Ok(sample) => done.samples.entry(peer).or_default().push(sample),
                // The machine may forbid it (io_uring is often forbidden). The others can still be
                // compared.
                Err(error) => drop(done.errors.insert(peer, error.to_string())),
            }
            bar.inc(1);
        }
    }
    done
}
