//! Connections that are spread over threads by SO_REUSEPORT: each thread has a listener, all of them
//! with the same port.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::sockopt::set_socket_reuseport;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, listen, socket_with};

use crate::harness::Outcome;

/// The listeners of all threads.
pub(crate) struct Listeners(Vec<TcpListener>);

impl Listeners {
    pub(crate) fn bind(threads: usize) -> io::Result<Listeners> {
        let mut listeners = vec![listener(0)?];
        let port = listeners[0].local_addr()?.port();
        while listeners.len() < threads {
            listeners.push(listener(port)?);
        }
        Ok(Listeners(listeners))
    }

    pub(crate) fn port(&self) -> io::Result<u16> {
        Ok(self.0[0].local_addr()?.port())
    }

    /// Accepts `connections` connections. Returns an equal share for each thread.
    ///
    /// The kernel chooses a listener by a hash of the addresses, so the threads get unequal numbers
    /// of connections. A surplus is moved to the threads that have too few. No runtime has seen a
    /// connection yet, and the sockets of a listener do not depend on it, so the move costs nothing
    /// later.
    pub(crate) fn accept(&self, connections: usize) -> Outcome<Vec<Vec<TcpStream>>> {
        let mut shares: Vec<Vec<TcpStream>> = self.0.iter().map(|_| Vec::new()).collect();
        while shares.iter().map(Vec::len).sum::<usize>() < connections {
            let watch = |listener| PollFd::new(listener, PollFlags::IN);
            let mut watched: Vec<PollFd<'_>> = self.0.iter().map(watch).collect();
            poll(&mut watched, None)?;
            for (listener, share) in self.0.iter().zip(&mut shares) {
                share.extend(accept(listener)?);
            }
        }
        level(&mut shares);
        Ok(shares)
    }
}

fn listener(port: u16) -> io::Result<TcpListener> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
    set_socket_reuseport(&socket, true)?;
    bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))?;
    listen(&socket, 1024)?;
    Ok(socket.into())
}

fn accept(listener: &TcpListener) -> io::Result<Option<TcpStream>> {
    match listener.accept() {
        Ok((stream, _)) => Ok(Some(stream)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

/// Moves items from longer lists to shorter ones until the lengths differ by at most one.
fn level<T>(lists: &mut [Vec<T>]) {
    let all: usize = lists.iter().map(Vec::len).sum();
    let count = lists.len();
    let wanted = |index| all * (index + 1) / count - all * index / count;
    let mut surplus = Vec::new();
    for (index, list) in lists.iter_mut().enumerate() {
        surplus.extend(list.split_off(list.len().min(wanted(index))));
    }
    for (index, list) in lists.iter_mut().enumerate() {
        let missing = wanted(index) - list.len();
        list.extend(surplus.drain(surplus.len() - missing..));
    }
}

#[cfg(test)]
mod tests {
    use super::level;

    #[test]
    fn lists_become_equally_long_and_lose_nothing() {
        for lengths in [[0, 7, 3], [10, 0, 0], [0, 0, 0], [3, 3, 4], [1, 1, 0]] {
            let mut next = 0..;
            let mut lists = lengths.map(|length| next.by_ref().take(length).collect::<Vec<_>>());
            level(&mut lists);
            let lengths = lists.each_ref().map(Vec::len);
            assert!(lengths.iter().max().unwrap() - lengths.iter().min().unwrap() <= 1);
            let mut all = lists.concat();
            all.sort_unstable();
            assert_eq!(all, (0..next.next().unwrap()).collect::<Vec<i32>>());
        }
    }
}
