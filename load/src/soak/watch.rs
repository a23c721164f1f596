//! Who waits for an answer since when: a connection that waits too long is stuck, and is shown with its source's state.

use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use async_io::Async;

/// An answer takes less, also when ten thousand others are asked for at the same time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

const RESTS: u64 = u64::MAX;

/// All connections, looked at from outside.
pub(crate) struct Watch {
    start: Instant,
    entries: Mutex<Vec<Weak<Seen>>>,
}

struct Seen {
    stream: Weak<Async<TcpStream>>,
    /// Milliseconds since the start.
    waits_since: AtomicU64,
}

/// One connection's side of it.
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

    /// What is stuck, in words.
    pub(crate) fn stuck(&self) -> Vec<String> {
        let now = self.start.elapsed().as_millis() as u64;
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let mut stuck = Vec::new();
        for seen in entries.iter().filter_map(Weak::upgrade) {
            let since = seen.waits_since.load(Ordering::Acquire);
            let waited = Duration::from_millis(now.saturating_sub(since));
            if since != RESTS && waited > PATIENCE {
                let stream = seen.stream.upgrade();
                stuck.push(format!("waits since {waited:?}: {stream:?}"));
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
