//! Ping-pong of one byte through a Unix socket pair. Each side reads until it would block.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;

use super::{Epoll, index};
use crate::harness::usage::{Moment, Spent};
use crate::work::warm_up::warm_up;

/// Reads until it would block. Returns whether there was any data.
fn drain(mut stream: &UnixStream) -> io::Result<bool> {
    let mut any = false;
    loop {
        match stream.read(&mut [0; 64]) {
            Ok(0) => return Ok(any),
            Ok(_) => any = true,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(any),
            Err(error) => return Err(error),
        }
    }
}

fn pair() -> io::Result<(UnixStream, UnixStream)> {
    let (left, right) = UnixStream::pair()?;
    left.set_nonblocking(true)?;
    right.set_nonblocking(true)?;
    Ok((left, right))
}

/// Runs both sides in one loop.
pub(crate) fn one_thread(rounds: u64) -> io::Result<Spent> {
    let (left, right) = pair()?;
    let sides = [left, right];
    let mut epoll = Epoll::new()?;
    epoll.add(&sides[0], 0)?;
    epoll.add(&sides[1], 1)?;
    exchange(&mut epoll, &sides, warm_up(rounds))?;
    let start = Moment::now();
    exchange(&mut epoll, &sides, rounds)?;
    Ok(start.spent())
}

fn exchange(epoll: &mut Epoll, sides: &[UnixStream; 2], rounds: u64) -> io::Result<()> {
    (&sides[0]).write_all(&[1])?;
    let mut done = 0;
    while done < rounds {
        for event in epoll.wait(None)? {
            let index = index(event);
            if !drain(&sides[index])? {
                continue;
            }
            done += u64::from(index == 0);
            if index == 1 || done < rounds {
                (&sides[index]).write_all(&[1])?;
            }
        }
    }
    Ok(())
}

/// Runs each side in its own thread, with its own epoll.
pub(crate) fn two_threads(rounds: u64) -> io::Result<Spent> {
    let (left, right) = pair()?;
    let warm_up = warm_up(rounds);
    let other = std::thread::spawn(move || {
        let mut epoll = Epoll::new()?;
        epoll.add(&right, 0)?;
        side(&mut epoll, &right, warm_up + rounds, true)
    });
    let mut epoll = Epoll::new()?;
    epoll.add(&left, 0)?;
    (&left).write_all(&[1])?;
    side(&mut epoll, &left, warm_up, false)?;
    let start = Moment::now();
    (&left).write_all(&[1])?;
    side(&mut epoll, &left, rounds, false)?;
    let spent = start.spent();
    other
        .join()
        .map_err(|_| io::Error::other("a thread panicked"))??;
    Ok(spent)
}

fn side(
    epoll: &mut Epoll,
    mut stream: &UnixStream,
    rounds: u64,
    answers_last: bool,
) -> io::Result<()> {
    let mut done = 0;
    while done < rounds {
        epoll.wait(None)?;
        if drain(stream)? {
            done += 1;
            if answers_last || done < rounds {
                stream.write_all(&[1])?;
            }
        }
    }
    Ok(())
}
