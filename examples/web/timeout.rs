//! A time limit for an operation: the operation races against a timer.

use std::io::{self, ErrorKind};
use std::time::Instant;

use async_io::Timer;
use futures_lite::future;

pub(crate) async fn until<T>(
    deadline: Instant,
    operation: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    let too_late = async {
        Timer::at(deadline).await;
        Err(ErrorKind::TimedOut.into())
    };
    future::or(operation, too_late).await
}
