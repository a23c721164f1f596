//! Short connections: one exchange on each.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};

use rustix::net::{SocketFlags, accept_with};

use super::{Epoll, has_closed, index};
use crate::harness::usage::{Moment, Spent};
use crate::work::warm_up::warm_up;

const LISTENER: usize = usize::MAX;

struct Server {
    epoll: Epoll,
    listener: TcpListener,
    open: Vec<Option<TcpStream>>,
    free: Vec<usize>,
}

/// Accepts and measures `count` connections, after a warm-up.
pub(crate) fn serve(listener: TcpListener, count: u64) -> io::Result<Spent> {
    listener.set_nonblocking(true)?;
    let epoll = Epoll::new()?;
    epoll.add(&listener, LISTENER)?;
    let mut server = Server {
        epoll,
        listener,
        open: Vec::new(),
        free: Vec::new(),
    };
    let warm_up = warm_up(count);
    let mut start = Moment::now();
    let mut accepted = 0;
    let mut events = Vec::with_capacity(1024);
    while accepted < warm_up + count {
        let before = accepted;
        events.clear();
        let happened = server.epoll.wait(None)?.iter();
        events.extend(happened.map(|event| (index(event), has_closed(event))));
        for &(index, closed) in &events {
            if index == LISTENER {
                accepted += server.accept()?;
            } else {
                server.exchange(index, closed);
            }
        }
        if before < warm_up && accepted >= warm_up {
            start = Moment::now();
        }
    }
    Ok(start.spent())
}

impl Server {
    fn accept(&mut self) -> io::Result<u64> {
        let mut accepted = 0;
        loop {
            let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
            let stream: OwnedFd = match accept_with(self.listener.as_fd(), flags) {
                Ok(stream) => stream,
                Err(rustix::io::Errno::AGAIN) => return Ok(accepted),
                Err(error) => return Err(error.into()),
            };
            let index = self.free.pop().unwrap_or_else(|| {
                self.open.push(None);
                self.open.len() - 1
            });
            self.epoll.add(&stream, index)?;
            self.open[index] = Some(stream.into());
            accepted += 1;
        }
    }

    fn exchange(&mut self, index: usize, closed: bool) {
        let Some(stream) = &self.open[index] else {
            return;
        };
        if !matches!(echo(stream, closed), Ok(true)) {
            // Closing the stream removes it from the epoll set.
            self.open[index] = None;
            self.free.push(index);
        }
    }
}

/// Echoes the data that has arrived. Returns `false` at the end of the stream.
fn echo(mut stream: &TcpStream, closed: bool) -> io::Result<bool> {
    let mut buffer = [0; 4096];
    loop {
        let length = match stream.read(&mut buffer) {
            Ok(0) => return Ok(false),
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
            Err(error) => return Err(error),
        };
        stream.write_all(&buffer[..length])?;
        if length < buffer.len() && !closed {
            return Ok(true);
        }
    }
}
