//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::prelude::*;

use crate::harness::Outcome;
use crate::harness::job::Job;
use crate::harness::peer::Peer;
use crate::harness::system;
use crate::scenarios::{self, Scenario};
use crate::work::client::LoadOptions;

pub(crate) const HELP: &str = "\
Compares this async-io with async-io 2.6.0, tokio and a raw epoll loop, side by side.

  SCENARIO...       measure only these scenarios
  --quick           use small counts and few rounds: three minutes in all
  --rounds N        measure every scenario for N rounds
  --json FILE       write all measurements as JSON
  --markdown FILE   write the table of docs/performance.md
  --plots DIR       measure the scenarios of the plots as well, and draw the plots as SVG
  --cores A,B       run the measured process on core A, the load on core B [the last two];
                    the scenarios with several threads use all cores
  --list            list the scenarios
";

pub(crate) enum Command {
    Help,
    List,
    Compare(Options),
    /// Takes one sample. The program starts itself with this command.
    Child(Job),
    /// Runs the client of the echo scenarios.
    Load(LoadOptions),
    /// Runs the clients that make short connections.
    Hasty(LoadOptions),
    /// Keeps a core awake.
    Spin(usize),
}

/// What to compare, and where to write the results.
#[derive(Debug, Default)]
pub(crate) struct Options {
    pub(crate) quick: bool,
    /// The scenarios to measure. If there are none, all are measured.
    pub(crate) only: Vec<&'static Scenario>,
    pub(crate) rounds: Option<usize>,
    pub(crate) json: Option<PathBuf>,
    pub(crate) markdown: Option<PathBuf>,
    pub(crate) plots: Option<PathBuf>,
    pub(crate) cores: (usize, usize),
}

pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Outcome<Command> {
    let mut parser = lexopt::Parser::from_args(args);
    let mut options = Options {
        cores: last_two_cores()?,
        ..Options::default()
    };
    while let Some(arg) = parser.next()? {
        match arg {
            Long("child") => return Ok(Command::Child(child(&mut parser)?)),
            Long("load") => return Ok(Command::Load(load(&mut parser)?)),
            Long("hasty") => return Ok(Command::Hasty(load(&mut parser)?)),
            Long("spin") => return Ok(Command::Spin(parser.value()?.parse()?)),
            Long("help") | Short('h') => return Ok(Command::Help),
            Long("list") => return Ok(Command::List),
            Long("quick") => options.quick = true,
            Long("rounds") => options.rounds = Some(parser.value()?.parse()?),
            Long("json") => options.json = Some(parser.value()?.into()),
            Long("markdown") => options.markdown = Some(parser.value()?.into()),
            Long("plots") => options.plots = Some(parser.value()?.into()),
            Long("cores") => match numbers(&parser.value()?.string()?)?[..] {
                [near, far] => options.cores = (near, far),
                _ => return Err("--cores takes two numbers".into()),
            },
            Value(name) => options.only.push(scenarios::by_name(&name.string()?)?),
            _ => return Err(arg.unexpected().into()),
        }
    }
    Ok(Command::Compare(options))
}

fn last_two_cores() -> Outcome<(usize, usize)> {
    match system::cores()?[..] {
        [.., near, far] => Ok((near, far)),
        // The load then competes with the measured process. CPU times are still meaningful.
        [only] => Ok((only, only)),
        [] => Err("there is no core to run on".into()),
    }
}

fn numbers<T: std::str::FromStr>(list: &str) -> Outcome<Vec<T>> {
    let parsed: Result<Vec<T>, _> = list
        .split(',')
        .map(|number| number.trim().parse())
        .collect();
    parsed.map_err(|_| format!("not a list of numbers: {list}").into())
}

fn child(parser: &mut lexopt::Parser) -> Outcome<Job> {
    Ok(Job {
        scenario: scenarios::by_name(&parser.value()?.string()?)?.name,
        peer: Peer::from_name(&parser.value()?.string()?)?,
        quick: parser.value()? == "quick",
        near: parser.value()?.parse()?,
        far: parser.value()?.parse()?,
        part: parser.value()?.string()?,
    })
}

fn load(parser: &mut lexopt::Parser) -> Outcome<LoadOptions> {
    Ok(LoadOptions {
        port: parser.value()?.parse()?,
        connections: parser.value()?.parse()?,
        requests: parser.value()?.parse()?,
        cores: numbers(&parser.value()?.string()?)?,
    })
}
