//! The three ways to distribute connections over the cores.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::str::FromStr;
use std::time::Duration;

use async_channel::{Receiver, Sender};
use async_io::{Async, Reactor, Timer};
use futures_lite::future;
use socket2::{Domain, Socket, Type};

use crate::connection::Protocol;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Distribution {
    /// Each core has listeners of its own.
    ReusePort,
    /// All cores accept from the same listeners.
    Shared,
    /// A thread accepts for all cores.
    Acceptor,
}

impl Default for Distribution {
    fn default() -> Distribution {
        if cfg!(any(target_os = "linux", target_os = "android")) {
            Distribution::ReusePort
        } else {
            Distribution::Shared
        }
    }
}

impl FromStr for Distribution {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Distribution, &'static str> {
        match name {
            "reuseport" => Ok(Distribution::ReusePort),
            "shared" => Ok(Distribution::Shared),
            "acceptor" => Ok(Distribution::Acceptor),
            _ => Err("not one of reuseport, shared and acceptor"),
        }
    }
}

/// A connection on its way from the acceptor to a core.
pub(crate) type Handed = (Protocol, Async<TcpStream>);

/// The two listeners of a core or of the acceptor, registered with its reactor.
pub(crate) struct Listeners {
    pub(crate) echo: Async<TcpListener>,
    pub(crate) http: Async<TcpListener>,
}

/// From where a core gets its connections.
pub(crate) enum Origin {
    Listeners(Listeners),
    Acceptor(Receiver<Handed>),
}

impl Listeners {
    /// Creates listeners. With `reuse_port`, several pairs of them can have the same addresses.
    pub(crate) fn bind(echo: SocketAddr, http: SocketAddr, reuse_port: bool) -> io::Result<Self> {
        let bind = |address| Async::new_nonblocking(listen(address, reuse_port)?);
        Ok(Listeners {
            echo: bind(echo)?,
            http: bind(http)?,
        })
    }

    /// Creates a second pair of handles of the same listeners. It belongs to the current reactor.
    pub(crate) fn share(&self) -> io::Result<Self> {
        Ok(Listeners {
            echo: Async::new(self.echo.get_ref().try_clone()?)?,
            http: Async::new(self.http.get_ref().try_clone()?)?,
        })
    }

    /// Returns the addresses of the echo server and of the HTTP server.
    pub(crate) fn addresses(&self) -> io::Result<(SocketAddr, SocketAddr)> {
        let address = |listener: &Async<TcpListener>| listener.get_ref().local_addr();
        Ok((address(&self.echo)?, address(&self.http)?))
    }

    /// Accepts connections from both listeners, and passes them to `take`. Never returns.
    pub(crate) async fn accept(&self, take: impl AsyncFn(Protocol, Async<TcpStream>)) {
        let echo = accept_from(&self.echo, Protocol::Echo, &take);
        let http = accept_from(&self.http, Protocol::Http, &take);
        future::zip(echo, http).await;
    }
}

fn listen(address: SocketAddr, reuse_port: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    // On Windows, this option would let other programs take over the port.
    #[cfg(not(windows))]
    socket.set_reuse_address(true)?;
    if reuse_port {
        set_reuse_port(&socket)?;
    }
    socket.set_nonblocking(true)?;
    let cannot = |error: io::Error| {
        io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
    };
    socket.bind(&address.into()).map_err(cannot)?;
    socket.listen(1024).map_err(cannot)?;
    Ok(socket.into())
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn set_reuse_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_port(true)
}

/// Returns an error. Where other systems have this option, they give all connections to one of the
/// listeners.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn set_reuse_port(_socket: &Socket) -> io::Result<()> {
    Err(io::Error::new(
        ErrorKind::Unsupported,
        "this system does not spread connections over listeners; use --distribute shared",
    ))
}

async fn accept_from(
    listener: &Async<TcpListener>,
    protocol: Protocol,
    take: &impl AsyncFn(Protocol, Async<TcpStream>),
) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => take(protocol, stream).await,
            // The client disconnected while its connection was in the queue.
            Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
            Err(error) => {
                // The likely cause is that no descriptor is free. The connection stays in the
                // queue, so retrying immediately would be a busy loop.
                eprintln!("per_core: cannot accept, retrying in 50 ms: {error}");
                Timer::after(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Accepts connections and hands them to the cores in turn, separately for each protocol. Never
/// returns.
pub(crate) async fn hand_out(listeners: &Listeners, cores: &[Sender<Handed>]) {
    let turns = [const { std::cell::Cell::new(0) }; 2];
    let take = async |protocol, stream| {
        let turn = &turns[protocol as usize];
        let core = &cores[turn.replace(turn.get() + 1) % cores.len()];
        // This waits while the core has not taken its previous connections. It fails if the core
        // has ended, and then the connection is closed.
        let _ = core.send((protocol, stream)).await;
    };
    listeners.accept(take).await;
}

/// Takes connections from the acceptor, moves each to the current reactor, and passes it to `take`.
pub(crate) async fn receive(
    connections: &Receiver<Handed>,
    take: impl AsyncFn(Protocol, Async<TcpStream>),
) {
    while let Ok((protocol, mut stream)) = connections.recv().await {
        // Until here, the connection belongs to the reactor of the acceptor. It would work, but the
        // thread of the acceptor would have to wake this one for every event.
        match stream.rebind(&Reactor::current()) {
            Ok(()) => take(protocol, stream).await,
            Err(error) => eprintln!("per_core: a connection cannot be moved: {error}"),
        }
    }
}
