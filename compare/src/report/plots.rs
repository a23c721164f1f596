//! SVG plots of `echo_by_connections`, `cost_growth`, `many_timers`, `interval_ticks`, and of the
//! throughput by threads: `timers_by_threads`, `echo_by_threads` and `echo_per_core`.

use std::collections::BTreeSet;
use std::path::Path;

use plotters::coord::types::RangedCoordf64;
use plotters::prelude::SeriesLabelPosition::{LowerLeft, UpperLeft};
use plotters::prelude::*;

use crate::harness::Outcome;
use crate::harness::peer::Peer;
use crate::harness::stats::Middle;
use crate::runner::Measured;
use crate::scenarios::{
    Scenario, cost_growth, echo_by_connections, echo_by_threads, echo_per_core, interval_ticks,
    many_timers, timers_by_threads,
};
use crate::work::lateness::PERCENTILES;

const SIZE: (u32, u32) = (800, 480);

/// One line per implementation.
type Lines = Vec<(Peer, Vec<(f64, f64)>)>;

/// A line chart. The horizontal axis is logarithmic.
struct Plot {
    scenario: &'static Scenario,
    lines: fn(&Measured) -> Lines,
    file: &'static str,
    caption: &'static str,
    x: &'static str,
    y: &'static str,
    /// Whether the vertical axis is logarithmic as well.
    has_decades: bool,
    legend: SeriesLabelPosition,
}

const PLOTS: [Plot; 6] = [
    Plot {
        scenario: &echo_by_connections::SCENARIO,
        lines: |measured| by_count(measured, "cpu_ns", &echo_by_connections::CONNECTIONS),
        file: "cpu-by-connections.svg",
        caption: "TCP echo: CPU time of the server per request",
        x: "connections",
        y: "ns per request",
        has_decades: false,
        legend: UpperLeft,
    },
    Plot {
        scenario: &cost_growth::SCENARIO,
        lines: |measured| by_count(measured, "timer_ns", &cost_growth::TIMERS),
        file: "cost-by-pending-timers.svg",
        caption: "CPU time of replacing a random timer",
        x: "pending timers",
        y: "ns per timer",
        has_decades: false,
        legend: UpperLeft,
    },
    Plot {
        scenario: &many_timers::SCENARIO,
        lines: lateness,
        file: "timer-lateness.svg",
        caption: "Lateness of 200 000 timers a second, by share of the timers",
        x: "one timer in so many is later",
        y: "us late",
        has_decades: true,
        legend: UpperLeft,
    },
    Plot {
        scenario: &timers_by_threads::SCENARIO,
        lines: |measured| by_threads(measured, 1e6),
        file: "timers-by-threads.svg",
        caption: "Timers that threads create, poll and drop",
        x: "threads",
        y: "millions per second",
        has_decades: false,
        legend: LowerLeft,
    },
    Plot {
        scenario: &echo_by_threads::SCENARIO,
        lines: |measured| by_threads(measured, 1e3),
        file: "echo-by-threads.svg",
        caption: "TCP echo, 64 connections: requests by threads of the server",
        x: "threads",
        y: "thousands per second",
        has_decades: false,
        legend: LowerLeft,
    },
    Plot {
        scenario: &echo_per_core::SCENARIO,
        lines: |measured| by_threads(measured, 1e3),
        file: "echo-per-core.svg",
        caption: "TCP echo, 64 connections: requests by threads with a reactor each",
        x: "threads",
        y: "thousands per second",
        has_decades: false,
        legend: LowerLeft,
    },
];

/// Draws the plots of the scenarios that were measured into this folder.
pub(crate) fn draw(all: &[Measured], folder: &Path) -> Outcome<()> {
    std::fs::create_dir_all(folder)?;
    let find = |scenario: &Scenario| {
        all.iter()
            .find(|measured: &&Measured| measured.scenario.name == scenario.name)
    };
    for plot in &PLOTS {
        if let Some(measured) = find(plot.scenario) {
            draw_lines(folder, plot, &(plot.lines)(measured))?;
        }
    }
    if let Some(measured) = find(&interval_ticks::SCENARIO) {
        draw_switches(measured, &folder.join("context-switches.svg"))?;
    }
    Ok(())
}

fn median(measured: &Measured, peer: Peer, name: &str) -> Option<f64> {
    Middle::of(&measured.figures(peer, name)).map(|middle| middle.median)
}

fn by_count(measured: &Measured, name: &str, counts: &[u64]) -> Lines {
    let line = |&peer: &Peer| {
        let point = |&count: &u64| {
            let value = median(measured, peer, &format!("{name}@{count}"))?;
            Some((count as f64, value))
        };
        (peer, counts.iter().filter_map(point).collect())
    };
    measured.scenario.peers.iter().map(line).collect()
}

/// Returns the figures `rate@THREADS`, divided by `unit`. The numbers of threads depend on the
/// machine.
fn by_threads(measured: &Measured, unit: f64) -> Lines {
    let samples = measured.samples.values().flatten();
    let names = samples.flat_map(|sample| sample.0.keys());
    let counts: BTreeSet<u64> = names
        .filter_map(|name| name.strip_prefix("rate@")?.parse().ok())
        .collect();
    let counts: Vec<u64> = counts.into_iter().collect();
    let mut lines = by_count(measured, "rate", &counts);
    for (_, rate) in lines.iter_mut().flat_map(|(_, points)| points) {
        *rate /= unit;
    }
    lines
}

