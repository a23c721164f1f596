//! Awaits a timerfd, a timer that is a file descriptor, like a socket (Linux).
//!
//! `Timer` is simpler and cheaper. A timerfd can do what `Timer` cannot: wall-clock deadlines,
//! alarms that wake a suspended machine, and timers that are received from another process.
//!
//!     cargo run --example timerfd

use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(argument) = std::env::args_os().nth(1) {
        println!("usage: timerfd\n\nWaits for a few ticks of a timerfd. There are no options.");
        return if argument == "--help" {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(2)
        };
    }
    match platform::ticks() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("timerfd: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(target_os = "linux")]
mod platform {
    use std::io;
    use std::os::fd::OwnedFd;
    use std::time::Instant;

    use async_io::{Async, block_on};
    use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};

    pub(crate) fn ticks() -> io::Result<()> {
        let started = Instant::now();
        let clock = clock()?;
        block_on(async {
            for _ in 0..5 {
                let expirations = clock.read_with(expirations).await?;
                println!("{:>7.1?}: {expirations} tick(s)", started.elapsed());
            }
            Ok(())
        })
    }

    /// Returns a timerfd that expires after 500 ms, then every 200 ms.
    fn clock() -> io::Result<Async<OwnedFd>> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let descriptor = rustix::time::timerfd_create(TimerfdClockId::Monotonic, flags)?;
        let milliseconds = |count: i64| Timespec {
            tv_sec: 0,
            tv_nsec: (count * 1_000_000) as _,
        };
        let schedule = Itimerspec {
            it_value: milliseconds(500),
            it_interval: milliseconds(200),
        };
        rustix::time::timerfd_settime(&descriptor, TimerfdTimerFlags::empty(), &schedule)?;
        Async::new_nonblocking(descriptor)
    }

    /// Returns the number of expirations since the last read. The kernel counts them, so none is
    /// lost.
    fn expirations(clock: &OwnedFd) -> io::Result<u64> {
        let mut count = [0; 8];
        rustix::io::read(clock, &mut count)?;
        Ok(u64::from_ne_bytes(count))
    }
}

#[cfg(not(target_os = "linux"))]
mod platform {
    pub(crate) fn ticks() -> std::io::Result<()> {
        println!("timerfd exists only on Linux.");
        Ok(())
    }
}
