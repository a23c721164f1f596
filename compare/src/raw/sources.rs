//! Registered sources: the cost of registration, and of events among many sources.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;

use super::{Epoll, index};
use crate::harness::usage::{Moment, Spent};
use crate::work::shuffle;
use crate::work::warm_up::warm_up;

/// Registers and deregisters a TCP stream repeatedly, without closing it.
pub(crate) fn register(stream: TcpStream, count: u64) -> io::Result<Spent> {
    let epoll = Epoll::new()?;
    let start = Moment::now();
    for _ in 0..count {
        epoll.add(&stream, 0)?;
        epoll.remove(&stream)?;
    }
    Ok(start.spent())
}

/// Handles batches of ten events, at sources chosen at random.
pub(crate) fn events(sources: u64, batches: u64) -> io::Result<Spent> {
    let mut epoll = Epoll::new()?;
    let mut writers = Vec::new();
    let mut readers = Vec::new();
    for index in 0..sources as usize {
        let (writer, reader) = UnixStream::pair()?;
        reader.set_nonblocking(true)?;
        epoll.add(&reader, index)?;
        writers.push(writer);
        readers.push(reader);
    }
    let order = shuffle::order(sources);
    let mut next = order.iter().cycle();
    let warm_up = warm_up(batches);
    let mut start = Moment::now();
    for batch in 0..warm_up + batches {
        if batch == warm_up {
            start = Moment::now();
        }
        for &index in next.by_ref().take(10) {
            (&writers[index]).write_all(&[1])?;
        }
        let mut left = 10;
        while left > 0 {
            for event in epoll.wait(None)? {
                left -= drain(&readers[index(event)])?;
            }
        }
    }
    Ok(start.spent())
}

/// Reads until it would block. Returns the number of successful reads.
fn drain(mut stream: &UnixStream) -> io::Result<u32> {
    let mut count = 0;
    loop {
        match stream.read(&mut [0; 64]) {
            // The end of the stream would be read again and again.
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(_) => count += 1,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(count),
            Err(error) => return Err(error),
        }
    }
}
