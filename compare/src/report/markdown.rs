//! The table of a run in Markdown, for `docs/performance.md`.

use std::fmt::Write;

use super::{judged, number, verdicts};
use crate::harness::peer::Peer;
use crate::harness::stats::{Middle, paired_ratio};
use crate::runner::Measured;
use crate::scenarios::Figure;

/// The columns. Each shows those of its implementations that the scenario has.
const COLUMNS: &[(&str, &[Peer])] = &[
    ("async-io 2.6", &[Peer::Upstream]),
    ("tokio", &[Peer::Tokio, Peer::TokioMulti]),
    ("raw", &[Peer::Raw, Peer::Floor]),
    ("others", &[Peer::Shared, Peer::Monoio, Peer::Compio]),
];

/// Formats a line with the title of each scenario, and one line per figure. That line has ours with
/// its spread, the medians of the peers, the ratio of ours to each of them, and the targets.
pub(crate) fn of(all: &[Measured]) -> String {
    let mut text = String::from("| scenario | figure | ours |");
    for (title, _) in COLUMNS {
        let _ = write!(text, " {title} |");
    }
    text.push_str(" target |\n|---|---|---|---|---|---|---|---|\n");
    for measured in all {
        let scenario = measured.scenario;
        let _ = writeln!(
            text,
            "| `{}` | **{}** | | | | | | |",
            scenario.name, scenario.title
        );
        for figure in scenario.figures {
            text.push_str(&line(measured, figure));
        }
    }
    text
}

fn line(measured: &Measured, figure: &Figure) -> String {
    let ours = measured.figures(judged(measured), figure.name);
    let Some(middle) = Middle::of(&ours) else {
        return String::new();
    };
    let name = measured.scenario.name;
    let mut line = format!("| `{name}` | {} | {}", figure.label, number(middle.median));
    if middle.least != middle.most {
        let _ = write!(line, " [{} {}]", number(middle.least), number(middle.most));
    }
    for (_, peers) in COLUMNS {
        let told = peers
            .iter()
            .filter_map(|peer| theirs(measured, figure, &ours, *peer));
        let told: Vec<String> = told.collect();
        let _ = write!(line, " | {}", told.join(", "));
    }
    let targets = verdicts(measured, figure).into_iter().map(|verdict| {
        let word = if verdict.is_met { "met" } else { "**missed**" };
        format!("{word}: {}", verdict.text)
    });
    let targets: Vec<String> = targets.collect();
    let _ = writeln!(line, " | {} |", targets.join("; "));
    line
}

fn theirs(measured: &Measured, figure: &Figure, ours: &[f64], peer: Peer) -> Option<String> {
    if !measured.scenario.peers.contains(&peer) {
        return None;
    }
    let figures = measured.figures(peer, figure.name);
    let median = number(Middle::of(&figures)?.median);
    let ratio = paired_ratio(ours, &figures).filter(|it| it.median.is_finite());
    Some(match ratio {
        Some(ratio) => format!("{median} ({:.2})", ratio.median),
        None => median,
    })
}
