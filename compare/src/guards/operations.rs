//! The operations of `benches/instructions.rs`, which counts their instructions.
//!
//! Each function repeats its operation `count` times on one thread. The reactor starts once in
//! every run, and most functions warm up first. Both cancel out in the difference of two runs,
//! because the warm-up is as long in each of them: see `work::warm_up`.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use futures_lite::future::{or, yield_now};

use crate::ours::async_io::{Timer, block_on, timeout};
use crate::ours::smol::{ping_pong, sources, timers};

const FAR: Duration = Duration::from_secs(10);

pub fn timer_set_and_dropped(count: u64) -> io::Result<()> {
    timers::churn(count).map(drop)
}

pub fn timer_set_yield_dropped(count: u64) -> io::Result<()> {
    timers::churn_with_yield(count).map(drop)
}

pub fn timer_replaced_among_1000(count: u64) -> io::Result<()> {
    timers::replace_random(1000, count).map(drop)
}

pub fn block_on_one_yield(count: u64) -> io::Result<()> {
    timers::block_on_yield(count).map(drop)
}

pub fn register_and_deregister(count: u64) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let stream = TcpStream::connect(listener.local_addr()?)?;
    stream.set_nonblocking(true)?;
    sources::register(stream, count).map(drop)
}

pub fn ping_pong_of_two_tasks(count: u64) -> io::Result<()> {
    ping_pong::one_thread(count).map(drop)
}

pub fn ten_events_of_100_sources(count: u64) -> io::Result<()> {
    sources::events(100, count).map(drop)
}

/// Awaits a future that yields once, with a time limit.
pub fn yield_with_timeout(count: u64) -> io::Result<()> {
    block_on(async {
        for _ in 0..count {
            timeout(FAR, yield_now()).await?;
        }
        Ok(())
    })
}

/// Does the same with the race that `timeout` replaces.
pub fn yield_with_race(count: u64) -> io::Result<()> {
    block_on(async {
        for _ in 0..count {
            let limit = async {
                Timer::after(FAR).await;
                Err(io::ErrorKind::TimedOut.into())
            };
            let work = async {
                yield_now().await;
                io::Result::Ok(())
            };
            or(work, limit).await?;
        }
        Ok(())
    })
}
