//! Guards against tests that hang, and the factor for their load.

use std::panic;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// The time after which a test is considered to hang. Longer than any test takes, even in an
/// emulator on a busy machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// The same limit for a single step. It is shorter, so that the failure names the step that hangs.
pub(crate) const STEP: Duration = Duration::from_secs(40);

/// A duration that never elapses during a test.
pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// Runs `body` on a new thread and fails if it has not finished within [`LIMIT`].
pub(crate) fn guarded<R: Send + 'static>(body: impl FnOnce() -> R + Send + 'static) -> R {
    let (done, finished) = mpsc::channel::<()>();
    let worker = thread::spawn(move || {
        // Dropped even if the body panics, which ends the wait below.
        let _done = done;
        body()
    });
    if finished.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
        panic!("still running after {LIMIT:?}");
    }
    worker
        .join()
        .unwrap_or_else(|payload| panic::resume_unwind(payload))
}

/// Waits, by polling, until `condition` holds, and fails if that takes too long.
#[track_caller]
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < STEP, "still waiting: {what}");
        thread::yield_now();
    }
}

/// Returns `count` multiplied by the factor in `ASYNC_IO_STRESS` (1 if it is not set).
pub(crate) fn stress(count: usize) -> usize {
    let factor = std::env::var("ASYNC_IO_STRESS").ok();
    let factor = factor.and_then(|text| text.parse::<f64>().ok());
    (count as f64 * factor.unwrap_or(1.0)).max(1.0) as usize
}
