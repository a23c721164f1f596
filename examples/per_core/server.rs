//! The cores: threads that share nothing but, with some distributions, a listener or a channel.

use std::cell::Cell;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::thread::{self, JoinHandle};

use async_channel::{Receiver, Sender};
use async_executor::LocalExecutor;
use async_io::{Async, Reactor};
use futures_lite::future;

use crate::connection::{self, Counts, Protocol};
use crate::distribution::{self, Distribution, Handed, Listeners, Origin};
use crate::options::Options;

/// The number of connections that may wait for a core after they were accepted for it.
const HANDED: usize = 128;

pub(crate) struct Server {
    pub(crate) echo: SocketAddr,
    pub(crate) http: SocketAddr,
    /// This channel is closed to stop the threads. No message is ever sent.
    stop: Sender<()>,
    cores: Vec<JoinHandle<Counts>>,
    acceptor: Option<JoinHandle<()>>,
}

impl Server {
    /// Creates the reactors and the listeners, and starts a thread for each core.
    ///
    /// All that can fail happens here, before the first thread starts or the first client connects.
    pub(crate) fn start(options: &Options) -> io::Result<Server> {
        let reactors: Vec<Reactor> = (0..options.cores)
            .map(|number| Reactor::builder().name(number.to_string()).build())
            .collect::<io::Result<_>>()?;
        let (stop, stopped) = async_channel::bounded(1);
        let mut server = Server {
            echo: options.echo,
            http: options.http,
            stop,
            cores: Vec::new(),
            acceptor: None,
        };
        let origins = match options.distribution {
            Distribution::ReusePort => server.bind_each(&reactors)?,
            Distribution::Shared => server.bind_shared(&reactors)?,
            Distribution::Acceptor => server.bind_acceptor(options.cores, &stopped)?,
        };
        for (number, (reactor, origin)) in reactors.into_iter().zip(origins).enumerate() {
            let stopped = stopped.clone();
            let builder = thread::Builder::new().name(format!("core-{number}"));
            let core = builder.spawn(move || run_core(number, &reactor, &origin, &stopped))?;
            server.cores.push(core);
        }
        Ok(server)
    }

    fn bind_each(&mut self, reactors: &[Reactor]) -> io::Result<Vec<Origin>> {
        let bind = |reactor: &Reactor| {
            // The listeners belong to the reactor that is current when they are created.
            let _entered = reactor.enter();
            let listeners = Listeners::bind(self.echo, self.http, true)?;
            // The first core chooses the ports.
            (self.echo, self.http) = listeners.addresses()?;
            Ok(Origin::Listeners(listeners))
        };
        reactors.iter().map(bind).collect()
    }

    fn bind_shared(&mut self, reactors: &[Reactor]) -> io::Result<Vec<Origin>> {
        let original = Listeners::bind(self.echo, self.http, false)?;
        (self.echo, self.http) = original.addresses()?;
        let share = |reactor: &Reactor| {
            let _entered = reactor.enter();
            original.share().map(Origin::Listeners)
        };
        reactors.iter().map(share).collect()
    }

    fn bind_acceptor(&mut self, cores: usize, stopped: &Receiver<()>) -> io::Result<Vec<Origin>> {
        let reactor = Reactor::builder().name("accept").build()?;
        let entered = reactor.enter();
        let listeners = Listeners::bind(self.echo, self.http, false)?;
        drop(entered);
        (self.echo, self.http) = listeners.addresses()?;

        let (senders, receivers): (Vec<Sender<Handed>>, Vec<_>) =
            (0..cores).map(|_| async_channel::bounded(HANDED)).unzip();
        let stopped = stopped.clone();
        let builder = thread::Builder::new().name("acceptor".into());
        self.acceptor = Some(builder.spawn(move || {
            let hand_out = distribution::hand_out(&listeners, &senders);
            reactor.block_on(future::or(until_closed(&stopped), hand_out));
        })?);
        Ok(receivers.into_iter().map(Origin::Acceptor).collect())
    }

    /// Stops the server. Returns what each core has served.
    pub(crate) fn stop(self) -> io::Result<Vec<Counts>> {
        self.stop.close();
        self.join()
    }

    /// Waits until all threads have ended.
    pub(crate) fn join(self) -> io::Result<Vec<Counts>> {
        let panicked = |_| io::Error::other("a server thread panicked");
        if let Some(acceptor) = self.acceptor {
            acceptor.join().map_err(panicked)?;
        }
        let cores = self.cores.into_iter();
        cores.map(|core| core.join().map_err(panicked)).collect()
    }
}

/// Serves connections until `stopped` is closed. Returns what was served.
fn run_core(number: usize, reactor: &Reactor, origin: &Origin, stopped: &Receiver<()>) -> Counts {
    let counts = Cell::new(Counts::default());
    reactor.block_on(async {
        // The executor is dropped inside of `block_on`, which cancels its tasks. If tasks still
        // waited when the last thread leaves the reactor, it would start a thread for them.
        let executor = LocalExecutor::new();
        let take = async |protocol: Protocol, stream: Async<TcpStream>| {
            let serve = connection::serve(protocol, stream, number, &counts);
            executor.spawn(serve).detach();
        };
        let accept = async {
            match origin {
                Origin::Listeners(listeners) => listeners.accept(take).await,
                Origin::Acceptor(connections) => distribution::receive(connections, take).await,
            }
        };
        executor
            .run(future::or(until_closed(stopped), accept))
            .await;
    });
    counts.get()
}

async fn until_closed(stopped: &Receiver<()>) {
    // This fails when the channel is closed.
    let _ = stopped.recv().await;
}
