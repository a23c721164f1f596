//! The server's side of the client process: starts it, and reads the server's counters when the
//! client prints `start` and `stop`.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::thread::JoinHandle;

use crate::harness::Outcome;
use crate::harness::calls::{self, Counter};
use crate::harness::process::this_program;
use crate::harness::sample::Sample;
use crate::harness::usage::Moment;
use crate::work::client::LoadOptions;

/// A running client process, and the thread (the conductor) that controls it.
pub(crate) struct Load(JoinHandle<Outcome<Sample>>);

struct Conductor {
    client: Child,
    words: BufReader<ChildStdout>,
    answer: ChildStdin,
    line: String,
}

impl Load {
    /// Starts the client. With `count_calls`, the system calls of this process are counted in
    /// addition to its time.
    pub(crate) fn start(options: &LoadOptions, count_calls: bool) -> Outcome<Load> {
        let mut command = this_program()?;
        let cores: Vec<String> = options.cores.iter().map(usize::to_string).collect();
        command
            .arg("--load")
            .arg(options.port.to_string())
            .arg(options.connections.to_string());
        command
            .arg(options.requests.to_string())
            .arg(cores.join(","));
        let mut client = command.stdin(Stdio::piped()).spawn()?;
        let words = BufReader::new(client.stdout.take().ok_or("no output of the client")?);
        let answer = client.stdin.take().ok_or("no input of the client")?;
        // Reserved, so that the conductor allocates nothing between `start` and `stop`.
        let line = String::with_capacity(64);
        let conductor = Conductor {
            client,
            words,
            answer,
            line,
        };
        let requests = options.requests;
        let run = move || conductor.run(requests, count_calls);
        Ok(Load(
            std::thread::Builder::new()
                .name("conductor".into())
                .spawn(run)?,
        ))
    }

    /// Returns what the server used per request between `start` and `stop`, and what the client
    /// measured.
    pub(crate) fn finish(self) -> Outcome<Sample> {
        self.0.join().map_err(|_| "the conductor panicked")?
    }
}

impl Conductor {
    fn run(mut self, requests: u64, count_calls: bool) -> Outcome<Sample> {
        self.hear("start")?;
        let counter = count_calls.then(Counter::attach).transpose()?;
        let start = Moment::now();
        self.answer.write_all(b"go\n")?;
        self.hear("stop")?;
        let spent = start.spent();
        let calls = counter.map(Counter::detach).transpose()?;
        self.answer.write_all(b"go\n")?;
        let mut text = String::new();
        self.words.read_to_string(&mut text)?;
        self.client.wait()?;
        let sample = spent.per(requests).and(Sample::from_lines(&text)?);
        Ok(match calls {
            Some(calls) => sample.and(per_request(&calls, requests)),
            None => sample,
        })
    }

    fn hear(&mut self, word: &str) -> Outcome<()> {
        self.line.clear();
        self.words.read_line(&mut self.line)?;
        if self.line.trim() == word {
            Ok(())
        } else {
            Err(format!("the client said {:?} instead of {word}", self.line).into())
        }
    }
}

/// Returns the counts per request: all calls, the waits, the re-checks by `poll(2)`, and all calls
/// but the waits.
fn per_request(calls: &std::collections::BTreeMap<String, u64>, requests: u64) -> Sample {
    let sum = |wanted: fn(&str) -> bool| -> f64 {
        let of = calls.iter().filter(|(name, _)| wanted(name));
        of.map(|(_, count)| *count as f64)
            .fold(0.0, |sum, count| sum + count)
            / requests as f64
    };
    let all = sum(|_| true);
    let waits = calls::waits(calls) as f64 / requests as f64;
    let rechecks = sum(|name| name == "poll" || name == "ppoll");
    let sample = Sample::of("calls", all)
        .with("waits", waits)
        .with("rechecks", rechecks)
        .with("work_calls", all - waits);
    // Each call by name, for the guards and for readers of the JSON.
    calls.iter().fold(sample, |sample, (name, count)| {
        sample.with(&format!("call/{name}"), *count as f64 / requests as f64)
    })
}
