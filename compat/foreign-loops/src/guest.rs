//! The reactor and its tasks, as the loops see them.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::BorrowedFd;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::Duration;

use async_channel::Sender;
use async_executor::LocalExecutor;
use async_io::{Async, Reactor, Timer};
use futures_lite::future;

use crate::work::{self, Counts, Work};

const HOUR: Duration = Duration::from_secs(3600);

/// A manual reactor with tasks.
pub struct Guest {
    reactor: Reactor,
    /// Makes the descriptor readable when a task is woken, on whatever thread.
    waker: Waker,
    tasks: RefCell<Pin<Box<dyn Future<Output = Infallible>>>>,
    executor: Rc<LocalExecutor<'static>>,
    counts: Rc<Counts>,
    server: SocketAddr,
    values: Sender<u32>,
    has_waited: Cell<bool>,
    failure: RefCell<Option<io::Error>>,
}

impl Guest {
    pub fn new() -> io::Result<Guest> {
        let reactor = Reactor::builder()
            .name("guest")
            .fallback_thread(false)
            .build()?;
        let counts = Rc::new(Counts::default());
        let executor = Rc::new(LocalExecutor::new());
        let (values, received) = async_channel::unbounded();

        let entered = reactor.enter();
        let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
        let server = listener.get_ref().local_addr()?;
        executor
            .spawn(work::serve(listener, Rc::clone(&counts)))
            .detach();
        executor
            .spawn(work::receive(received, Rc::clone(&counts)))
            .detach();
        // A timer that is not due keeps no loop from sleeping.
        executor.spawn(Timer::after(HOUR)).detach();
        drop(entered);

        let running = Rc::clone(&executor);
        let tasks = async move { running.run(future::pending()).await };
        Ok(Guest {
            waker: reactor.waker(),
            reactor,
            tasks: RefCell::new(Box::pin(tasks)),
            executor,
            counts,
            server,
            values,
            has_waited: Cell::new(false),
            failure: RefCell::new(None),
        })
    }

    /// Returns the descriptor that the loop watches.
    pub fn fd(&self) -> io::Result<BorrowedFd<'_>> {
        self.reactor.fd()
    }

    /// Prepares for a wait of the loop. Returns whether there is something to do already.
    pub fn prepare(&self) -> io::Result<bool> {
        let limit = self.reactor.prepare()?;
        let is_ready = limit == Some(Duration::ZERO);
        self.has_waited.set(!is_ready);
        Ok(is_ready)
    }

    /// Does what there is to do.
    pub fn turn(&self) -> io::Result<()> {
        self.reactor.turn(Some(Duration::ZERO))?;
        self.run_tasks();
        Ok(())
    }

    /// Keeps an error that a callback of the loop cannot return. [`check`](Self::check) returns it.
    pub fn fail(&self, error: io::Error) {
        self.failure.borrow_mut().get_or_insert(error);
    }

    pub(crate) fn check(&self) -> io::Result<()> {
        let failure = self.failure.take().or_else(|| self.counts.failure.take());
        failure.map_or(Ok(()), Err)
    }

    /// Whether the last wait of the loop was a real one.
    pub(crate) fn has_waited(&self) -> bool {
        self.has_waited.get()
    }

    /// Starts the interval and the threads that use the other tasks.
    pub(crate) fn start_work(&self) -> io::Result<Work> {
        let entered = self.reactor.enter();
        self.executor
            .spawn(work::tick(Rc::clone(&self.counts)))
            .detach();
        drop(entered);
        self.run_tasks();
        Work::start(self.server, self.values.clone())
    }

    pub(crate) fn is_done(&self) -> io::Result<bool> {
        self.check()?;
        Ok(self.counts.are_complete())
    }

    /// Returns a description of the work that was done. Fails if it is not what was started.
    pub(crate) fn take_counts(&self) -> io::Result<String> {
        self.counts.take()
    }

    fn run_tasks(&self) {
        let _entered = self.reactor.enter();
        let mut context = Context::from_waker(&self.waker);
        let _pending = self.tasks.borrow_mut().as_mut().poll(&mut context);
    }
}
