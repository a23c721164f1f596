//! Counts the user-mode instructions of a whole echo request: the library, the executor, libc and
//! everything else in the process of the server.
//!
//! The server of `echo_64_connections` (one thread) runs under callgrind twice, with few requests
//! and with many. The difference of the counts is divided by the difference of the requests, so
//! that one-time costs cancel out. The client is a separate process and runs at full speed. It is
//! faster than the server, so nearly all connections are ready at each wait: 40 to 60 requests
//! share one wait, as they do without callgrind.
//!
//! The published crate has a thread of its own, and timing decides which thread waits. Its count
//! varies by up to 8 % from run to run, the others by 1 %. The median of several runs is used.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::process::Command;

use super::baseline::Counts;
use super::owner::{LIBRARY, is_within, owner};
use crate::harness::Outcome;
use crate::harness::callgrind::{Place, Profile, profile};
use crate::harness::peer::Peer;
use crate::harness::process::this_program;
use crate::scenarios::echo_64_connections;
use crate::work::client::LoadOptions;
use crate::work::echo::{self, Echo};

/// The prefix of the names of the guarded counts.
pub(super) const PREFIX: &str = "echo_request";

const CONNECTIONS: usize = 64;
const SHORT: u64 = 10_000;
const LONG: u64 = 40_000;
const RUNS: usize = 3;

/// The implementations, in the order of the columns of the table.
const PEERS: [Peer; 4] = [Peer::Ours, Peer::Upstream, Peer::Tokio, Peer::Raw];

/// The libraries, and those of their dependencies that neither the executors nor the programs use.
const PRIVATE: &[&str] = &[
    LIBRARY, "parking", "polling", "rustix", "slab", "tokio", "mio", "typeid",
];

/// The instructions per request of each implementation, line by line.
pub(super) struct Requests(Vec<(Peer, Profile)>);

impl Requests {
    pub(super) fn count() -> Outcome<Requests> {
        let counted = PEERS.iter().map(|&peer| Ok((peer, middle_request(peer)?)));
        Ok(Requests(counted.collect::<Outcome<_>>()?))
    }

    fn total(&self, wanted: Peer) -> f64 {
        self.sum(wanted, |_| true)
    }

    fn sum(&self, wanted: Peer, is_meant: impl Fn(&Place) -> bool) -> f64 {
        let of = self.0.iter().filter(|(peer, _)| *peer == wanted);
        let places = of.flat_map(|(_, profile)| &profile.0);
        let meant = places.filter(|(place, _)| is_meant(place));
        meant.fold(0.0, |sum, (_, cost)| sum + cost)
    }

    /// Returns the counts that are compared with the baseline.
    pub(super) fn counts(&self) -> Counts {
        let ours = self.total(Peer::Ours);
        let own = self.sum(Peer::Ours, |place| owner(place) == LIBRARY);
        let within = self.sum(Peer::Ours, |place| is_within(place, LIBRARY));
        let counts = [
            ("echo_request", ours),
            ("echo_request_own_code", own),
            ("echo_request_own_functions", within),
            ("echo_request_against_tokio", ours / self.total(Peer::Tokio)),
        ];
        counts.map(|(name, count)| (name.to_owned(), count)).into()
    }

    /// Returns the instructions of this crate, divided by those of the published one. The count of the
    /// published crate varies by more than a baseline allows, so this ratio has only a bound.
    pub(super) fn against_upstream(&self) -> f64 {
        self.total(Peer::Ours) / self.total(Peer::Upstream)
    }

    /// Formats a table with one row per owner of code and one column per implementation.
    pub(super) fn table(&self) -> String {
        let costs = |is_meant: &dyn Fn(&Place) -> bool| PEERS.map(|peer| self.sum(peer, is_meant));
        let is_private = |place: &Place| PRIVATE.contains(&owner(place).as_str());
        let is_inside = |place: &Place| PRIVATE.iter().any(|name| is_within(place, name));
        let all = costs(&|_| true);
        let ratios = all.map(|total| format!("{:.3}", all[0] / total));
        let mut table = line("instructions per echo request", PEERS.map(Peer::name));
        table += &line("all", all.map(whole));
        table += &line("ours / it", ratios);
        table += &line(
            "library and its dependencies",
            costs(&is_private).map(whole),
        );
        table += &line("the same with inlined std", costs(&is_inside).map(whole));
        table += "by crate\n";
        let places = self.0.iter().flat_map(|(_, profile)| profile.0.keys());
        let owners: BTreeSet<String> = places.map(owner).collect();
        for name in owners {
            let costs = costs(&|place| owner(place) == name);
            if costs.iter().any(|cost| cost.abs() >= 0.5) {
                table += &line(&format!("  {name}"), costs.map(whole));
            }
        }
        table
    }
}

fn line(name: &str, cells: [impl Display; PEERS.len()]) -> String {
    let cells: String = cells.iter().map(|cell| format!("{cell:>14}")).collect();
    format!("{name:33}{cells}\n")
}

fn whole(cost: f64) -> i64 {
    cost.round() as i64
}

/// Returns the median of several runs, by total.
fn middle_request(peer: Peer) -> Outcome<Profile> {
    let runs = (0..RUNS).map(|_| request(peer));
    let mut runs = runs.collect::<Outcome<Vec<Profile>>>()?;
    runs.sort_by(|one, other| one.total().total_cmp(&other.total()));
    Ok(runs.swap_remove(RUNS / 2))
}

/// Returns the difference of two runs of the server, per request.
pub(super) fn request(peer: Peer) -> Outcome<Profile> {
    let long = profile(&server(peer, LONG)?)?;
    let short = profile(&server(peer, SHORT)?)?;
    Ok(long.excess(&short, (served(LONG) - served(SHORT)) as f64))
}

fn served(requests: u64) -> u64 {
    requests + LoadOptions::warm_up(requests, CONNECTIONS)
}

fn server(peer: Peer, requests: u64) -> Outcome<Command> {
    let mut command = this_program()?;
    command.args(["--echo", peer.name(), &requests.to_string()]);
    Ok(command)
}

/// Runs the server in this process, and prints its sample.
pub(super) fn serve(peer: &str, requests: &str) -> Outcome<()> {
    let job = super::job(
        echo_64_connections::SCENARIO.name,
        Peer::from_name(peer)?,
        "",
    )?;
    let sample = echo::measure(&job, Echo::plain(CONNECTIONS, requests.parse()?))?;
    print!("{}", sample.to_lines());
    Ok(())
}
