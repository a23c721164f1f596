//! All measurements as JSON, for other programs.

use serde_json::{Map, Value, json};

use super::verdicts;
use crate::harness::Outcome;
use crate::options::Options;
use crate::runner::Measured;

pub(crate) fn of(all: &[Measured], options: &Options) -> Outcome<String> {
    let scenarios: Vec<Value> = all.iter().map(scenario).collect();
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let report = json!({ "quick": options.quick, "kernel": kernel.trim(), "scenarios": scenarios });
    Ok(serde_json::to_string_pretty(&report)? + "\n")
}

fn scenario(measured: &Measured) -> Value {
    let mut samples = Map::new();
    for (peer, taken) in &measured.samples {
        let rounds = taken.iter().map(|sample| json!(sample.0)).collect();
        samples.insert(peer.name().to_owned(), Value::Array(rounds));
    }
    let figures = measured.scenario.figures.iter();
    let targets: Vec<Value> = figures
        .flat_map(|figure| {
            let told = verdicts(measured, figure).into_iter();
            told.map(|verdict| json!({ "figure": figure.name, "is": verdict.text, "met": verdict.is_met }))
        })
        .collect();
    let errors = measured.errors.iter();
    let errors: Map<String, Value> = errors
        .map(|(peer, error)| (peer.name().to_owned(), json!(error)))
        .collect();
    json!({
        "scenario": measured.scenario.name,
        "title": measured.scenario.title,
        "samples": samples,
        "targets": targets,
        "errors": errors,
    })
}
