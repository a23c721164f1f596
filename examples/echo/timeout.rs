//! A time limit for an operation: the operation races against a timer.

use std::io;
use std::time::Duration;

use async_io::Timer;
use futures_lite::future;

/// Awaits `operation`, and returns an error if it takes longer than `timeout`.
pub(crate) async fn within<T>(
    timeout: Option<Duration>,
    operation: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    let Some(timeout) = timeout else {
        return operation.await;
    };
    future::or(operation, async {
        Timer::after(timeout).await;
        Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("timed out after {timeout:?}"),
        ))
    })
    .await
}
