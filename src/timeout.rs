//! [`timeout`] and [`timeout_at`]: a future with a time limit.

use crate::timer::Timer;
use futures_core::future::FusedFuture;
use pin_project_lite::pin_project;
use std::error::Error;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// Awaits a future for at most `limit`.
///
/// The result is that of the future, or [`TimedOut`] when the time is up. The future is polled
/// first, so a result that is ready is never discarded. With a limit of zero the future is polled
/// once.
///
/// The time counts from this call, not from the first poll. `None` and [`Duration::MAX`] mean "no
/// limit". A limit that ends out of the range of [`Instant`] means the same.
///
/// A `Timeout` allocates nothing itself. (The reactor's queue of timers grows with the number of
/// pending timers.) If timeouts are nested, the one with the earlier deadline ends first.
///
/// # Errors
///
/// The result is [`TimedOut`] when the time is up. [`TimedOut`] converts to an [`io::Error`] of kind
/// [`TimedOut`](io::ErrorKind::TimedOut). So in a function that returns [`io::Result`], the first `?`
/// returns that error, and a second one returns the error of the future.
///
/// # Cancellation
///
/// When the time is up, `.await` drops the future together with the `Timeout`. What that means depends
/// on the future: a dropped `read` loses no data, but a dropped `read_exact` may have read a part. To
/// continue with the future instead, await a `&mut Timeout`, and take the future out with
/// [`Timeout::into_inner`].
///
/// Dropping the `Timeout` drops the future and cancels the timer.
///
/// # Platform notes
///
/// The end of the limit is as precise as a [`Timer`].
///
/// # Examples
///
/// ```
/// use async_io::{Async, timeout};
/// use futures_lite::AsyncReadExt;
/// use std::io;
/// use std::net::TcpStream;
/// use std::time::Duration;
///
/// async fn greeting(stream: &mut Async<TcpStream>) -> io::Result<usize> {
///     let mut buffer = [0; 512];
///     let count = timeout(Duration::from_secs(10), stream.read(&mut buffer)).await??;
///     Ok(count)
/// }
/// ```
///
/// In a function with an error type of its own:
///
/// ```
/// use async_io::{TimedOut, block_on, timeout};
/// use std::future;
/// use std::time::Duration;
///
/// #[derive(Debug, PartialEq)]
/// enum Failure {
///     Slow(TimedOut),
/// }
///
/// impl From<TimedOut> for Failure {
///     fn from(error: TimedOut) -> Self {
///         Failure::Slow(error)
///     }
/// }
///
/// async fn answer() -> Result<(), Failure> {
///     timeout(Duration::from_millis(5), future::pending()).await?
/// }
///
/// let Err(Failure::Slow(error)) = block_on(answer()) else { unreachable!() };
/// assert_eq!(error.to_string(), "timed out after 5ms");
/// ```
pub fn timeout<F: IntoFuture>(
    limit: impl Into<Option<Duration>>,
    future: F,
) -> Timeout<F::IntoFuture> {
    let limit = limit.into().filter(|limit| *limit != Duration::MAX);
    // Before `into_future`, which is foreign code and may take its time.
    let timer = limit.map_or_else(Timer::never, Timer::after);
    Timeout {
        future: future.into_future(),
        timer,
        limit,
    }
}

/// Awaits a future until `at`.
///
/// `None` means "no limit". If `at` has passed, the future is polled once. Otherwise this is like
/// [`timeout`].
///
/// # Errors
///
/// The result is [`TimedOut`] when the deadline has passed.
///
/// # Cancellation
///
/// As for [`timeout`].
///
/// # Platform notes
///
/// As for [`timeout`].
///
/// # Examples
///
/// One deadline for several steps:
///
/// ```
/// use async_io::{Async, timeout_at};
/// use futures_lite::{AsyncReadExt, AsyncWriteExt};
/// use std::io;
/// use std::net::TcpStream;
/// use std::time::{Duration, Instant};
///
/// async fn ask(stream: &mut Async<TcpStream>) -> io::Result<[u8; 4]> {
///     let deadline = Instant::now() + Duration::from_secs(10);
///     let mut answer = [0; 4];
///     timeout_at(deadline, stream.write_all(b"ping")).await??;
///     timeout_at(deadline, stream.read_exact(&mut answer)).await??;
///     Ok(answer)
/// }
/// ```
pub fn timeout_at<F: IntoFuture>(
    at: impl Into<Option<Instant>>,
    future: F,
) -> Timeout<F::IntoFuture> {
    Timeout {
        future: future.into_future(),
        timer: at.into().map_or_else(Timer::never, Timer::at),
        limit: None,
    }
}

