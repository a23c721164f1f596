//! One child process: runs some programs, each on both libraries.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Command;
use std::time::Duration;

use random_programs::{Agreement, Lab, Program, Setting, compare, minimize};

use crate::report::Report;
use crate::{Ours, Published};

/// The number of programs after which everything that is created once per process exists.
/// Descriptors that are opened later are leaks.
const WARM_UP: usize = 100;

/// Inside `block_on`, one program in this many may have more wake-ups with this crate: see
/// [`Agreement::more_wakes`]. In the other settings, the library's own thread runs most of the
/// turns, so only the sum over all programs is compared.
const MORE_WAKES: u64 = 200;

/// How often the number of descriptors may rise after the warm-up. A thread opens its own
/// descriptors when it first needs them.
const RAISES: usize = 2;

/// How often a program is repeated before a difference counts. The kernel may deliver an event a
/// little later in one of two runs.
const REPEATS: usize = 4;

/// How long a wake-up may take while a failing program is minimized.
const IMPATIENT: Duration = Duration::from_millis(400);

struct Pair {
    ours: Lab<Ours>,
    published: Lab<Published>,
}

/// Why a program has failed.
enum Problem {
    /// This crate has broken a rule.
    Rule(String),
    /// The published library has broken a rule. There is nothing to compare with.
    Published(String),
    /// The libraries differ.
    Difference(String),
}

impl Problem {
    fn text(&self) -> &str {
        match self {
            Problem::Rule(text) | Problem::Published(text) | Problem::Difference(text) => text,
        }
    }
}

impl Pair {
    fn run(&self, program: &Program) -> Result<Agreement, Problem> {
        let theirs = self.published.run(program);
        let theirs =
            theirs.map_err(|failure| Problem::Published(format!("async-io 2.6.0: {failure}")))?;
        let ours = self.ours.run(program);
        let ours = ours.map_err(|failure| Problem::Rule(format!("this crate: {failure}")))?;
        compare(&ours, &theirs, program.insists).map_err(Problem::Difference)
    }

    /// Runs a program again if the libraries differ, or if the published one breaks a rule. Only a
    /// failure that persists counts. Also returns how often the program was repeated.
    fn run_repeatedly(&self, program: &Program) -> Result<(Agreement, u64), String> {
        let mut differences = 0;
        loop {
            match self.run(program) {
                Ok(agreement) => return Ok((agreement, differences)),
                Err(Problem::Difference(_) | Problem::Published(_))
                    if differences < REPEATS as u64 =>
                {
                    differences += 1;
                }
                Err(problem) => return Err(problem.text().into()),
            }
        }
    }
}

/// The programs that one process runs.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) setting: Setting,
    pub(crate) seed: u64,
    pub(crate) first: u64,
    pub(crate) count: u64,
    /// The indices of the steps that are kept in each program, or `None` for all.
    pub(crate) keep: Option<Vec<usize>>,
}

impl Task {
    fn program(&self, index: u64) -> Program {
        let mut program = Program::random(self.seed, index);
        if let Some(keep) = &self.keep {
            program.steps = keep
                .iter()
                .filter_map(|&number| program.steps.get(number).copied())
                .collect();
        }
        program
    }

    /// Returns the arguments of a process that runs this task.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let mut arguments = vec![
            "--setting".into(),
            format!("{:?}", self.setting),
            "--seed".into(),
            self.seed.to_string(),
            "--first".into(),
            self.first.to_string(),
            "--programs".into(),
            self.count.to_string(),
        ];
        if let Some(keep) = &self.keep {
            let keep: Vec<String> = keep.iter().map(ToString::to_string).collect();
            arguments.extend(["--keep".into(), keep.join(",")]);
        }
        arguments
    }
}

pub(crate) fn run(task: &Task) -> Result<(), String> {
    // The published library starts its thread here, so that the thread is counted before this crate
    // may start one.
    let published = Lab::new(task.setting);
    published
        .run(&Program::random(0, 0))
        .map_err(|failure| format!("async-io 2.6.0: {failure}"))?;
    let ours = Lab::new(task.setting);
    let pair = Pair { ours, published };
    let mut process = Process::look()?;
    let mut report = Report::default();
    let mut total = Agreement::default();
    for index in task.first..task.first + task.count {
        let program = task.program(index);
        match pair.run_repeatedly(&program) {
            Ok((agreement, differences)) => {
                total.add(&agreement);
                report.count("differences that did not repeat", differences);
            }
            Err(problem) => return Err(explain(&pair, &program, (task, index), &problem)),
        }
        process
            .check(task.setting)
            .map_err(|problem| explain_process(task, index, &program, &problem))?;
    }
    let [here, there] = total.wakes;
    let more = total.more_wakes;
    if task.setting == Setting::Inside && more > task.count / MORE_WAKES + 2 {
        return Err(format!(
            "{more} programs had more wake-ups with this crate than with 2.6.0"
        ));
    }
    if here > there {
        return Err(format!(
            "the tasks were woken {here} times with this crate, {there} times with 2.6.0"
        ));
    }
    report.programs = task.count;
    add_counts(&mut report, &pair, &total);
    println!("{report}");
    Ok(())
}

