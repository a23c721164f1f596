//! Descriptors (handles on Windows) of this process: their flags, their number, their limit.

#[cfg(unix)]
use std::fs::File;
#[cfg(unix)]
pub(crate) use std::os::fd::AsFd as AsObject;
#[cfg(windows)]
pub(crate) use std::os::windows::io::AsSocket as AsObject;

/// Returns whether child processes inherit the object.
#[cfg(unix)]
pub(crate) fn is_inherited(io: impl AsObject) -> bool {
    let flags = rustix::io::fcntl_getfd(io).unwrap();
    !flags.contains(rustix::io::FdFlags::CLOEXEC)
}

/// Returns whether child processes inherit the object.
#[cfg(windows)]
#[allow(unsafe_code)]
pub(crate) fn is_inherited(io: impl AsObject) -> bool {
    use std::os::windows::io::AsRawSocket;
    use windows_sys::Win32::Foundation::{GetHandleInformation, HANDLE_FLAG_INHERIT};
    let handle = io.as_socket().as_raw_socket() as *mut std::ffi::c_void;
    let mut flags = 0;
    // SAFETY: the socket is borrowed and therefore open; the flags outlive the call.
    assert_ne!(unsafe { GetHandleInformation(handle, &mut flags) }, 0);
    flags & HANDLE_FLAG_INHERIT != 0
}

/// Returns whether operations on the descriptor return `WouldBlock` instead of blocking.
#[cfg(unix)]
pub(crate) fn is_nonblocking(io: impl AsObject) -> bool {
    rustix::fs::fcntl_getfl(io)
        .unwrap()
        .contains(rustix::fs::OFlags::NONBLOCK)
}

/// Returns whether a socket is in the state in which this crate registers it: non-blocking and not
/// inherited by child processes. Windows does not report the mode.
pub(crate) fn is_ours(io: impl AsObject) -> bool {
    #[cfg(unix)]
    if !is_nonblocking(&io) {
        return false;
    }
    !is_inherited(io)
}

/// Returns how many system objects (descriptors, handles) this process has open.
#[cfg(unix)]
pub(crate) fn open_objects() -> usize {
    std::fs::read_dir("/dev/fd").unwrap().count()
}

/// Returns how many system objects (descriptors, handles) this process has open.
#[cfg(windows)]
#[allow(unsafe_code)]
pub(crate) fn open_objects() -> usize {
    use windows_sys::Win32::System::Threading::{GetCurrentProcess, GetProcessHandleCount};
    let mut count = 0;
    // SAFETY: the handle of the current process is always valid; the count outlives the call.
    let done = unsafe { GetProcessHandleCount(GetCurrentProcess(), &mut count) };
    assert_ne!(done, 0);
    count as usize
}

/// Closes all descriptors from 3 on, as programs do that become daemons or start others. The process must
/// be one of its own, and must forget the owners that would close the numbers again.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
pub(crate) fn close_from_three() {
    // SAFETY: the caller has forgotten all owners.
    let closed = unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, 0) };
    assert_eq!(closed, 0, "{}", std::io::Error::last_os_error());
}

/// Limits the descriptors of this process to numbers below `limit` and returns the previous limit.
#[cfg(target_os = "linux")]
pub(crate) fn limit_descriptors(limit: Option<u64>) -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let former = getrlimit(Resource::Nofile);
    let current = limit;
    let maximum = former.maximum;
    setrlimit(Resource::Nofile, Rlimit { current, maximum }).unwrap();
    former.current
}

/// Creates a pipe and returns its reading and its writing end. (`std::io::pipe` is newer than the
/// minimum supported Rust version.)
#[cfg(target_os = "linux")]
pub(crate) fn pipe() -> (File, File) {
    let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    (reader.into(), writer.into())
}

/// Creates a pipe and returns its reading and its writing end. Some systems have no call that also
/// sets the flag.
#[cfg(all(unix, not(target_os = "linux")))]
pub(crate) fn pipe() -> (File, File) {
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    for end in [&reader, &writer] {
        rustix::io::fcntl_setfd(end, rustix::io::FdFlags::CLOEXEC).unwrap();
    }
    (reader.into(), writer.into())
}
