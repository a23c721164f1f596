//! Waits for a child process with a time limit. A pidfd becomes readable when its process exits
//! (Linux 5.3 or newer).
//!
//! This needs neither a waiting thread nor a SIGCHLD handler. Unlike a process id, a pidfd always
//! refers to the same process: it is never reused for another one.
//!
//!     cargo run --example child                # a child that exits in time
//!     cargo run --example child -- sleep 60    # a child that exceeds the limit and is killed

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut command: Vec<_> = std::env::args_os().skip(1).collect();
    if command
        .first()
        .is_some_and(|first| first.to_string_lossy().starts_with('-'))
    {
        println!(
            "usage: child [COMMAND [ARGUMENT]...]\n\nRuns COMMAND and kills it if it takes longer than 2 seconds."
        );
        return if command[0] == "--help" {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(2)
        };
    }
    if command.is_empty() {
        command = vec!["sleep".into(), "0.3".into()];
    }
    match platform::run(&command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("child: {}: {error}", command[0].to_string_lossy());
            ExitCode::FAILURE
        }
    }
}

#[cfg(target_os = "linux")]
mod platform {
    use std::ffi::OsString;
    use std::io;
    use std::process::{Child, Command};
    use std::time::Duration;

    use async_io::{Async, block_on, timeout};
    use rustix::process::{Pid, PidfdFlags, pidfd_open};

    const LIMIT: Duration = Duration::from_secs(2);

    pub(crate) fn run(command: &[OsString]) -> io::Result<()> {
        let mut child = Command::new(&command[0]).args(&command[1..]).spawn()?;
        println!("started process {}", child.id());

        let in_time = block_on(ends_in_time(&child));
        if !matches!(in_time, Ok(true)) {
            child.kill()?;
        }
        // The process has exited or is about to, so this does not block for long. Without this call
        // it would remain as a zombie.
        let status = child.wait()?;
        match in_time? {
            true => println!("it exited: {status}"),
            false => println!("it was still running after {LIMIT:?} and was killed: {status}"),
        }
        Ok(())
    }

    async fn ends_in_time(child: &Child) -> io::Result<bool> {
        let process = Async::new(pidfd_open(Pid::from_child(child), PidfdFlags::empty())?)?;
        match timeout(LIMIT, process.readable()).await {
            Ok(ended) => ended.map(|()| true),
            Err(_) => Ok(false),
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod platform {
    pub(crate) fn run(_command: &[std::ffi::OsString]) -> std::io::Result<()> {
        println!(
            "This example needs pidfds, which exist only on Linux. \
             The crate async-process works on every platform."
        );
        Ok(())
    }
}