/// Returns the percentiles on an axis that stretches the upper ones: p50 is at 2, p99 at 100, p99.9
/// at 1000.
fn lateness(measured: &Measured) -> Lines {
    let line = |&peer: &Peer| {
        let point = |percentile: f64| {
            let value = median(measured, peer, &format!("late_us@{percentile}"))?;
            Some((100.0 / (100.0 - percentile), value.max(1.0)))
        };
        let finite = PERCENTILES
            .into_iter()
            .filter(|&percentile| percentile < 100.0);
        (peer, finite.filter_map(point).collect())
    };
    measured.scenario.peers.iter().map(line).collect()
}

fn color(peer: Peer) -> RGBColor {
    match peer {
        Peer::Ours | Peer::Foreign => RGBColor(200, 30, 30),
        Peer::Shared => RGBColor(150, 60, 160),
        Peer::Upstream => RGBColor(230, 150, 30),
        Peer::Tokio => RGBColor(40, 90, 180),
        Peer::TokioMulti => RGBColor(80, 160, 220),
        Peer::Monoio | Peer::Compio => RGBColor(40, 150, 80),
        Peer::Raw | Peer::Floor => RGBColor(90, 90, 90),
    }
}

fn draw_lines(folder: &Path, plot: &Plot, lines: &Lines) -> Outcome<()> {
    let points = || lines.iter().flat_map(|(_, points)| points);
    let most_x = points().map(|point| point.0).fold(10.0, f64::max);
    let least_x = points().map(|point| point.0).fold(most_x, f64::min);
    let most_y = points().map(|point| point.1).fold(1.0, f64::max) * 1.1;
    let path = folder.join(plot.file);
    let area = SVGBackend::new(&path, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let mut builder = ChartBuilder::on(&area);
    builder.caption(plot.caption, ("sans-serif", 20)).margin(12);
    builder.x_label_area_size(44).y_label_area_size(64);
    let x = (least_x..most_x).log_scale();
    if plot.has_decades {
        fill(
            builder.build_cartesian_2d(x, (1.0..most_y).log_scale())?,
            plot,
            lines,
        )?;
    } else {
        fill(builder.build_cartesian_2d(x, 0.0..most_y)?, plot, lines)?;
    }
    Ok(area.present()?)
}

type Chart<'a, Y> = ChartContext<'a, SVGBackend<'a>, Cartesian2d<LogCoord<f64>, Y>>;

fn fill<'a, Y>(mut chart: Chart<'a, Y>, plot: &Plot, lines: &Lines) -> Outcome<()>
where
    Y: Ranged<ValueType = f64> + plotters::coord::ranged1d::ValueFormatter<f64>,
{
    chart
        .configure_mesh()
        .x_desc(plot.x)
        .y_desc(plot.y)
        .draw()?;
    for (peer, points) in lines {
        if points.is_empty() {
            continue;
        }
        let style = color(*peer).stroke_width(2);
        let series =
            chart.draw_series(LineSeries::new(points.iter().copied(), style).point_size(3))?;
        series
            .label(peer.name())
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], style));
    }
    let mut labels = chart.configure_series_labels();
    labels
        .position(plot.legend.clone())
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK);
    labels.draw()?;
    Ok(())
}

fn draw_switches(measured: &Measured, path: &Path) -> Outcome<()> {
    let peers = measured.scenario.peers;
    let bars: Vec<f64> = peers
        .iter()
        .map(|&peer| median(measured, peer, "voluntary").unwrap_or(0.0))
        .collect();
    let most = bars.iter().copied().fold(1.0, f64::max) * 1.1;
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let mut builder = ChartBuilder::on(&area);
    builder
        .caption(
            "Voluntary context switches of 20 ticks of 100 ms",
            ("sans-serif", 20),
        )
        .margin(12);
    builder.x_label_area_size(44).y_label_area_size(64);
    let across: std::ops::Range<f64> = -0.5..peers.len() as f64 - 0.5;
    let mut chart: ChartContext<'_, _, Cartesian2d<RangedCoordf64, RangedCoordf64>> =
        builder.build_cartesian_2d(across, 0.0..most)?;
    let name = |x: &f64| {
        let index = x.round().max(0.0) as usize;
        let is_whole = (x - x.round()).abs() < 0.01;
        peers
            .get(index)
            .filter(|_| is_whole)
            .map_or_else(String::new, |peer| peer.name().to_owned())
    };
    let mut mesh = chart.configure_mesh();
    mesh.disable_x_mesh()
        .x_label_formatter(&name)
        .y_desc("switches")
        .draw()?;
    let bar = |(index, &height): (usize, &f64)| {
        let middle = index as f64;
        Rectangle::new(
            [(middle - 0.3, 0.0), (middle + 0.3, height)],
            color(peers[index]).filled(),
        )
    };
    chart.draw_series(bars.iter().enumerate().map(bar))?;
    Ok(area.present()?)
}
