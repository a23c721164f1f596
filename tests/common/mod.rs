//! Helpers shared by the test files.

// Every test file compiles this module for itself and uses a part of it.
#![allow(dead_code)]

#[cfg(unix)]
use std::fs::File;
use std::future::Future;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
#[cfg(unix)]
pub(crate) use std::os::fd::AsFd as AsObject;
#[cfg(unix)]
pub(crate) use std::os::unix::net::UnixStream as Local;
#[cfg(windows)]
pub(crate) use std::os::windows::io::AsSocket as AsObject;
use std::panic;
use std::pin::pin;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use async_io::{Async, Timer};
use futures_lite::future;

/// How long anything may take before a test calls it a hang.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// The same for a single step, shorter so that a test which hangs says where.
pub(crate) const STEP: Duration = Duration::from_secs(40);

/// Far enough away never to come due in a test.
pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// Runs `body` on a thread of its own, and fails when it has not finished within `limit`.
pub(crate) fn within<R: Send + 'static>(
    limit: Duration,
    body: impl FnOnce() -> R + Send + 'static,
) -> R {
    let (done, finished) = mpsc::channel::<()>();
    let worker = thread::spawn(move || {
        // Dropped also when the body panics, which ends the wait below.
        let _done = done;
        body()
    });
    if finished.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
        panic!("no end after {limit:?}");
    }
    worker
        .join()
        .unwrap_or_else(|payload| panic::resume_unwind(payload))
}

/// [`within`] the usual limit.
pub(crate) fn guarded<R: Send + 'static>(body: impl FnOnce() -> R + Send + 'static) -> R {
    within(LIMIT, body)
}

/// Waits until `condition` holds, and fails when it does not come to hold.
#[track_caller]
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < STEP, "still waiting: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

const CHILD: &str = "ASYNC_IO_TEST_IN_CHILD";

/// Runs `body` in a fresh process, for tests that look at things of which a process has only one: threads, descriptors,
/// limits, signals. `name` is the full name of the test that calls this.
pub(crate) fn in_child(name: &str, body: impl FnOnce() + Send + 'static) {
    in_child_with_input(name, b"", body);
}

/// [`in_child`] with a pipe as standard input, from which `input` can be read and then the end of file.
pub(crate) fn in_child_with_input(name: &str, input: &[u8], body: impl FnOnce() + Send + 'static) {
    if std::env::var_os(CHILD).is_some_and(|value| value == name) {
        return guarded(body);
    }
    let mut child = this_program()
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(CHILD, name)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Fails when the child ended early, which the status below reports in better words.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{name} in a child: {}\n{text}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr),
    );
}

/// Starts the program that runs, again; where the system cannot do that by itself, with what `ASYNC_IO_TEST_RUNNER` names (an
/// emulator).
pub(crate) fn this_program() -> Command {
    let program = std::env::current_exe().unwrap();
    match std::env::var_os("ASYNC_IO_TEST_RUNNER") {
        Some(runner) => {
            let mut command = Command::new(runner);
            command.arg(program);
            command
        }
        None => Command::new(program),
    }
}

/// The number of this process's threads that carry `name`.
#[cfg(target_os = "linux")]
pub(crate) fn threads_named(name: &str) -> usize {
    thread_ids_named(name).len()
}

/// The kernel's ids of this process's threads that carry `name`.
#[cfg(target_os = "linux")]
pub(crate) fn thread_ids_named(name: &str) -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    tasks
        .map(|entry| entry.unwrap())
        // A thread may end between the listing and the look at it.
        .filter(|entry| {
            std::fs::read_to_string(entry.path().join("comm")).is_ok_and(|comm| comm.trim() == name)
        })
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect()
}

/// A waker that counts how often it is woken, and that knows how many copies of it exist.
#[derive(Debug, Default)]
pub(crate) struct Hits {
    count: Mutex<usize>,
    changed: Condvar,
}

impl Hits {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    pub(crate) fn count(&self) -> usize {
        *self.count.lock().unwrap()
    }

    /// Waits until the waker has been woken `at_least` times since it was made.
    #[track_caller]
    pub(crate) fn wait(&self, at_least: usize) {
        let count = self.count.lock().unwrap();
        let (count, _) = self
            .changed
            .wait_timeout_while(count, STEP, |count| *count < at_least)
            .unwrap();
        assert!(*count >= at_least, "woken {count} times, not {at_least}");
    }

    /// How many wakers made from this exist; `own` of them are the caller's.
    pub(crate) fn held(self: &Arc<Self>, own: usize) -> usize {
        Arc::strong_count(self) - 1 - own
    }
}

