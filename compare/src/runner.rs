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
use crate::scenarios::{self, SCENARIOS, Scenario};

/// The measurements of one scenario: the samples of each implementation, in the order of the
/// rounds.
pub(crate) struct Measured {
    pub(crate) scenario: &'static Scenario,
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
    let sample = (scenarios::by_name(job.scenario)?.child)(job)?;
    print!("{}", sample.to_lines());
    Ok(())
}

/// Measures the chosen scenarios, prints the results and writes the requested files.
pub(crate) fn compare(options: &Options) -> Outcome<()> {
    let chosen = choose(options);
    let rounds = |scenario: &Scenario| {
        let (quick, full) = scenario.rounds;
        options
            .rounds
            .unwrap_or(if options.quick { quick } else { full })
    };
    let samples: usize = chosen
        .iter()
        .map(|scenario| rounds(scenario) * scenario.peers.len())
        .sum();
    let style = "{elapsed_precise} [{bar:32}] {pos}/{len} {msg}";
    let bar = ProgressBar::new(samples as u64).with_style(ProgressStyle::with_template(style)?);
    let mut measured = Vec::new();
    for scenario in chosen {
        let done = measure(scenario, rounds(scenario), options, &bar);
        bar.suspend(|| print!("{}", report::scenario(&done)));
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

/// Returns the scenarios that the command line names. If it names none, returns all scenarios, but
/// leaves out those without a target if no plot is drawn: only the plots use them.
fn choose(options: &Options) -> Vec<&'static Scenario> {
    if !options.only.is_empty() {
        return options.only.clone();
    }
    let has_target = |scenario: &Scenario| {
        let mut figures = scenario.figures.iter();
        figures.any(|figure| !figure.targets.is_empty())
    };
    let all = SCENARIOS.iter();
    all.filter(|scenario| options.plots.is_some() || has_target(scenario))
        .collect()
}

fn measure(
    scenario: &'static Scenario,
    rounds: usize,
    options: &Options,
    bar: &ProgressBar,
) -> Measured {
    let mut done = Measured {
        scenario,
        samples: BTreeMap::new(),
        errors: BTreeMap::new(),
    };
    // Disturbances of the machine last for seconds, so many short rounds are better than a few long
    // ones.
    for round in 0..rounds {
        // Rotate the order, so that no implementation is always the first.
        let mut order = scenario.peers.to_vec();
        order.rotate_left(round % scenario.peers.len());
        for peer in order {
            if done.errors.contains_key(&peer) {
                bar.inc(1);
                continue;
            }
            bar.set_message(format!("{}: {}", scenario.name, peer.name()));
            let (near, far) = options.cores;
            let quick = options.quick;
            let job = Job {
                scenario: scenario.name,
                peer,
                quick,
                near,
                far,
                part: String::new(),
            };
            match (scenario.take)(&job) {
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
