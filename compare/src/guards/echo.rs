//! User instructions of a whole echo request: the library, the executor, libc and everything else in the server's process.
//!
//! The server of row 1 (64 connections, one thread) runs under callgrind, once with few requests and once with many; its
//! client is a process of its own and runs at full speed. The difference of the two runs, divided by the difference of the
//! requests, is free of what happens once. The client is faster than the server, so each wait returns all 64 connections,
//! for every implementation.

use std::process::Command;

use super::baseline::Counts;
use super::owner::owner;
use crate::harness::Outcome;
use crate::harness::callgrind::{Profile, profile};
use crate::harness::job::Job;
use crate::harness::peer::Peer;
use crate::harness::process::this_program;
use crate::work::client::LoadOptions;
use crate::work::echo::{self, Echo};

/// How the names of the guarded counts start.
pub(super) const PREFIX: &str = "echo_request";

const CONNECTIONS: usize = 64;
const SHORT: u64 = 20_000;
const LONG: u64 = 100_000;

/// In the order of the table's columns.
const PEERS: [Peer; 4] = [Peer::Ours, Peer::Upstream, Peer::Tokio, Peer::Raw];

/// The instructions per request of each implementation, line by line.
pub(super) struct Requests(Vec<(Peer, Profile)>);

impl Requests {
    pub(super) fn count() -> Outcome<Requests> {
        let counted = PEERS.iter().map(|&peer| Ok((peer, request(peer)?)));
        Ok(Requests(counted.collect::<Outcome<_>>()?))
    }

    fn total(&self, wanted: Peer) -> f64 {
        let of = self.0.iter().filter(|(peer, _)| *peer == wanted);
        of.map(|(_, profile)| profile.total()).sum()
    }

    /// What is guarded.
    pub(super) fn counts(&self) -> Counts {
        let ours = self.total(Peer::Ours);
        let own = self.0.iter().find(|(peer, _)| *peer == Peer::Ours);
        let own = own.map_or(0.0, |(_, profile)| by_owner(profile, "async-io"));
        let counts = [
            ("echo_request", ours),
            ("echo_request_own_code", own),
            (
                "echo_request_against_2.6.0",
                ours / self.total(Peer::Upstream),
            ),
            ("echo_request_against_tokio", ours / self.total(Peer::Tokio)),
        ];
        counts.map(|(name, count)| (name.to_owned(), count)).into()
    }

    /// A line per owner of code, a column per implementation.
    pub(super) fn table(&self) -> String {
        let sums = self
            .0
            .iter()
            .map(|(_, profile)| profile.sums(|place| Some(owner(place))));
        let sums: Vec<_> = sums.collect();
        let mut owners: Vec<&String> = sums.iter().flat_map(|sums| sums.keys()).collect();
        owners.sort_unstable();
        owners.dedup();
        let row = |name: &str, cells: Vec<String>| {
            cells
                .iter()
                .fold(format!("{name:32}"), |row, cell| format!("{row}{cell:>14}"))
                + "\n"
        };
        let names = PEERS.map(|peer| peer.name().to_owned());
        let mut table = row("instructions per echo request", names.into());
        let totals = PEERS.map(|peer| self.total(peer));
        table += &row("all", totals.map(|total| format!("{total:.0}")).into());
        let ours = totals[0];
        table += &row(
            "ours / it",
            totals.map(|total| format!("{:.3}", ours / total)).into(),
        );
        for owner in owners {
            let costs = sums
                .iter()
                .map(|sums| sums.get(owner).copied().unwrap_or(0.0));
            let costs: Vec<f64> = costs.collect();
            if costs.iter().any(|cost| cost.abs() >= 0.5) {
                let cells = costs.iter().map(|cost| format!("{cost:.0}"));
                table += &row(&format!("  {owner}"), cells.collect());
            }
        }
        table
    }
}

fn by_owner(profile: &Profile, name: &str) -> f64 {
    let sums = profile.sums(|place| Some(owner(place)));
    sums.get(name).copied().unwrap_or(0.0)
}

/// The difference of two runs of the server, per request.
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

/// The server's process.
pub(super) fn serve(peer: &str, requests: &str) -> Outcome<()> {
    let (near, far) = super::cores()?;
    let job = Job {
        row: 1,
        peer: Peer::from_name(peer)?,
        quick: true,
        near,
        far,
        part: String::new(),
    };
    let sample = echo::measure(&job, Echo::plain(CONNECTIONS, requests.parse()?))?;
    print!("{}", sample.to_lines());
    Ok(())
}
