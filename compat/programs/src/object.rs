//! One object of a program: our side, which is registered with the library, and its peer.

use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};

use crate::Runtime;
use crate::kinds::{self, Kind, Typed};
use crate::script::{Direction, Operation};

/// What a completed operation returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Ready,
    Read(Vec<u8>),
    /// The bytes stay in the kernel's buffer.
    Peeked(Vec<u8>),
    Accepted,
    Wrote(usize),
}

pub(crate) type Outcome = Result<Value, io::ErrorKind>;
pub(crate) type Work = Pin<Box<dyn Future<Output = Outcome>>>;

/// The position of the next byte of a stream. The byte at each position is the position modulo 251.
#[derive(Debug, Default)]
pub(crate) struct Counter(Cell<u64>);

impl Counter {
    pub(crate) fn get(&self) -> u64 {
        self.0.get()
    }

    pub(crate) fn advance(&self, count: usize) {
        self.0.set(self.0.get() + count as u64);
    }

    /// Returns the next bytes.
    pub(crate) fn bytes(&self, count: usize) -> Vec<u8> {
        let start = self.0.get();
        (start..start + count as u64)
            .map(|position| (position % 251) as u8)
            .collect()
    }
}

/// Our side of an object, independent of its type.
pub(crate) trait Source {
    fn fd(&self) -> BorrowedFd<'_>;
    fn start(&self, operation: Operation, sent: &Rc<Counter>, kind: Kind) -> Option<Work>;
    fn poll_ready(&self, direction: Direction, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
    fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut [u8])
    -> Option<Poll<io::Result<usize>>>;
    fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Option<Poll<io::Result<usize>>>;
    fn take(&self, buffer: &mut [u8]) -> io::Result<usize>;
    fn give(&self, bytes: &[u8]) -> io::Result<usize>;
}

struct Registered<R: Runtime, T: Typed<R>>(Arc<R::Async<T>>);

impl<R: Runtime, T: Typed<R>> Source for Registered<R, T> {
    fn fd(&self) -> BorrowedFd<'_> {
        R::inner(&self.0).as_fd()
    }

    fn start(&self, operation: Operation, sent: &Rc<Counter>, kind: Kind) -> Option<Work> {
        let source = self.0.clone();
        let direction = operation.direction();
        Some(match operation {
            Operation::Ready(Direction::Read) => ready(async move { R::readable(&source).await }),
            Operation::Ready(Direction::Write) => ready(async move { R::writable(&source).await }),
            Operation::ReadyOwned(Direction::Read) => ready(R::readable_owned(source)),
            Operation::ReadyOwned(Direction::Write) => ready(R::writable_owned(source)),
            Operation::With(Direction::Read, size) => {
                if !kind.reads() {
                    return None;
                }
                read_with::<R, T>(source, kind, size.into(), 0)
            }
            Operation::With(Direction::Write, _) | Operation::Stubborn(Direction::Write, _) => {
                if !kind.writes() {
                    return None;
                }
                let refusals = match operation {
                    Operation::Stubborn(_, refusals) => refusals,
                    _ => 0,
                };
                write_with::<R, T>(source, sent.clone(), refusals)
            }
            Operation::Stubborn(Direction::Read, refusals) => {
                if !kind.reads() {
                    return None;
                }
                read_with::<R, T>(source, kind, 64, refusals)
            }
            Operation::Receive | Operation::Send => {
                debug_assert!(matches!(direction, Direction::Read | Direction::Write));
                return typed::<R, T>(source, operation, kind, sent);
            }
        })
    }

    fn poll_ready(&self, direction: Direction, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match direction {
            Direction::Read => R::poll_readable(&self.0, cx),
            Direction::Write => R::poll_writable(&self.0, cx),
        }
    }

    fn poll_read(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Option<Poll<io::Result<usize>>> {
        T::poll_read(&self.0, cx, buffer)
    }

    fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Option<Poll<io::Result<usize>>> {
        T::poll_write(&self.0, cx, bytes)
    }

    fn take(&self, buffer: &mut [u8]) -> io::Result<usize> {
        R::inner(&self.0).take(buffer)
    }

    fn give(&self, bytes: &[u8]) -> io::Result<usize> {
        R::inner(&self.0).give(bytes)
    }
}

fn ready(wait: impl Future<Output = io::Result<()>> + 'static) -> Work {
    Box::pin(async move { kind_of(wait.await).map(|()| Value::Ready) })
}

pub(crate) fn kind_of<T>(result: io::Result<T>) -> Result<T, io::ErrorKind> {
    result.map_err(|error| error.kind())
}

fn refuse<T>(refusals: &mut u8) -> Option<io::Result<T>> {
    *refusals = refusals.checked_sub(1)?;
    Some(Err(io::ErrorKind::WouldBlock.into()))
}