impl Wake for Hits {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        *self.count.lock().unwrap() += 1;
        self.changed.notify_all();
    }
}

/// A counter and the one waker that leads to it.
pub(crate) fn hits() -> (Arc<Hits>, Waker) {
    let hits = Hits::new();
    let waker = Waker::from(hits.clone());
    (hits, waker)
}

struct OnWake<F>(F);

impl<F: Fn() + Send + Sync + 'static> Wake for OnWake<F> {
    fn wake(self: Arc<Self>) {
        (self.0)();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        (self.0)();
    }
}

/// A waker that calls `action`.
pub(crate) fn waker_fn(action: impl Fn() + Send + Sync + 'static) -> Waker {
    Waker::from(Arc::new(OnWake(action)))
}

/// A waker that does nothing when woken, and calls `action` when its last copy is dropped.
pub(crate) fn waker_with_drop(action: impl FnOnce() + Send + Sync + 'static) -> Waker {
    struct OnDrop<F: FnOnce()>(Option<F>);
    impl<F: FnOnce()> Drop for OnDrop<F> {
        fn drop(&mut self) {
            self.0.take().unwrap()();
        }
    }
    let on_drop = OnDrop(Some(action));
    waker_fn(move || _ = &on_drop)
}

/// Polls once, with `waker`.
pub(crate) fn poll<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(waker))
}

/// Polls once, with a waker that nobody listens to: only what needs no waiting is ready.
pub(crate) fn poll_now<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// [`Async::poll_readable`] with `waker`.
pub(crate) fn poll_readable<T>(source: &Async<T>, waker: &Waker) -> Poll<io::Result<()>> {
    source.poll_readable(&mut Context::from_waker(waker))
}

/// [`Async::poll_writable`] with `waker`.
pub(crate) fn poll_writable<T>(source: &Async<T>, waker: &Waker) -> Poll<io::Result<()>> {
    source.poll_writable(&mut Context::from_waker(waker))
}

/// Waits for `poll_readable`, as a future of a foreign executor would.
pub(crate) async fn wait_readable<T>(source: &Async<T>) -> io::Result<()> {
    std::future::poll_fn(|cx| source.poll_readable(cx)).await
}

/// Runs a future on an executor that knows nothing of this crate.
pub(crate) fn foreign<F: Future>(future: F) -> F::Output {
    future::block_on(future)
}

/// Lets the reactor do several rounds that begin after the call: whatever was under way has arrived afterwards.
pub(crate) fn settle() {
    let (source, mut peer) = local_pair();
    for _ in 0..3 {
        peer.write_all(b"s").unwrap();
        foreign(async {
            source.readable().await.unwrap();
            Timer::after(Duration::from_millis(2)).await;
        });
        source.get_ref().read_exact_here(1);
    }
}

trait ReadExactHere {
    fn read_exact_here(&self, count: usize);
}

impl ReadExactHere for Local {
    fn read_exact_here(&self, count: usize) {
        let mut stream: &Local = self;
        stream.read_exact(&mut vec![0; count]).unwrap();
    }
}

/// The stream within one machine: TCP, where std has no Unix sockets.
#[cfg(windows)]
pub(crate) type Local = TcpStream;

/// Two connected local streams.
#[cfg(unix)]
pub(crate) fn pair() -> (Local, Local) {
    Local::pair().unwrap()
}

/// Two connected local streams.
#[cfg(windows)]
pub(crate) fn pair() -> (Local, Local) {
    tcp_streams()
}

/// A registered local stream and its blocking peer.
pub(crate) fn local_pair() -> (Async<Local>, Local) {
    let (ours, peer) = pair();
    (Async::new(ours).unwrap(), peer)
}

/// A registered TCP stream and its blocking peer.
pub(crate) fn tcp_pair() -> (Async<TcpStream>, TcpStream) {
    let (ours, peer) = tcp_streams();
    (Async::new(ours).unwrap(), peer)
}

/// Two connected TCP streams.
pub(crate) fn tcp_streams() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (peer, _) = listener.accept().unwrap();
    (ours, peer)
}

/// Makes a type that wraps an object pass for one: `AsFd`, or on Windows `AsSocket`.
#[allow(unused_macros)]
macro_rules! as_object {
    ($type:ty, |$this:ident| $inner:expr) => {
        #[cfg(unix)]
        impl std::os::fd::AsFd for $type {
            fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
                let $this = self;
                $inner.as_fd()
            }
        }

        #[cfg(windows)]
        impl std::os::windows::io::AsSocket for $type {
            fn as_socket(&self) -> std::os::windows::io::BorrowedSocket<'_> {
                let $this = self;
                $inner.as_socket()
            }
        }
    };
}
#[allow(unused_imports)]
pub(crate) use as_object;

