//! Waits for a command with a time limit. A process handle is signalled when its process exits
//! (Windows).
//!
//!     # a command that exits in time:
//!     cargo run --example windows_command
//!     # a command that exceeds the limit and is killed:
//!     cargo run --example windows_command -- ping -n 60 127.0.0.1

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut command: Vec<_> = std::env::args_os().skip(1).collect();
    if command.first().is_some_and(|first| first == "--help") {
        println!(
            "usage: windows_command [COMMAND [ARGUMENT]...]\n\n\
             Runs COMMAND and kills it if it takes longer than 2 seconds."
        );
        return ExitCode::SUCCESS;
    }
    if command.is_empty() {
        command = ["cmd", "/C", "echo hello"].map(Into::into).into();
    }
    match platform::run(&command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("windows_command: {}: {error}", command[0].to_string_lossy());
            ExitCode::FAILURE
        }
    }
}

#[cfg(windows)]
mod platform {
    use std::ffi::OsString;
    use std::io;
    use std::process::Command;
    use std::time::Duration;

    use async_io::os::windows::Waitable;
    use async_io::{block_on, timeout};

    const LIMIT: Duration = Duration::from_secs(2);

    pub(crate) fn run(command: &[OsString]) -> io::Result<()> {
        let child = Waitable::new(Command::new(&command[0]).args(&command[1..]).spawn()?)?;
        let in_time = match block_on(timeout(LIMIT, child.ready())) {
            Ok(ended) => ended.map(|()| true),
            Err(_) => Ok(false),
        };

        // Waiting for the `Child` below does not block for long: it has exited, or is killed first.
        let mut child = child.into_inner()?;
        if !matches!(in_time, Ok(true)) {
            child.kill()?;
        }
        let status = child.wait()?;
        match in_time? {
            true => println!("it exited: {status}"),
            false => println!("it was still running after {LIMIT:?} and was killed: {status}"),
        }
        Ok(())
    }
}

#[cfg(not(windows))]
mod platform {
    pub(crate) fn run(_command: &[std::ffi::OsString]) -> std::io::Result<()> {
        println!("This example waits for a Windows handle. On Linux, see the example `child`.");
        Ok(())
    }
}
