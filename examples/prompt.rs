//! Reads lines from a terminal or a pipe and prints them again, with a time limit for each line.
//!
//! `std::io::stdin()` cannot wait with a time limit. `os::linux::stdin` can, and leaves the terminal
//! of the shell in blocking mode.
//!
//!     cargo run --example prompt
//!     (echo one; sleep 3; echo two) | cargo run --example prompt -- --seconds 1

use std::process::ExitCode;
use std::time::Duration;

const HELP: &str = "usage: prompt [--seconds N]

Prints each line of the standard input again, until the end of the input (Ctrl-D).
Prints a reminder if no line arrives within N seconds (default: 10).";

fn main() -> ExitCode {
    let limit = match arguments() {
        Ok(Some(limit)) => limit,
        Ok(None) => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("prompt: {error}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    match platform::run(limit) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("prompt: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Returns the time limit, or `None` if the user asked for help.
fn arguments() -> Result<Option<Duration>, lexopt::Error> {
    use lexopt::prelude::*;

    let mut seconds = 10.0;
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(None),
            Long("seconds") => seconds = parser.value()?.parse()?,
            _ => return Err(argument.unexpected()),
        }
    }
    let limit =
        Duration::try_from_secs_f64(seconds).map_err(|error| format!("--seconds: {error}"))?;
    Ok(Some(limit))
}

// Visible for a test, which runs this program on pipes and terminals.
#[cfg(target_os = "linux")]
pub(crate) mod platform {
    use std::io::{self, IsTerminal, Write};
    use std::time::Duration;

    use async_io::{block_on, os::linux, timeout};
    use futures_lite::io::BufReader;
    use futures_lite::{AsyncBufReadExt, StreamExt};

    pub(crate) fn run(limit: Duration) -> io::Result<()> {
        block_on(repeat(limit))
    }

    async fn repeat(limit: Duration) -> io::Result<()> {
        let interactive = io::stdin().is_terminal();
        let mut lines = BufReader::new(linux::stdin()?).lines();
        // Standard output may also be a file, so std writes to it.
        let mut output = io::stdout();
        loop {
            if interactive {
                output.write_all(b"> ")?;
            }
            output.flush()?;
            // The stream keeps the beginning of a line when the time limit drops `next`.
            match timeout(limit, lines.next()).await {
                Ok(Some(line)) => writeln!(output, "{}", line?)?,
                Ok(None) => return Ok(()),
                Err(_) => writeln!(output, "(no line within {limit:?})")?,
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod platform {
    pub(crate) fn run(_limit: std::time::Duration) -> std::io::Result<()> {
        println!(
            "This example opens the standard input again, which only Linux can do. \
             On other systems, read it on a thread of its own."
        );
        Ok(())
    }
}
