//! The echo server as tasks of async-executor on several threads, over a minimal epoll reactor: the
//! lower limit of what a reactor below that executor costs.
//!
//! A thread without a runnable task waits for events if no other thread does, and parks otherwise.
//! While the thread that waited runs tasks, no other thread takes over the wait. Timers, new sources
//! and waiting to write do not exist here.

use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use async_executor::Executor;
use rustix::event::{EventfdFlags, eventfd};

use super::{Epoll, has_closed, index};

/// The event of the eventfd that ends a wait. It is never read, because each write is an edge.
const ALARM: usize = usize::MAX;

struct Reactor {
    epoll: OwnedFd,
    /// Locked by the thread that waits.
    lead: Mutex<()>,
    alarm: Arc<OwnedFd>,
    sources: Vec<Source>,
}

struct Source {
    stream: TcpStream,
    state: Mutex<State>,
}

struct State {
    /// Whether a read may find data.
    is_ready: bool,
    has_closed: bool,
    reader: Option<Waker>,
}

/// Serves these connections until they are closed.
pub(crate) fn serve(streams: Vec<TcpStream>, threads: usize) -> io::Result<()> {
    let reactor = Reactor::new(streams)?;
    let executor = Executor::new();
    let serve = |source| executor.spawn(echo(source));
    let tasks: Vec<_> = reactor.sources.iter().map(serve).collect();
    let (finished, finish) = async_channel::bounded::<()>(1);
    thread::scope(|scope| {
        for _ in 1..threads {
            // `recv` fails once the sender is dropped, after the last connection has closed.
            scope.spawn(|| block_on(&reactor, executor.run(finish.recv())));
        }
        let result = block_on(
            &reactor,
            executor.run(async {
                for task in tasks {
                    task.await?;
                }
                Ok(())
            }),
        );
        drop(finished);
        result?
    })
}

async fn echo(source: &Source) -> io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        let length = poll_fn(|context| source.poll_read(context, &mut buffer)).await?;
        if length == 0 {
            return Ok(());
        }
        // The answers always fit into the socket's buffer: see `raw::echo`.
        (&source.stream).write_all(&buffer[..length])?;
    }
}

impl Reactor {
    fn new(streams: Vec<TcpStream>) -> io::Result<Reactor> {
        let epoll = Epoll::new()?;
        let alarm = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        epoll.add(&alarm, ALARM)?;
        for (index, stream) in streams.iter().enumerate() {
            epoll.add(stream, index)?;
        }
        Ok(Reactor {
            epoll: epoll.descriptor,
            lead: Mutex::new(()),
            alarm: Arc::new(alarm),
            sources: streams.into_iter().map(Source::new).collect(),
        })
    }

    /// Waits for events and wakes their tasks. A wake of the waiting thread writes to the eventfd
    /// only during the wait.
    fn turn(&self, epoll: &mut Epoll, thread: &Thread) -> io::Result<()> {
        let events = epoll.wait(None);
        thread.state.store(RUNS, Ordering::SeqCst);
        for event in events? {
            if let Some(source) = self.sources.get(index(event)) {
                source.is_ready(has_closed(event));
            }
        }
        Ok(())
    }
}

impl Source {
    fn new(stream: TcpStream) -> Source {
        let state = Mutex::new(State {
            is_ready: true,
            has_closed: false,
            reader: None,
        });
        Source { stream, state }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_ready(&self, has_closed: bool) {
        let mut state = self.state();
        state.is_ready = true;
        state.has_closed |= has_closed;
        let reader = state.reader.take();
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    fn poll_read(&self, context: &Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            let mut state = self.state();
            if !state.is_ready {
                state.reader = Some(context.waker().clone());
                return Poll::Pending;
            }
            // Cleared before the read, so that an edge during the read is kept.
            state.is_ready = state.has_closed;
            drop(state);
            match (&self.stream).read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Ok(length) if length == buffer.len() => {
                    self.state().is_ready = true;
                    return Poll::Ready(Ok(length));
                }
                result => return Poll::Ready(result),
            }
        }
    }
}

const RUNS: u8 = 0;
const NOTIFIED: u8 = 1;
const PARKS: u8 = 2;
const WAITS: u8 = 3;

/// A thread in `block_on`.
struct Thread {
    state: AtomicU8,
    thread: thread::Thread,
    alarm: Arc<OwnedFd>,
}

impl Wake for Thread {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        match self.state.swap(NOTIFIED, Ordering::SeqCst) {
            PARKS => self.thread.unpark(),
            // This fails only if the counter is full. Then the eventfd has had an edge.
            WAITS => drop(rustix::io::write(&*self.alarm, &1_u64.to_ne_bytes())),
            _ => {}
        }
    }
}

impl Thread {
    /// Changes the state from `RUNS`. Returns `false` if the thread has been notified.
    fn enters(&self, state: u8) -> bool {
        let (success, failure) = (Ordering::SeqCst, Ordering::SeqCst);
        let changed = self.state.compare_exchange(RUNS, state, success, failure);
        changed.is_ok()
    }
}

fn block_on<T>(reactor: &Reactor, future: impl Future<Output = T>) -> io::Result<T> {
    let this = Arc::new(Thread {
        state: AtomicU8::new(RUNS),
        thread: thread::current(),
        alarm: reactor.alarm.clone(),
    });
    // Another descriptor of the same epoll, with a list of events for this thread.
    let mut epoll = Epoll::of(reactor.epoll.try_clone()?);
    let waker = Waker::from(this.clone());
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        this.state.store(RUNS, Ordering::SeqCst);
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return Ok(output);
        }
        if let Ok(_lead) = reactor.lead.try_lock() {
            if this.enters(WAITS) {
                reactor.turn(&mut epoll, &this)?;
            }
        } else if this.enters(PARKS) {
            while this.state.load(Ordering::SeqCst) == PARKS {
                thread::park();
            }
        }
    }
}
