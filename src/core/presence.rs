//! The users of a private reactor: what keeps it occupied, and which threads are inside it. Pure:
//! functions return what the caller must do.
//!
//! # Idea
//!
//! A driver is never freed. A private one is reused once it has no *holders*: handles, sources and
//! timers. Each holder was made from another one, so a driver without holders stays without holders
//! until it is given out again.
//!
//! A thread is *inside* while it runs `block_on` or a turn. A task that waits on a thread inside
//! relies on that thread, so that a server with one `block_on` per reactor needs no second thread.
//! The last thread to leave therefore checks whether such a task still waits.
//!
//! # Rules
//!
//! * A wait by a thread that is not inside starts the fallback thread, and needs none of this.
//! * A thread inside notes that a task waits *before* it registers the wait. It does both before it
//!   leaves. So the last thread to leave sees the note, and finds every wait that was registered.
//! * The note is erased only while no thread is inside: a thread inside may have noted a wait that
//!   it has not registered yet.
//! * A wait with the waker of a `block_on` that runs needs no note: after the call has ended, its
//!   future is not polled any more.
//!
//! # Orderings
//!
//! The note is a bit of the word that counts the threads, so it is erased and counted at once. Every
//! exit is a read-modify-write of this word (AcqRel). The last thread to leave continues the release
//! sequence of all earlier exits, so it sees what those threads did before they left.
//!
//! The release of a holder is AcqRel for the same reason: the thread that releases the last one sees
//! everything that was done through the others. All sources and timers together count as one root, which
//! the last of them releases. So an object costs one write, unless it is the only one, and each count is
//! exact by itself.
//!
//! # Rejected
//!
//! A count of waiting tasks: it would be written by each wait and each event, and a check by the
//! last thread to leave costs nothing while the reactor is used.

use crate::core::sync::atomic::{AtomicUsize, Ordering};

/// What keeps a private driver occupied.
#[derive(Debug)]
pub(crate) struct Holders {
    /// The handles, and one for all objects.
    roots: AtomicUsize,
    handles: AtomicUsize,
    /// Sources and timers.
    objects: AtomicUsize,
}

impl Holders {
    /// Creates the holders of a vacant driver.
    pub(crate) fn none() -> Self {
        Holders {
            roots: AtomicUsize::new(0),
            handles: AtomicUsize::new(0),
            objects: AtomicUsize::new(0),
        }
    }

    /// Adds a source or a timer.
    #[inline]
    pub(crate) fn add_object(&self) {
        // Relaxed: the caller has another holder, which keeps the driver occupied meanwhile. If that is
        // a handle, another thread may release the root of the objects at the same time. The count of
        // the roots is right once both threads are done.
        if self.objects.fetch_add(1, Ordering::Relaxed) == 0 {
            self.roots.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Removes a source or a timer. Returns whether it was the last holder of all.
    #[inline]
    pub(crate) fn remove_object(&self) -> bool {
        self.objects.fetch_sub(1, releasing()) == 1 && self.remove_root()
    }

    pub(crate) fn add_handle(&self) {
        // Relaxed: as above, or the driver is vacant and belongs to the caller.
        self.roots.fetch_add(1, Ordering::Relaxed);
        self.handles.fetch_add(1, Ordering::Relaxed);
    }

    /// Begins to remove a handle. Returns whether it was the last handle. The caller then calls
    /// [`remove_root`](Self::remove_root), and the driver stays occupied until that.
    pub(crate) fn remove_handle(&self) -> bool {
        self.handles.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// Ends the removal of a handle. Returns whether it was the last holder of all.
    #[inline]
    pub(crate) fn remove_root(&self) -> bool {
        self.roots.fetch_sub(1, releasing()) == 1
    }

    /// Returns the number of handles, and the number of sources and timers.
    pub(crate) fn count(&self) -> (usize, usize) {
        let handles = self.handles.load(Ordering::Acquire);
        (handles, self.objects.load(Ordering::Acquire))
    }
}

fn releasing() -> Ordering {
    if mutation!("holder_is_released_without_order") {
        Ordering::Relaxed
    } else {
        Ordering::AcqRel
    }
}

/// The threads inside a private reactor.
#[derive(Debug)]
pub(crate) struct Presence(AtomicUsize);

/// Whether a task may wait that relies on a thread inside.
const TASK_WAITS: usize = 1;
/// One thread inside.
const ONE: usize = 2;

impl Presence {
    pub(crate) fn empty() -> Self {
        Presence(AtomicUsize::new(0))
    }

    pub(crate) fn enter(&self) {
        self.0.fetch_add(ONE, Ordering::AcqRel);
    }

    /// Leaves. Returns whether no thread is inside any more although tasks may wait. The caller then
    /// looks for such a task, and starts the fallback thread if there is one. If there is none, the
    /// caller [erases the note](Self::erase_note).
    #[must_use]
    pub(crate) fn leave(&self) -> bool {
        let before = self.0.fetch_sub(ONE, Ordering::AcqRel);
        before == ONE | TASK_WAITS && !mutation!("last_thread_leaves_without_a_check")
    }

    /// Notes that a task is about to wait that relies on this thread, which is inside.
    #[inline]
    pub(crate) fn note_task(&self) {
        // Relaxed: the exit of this thread publishes the note.
        if self.0.load(Ordering::Relaxed) & TASK_WAITS == 0 {
            self.0.fetch_or(TASK_WAITS, Ordering::Relaxed);
        }
    }

    /// Returns the number of calls by which threads are inside.
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed) / ONE
    }

    /// Erases the note after no waiting task was found, unless a thread has entered since.
    pub(crate) fn erase_note(&self) {
        let from = if mutation!("note_is_erased_while_a_thread_is_inside") {
            self.0.load(Ordering::Relaxed)
        } else {
            TASK_WAITS
        };
        let _ = self.0.compare_exchange(
            from,
            from & !TASK_WAITS,
            Ordering::AcqRel,
            Ordering::Relaxed,
        );
    }
}
