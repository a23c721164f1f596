//! The report: figures, ratios and targets.

use std::fmt::Write;

use crate::harness::peer::Peer;
use crate::harness::stats::{Middle, paired_ratio};
use crate::runner::Measured;
use crate::scenarios::{Figure, Target};

pub(crate) mod json;
pub(crate) mod markdown;
pub(crate) mod plots;

/// A target, and whether our figure meets it.
pub(crate) struct Verdict {
    pub(crate) text: String,
    pub(crate) is_met: bool,
}

/// Formats the figures of one scenario: medians with their spread, ratios and targets.
pub(crate) fn scenario(measured: &Measured) -> String {
    let scenario = measured.scenario;
    let mut text = format!("{}: {}\n", scenario.name, scenario.title);
    for figure in scenario.figures {
        let Some(line) = line(measured, figure) else {
            continue;
        };
        let _ = writeln!(text, "    {:<40}{line}", figure.label);
        for verdict in verdicts(measured, figure) {
            let word = if verdict.is_met { "met" } else { "MISSED" };
            let _ = writeln!(text, "    {:<40}{word}: {}", "", verdict.text);
        }
    }
    for (peer, error) in &measured.errors {
        let _ = writeln!(text, "    {} failed: {error}", peer.name());
    }
    text
}

/// Returns the implementation that must meet the targets: the first one of the scenario.
fn judged(measured: &Measured) -> Peer {
    measured
        .scenario
        .peers
        .first()
        .copied()
        .unwrap_or(Peer::Ours)
}

fn line(measured: &Measured, figure: &Figure) -> Option<String> {
    let ours = measured.figures(judged(measured), figure.name);
    let mut line = String::new();
    for &peer in measured.scenario.peers {
        let figures = measured.figures(peer, figure.name);
        let Some(middle) = Middle::of(&figures) else {
            continue;
        };
        let _ = write!(line, "{} {}", peer.name(), number(middle.median));
        if figures.len() > 1 {
            let _ = write!(line, " [{} {}]", number(middle.least), number(middle.most));
        }
        if peer != judged(measured)
            && let Some(ratio) = paired_ratio(&ours, &figures).filter(|r| r.median.is_finite())
        {
            let _ = write!(line, " (x{:.2})", ratio.median);
        }
        line.push_str("   ");
    }
    (!line.is_empty()).then(|| line.trim_end().to_owned())
}

/// Returns a verdict for each target of a figure that could be measured.
pub(crate) fn verdicts(measured: &Measured, figure: &Figure) -> Vec<Verdict> {
    let targets = figure.targets.iter();
    targets
        .filter_map(|target| verdict(measured, figure.name, *target))
        .collect()
}

fn verdict(measured: &Measured, name: &str, target: Target) -> Option<Verdict> {
    let ours = measured.figures(judged(measured), name);
    let ratio_to = |peer| Some(paired_ratio(&ours, &measured.figures(peer, name))?.median);
    Some(match target {
        Target::AtMost(limit, peer) => {
            let ratio = ratio_to(peer)?;
            let text = format!("{ratio:.3} x {}, at most {limit}", peer.name());
            Verdict {
                text,
                is_met: ratio <= limit,
            }
        }
        Target::AtLeast(limit, peer) => {
            let ratio = ratio_to(peer)?;
            let text = format!("{ratio:.3} x {}, at least {limit}", peer.name());
            Verdict {
                text,
                is_met: ratio >= limit,
            }
        }
        Target::Within(least, most) => {
            let median = Middle::of(&ours)?.median;
            let (median_text, least_text) = (number(median), number(least));
            let text = if most.is_finite() {
                format!("{median_text}, from {least_text} to {}", number(most))
            } else {
                format!("{median_text}, at least {least_text}")
            };
            Verdict {
                text,
                is_met: (least..=most).contains(&median),
            }
        }
        Target::Either(one, other) => {
            let one = verdict(measured, name, *one)?;
            let other = verdict(measured, name, *other)?;
            Verdict {
                text: format!("{}, or {}", one.text, other.text),
                is_met: one.is_met || other.is_met,
            }
        }
    })
}

/// Formats a table of all targets, and how many of them are met and missed.
pub(crate) fn summary(all: &[Measured]) -> String {
    let mut text = format!("\n{:<29} {:<40} target\n", "scenario", "figure");
    let (mut met, mut missed) = (0, 0);
    for measured in all {
        for figure in measured.scenario.figures {
            for verdict in verdicts(measured, figure) {
                let word = if verdict.is_met { "met   " } else { "MISSED" };
                let name = measured.scenario.name;
                let _ = writeln!(
                    text,
                    "{name:<29} {:<40} {word}  {}",
                    figure.label, verdict.text
                );
                met += usize::from(verdict.is_met);
                missed += usize::from(!verdict.is_met);
            }
        }
    }
    let _ = writeln!(text, "{met} met, {missed} missed");
    text
}

/// Formats a number with about three significant digits, without an exponent.
pub(crate) fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 || value == value.trunc() => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.01 => format!("{value:.3}"),
        _ => format!("{value:.5}"),
    }
}
