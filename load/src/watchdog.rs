//! Detects that a run makes no progress, and prints what is waited for. It does not use the
//! library.

use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, Weak};
use std::thread;
use std::time::Duration;

/// How long a run may make no progress. No wait takes this long, even on a busy machine.
const PATIENCE_SECONDS: u64 = 60;

static PROGRESS: AtomicU64 = AtomicU64::new(0);
static WAITING: Mutex<Vec<Weak<dyn Debug + Send + Sync>>> = Mutex::new(Vec::new());
static WORK: Mutex<String> = Mutex::new(String::new());

/// Counts one wake-up: something that was waited for has happened.
pub(crate) fn progress() {
    PROGRESS.fetch_add(1, Ordering::Relaxed);
}

pub(crate) fn count() -> u64 {
    PROGRESS.load(Ordering::Relaxed)
}

/// Registers an object that is printed if the run makes no progress, for as long as the object
/// exists.
pub(crate) fn watch(source: Weak<dyn Debug + Send + Sync>) {
    let mut waiting = lock(&WAITING);
    if waiting.len() % 256 == 255 {
        waiting.retain(|source| source.strong_count() > 0);
    }
    waiting.push(source);
}

/// Records the current work and how to repeat it.
pub(crate) fn now(work: String) {
    *lock(&WORK) = work;
}

pub(crate) fn start() {
    thread::spawn(|| {
        let (mut last, mut idle_seconds) = (0, 0);
        loop {
            thread::sleep(Duration::from_secs(1));
            let seen = count();
            idle_seconds = if seen == last { idle_seconds + 1 } else { 0 };
            last = seen;
            if idle_seconds >= PATIENCE_SECONDS {
                report(seen);
                std::process::exit(1);
            }
        }
    });
}

fn report(seen: u64) {
    eprintln!("watchdog: no progress for {PATIENCE_SECONDS} s, after {seen} wake-ups");
    eprintln!("watchdog: {}", lock(&WORK));
    // Forty sources are enough. Ten thousand would hide the message above.
    for source in lock(&WAITING).iter().filter_map(Weak::upgrade).take(40) {
        eprintln!("watchdog: {source:?}");
    }
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
