//! Starting the fallback thread so that neither it nor the program suffers from where it was started.

use std::io;
use std::thread::Builder;

/// Starts a thread that takes no signals and runs with ordinary scheduling.
///
/// Signals: a program that handles them (or waits for them with `sigwait`) must not find them swallowed by a thread it
/// does not know of. The mask is set around the spawn, because a thread inherits it; so there is no moment in which the
/// new thread takes one.
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

    /// All signals are blocked on this thread while this lives.
    pub(super) struct BlockedSignals {
        before: Option<libc::sigset_t>,
    }

    impl BlockedSignals {
        pub(super) fn new() -> Self {
            let mut all = MaybeUninit::<libc::sigset_t>::uninit();
            let mut before = MaybeUninit::<libc::sigset_t>::uninit();
            // SAFETY: `sigfillset` initialises `all`; `pthread_sigmask` reads it and, if it succeeds (0), has written
            // the previous mask to `before`.
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
                // SAFETY: `before` is a mask that `pthread_sigmask` wrote; no old mask is asked for.
                unsafe {
                    libc::pthread_sigmask(libc::SIG_SETMASK, before, std::ptr::null_mut());
                }
            }
        }
    }

    /// A thread inherits the processors and the policy of the one that starts it. Started by chance from a pinned or a
    /// real-time thread, the fallback thread would compete with it, or starve behind it. It takes the processors of the
    /// process's main thread, and the ordinary policy.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(super) fn leave_inherited_scheduling() {
        // Failures leave things as they were inherited, which is not wrong, only less good. The main thread has the number
        // of the process.
        let main_thread = std::process::id() as libc::pid_t;
        // SAFETY: zero is a valid `cpu_set_t` (no processors), the size is that of the set, and 0 means the calling thread.
        unsafe {
            let mut processors: libc::cpu_set_t = std::mem::zeroed();
            let size = size_of::<libc::cpu_set_t>();
            if libc::sched_getaffinity(main_thread, size, &mut processors) == 0 {
                libc::sched_setaffinity(0, size, &processors);
            }
        }
        // SAFETY: both calls concern the calling thread; `parameters` is a plain structure, and zero is the one priority
        // that the ordinary policy knows.
        unsafe {
            let policy = libc::sched_getscheduler(0);
            if policy == libc::SCHED_FIFO || policy == libc::SCHED_RR {
                let parameters: libc::sched_param = std::mem::zeroed();
                libc::sched_setscheduler(0, ORDINARY, &parameters);
            }
        }
    }

    /// One policy with two names.
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
