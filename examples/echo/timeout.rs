//! A limit on how long an operation may take: the operation races against a timer.

use std::io;
use std::time::Duration;

use async_io::Timer;
use futures_lite::future;

/// `operation`, or an error if it takes longer than `timeout`.
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
            format!("gave up after {timeout:?}"),
        ))
    })
    .await
}
