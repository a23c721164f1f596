//! Runs the random programs of `random-programs` on this crate and on the published async-io 2.6.0,
//! and compares the results.
//!
//! ```text
//! differential [--programs N] [--seed S] [--jobs J]    runs N programs in child processes
//! differential --setting NAME --seed S --first I --programs N [--keep 0,2,3]
//!                                                      runs some of them in this process
//! ```
//!
//! A child runs each program on both libraries in one process and in one [`Setting`]. Exit status 1
//! means that a program has failed. The program is minimized and printed with its seed.

mod child;
mod report;

use std::env;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use child::Task;
use lexopt::prelude::*;
use random_programs::Setting;
use report::Report;

random_programs::runtime!(Ours, async_io, published: false);
random_programs::runtime!(Published, async_io_published, published: true);

/// The number of programs per child process. It is small, so that behaviour that only a new process
/// shows is tested often.
const BATCH: u64 = 2500;

/// The options of the command line.
struct Options {
    programs: u64,
    seed: u64,
    jobs: usize,
    first: u64,
    setting: Option<Setting>,
    keep: Option<Vec<usize>>,
}

impl Options {
    fn task(&self, setting: Setting) -> Task {
        Task {
            setting,
            seed: self.seed,
            first: self.first,
            count: self.programs,
            keep: self.keep.clone(),
        }
    }
}

fn options() -> Result<Options, lexopt::Error> {
    let mut options = Options {
        programs: 50_000,
        seed: u64::from(std::process::id()),
        jobs: thread::available_parallelism().map_or(1, usize::from),
        first: 0,
        setting: None,
        keep: None,
    };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("programs") => options.programs = parser.value()?.parse()?,
            Long("seed") => options.seed = parser.value()?.parse()?,
            Long("jobs") => options.jobs = parser.value()?.parse()?,
            Long("first") => options.first = parser.value()?.parse()?,
            Long("setting") => options.setting = Some(parser.value()?.parse_with(setting)?),
            Long("keep") => {
                let list = parser.value()?.string()?;
                let numbers: Result<_, _> = list.split(',').map(str::parse).collect();
                options.keep = numbers.ok();
            }
            other => return Err(other.unexpected()),
        }
    }
    Ok(options)
}

fn setting(name: &str) -> Result<Setting, String> {
    let mut all = Setting::ALL.into_iter();
    all.find(|setting| format!("{setting:?}") == name)
        .ok_or_else(|| format!("the settings are {:?}", Setting::ALL))
}

fn main() -> ExitCode {
    let result = match options() {
        Ok(options) => match options.setting {
            Some(setting) => child::run(&options.task(setting)),
            None => parent(&options),
        },
        Err(error) => Err(error.to_string()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("differential: {message}");
            ExitCode::FAILURE
        }
    }
}

/// Runs batches in child processes and adds up their reports.
fn parent(options: &Options) -> Result<(), String> {
    let start = Instant::now();
    let batches = options.programs.div_ceil(BATCH);
    let next = AtomicU64::new(0);
    let failed = AtomicBool::new(false);
    let sum = Mutex::new(Report::default());
    let work = || -> Result<(), String> {
        while !failed.load(Ordering::Relaxed) {
            let batch = next.fetch_add(1, Ordering::Relaxed);
            if batch >= batches {
                break;
            }
            let task = Task {
                first: options.first + batch * BATCH,
                count: BATCH.min(options.programs - batch * BATCH),
                ..options.task(Setting::ALL[batch as usize % Setting::ALL.len()])
            };
            let report = run_child(&task).inspect_err(|_| failed.store(true, Ordering::Relaxed))?;
            let mut sum = sum.lock().map_err(|error| error.to_string())?;
            sum.add(&report);
            eprint!(
                "\r{} programs, {} s ",
                sum.programs,
                start.elapsed().as_secs()
            );
        }
        Ok(())
    };
    thread::scope(|scope| {
        let jobs: Vec<_> = (0..options.jobs.max(1))
            .map(|_| scope.spawn(work))
            .collect();
        let mut results = jobs.into_iter().map(|job| job.join());
        results.try_for_each(|result| result.unwrap_or(Err("a job panicked".into())))
    })?;
    eprintln!();
    let sum = sum.into_inner().map_err(|error| error.to_string())?;
    println!("{sum}");
    println!(
        "{} programs, all agree (seed {}, {:.0} programs per second)",
        sum.programs,
        options.seed,
        sum.programs as f64 / start.elapsed().as_secs_f64()
    );
    Ok(())
}

fn run_child(task: &Task) -> Result<Report, String> {
    let program = env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new(program);
    command
        .args(task.arguments())
        .stdin(Stdio::null())
        .stderr(Stdio::piped());
    let output = command.output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Report::parse(&String::from_utf8_lossy(&output.stdout));
    }
    Err(format!(
        "in a child, {}: {}\n{}",
        output.status,
        task.arguments().join(" "),
        String::from_utf8_lossy(&output.stderr).trim()
    ))
}
