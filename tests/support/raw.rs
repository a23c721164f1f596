//! System calls without a safe equivalent in `std`.

#![allow(unsafe_code)]

use std::ffi::c_int;
use std::fs::File;
use std::io;
use std::mem::ManuallyDrop;
use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

/// Returns the result of a call that reports a failure by -1.
pub(crate) fn check(result: c_int) -> io::Result<c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// A descriptor number without ownership, for programs that close descriptors that are in use.
#[derive(Debug)]
pub(crate) struct Number(pub(crate) RawFd);

impl AsFd for Number {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the borrow is not kept, and an invalid number only makes a system call fail. Used
        // only in processes of their own, where no other test owns such a number.
        unsafe { BorrowedFd::borrow_raw(self.0) }
    }
}

/// Closes a descriptor number, even if another object owns it.
pub(crate) fn close(fd: RawFd) {
    // SAFETY: the argument is an integer; the callers run in processes of their own and leak the
    // owner, if there is one.
    check(unsafe { libc::close(fd) }).unwrap();
}

/// Makes the descriptor `number` refer to the same file description as `object`, while `body` runs.
pub(crate) fn replaced<R>(number: RawFd, object: impl AsFd, body: impl FnOnce() -> R) -> R {
    // SAFETY: the arguments are integers; the callers run in processes of their own.
    let saved = own(check(unsafe { libc::dup(number) }));
    let replace = |with: BorrowedFd<'_>| {
        // SAFETY: as above.
        check(unsafe { libc::dup2(with.as_raw_fd(), number) }).unwrap();
    };
    replace(object.as_fd());
    let result = body();
    replace(saved.as_fd());
    result
}

/// Takes the privileges of the superuser from this process, and returns whether it had them.
pub(crate) fn become_another_user() -> bool {
    const NOBODY: libc::uid_t = 65534;
    // SAFETY: the arguments are integers; the callers run in processes of their own.
    unsafe { libc::geteuid() == 0 && check(libc::seteuid(NOBODY)).is_ok() }
}

/// Creates a named pipe.
pub(crate) fn named_pipe(path: &std::path::Path) {
    let path = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
    // SAFETY: the pointer is to a string with a terminating zero.
    check(unsafe { libc::mkfifo(path.as_ptr(), 0o600) }).unwrap();
}

/// Takes ownership of a descriptor that a system call has just created.
fn own(fd: io::Result<c_int>) -> OwnedFd {
    // SAFETY: the caller has it from a system call that creates descriptors, and keeps no other
    // owner.
    unsafe { OwnedFd::from_raw_fd(fd.unwrap()) }
}

/// Creates a pipe in which each write is a packet, and each read returns one packet.
pub(crate) fn pipe_of_packets() -> (File, File) {
    let mut ends = [0; 2];
    let flags = libc::O_DIRECT | libc::O_CLOEXEC;
    // SAFETY: the array has room for two descriptors.
    check(unsafe { libc::pipe2(ends.as_mut_ptr(), flags) }).unwrap();
    (own(Ok(ends[0])).into(), own(Ok(ends[1])).into())
}

/// Creates an eventfd, as a file that is read eight bytes at a time.
pub(crate) fn eventfd(initial: u32, flags: c_int) -> File {
    // SAFETY: the arguments are integers.
    own(check(unsafe {
        libc::eventfd(initial, flags | libc::EFD_CLOEXEC)
    }))
    .into()
}

/// Sets the number of bytes from which on a socket is reported as readable.
pub(crate) fn set_low_water_mark(socket: &TcpStream, bytes: c_int) {
    let size = size_of_val(&bytes) as libc::socklen_t;
    let (fd, value) = (socket.as_raw_fd(), (&raw const bytes).cast());
    // SAFETY: the pointer is valid, and the value has the size that is passed.
    check(unsafe { libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_RCVLOWAT, value, size) })
        .unwrap();
}

/// How a terminal passes input on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Terminal {
    /// Line by line, as new terminals do.
    Lines,
    /// Byte by byte and unchanged.
    Raw,
}

/// Creates a pseudo-terminal and returns its master and its slave.
pub(crate) fn pty(terminal: Terminal) -> (File, File) {
    let (mut master, mut slave) = (0, 0);
    // SAFETY: all zeros is a valid value of this plain C structure.
    let mut mode: libc::termios = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer to the structure is valid.
    unsafe { libc::cfmakeraw(&mut mode) };
    let mode = match terminal {
        Terminal::Lines => std::ptr::null(),
        Terminal::Raw => &raw const mode,
    };
    let none = std::ptr::null_mut();
    // SAFETY: the pointers are valid; the name, the mode and the size may be null.
    let made = unsafe { libc::openpty(&mut master, &mut slave, none, mode, none.cast()) };
    check(made).unwrap();
    (own(Ok(master)).into(), own(Ok(slave)).into())
}

