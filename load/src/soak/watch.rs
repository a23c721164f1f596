//! The connections that wait for an answer. A connection that waits too long is stuck, and is
//! printed with the state of its source.

use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use async_io::Async;

/// How long an answer may take, even if ten thousand others are requested at the same time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

const RESTS: u64 = u64::MAX;

/// All connections, as the observer sees them.
pub(crate) struct Watch {
    start: Instant,
    entries: Mutex<Vec<Weak<Seen>>>,
}

struct Seen {
    stream: Weak<Async<TcpStream>>,
    /// When the current wait began, in milliseconds since the start, or `RESTS` if there is none.
    waits_since: AtomicU64,
}

/// The handle through which one connection reports its waits.
pub(crate) struct Entry {
    start: Instant,
    seen: Arc<Seen>,
}

impl Watch {
    pub(crate) fn new() -> Self {
        Watch {
            start: Instant::now(),
            entries: Mutex::new(Vec::new()),
        }
    }

    pub(crate) fn enter(&self, stream: &Arc<Async<TcpStream>>) -> Entry {
        let seen = Arc::new(Seen {
            stream: Arc::downgrade(stream),
            waits_since: AtomicU64::new(RESTS),
        });
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() % 1024 == 1023 {
            entries.retain(|entry| entry.strong_count() > 0);
        }
        entries.push(Arc::downgrade(&seen));
        Entry {
            start: self.start,
            seen,
        }
    }

    /// Returns a description of each stuck connection.
    pub(crate) fn stuck(&self) -> Vec<String> {
        let now = self.start.elapsed().as_millis() as u64;
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let mut stuck = Vec::new();
        for seen in entries.iter().filter_map(Weak::upgrade) {
            let since = seen.waits_since.load(Ordering::Acquire);
            let waited = Duration::from_millis(now.saturating_sub(since));
            if since != RESTS && waited > PATIENCE {
                let stream = seen.stream.upgrade();
                stuck.push(format!("has waited for {waited:?}: {stream:?}"));
            }
        }
        stuck
    }
}

impl Entry {
    pub(crate) fn waits(&self) {
        let now = self.start.elapsed().as_millis() as u64;
        self.seen.waits_since.store(now, Ordering::Release);
    }

    pub(crate) fn rests(&self) {
        self.seen.waits_since.store(RESTS, Ordering::Release);
    }
}
