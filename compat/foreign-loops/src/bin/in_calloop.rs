//! A reactor inside calloop, with a level-triggered and with an edge-triggered registration.

use std::cell::Cell;
use std::io;
use std::os::fd::BorrowedFd;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use calloop::generic::Generic;
use calloop::timer::{TimeoutAction, Timer};
use calloop::{
    EventLoop, EventSource, Interest, Mode, Poll, PostAction, Readiness, Token, TokenFactory,
};
use foreign_loops::{Guest, Host, exercise};

fn main() -> ExitCode {
    for (name, mode) in [
        ("level-triggered", Mode::Level),
        ("edge-triggered", Mode::Edge),
    ] {
        println!("calloop, {name}:");
        if let Err(error) = run(mode) {
            eprintln!("in_calloop: {name}: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn run(mode: Mode) -> io::Result<()> {
    let guest = Guest::new()?;
    let source = GuestSource {
        guest: &guest,
        descriptor: Generic::new(guest.fd()?, Interest::READ, mode),
    };
    let event_loop = EventLoop::try_new().map_err(io::Error::other)?;
    event_loop
        .handle()
        .insert_source(source, |(), (), _| guest.turn())
        .map_err(|refused| io::Error::other(refused.error))?;
    let mut host = Calloop {
        event_loop,
        has_alarmed: Rc::default(),
    };
    exercise(&mut host, &guest)
}

/// The descriptor of a guest as a source of events. It prepares before each wait of the loop.
struct GuestSource<'a> {
    guest: &'a Guest,
    descriptor: Generic<BorrowedFd<'a>>,
}

impl EventSource for GuestSource<'_> {
    type Event = ();
    type Metadata = ();
    type Ret = io::Result<()>;
    type Error = io::Error;

    const NEEDS_EXTRA_LIFECYCLE_EVENTS: bool = true;

    fn before_sleep(&mut self) -> calloop::Result<Option<(Readiness, Token)>> {
        // If there is something to do already, the descriptor is readable.
        self.guest.prepare()?;
        Ok(None)
    }

    fn process_events<F>(
        &mut self,
        readiness: Readiness,
        token: Token,
        mut callback: F,
    ) -> io::Result<PostAction>
    where
        F: FnMut((), &mut ()) -> io::Result<()>,
    {
        self.descriptor.process_events(readiness, token, |_, _| {
            callback((), &mut ())?;
            Ok(PostAction::Continue)
        })
    }

    fn register(&mut self, poll: &mut Poll, factory: &mut TokenFactory) -> calloop::Result<()> {
        self.descriptor.register(poll, factory)
    }

    fn reregister(&mut self, poll: &mut Poll, factory: &mut TokenFactory) -> calloop::Result<()> {
        self.descriptor.reregister(poll, factory)
    }

    fn unregister(&mut self, poll: &mut Poll) -> calloop::Result<()> {
        self.descriptor.unregister(poll)
    }
}

struct Calloop<'a> {
    event_loop: EventLoop<'a, ()>,
    has_alarmed: Rc<Cell<bool>>,
}

impl Host for Calloop<'_> {
    fn round(&mut self) -> io::Result<()> {
        let dispatched = self.event_loop.dispatch(None, &mut ());
        dispatched.map_err(io::Error::other)
    }

    fn set_alarm(&mut self, after: Duration) -> io::Result<()> {
        let has_alarmed = Rc::clone(&self.has_alarmed);
        let handle = self.event_loop.handle();
        let inserted = handle.insert_source(Timer::from_duration(after), move |_, (), ()| {
            has_alarmed.set(true);
            TimeoutAction::Drop
        });
        match inserted {
            Ok(_) => Ok(()),
            Err(refused) => Err(io::Error::other(refused.error)),
        }
    }

    fn has_alarmed(&self) -> bool {
        self.has_alarmed.get()
    }
}
