//! Starts the fallback thread independently of the signal mask and the scheduling of the thread
//! that starts it.

use std::io;
use std::thread::Builder;

/// Starts a thread that receives no signals and runs with ordinary scheduling.
///
/// A program that handles signals, or waits for them with `sigwait`, must not lose them to a thread
/// that it does not know about. A new thread inherits the signal mask of the thread that starts it.
/// So the mask is set around the spawn, and there is no moment in which the new thread could
/// receive a signal.
pub(crate) fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let builder = Builder::new().name(name.to_owned());
    let _blocked = imp::BlockedSignals::new();
    builder
        .spawn(move || {
            imp::leave_inherited_scheduling();
            body();
        })
        .map(drop)
}

#[cfg(unix)]
#[allow(unsafe_code)]
mod imp {
    use std::mem::MaybeUninit;

    /// Blocks all signals on the current thread until it is dropped.
    pub(super) struct BlockedSignals {
        before: Option<libc::sigset_t>,
    }

    impl BlockedSignals {
        pub(super) fn new() -> Self {
            let mut all = MaybeUninit::<libc::sigset_t>::uninit();
            let mut before = MaybeUninit::<libc::sigset_t>::uninit();
            // SAFETY: `sigfillset` initialises `all`. `pthread_sigmask` reads it and, if it
            // succeeds (0), has written the previous mask to `before`.
            let before = unsafe {
                libc::sigfillset(all.as_mut_ptr());
                let failed =
                    libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
                (failed == 0).then(|| before.assume_init())
            };
            BlockedSignals { before }
        }
    }

    impl Drop for BlockedSignals {
        fn drop(&mut self) {
            if let Some(before) = &self.before {
                // SAFETY: `before` is a mask that `pthread_sigmask` wrote. The previous mask is not
                // requested.
                unsafe {
                    libc::pthread_sigmask(libc::SIG_SETMASK, before, std::ptr::null_mut());
                }
            }
        }
    }

    /// Gives the current thread the CPU affinity of the main thread and the ordinary scheduling
    /// policy.
    ///
    /// A thread inherits its affinity and its policy from the thread that starts it. If that is a
    /// pinned or a real-time thread, the fallback thread would compete with it, or starve behind
    /// it.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(super) fn leave_inherited_scheduling() {
        // If a call fails, the inherited setting stays, which is acceptable. The ID of the main
        // thread is the ID of the process.
        let main_thread = std::process::id() as libc::pid_t;
        // SAFETY: zero is a valid `cpu_set_t` (no processors), `size` is the size of the set, and 0
        // means the calling thread.
        unsafe {
            let mut processors: libc::cpu_set_t = std::mem::zeroed();
            let size = size_of::<libc::cpu_set_t>();
            if libc::sched_getaffinity(main_thread, size, &mut processors) == 0 {
                libc::sched_setaffinity(0, size, &processors);
            }
        }
        // SAFETY: both calls concern the calling thread. `parameters` is a plain structure, and
        // zero is the only priority that the ordinary policy allows.
        unsafe {
            let policy = libc::sched_getscheduler(0);
            if policy == libc::SCHED_FIFO || policy == libc::SCHED_RR {
                let parameters: libc::sched_param = std::mem::zeroed();
                libc::sched_setscheduler(0, ORDINARY, &parameters);
            }
        }
    }

    /// The ordinary policy. Its name differs between the systems.
    #[cfg(target_os = "linux")]
    const ORDINARY: libc::c_int = libc::SCHED_OTHER;
    #[cfg(target_os = "android")]
    const ORDINARY: libc::c_int = libc::SCHED_NORMAL;

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(super) fn leave_inherited_scheduling() {}
}

#[cfg(not(unix))]
mod imp {
    pub(super) struct BlockedSignals;

    impl BlockedSignals {
        pub(super) fn new() -> Self {
            BlockedSignals
        }
    }

    pub(super) fn leave_inherited_scheduling() {}
}