pub(crate) fn socket(domain: c_int, kind: c_int) -> OwnedFd {
    // SAFETY: the arguments are integers.
    own(check(unsafe {
        libc::socket(domain, kind | libc::SOCK_CLOEXEC, 0)
    }))
}

/// Creates a connected pair of Unix sockets of the given kind.
pub(crate) fn socket_pair(kind: c_int) -> (OwnedFd, OwnedFd) {
    let mut ends = [0; 2];
    let kind = kind | libc::SOCK_CLOEXEC;
    // SAFETY: the array has room for two descriptors.
    check(unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, ends.as_mut_ptr()) }).unwrap();
    (own(Ok(ends[0])), own(Ok(ends[1])))
}

/// Returns a loopback IPv4 address as a C structure. With port 0 the kernel chooses the port.
fn loopback(port: u16) -> (libc::sockaddr_in, libc::socklen_t) {
    // SAFETY: all zeros is a valid value of this plain C structure.
    let mut address: libc::sockaddr_in = unsafe { std::mem::zeroed() };
    address.sin_family = libc::AF_INET as libc::sa_family_t;
    address.sin_addr.s_addr = u32::from(std::net::Ipv4Addr::LOCALHOST).to_be();
    address.sin_port = port.to_be();
    (address, size_of::<libc::sockaddr_in>() as libc::socklen_t)
}

pub(crate) fn bind(fd: impl AsFd) {
    let (address, size) = loopback(0);
    // SAFETY: the address is valid and has the size that is passed.
    check(unsafe { libc::bind(fd.as_fd().as_raw_fd(), (&raw const address).cast(), size) })
        .unwrap();
}

pub(crate) fn listen(fd: impl AsFd) {
    // SAFETY: the arguments are integers.
    check(unsafe { libc::listen(fd.as_fd().as_raw_fd(), 16) }).unwrap();
}

pub(crate) fn connect(fd: impl AsFd, port: u16) -> io::Result<c_int> {
    let (address, size) = loopback(port);
    // SAFETY: the address is valid and has the size that is passed.
    check(unsafe { libc::connect(fd.as_fd().as_raw_fd(), (&raw const address).cast(), size) })
}

/// Sets a socket option that has an integer value.
pub(crate) fn set_option(fd: impl AsFd, level: c_int, option: c_int, value: c_int) {
    let size = size_of::<c_int>() as libc::socklen_t;
    let fd = fd.as_fd().as_raw_fd();
    // SAFETY: the value is valid and has the size that is passed.
    let set = unsafe { libc::setsockopt(fd, level, option, (&raw const value).cast(), size) };
    check(set).unwrap();
}

/// Receives once, with flags.
pub(crate) fn recv(fd: impl AsFd, buffer: &mut [u8], flags: c_int) -> io::Result<usize> {
    let fd = fd.as_fd().as_raw_fd();
    // SAFETY: the buffer is valid and has the length that is passed.
    let count = unsafe { libc::recv(fd, buffer.as_mut_ptr().cast(), buffer.len(), flags) };
    usize::try_from(count).map_err(|_| io::Error::last_os_error())
}

/// Sends with flags, and fails if not all bytes are sent in one call.
pub(crate) fn send(fd: impl AsFd, bytes: &[u8], flags: c_int) {
    let fd = fd.as_fd().as_raw_fd();
    // SAFETY: the buffer is valid and has the length that is passed.
    let count = unsafe { libc::send(fd, bytes.as_ptr().cast(), bytes.len(), flags) };
    assert_eq!(
        count,
        bytes.len() as isize,
        "{}",
        io::Error::last_os_error()
    );
}

/// Sends bytes together with a copy of a descriptor.
pub(crate) fn send_descriptor(socket: impl AsFd, bytes: &mut [u8], passed: impl AsFd) {
    let mut part = libc::iovec {
        iov_base: bytes.as_mut_ptr().cast(),
        iov_len: bytes.len(),
    };
    let mut control = [0_u64; 8];
    let size = size_of::<c_int>() as u32;
    // SAFETY: all zeros is a valid value; the pointers below outlive the call; `control` is aligned
    // for a header and larger than the `CMSG_SPACE` of one descriptor.
    let sent = unsafe {
        let mut message: libc::msghdr = std::mem::zeroed();
        message.msg_iov = &mut part;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = libc::CMSG_SPACE(size) as _;
        let header = libc::CMSG_FIRSTHDR(&message);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(size) as _;
        let place = libc::CMSG_DATA(header).cast::<c_int>();
        place.write_unaligned(passed.as_fd().as_raw_fd());
        libc::sendmsg(socket.as_fd().as_raw_fd(), &message, 0)
    };
    assert_eq!(sent, bytes.len() as isize, "{}", io::Error::last_os_error());
}

