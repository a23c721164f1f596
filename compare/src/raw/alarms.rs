//! Timers that fire: a timerfd in an epoll set, edge-triggered and never read.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};
use rustix::time::{timerfd_create, timerfd_settime};

use super::Epoll;
use crate::harness::usage::{Moment, Spent};
use crate::work::lateness::Lateness;

fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: duration.as_secs() as i64,
        tv_nsec: duration.subsec_nanos().into(),
    }
}

fn alarm(epoll: &Epoll) -> io::Result<OwnedFd> {
    let timer = timerfd_create(
        TimerfdClockId::Monotonic,
        TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC,
    )?;
    epoll.add(&timer, 0)?;
    Ok(timer)
}

/// Waits for one alarm after the other, with nothing else to do.
pub(crate) fn lone(pause: Duration, count: u64) -> io::Result<(Spent, Lateness)> {
    let mut epoll = Epoll::new()?;
    let timer = alarm(&epoll)?;
    let mut lateness = Lateness::new();
    let once = |pause| Itimerspec {
        it_interval: timespec(Duration::ZERO),
        it_value: timespec(pause),
    };
    let start = Moment::now();
    for _ in 0..count {
        let due = Instant::now() + pause;
        timerfd_settime(&timer, TimerfdTimerFlags::empty(), &once(pause))?;
        while epoll.wait(None)?.is_empty() {}
        lateness.since(due)?;
    }
    Ok((start.spent(), lateness))
}

/// Waits for ticks. The alarm is set for each of them, as a timer queue must do.
pub(crate) fn ticks(period: Duration, count: u64) -> io::Result<Spent> {
    lone(period, 1)?;
    Ok(lone(period, count)?.0)
}