fn read_with<R: Runtime, T: Typed<R>>(
    source: Arc<R::Async<T>>,
    kind: Kind,
    size: usize,
    mut refusals: u8,
) -> Work {
    Box::pin(async move {
        let mut buffer = [0; 64];
        let size = if kind.is_stream() { size } else { 64 };
        let read = R::read_with(&source, |io| {
            refuse(&mut refusals).unwrap_or_else(|| io.take(&mut buffer[..size]))
        });
        let count = kind_of(read.await)?;
        Ok(if kind.listens() {
            Value::Accepted
        } else {
            Value::Read(buffer[..count].to_vec())
        })
    })
}

fn write_with<R: Runtime, T: Typed<R>>(
    source: Arc<R::Async<T>>,
    sent: Rc<Counter>,
    mut refusals: u8,
) -> Work {
    Box::pin(async move {
        let write = R::write_with(&source, |io| {
            refuse(&mut refusals).unwrap_or_else(|| io.give(&sent.bytes(16)))
        });
        let count = kind_of(write.await)?;
        sent.advance(count);
        Ok(Value::Wrote(count))
    })
}

fn typed<R: Runtime, T: Typed<R>>(
    source: Arc<R::Async<T>>,
    operation: Operation,
    kind: Kind,
    sent: &Rc<Counter>,
) -> Option<Work> {
    if operation == Operation::Send {
        let sent = sent.clone();
        let sending = T::send(source, vec![0; 16])?;
        return Some(Box::pin(async move {
            let count = kind_of(sending.await)?;
            sent.advance(count);
            Ok(Value::Wrote(count))
        }));
    }
    let receiving = T::receive(source)?;
    Some(Box::pin(async move {
        let bytes = kind_of(receiving.await)?;
        Ok(match kind {
            Kind::Tcp => Value::Peeked(bytes),
            Kind::TcpListener | Kind::UnixListener => Value::Accepted,
            _ => Value::Read(bytes),
        })
    }))
}

/// The peer of an object.
enum Peer {
    Descriptor(OwnedFd),
    TcpClients(std::net::SocketAddr, Vec<OwnedFd>),
    UnixClients(SocketAddr, Vec<OwnedFd>),
    Gone,
}

/// An object, with what the interpreter knows about it.
pub(crate) struct Object {
    pub(crate) kind: Kind,
    pub(crate) source: Box<dyn Source>,
    peer: Peer,
    /// The bytes that our side has written.
    pub(crate) sent: Rc<Counter>,
    /// The bytes of these that the peer has read.
    drained: Counter,
    /// The bytes that the peer has written, and those of them that our side has read.
    pub(crate) peer_sent: Counter,
    pub(crate) received: Counter,
    /// The datagrams and connections that the peer has sent and our side has not received.
    pub(crate) queued: usize,
    /// Whether bytes may be lost, because the connection may have been reset.
    pub(crate) lossy: bool,
    /// Whether the kernel always reports readiness while the operation returns `WouldBlock`.
    pub(crate) contradicts: bool,
}

impl Object {
    pub(crate) fn open<R: Runtime>(kind: Kind) -> io::Result<Self> {
        let (source, peer) = match kind {
            Kind::Tcp => register_pair::<R, _>(kinds::tcp()?)?,
            Kind::UnixStream => register_pair::<R, _>(kinds::unix()?)?,
            Kind::Udp => register_pair::<R, _>(kinds::udp()?)?,
            Kind::UnixDatagram => register_pair::<R, _>(std::os::unix::net::UnixDatagram::pair()?)?,
            Kind::PipeReader => register_pair::<R, _>(kinds::pipe()?)?,
            Kind::PipeWriter => {
                let (reader, writer) = kinds::pipe()?;
                register_pair::<R, _>((writer, reader))?
            }
            Kind::TcpListener => {
                let listener = kinds::tcp_listener()?;
                let peer = Peer::TcpClients(listener.local_addr()?, Vec::new());
                (register::<R, _>(listener)?, peer)
            }
            Kind::UnixListener => {
                let (listener, address) = kinds::unix_listener()?;
                let peer = Peer::UnixClients(address, Vec::new());
                (register::<R, _>(listener)?, peer)
            }
        };
        Ok(Object {
            kind,
            source,
            peer,
            sent: Rc::default(),
            drained: Counter::default(),
            peer_sent: Counter::default(),
            received: Counter::default(),
            queued: 0,
            lossy: false,
            contradicts: false,
        })
    }

    /// Returns whether poll(2) reports readiness.
    pub(crate) fn is_ready(&self, direction: Direction) -> bool {
        let fd = self.source.fd();
        let asked = match direction {
            Direction::Read => PollFlags::IN,
            Direction::Write => PollFlags::OUT,
        };
        let mut fds = [PollFd::new(&fd, asked)];
        let timeout = rustix::event::Timespec::default();
        rustix::event::poll(&mut fds, Some(&timeout)).is_ok_and(|count| count > 0)
    }

