//! Waits for a process to exit with a kqueue (macOS, BSDs). This needs neither a waiting thread nor
//! a SIGCHLD handler.
//!
//!     cargo run --example kqueue_process

use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::args()
        .nth(1)
        .is_some_and(|first| first == "--help")
    {
        println!("usage: kqueue_process\n\nStarts `sleep 1` and waits until it exits.");
        return ExitCode::SUCCESS;
    }
    match platform::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kqueue_process: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(any(
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly"
))]
mod platform {
    use std::io;
    use std::num::NonZeroI32;
    use std::process::Command;
    use std::time::Duration;

    use async_io::os::kqueue::{Exit, Filter};
    use async_io::{Timer, block_on};
    use futures_lite::future;

    pub(crate) fn run() -> io::Result<()> {
        let mut child = Command::new("sleep").arg("1").spawn()?;
        println!("started process {}", child.id());

        let number = i32::try_from(child.id()).ok().and_then(NonZeroI32::new);
        let number = number.ok_or(io::ErrorKind::InvalidData)?;
        // SAFETY: this is the id of our child process. It has not been waited for, so the id still
        // refers to that process.
        #[allow(unsafe_code)]
        let end = Filter::new(unsafe { Exit::from_pid(number) })?;
        let ticks = async {
            loop {
                Timer::after(Duration::from_millis(250)).await;
                println!("still running");
            }
        };
        block_on(future::or(end.ready(), ticks))?;

        // The kqueue reports the exit but does not reap the process.
        println!("it exited: {}", child.wait()?);
        Ok(())
    }
}

#[cfg(not(any(
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly"
)))]
mod platform {
    pub(crate) fn run() -> std::io::Result<()> {
        println!("This example needs a kqueue. On Linux, see the example `child`.");
        Ok(())
    }
}
