//! Timers of smol.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_net::unix::UnixStream;
use smol::Timer;
use smol::future::FutureExt;
use smol::io::AsyncReadExt;
use smol::stream::StreamExt;

use crate::{Check, ensure};

pub(crate) fn thousand() -> Check {
    let start = Instant::now();
    let fired = Arc::new(Mutex::new(Vec::new()));
    // The timers are set in an order that is unrelated to their deadlines.
    let tasks: Vec<_> = (0..1000_u64)
        .map(|index| (index * 389) % 1000)
        .map(|place| {
            let (fired, deadline) = (
                fired.clone(),
                start + Duration::from_micros(50_000 + 200 * place),
            );
            smol::spawn(async move {
                let told = Timer::at(deadline).await;
                fired.lock().map_err(|error| error.to_string())?.push(place);
                let now = Instant::now();
                ensure(
                    now >= deadline && told <= now,
                    format!("timer {place} was early"),
                )
            })
        })
        .collect();
    smol::block_on(async {
        for task in tasks {
            task.await?;
        }
        Check::Ok(())
    })?;

    let mut fired = fired.lock().map_err(|error| error.to_string())?.clone();
    fired.sort_unstable();
    ensure(
        fired.iter().copied().eq(0..1000),
        format!("{} timers fired", fired.len()),
    )
}

pub(crate) fn interval() -> Check {
    const PERIOD: Duration = Duration::from_millis(5);
    smol::block_on(async {
        let start = Instant::now();
        let mut ticks = Timer::interval(PERIOD);
        for number in 1..=20 {
            let tick = ticks.next().await.ok_or("the interval ended")?;
            // However late the ticks are, the n-th must not come before n periods have passed.
            ensure(
                tick >= start + PERIOD * number,
                format!("tick {number} was early"),
            )?;
        }
        Ok(())
    })
}

pub(crate) fn timeout() -> Check {
    smol::block_on(async {
        let (mut silent, _other) = UnixStream::pair()?;
        let read = async { silent.read(&mut [0; 8]).await };
        let give_up = async {
            Timer::after(Duration::from_millis(30)).await;
            Err(io::ErrorKind::TimedOut.into())
        };
        match read.or(give_up).await {
            Err(error) if error.kind() == io::ErrorKind::TimedOut => Ok(()),
            other => Err(format!("{other:?}").into()),
        }
    })
}
