//! Checks for regressions. They count instead of measuring time, so they work on any machine,
//! however busy it is.
//!
//! * Counters of samples of scenarios, against fixed bounds: see [`bounds`].
//! * Instructions per operation, against `guards.baseline`: see [`instructions`].
//! * Instructions per echo request, of the whole process, against `guards.baseline` and against the
//!   other implementations: see [`echo`].

use std::ffi::OsString;

use self::baseline::Change;
use crate::harness::Outcome;
use crate::harness::job::Job;
use crate::harness::peer::Peer;
use crate::harness::system;
use crate::report::number;

mod baseline;
mod bounds;
mod echo;
mod instructions;
pub mod operations;
mod owner;
mod profile;

/// Parses the command line of the guards and runs the command.
pub fn run(args: Vec<OsString>) -> Outcome<()> {
    let words: Vec<&str> = args.iter().filter_map(|arg| arg.to_str()).collect();
    match words[..] {
        [] => check(),
        ["--write-baseline"] => write_baseline(),
        ["--only", "echo"] => check_echo(),
        ["--only", "echo", "--write-baseline"] => {
            baseline::write(count_echo()?.counts(), echo::PREFIX)
        }
        ["--profile", "echo"] => show_profile(Peer::Ours),
        ["--profile", "echo", peer] => show_profile(Peer::from_name(peer)?),
        // The program starts itself with these: under callgrind, or to take a sample.
        ["--echo", peer, requests] => echo::serve(peer, requests),
        _ => crate::run(args),
    }
}

fn show_profile(peer: Peer) -> Outcome<()> {
    print!("{}", profile::of(peer)?);
    Ok(())
}

/// Counts the echo request, and prints the table.
fn count_echo() -> Outcome<echo::Requests> {
    let requests = echo::Requests::count()?;
    print!("{}", requests.table());
    Ok(requests)
}

fn write_baseline() -> Outcome<()> {
    let mut counts = count_echo()?.counts();
    counts.extend(instructions::count()?);
    baseline::write(counts, "")
}

/// The most instructions of an echo request, divided by those with the published crate.
const AGAINST_UPSTREAM: f64 = 0.85;

/// The numbers of checks that passed and that failed.
#[derive(Default)]
struct Verdict {
    passed: u32,
    /// The figures above their bound.
    exceeded: u32,
    /// The counts that differ from the baseline.
    changed: u32,
}

impl Verdict {
    fn bound(&mut self, is_kept: bool, text: &str) {
        self.exceeded += u32::from(!is_kept);
        self.tell(is_kept, text);
    }

    fn against_upstream(&mut self, requests: &echo::Requests) {
        let ratio = requests.against_upstream();
        let text = format!(
            "instructions per echo request, against 2.6.0: {ratio:.3}, at most {AGAINST_UPSTREAM}"
        );
        self.bound(ratio <= AGAINST_UPSTREAM, &text);
    }

    fn changes(&mut self, changes: &[Change]) {
        for change in changes {
            self.changed += u32::from(!change.is_small());
            self.tell(change.is_small(), &change.to_string());
        }
    }

    fn tell(&mut self, is_good: bool, text: &str) {
        println!("{} {text}", if is_good { "ok    " } else { "FAILED" });
        self.passed += u32::from(is_good);
    }

    fn end(self) -> Outcome<()> {
        let failed = self.exceeded + self.changed;
        println!("{} passed, {failed} failed", self.passed);
        // A new baseline cannot help against a bound, which is in the source.
        match (self.exceeded, self.changed) {
            (0, 0) => Ok(()),
            (0, _) => Err(CHANGED.into()),
            (_, 0) => Err(EXCEEDED.into()),
            _ => Err(format!("{EXCEEDED}; {CHANGED}").into()),
        }
    }
}

const EXCEEDED: &str = "a figure is above its bound";
const CHANGED: &str = "a guarded count has changed; to accept that, add --write-baseline";

fn check_echo() -> Outcome<()> {
    let mut verdict = Verdict::default();
    let requests = count_echo()?;
    verdict.against_upstream(&requests);
    verdict.changes(&baseline::changes(&requests.counts(), echo::PREFIX)?);
    verdict.end()
}

fn check() -> Outcome<()> {
    let mut verdict = Verdict::default();
    let mut samples = bounds::Samples::default();
    for bound in bounds::BOUNDS {
        let figure = samples.figure(bound)?;
        let text = format!(
            "{}: {}, at most {}",
            bound.label,
            number(figure),
            bound.most
        );
        verdict.bound(figure <= bound.most, &text);
    }
    let requests = count_echo()?;
    verdict.against_upstream(&requests);
    let mut counts = requests.counts();
    counts.extend(instructions::count()?);
    let count = |name: &str| {
        let count = counts.get(name).copied();
        count.ok_or_else(|| format!("{name} was not counted"))
    };
    let (timeout, race) = (count("yield_with_timeout")?, count("yield_with_race")?);
    let text = format!("instructions, timeout: {timeout:.0}, at most {race:.0} of a race");
    verdict.bound(timeout <= race, &text);
    verdict.changes(&baseline::changes(&counts, "")?);
    verdict.end()
}

/// Returns the job for one sample of a scenario, with small counts.
fn job(scenario: &'static str, peer: Peer, part: &str) -> Outcome<Job> {
    let (near, far) = match system::cores()?[..] {
        [near, .., far] => (near, far),
        [only] => (only, only),
        [] => return Err("there is no core to run on".into()),
    };
    Ok(Job {
        scenario,
        peer,
        quick: true,
        near,
        far,
        part: part.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::Verdict;

    #[test]
    fn a_new_baseline_is_offered_only_if_it_helps() {
        let error = |exceeded, changed| {
            let verdict = Verdict {
                passed: 1,
                exceeded,
                changed,
            };
            verdict.end().unwrap_err().to_string()
        };
        assert!(error(0, 1).contains("--write-baseline"));
        assert!(!error(1, 0).contains("--write-baseline"));
        assert!(error(1, 1).contains("--write-baseline"));
    }
}