/// Returns the CPU time used by all threads of this process.
pub(crate) fn process_cpu() -> Duration {
    // SAFETY: all zeros is a valid value of this plain C structure.
    let mut time: libc::timespec = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is valid.
    check(unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) }).unwrap();
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Forks, runs `body` in the child, and returns the child's wait status. `body` must not need other
/// threads. The child exits without returning to the test harness, and aborts if `body` panics.
pub(crate) fn in_forked_child(body: impl FnOnce()) -> c_int {
    let child = fork();
    if child == 0 {
        let body = std::panic::AssertUnwindSafe(body);
        if std::panic::catch_unwind(body).is_err() {
            std::process::abort();
        }
        exit_now();
    }
    wait_for(child)
}

/// Forks. Returns the process ID of the child, or 0 in the child.
pub(crate) fn fork() -> c_int {
    // SAFETY: in a process of its own. The child only uses what tests of forked children use.
    let child = check(unsafe { libc::fork() }).unwrap();
    if child == 0 {
        // SAFETY: the argument is an integer. The alarm ends a child that waits for a lock without
        // an owner.
        unsafe { libc::alarm(10) };
    }
    child
}

/// Ends the process immediately and successfully.
pub(crate) fn exit_now() -> ! {
    // SAFETY: ends the process immediately.
    unsafe { libc::_exit(0) };
}

/// Waits for the end of a child, and returns its wait status.
pub(crate) fn wait_for(child: c_int) -> c_int {
    let mut status = 0;
    // SAFETY: the pointer is valid.
    check(unsafe { libc::waitpid(child, &mut status, 0) }).unwrap();
    status
}

/// Makes SIGUSR1 interrupt system calls (without restarting them) and do nothing else.
pub(crate) fn interrupt_by_sigusr1() {
    extern "C" fn nothing(_: c_int) {}
    // SAFETY: all zeros is a valid value: no flags, so no restart, and an empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = nothing as extern "C" fn(c_int) as libc::sighandler_t;
    // SAFETY: the handler does nothing, so it may run at any moment.
    check(unsafe { libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut()) }).unwrap();
}

/// A thread that can be sent signals.
#[derive(Clone, Copy)]
pub(crate) struct Target(libc::pthread_t);

// SAFETY: it only identifies the thread, and the calls that use it may be made from any thread.
// (With musl it is a pointer.)
unsafe impl Send for Target {}

impl Target {
    pub(crate) fn current() -> Self {
        // SAFETY: the call has no preconditions.
        Self(unsafe { libc::pthread_self() })
    }

    /// Sends SIGUSR1. The thread must not have been joined.
    pub(crate) fn interrupt(self) {
        // SAFETY: the callers keep the thread's handle, so the thread is still known to the system.
        let sent = unsafe { libc::pthread_kill(self.0, libc::SIGUSR1) };
        assert_eq!(sent, 0);
    }
}

pub(crate) fn shutdown_reading(fd: impl AsFd) {
    // SAFETY: the arguments are integers.
    check(unsafe { libc::shutdown(fd.as_fd().as_raw_fd(), libc::SHUT_RD) }).unwrap();
}

/// Returns a file that borrows a descriptor of another owner and does not close it.
pub(crate) fn borrowed_file(fd: RawFd) -> ManuallyDrop<File> {
    // SAFETY: the file is never dropped and therefore never closed; the callers run in processes of
    // their own, in which the number is not closed meanwhile.
    ManuallyDrop::new(unsafe { File::from_raw_fd(fd) })
}

/// Binds this thread, and the threads that it starts, to the first processor that it may use.
pub(crate) fn pin_to_one_processor() {
    let size = size_of::<libc::cpu_set_t>();
    // SAFETY: all zeros is a valid value, and both sets have the size that is passed.
    unsafe {
        let mut allowed: libc::cpu_set_t = std::mem::zeroed();
        check(libc::sched_getaffinity(0, size, &mut allowed)).unwrap();
        let mut cpus = 0..libc::CPU_SETSIZE as usize;
        let first = cpus.find(|cpu| libc::CPU_ISSET(*cpu, &allowed)).unwrap();
        let mut one: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(first, &mut one);
        check(libc::sched_setaffinity(0, size, &one)).unwrap();
    }
}