pin_project! {
    /// Future with a time limit.
    ///
    /// Returned by [`timeout`] and [`timeout_at`]. It is `Send` and `Unpin` if the future is.
    ///
    /// Polled again after it has returned [`TimedOut`], it polls the future once more, and returns
    /// [`TimedOut`] again if that is not ready. Polled again after it has returned the result of the
    /// future, it does what the future does in that case.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::{block_on, timeout};
    /// use futures_lite::future;
    /// use std::time::Duration;
    ///
    /// // Lets the future continue after the time limit.
    /// let mut attempt = timeout(Duration::ZERO, future::yield_now());
    /// assert!(block_on(&mut attempt).is_err());
    /// block_on(attempt.into_inner());
    /// ```
    #[derive(Debug)]
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct Timeout<F> {
        #[pin]
        future: F,
        timer: Timer,
        limit: Option<Duration>,
    }
}

impl<F> Timeout<F> {
    /// Returns the future, without its time limit.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::{block_on, timeout};
    /// use std::future;
    /// use std::time::Duration;
    ///
    /// let limited = timeout(Duration::from_secs(1), future::ready(5));
    /// assert_eq!(block_on(limited.into_inner()), 5);
    /// ```
    pub fn into_inner(self) -> F {
        self.future
    }

    /// Returns a reference to the future.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::{Timer, timeout};
    /// use std::time::Duration;
    ///
    /// let limited = timeout(Duration::from_secs(1), Timer::never());
    /// assert!(!limited.get_ref().will_fire());
    /// ```
    pub fn get_ref(&self) -> &F {
        &self.future
    }

    /// Returns a mutable reference to the future.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::{Timer, block_on, timeout};
    /// use std::time::Duration;
    ///
    /// let mut limited = timeout(Duration::from_secs(1), Timer::never());
    /// limited.get_mut().set_after(Duration::from_millis(1));
    /// assert!(block_on(limited).is_ok());
    /// ```
    pub fn get_mut(&mut self) -> &mut F {
        &mut self.future
    }
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, TimedOut>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(value) = this.future.poll(cx) {
            return Poll::Ready(Ok(value));
        }
        if Pin::new(&mut *this.timer).poll(cx).is_ready() || this.timer.is_terminated() {
            return Poll::Ready(Err(TimedOut { limit: *this.limit }));
        }
        Poll::Pending
    }
}

/// Error of a future that was not ready in time.
///
/// Returned by [`timeout`] and [`timeout_at`].
///
/// # Examples
///
/// ```
/// use async_io::{block_on, timeout};
/// use std::future;
/// use std::io;
/// use std::time::Duration;
///
/// let limit = Duration::from_millis(2);
/// let error = block_on(timeout(limit, future::pending::<()>())).unwrap_err();
/// assert_eq!(error.limit(), Some(limit));
/// assert_eq!(error.to_string(), "timed out after 2ms");
/// assert_eq!(io::Error::from(error).kind(), io::ErrorKind::TimedOut);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimedOut {
    limit: Option<Duration>,
}

impl TimedOut {
    /// Returns the limit that was given to [`timeout`], or `None` if a deadline was given to
    /// [`timeout_at`].
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::{block_on, timeout_at};
    /// use std::future;
    /// use std::time::Instant;
    ///
    /// let error = block_on(timeout_at(Instant::now(), future::pending::<()>())).unwrap_err();
    /// assert_eq!(error.limit(), None);
    /// assert_eq!(error.to_string(), "deadline passed");
    /// ```
    pub fn limit(&self) -> Option<Duration> {
        self.limit
    }
}

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.limit {
            Some(limit) => write!(f, "timed out after {limit:?}"),
            None => f.write_str("deadline passed"),
        }
    }
}

impl Error for TimedOut {}

/// Creates an error of kind [`TimedOut`](io::ErrorKind::TimedOut) with the same text.
impl From<TimedOut> for io::Error {
    fn from(error: TimedOut) -> Self {
        io::Error::new(io::ErrorKind::TimedOut, error)
    }
}
