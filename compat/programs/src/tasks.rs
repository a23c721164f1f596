//! Wakers that count, and the guard that ends a wait if the wake-up never comes.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

/// The number of times that a task was woken.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A task that never runs. Its wake-ups are counted.
pub(crate) struct Task {
    count: Arc<Count>,
    waker: Waker,
}

impl Task {
    pub(crate) fn new() -> Self {
        let count = Arc::<Count>::default();
        let waker = Waker::from(count.clone());
        Task { count, waker }
    }

    pub(crate) fn waker(&self) -> &Waker {
        &self.waker
    }

    pub(crate) fn wakes(&self) -> usize {
        self.count.0.load(Ordering::SeqCst)
    }

    /// Returns a closure that returns how often the task was woken.
    pub(crate) fn counter(&self) -> impl Fn() -> usize + 'static {
        let count = Arc::downgrade(&self.count);
        move || {
            count
                .upgrade()
                .map_or(0, |count| count.0.load(Ordering::SeqCst))
        }
    }

    /// Returns how many wakers of this task the library holds.
    pub(crate) fn held(&self) -> usize {
        Arc::strong_count(&self.count) - 2
    }
}

/// The numbers of the wakers that were called, in order, each with the thread that called it.
pub(crate) type Log = Arc<Mutex<Vec<(usize, ThreadId)>>>;

/// Creates a waker that records its number and the calling thread in a log.
pub(crate) fn logging_waker(log: &Log, number: usize) -> Waker {
    struct Logging(Log, usize);
    impl Wake for Logging {
        fn wake(self: Arc<Self>) {
            let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            log.push((self.1, thread::current().id()));
        }
    }
    Waker::from(Arc::new(Logging(log.clone(), number)))
}

/// Returns the calls in a log.
pub(crate) fn logged(log: &Log) -> Vec<(usize, ThreadId)> {
    log.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

struct Watched {
    until: Instant,
    waker: Waker,
}

/// A thread that wakes a program that has waited too long.
pub(crate) struct Guard(Arc<Shared>);

#[derive(Default)]
struct Shared {
    watched: Mutex<Option<Watched>>,
    ended: AtomicBool,
}

impl Guard {
    pub(crate) fn start() -> Self {
        let shared = Arc::<Shared>::default();
        let weak = Arc::downgrade(&shared);
        thread::spawn(move || {
            while let Some(shared) = weak.upgrade() {
                let mut watched = lock(&shared.watched);
                if watched
                    .as_ref()
                    .is_some_and(|watched| watched.until < Instant::now())
                {
                    shared.ended.store(true, Ordering::SeqCst);
                    let late = watched.take();
                    drop(watched);
                    if let Some(late) = late {
                        late.waker.wake();
                    }
                } else {
                    drop(watched);
                }
                drop(shared);
                thread::sleep(Duration::from_millis(50));
            }
        });
        Guard(shared)
    }

    /// Starts to watch a wait.
    pub(crate) fn watch(&self, patience: Duration, waker: &Waker) {
        let until = Instant::now() + patience;
        let waker = waker.clone();
        self.0.ended.store(false, Ordering::SeqCst);
        let former = lock(&self.0.watched).replace(Watched { until, waker });
        drop(former);
    }

    /// Returns whether the watched wait has taken too long.
    pub(crate) fn has_ended(&self) -> bool {
        self.0.ended.load(Ordering::SeqCst)
    }

    /// Stops watching the wait.
    pub(crate) fn done(&self) {
        let former = lock(&self.0.watched).take();
        drop(former);
    }
}

fn lock(watched: &Mutex<Option<Watched>>) -> std::sync::MutexGuard<'_, Option<Watched>> {
    watched.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs a future on this thread, which parks while it waits. The reactor's own thread does all the
/// work.
pub(crate) fn park_on<F: Future>(future: F) -> F::Output {
    struct Unpark(thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let mut future = std::pin::pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = std::task::Context::from_waker(&waker);
    loop {
        if let std::task::Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
        thread::park();
    }
}