fn add_counts(report: &mut Report, pair: &Pair, total: &Agreement) {
    for (name, number) in pair.ours.counts() {
        report.count(&format!("step {name}"), number);
    }
    report.count("polls, equal results", total.same);
    report.count("polls, readiness earlier with this crate", total.sooner);
    report.count("polls, outdated readiness with 2.6.0", total.stale);
    report.count("programs with a skipped poll", total.skipped);
    report.count(
        "programs that differ in an operation that contradicts the kernel",
        total.paused,
    );
    report.count(
        "programs with more wake-ups with this crate",
        total.more_wakes,
    );
    report.count("wake-ups with this crate", total.wakes[0]);
    report.count("wake-ups with 2.6.0", total.wakes[1]);
}

fn explain(pair: &Pair, program: &Program, (task, index): (&Task, u64), problem: &str) -> String {
    pair.ours.set_patience(IMPATIENT);
    pair.published.set_patience(IMPATIENT);
    let least = minimize(program, |program| pair.run_repeatedly(program).is_err());
    let now = match pair.run_repeatedly(&least) {
        Ok(_) => "it does not fail every time".to_string(),
        Err(problem) => problem,
    };
    let seed = task.seed;
    format!("program {index} of seed {seed}: {problem}\nminimized: {now}\n{least}")
}

/// Minimizes a program after which the process had too many threads or descriptors. Such a problem
/// persists in a process, so each attempt runs in a new one.
fn explain_process(task: &Task, index: u64, program: &Program, problem: &str) -> String {
    let seed = task.seed;
    let told = format!("program {index} of seed {seed}: {problem}\n{program}");
    if task.count == 1 {
        return told;
    }
    let mut keep: Vec<usize> = (0..program.steps.len()).collect();
    let mut number = 0;
    while number < keep.len() {
        let mut shorter = keep.clone();
        shorter.remove(number);
        if fails_alone(task, index, &shorter) {
            keep = shorter;
        } else {
            number += 1;
        }
    }
    let least = Task {
        first: index,
        keep: Some(keep),
        ..task.clone()
    };
    format!("{told}minimized:\n{}", least.program(index))
}

fn fails_alone(task: &Task, index: u64, keep: &[usize]) -> bool {
    let attempt = Task {
        first: index,
        count: 1,
        keep: Some(keep.into()),
        ..task.clone()
    };
    let Ok(program) = std::env::current_exe() else {
        return false;
    };
    let mut command = Command::new(program);
    let output = command.args(attempt.arguments()).output();
    output.is_ok_and(|output| !output.status.success())
}

fn open_descriptors() -> Result<usize, String> {
    let folder = fs::metadata("/proc/self/fd").map_err(|error| error.to_string())?;
    // Since Linux 6.2 the size of the folder is the number of its entries.
    match folder.len() {
        0 => fs::read_dir("/proc/self/fd")
            .map(Iterator::count)
            .map_err(|error| error.to_string()),
        count => Ok(count as usize),
    }
}

/// Returns the number of threads of this process.
fn threads() -> Result<u64, String> {
    let folder = fs::metadata("/proc/self/task").map_err(|error| error.to_string())?;
    Ok(folder.nlink() - 2)
}

/// The threads and descriptors of this process.
struct Process {
    threads: u64,
    raises: usize,
    programs: usize,
    descriptors: usize,
}

impl Process {
    fn look() -> Result<Self, String> {
        Ok(Process {
            threads: threads()?,
            raises: 0,
            programs: 0,
            descriptors: open_descriptors()?,
        })
    }

    /// Fails if this crate has started too many threads, or if descriptors leak. The crate needs at
    /// most one thread, and none if all waits belong to `block_on`.
    fn check(&mut self, setting: Setting) -> Result<(), String> {
        let started = threads()? - self.threads;
        let most = if setting == Setting::Alone { 0 } else { 1 };
        if started > most {
            return Err(format!(
                "{started} threads were started, but only {most} are allowed"
            ));
        }
        let now = open_descriptors()?;
        self.programs += 1;
        if self.programs <= WARM_UP {
            self.descriptors = now;
        } else if now > self.descriptors {
            let before = std::mem::replace(&mut self.descriptors, now);
            self.raises += 1;
            if self.raises > RAISES {
                return Err(format!(
                    "{now} descriptors are open, {before} were open before"
                ));
            }
        }
        Ok(())
    }
}