/// Closing it resets the connection.
pub(crate) fn reset_on_close(stream: &TcpStream) {
    let socket = socket2::SockRef::from(stream);
    socket.set_linger(Some(Duration::ZERO)).unwrap();
}

/// Sends one byte out of band.
pub(crate) fn send_urgent(stream: &TcpStream) {
    let socket = socket2::SockRef::from(stream);
    assert_eq!(socket.send_out_of_band(b"!").unwrap(), 1);
}

/// Whether programs that this one starts get the object, too.
#[cfg(unix)]
pub(crate) fn is_inherited(io: impl AsObject) -> bool {
    let flags = rustix::io::fcntl_getfd(io).unwrap();
    !flags.contains(rustix::io::FdFlags::CLOEXEC)
}

/// Whether programs that this one starts get the object, too.
#[cfg(windows)]
#[allow(unsafe_code)]
pub(crate) fn is_inherited(io: impl AsObject) -> bool {
    use std::os::windows::io::AsRawSocket;
    use windows_sys::Win32::Foundation::{GetHandleInformation, HANDLE_FLAG_INHERIT};
    let handle = io.as_socket().as_raw_socket() as *mut std::ffi::c_void;
    let mut flags = 0;
    // SAFETY: the socket is borrowed and thus open; the flags outlive the call.
    assert_ne!(unsafe { GetHandleInformation(handle, &mut flags) }, 0);
    flags & HANDLE_FLAG_INHERIT != 0
}

/// How many objects of the system (descriptors, handles) this process has open.
#[cfg(unix)]
pub(crate) fn open_objects() -> usize {
    std::fs::read_dir("/dev/fd").unwrap().count()
}

/// How many objects of the system (descriptors, handles) this process has open.
#[cfg(windows)]
#[allow(unsafe_code)]
pub(crate) fn open_objects() -> usize {
    use windows_sys::Win32::System::Threading::{GetCurrentProcess, GetProcessHandleCount};
    let mut count = 0;
    // SAFETY: the handle of the own process is always good; the count outlives the call.
    let done = unsafe { GetProcessHandleCount(GetCurrentProcess(), &mut count) };
    assert_ne!(done, 0);
    count as usize
}

/// Allows this process only descriptors below `limit`, and returns what was allowed before.
#[cfg(target_os = "linux")]
pub(crate) fn limit_descriptors(limit: Option<u64>) -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let former = getrlimit(Resource::Nofile);
    let current = limit;
    let maximum = former.maximum;
    setrlimit(Resource::Nofile, Rlimit { current, maximum }).unwrap();
    former.current
}

/// A pipe's reading and writing end. (That of the standard library is younger than our oldest compiler.)
#[cfg(unix)]
pub(crate) fn pipe() -> (File, File) {
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    for end in [&reader, &writer] {
        rustix::io::fcntl_setfd(end, rustix::io::FdFlags::CLOEXEC).unwrap();
    }
    (reader.into(), writer.into())
}

/// Writes until the system takes no more, and tells how much it took.
pub(crate) fn fill(mut writer: impl Write) -> usize {
    let mut total = 0;
    // Windows may refuse a large write and take a small one.
    for size in [4096, 1] {
        loop {
            match writer.write(&[7; 4096][..size]) {
                Ok(count) => total += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => panic!("cannot fill: {error}"),
            }
        }
    }
    total
}

/// The same once and for all: TCP moves what was written into the peer's window for a while, and this fills both.
pub(crate) fn fill_for_good(stream: impl Write + Copy) -> usize {
    let mut total = fill(stream);
    loop {
        settle();
        match fill(stream) {
            0 => return total,
            more => total += more,
        }
    }
}

/// Whether operations on the descriptor return `WouldBlock` rather than wait.
#[cfg(unix)]
pub(crate) fn is_nonblocking(io: impl AsObject) -> bool {
    rustix::fs::fcntl_getfl(io)
        .unwrap()
        .contains(rustix::fs::OFlags::NONBLOCK)
}

/// Registered sockets do not block, and are not for child processes. Windows does not tell the mode.
pub(crate) fn is_ours(io: impl AsObject) -> bool {
    #[cfg(unix)]
    if !is_nonblocking(&io) {
        return false;
    }
    !is_inherited(io)
}

/// The value of a poll that must not be pending.
#[track_caller]
pub(crate) fn ready<T>(poll: Poll<T>) -> T {
    match poll {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("pending"),
    }
}