    pub(crate) fn peer_sends(&mut self, count: u8) {
        match &mut self.peer {
            Peer::Descriptor(fd) if self.kind.reads() => {
                let bytes = self.peer_sent.bytes(count.into());
                if let Ok(count) = rustix::io::write(fd, &bytes) {
                    self.peer_sent.advance(count);
                    self.queued += 1;
                }
            }
            Peer::TcpClients(address, clients) if self.queued < 8 => {
                if let Ok(client) = std::net::TcpStream::connect(*address) {
                    clients.push(client.into());
                    self.queued += 1;
                }
            }
            Peer::UnixClients(address, clients) if self.queued < 8 => {
                if let Ok(client) = kinds::unix_client(address) {
                    clients.push(client);
                    self.queued += 1;
                }
            }
            _ => {}
        }
    }

    pub(crate) fn peer_drains(&mut self) {
        if let Peer::Descriptor(fd) = &self.peer {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = rustix::io::read(fd, &mut buffer) {
                self.drained.advance(count);
            }
        }
    }

    pub(crate) fn peer_half_closes(&mut self) {
        match (&self.peer, self.kind) {
            (Peer::Descriptor(fd), Kind::Tcp | Kind::UnixStream) => {
                let _ = rustix::net::shutdown(fd, rustix::net::Shutdown::Write);
            }
            (_, Kind::Udp) => {
                // From here on the kernel reports RDHUP, but receiving returns `WouldBlock`.
                let _ = rustix::net::shutdown(self.source.fd(), rustix::net::Shutdown::Read);
                self.contradicts = true;
            }
            (_, Kind::PipeReader) => self.peer_closes(),
            _ => {}
        }
    }

    pub(crate) fn peer_closes(&mut self) {
        self.lossy |= self.kind.is_datagram() || self.kind == Kind::Tcp;
        let is_tcp = self.kind == Kind::Tcp;
        if is_tcp {
            self.await_sent();
        }
        match &mut self.peer {
            Peer::TcpClients(_, clients) | Peer::UnixClients(_, clients) => clients.clear(),
            peer => *peer = Peer::Gone,
        }
        if is_tcp {
            // A busy kernel may deliver the end of the stream, or the reset, a little later.
            await_event(self.source.fd(), PollFlags::RDHUP);
        }
    }

    /// Waits until data that is on its way to the peer has arrived there. A connection that is closed
    /// with unread data is reset, and one without ends: which one happens must not depend on the
    /// kernel's timing.
    fn await_sent(&self) {
        let Peer::Descriptor(peer) = &self.peer else {
            return;
        };
        if self.drained.get() < self.sent.get() {
            await_event(peer.as_fd(), PollFlags::IN);
        }
    }

    pub(crate) fn fill(&self) {
        while let Ok(count @ 1..) = self.source.give(&self.sent.bytes(4096)) {
            self.sent.advance(count);
            if self.kind == Kind::Udp {
                return;
            }
        }
    }

    /// Makes our side ready, as far as the peer can.
    pub(crate) fn make_ready(&mut self, direction: Direction) {
        match direction {
            Direction::Read => self.peer_sends(5),
            Direction::Write => self.peer_drains(),
        }
    }
}

/// Waits, at most for a second, until poll(2) reports one of these events, an error or a hang-up.
fn await_event(fd: BorrowedFd<'_>, events: PollFlags) {
    let limit = rustix::event::Timespec {
        tv_sec: 1,
        tv_nsec: 0,
    };
    let _ = rustix::event::poll(&mut [PollFd::new(&fd, events)], Some(&limit));
}

impl Drop for Object {
    fn drop(&mut self) {
        if self.kind == Kind::Tcp {
            // A reset leaves no connection behind that would keep its port.
            let linger = Some(Duration::ZERO);
            let _ = rustix::net::sockopt::set_socket_linger(self.source.fd(), linger);
        }
        if let Peer::TcpClients(_, clients) = &self.peer {
            for client in clients {
                let _ = rustix::net::sockopt::set_socket_linger(client, Some(Duration::ZERO));
            }
        }
    }
}

fn register<R: Runtime, T: Typed<R>>(io: T) -> io::Result<Box<dyn Source>> {
    Ok(Box::new(Registered::<R, T>(Arc::new(R::register(io)?))))
}

fn register_pair<R: Runtime, T: Typed<R> + Into<OwnedFd>>(
    (ours, peer): (T, T),
) -> io::Result<(Box<dyn Source>, Peer)> {
    let peer = peer.into();
    rustix::io::ioctl_fionbio(&peer, true)?;
    Ok((register::<R, T>(ours)?, Peer::Descriptor(peer)))
}
