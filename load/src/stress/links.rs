//! Shapes in which threads pass bytes to each other.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::thread;

use async_io::{Async, Reactor, Timer};
use fastrand::Rng;
use futures_lite::FutureExt;
use futures_lite::future::zip;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::end::{End, Habits, watched};
use super::runner::Runner;
use super::woken;

pub(crate) fn ping_pong(rng: &mut Rng, wakeups: u64) {
    pass_bytes(rng, wakeups, Habits::default(), &[]);
}

/// The same between threads that use up to three reactors, which sources move between. The reactors end
/// with the segment, so their drivers are used again.
pub(crate) fn reactors(rng: &mut Rng, wakeups: u64) {
    let mut reactors = vec![Reactor::global()];
    for _ in 0..rng.usize(1..3) {
        reactors.push(Reactor::new().unwrap());
    }
    let habits = Habits {
        rebind_one_in: rng.u8(0..8),
        give_up_one_in: rng.u8(0..8),
        ..Habits::default()
    };
    pass_bytes(rng, wakeups, habits, &reactors);
}

pub(crate) fn reregister(rng: &mut Rng, wakeups: u64) {
    let habits = Habits {
        renew_one_in: rng.u8(1..8),
        ..Habits::default()
    };
    pass_bytes(rng, wakeups, habits, &[]);
}

pub(crate) fn impatient(rng: &mut Rng, wakeups: u64) {
    let habits = Habits {
        give_up_one_in: rng.u8(2..6),
        ..Habits::default()
    };
    pass_bytes(rng, wakeups, habits, &[]);
}

/// Runs one to three connections. A thread at one end sends bytes and compares the answers, which a
/// thread at the other end sends.
fn pass_bytes(rng: &mut Rng, wakeups: u64, habits: Habits, reactors: &[Reactor]) {
    let pairs = rng.u64(1..4);
    let rounds = wakeups.div_ceil(2 * pairs);
    thread::scope(|scope| {
        for _ in 0..pairs {
            let (here, there) = End::pair(rng, habits, reactors).unwrap();
            let mut runner = || match reactors {
                [] => Runner::any(rng),
                _ => Runner::any_of(rng, reactors),
            };
            let (asking, answering) = (runner(), runner());
            scope.spawn(move || asking.block_on(ask(here, rounds)).unwrap());
            scope.spawn(move || answering.block_on(answer(there, rounds)).unwrap());
        }
    });
}

async fn ask(mut end: End, rounds: u64) -> io::Result<()> {
    for round in 0..rounds {
        end.send(round as u8)?;
        assert_eq!(
            end.receive().await?,
            !(round as u8),
            "the answer to {round}"
        );
    }
    Ok(())
}

async fn answer(mut end: End, rounds: u64) -> io::Result<()> {
    for round in 0..rounds {
        assert_eq!(end.receive().await?, round as u8, "question {round}");
        end.send(!(round as u8))?;
    }
    Ok(())
}

/// How a thread of the ring receives the token.
enum Inlet {
    Channel(async_channel::Receiver<u64>),
    Source(Arc<Async<UnixStream>>),
}

enum Outlet {
    Channel(async_channel::Sender<u64>),
    Source(UnixStream),
}

impl Inlet {
    async fn take(&self) -> u64 {
        match self {
            Inlet::Channel(receiver) => woken(receiver.recv()).await.unwrap(),
            Inlet::Source(source) => {
                let mut bytes = [0; 8];
                let read = source.read_with(|mut stream| stream.read(&mut bytes));
                // A Unix socket delivers eight bytes that were written together in one piece.
                assert_eq!(woken(read).await.unwrap(), 8);
                u64::from_ne_bytes(bytes)
            }
        }
    }
}

impl Outlet {
    fn put(&self, token: u64) {
        match self {
            Outlet::Channel(sender) => sender.try_send(token).unwrap(),
            Outlet::Source(stream) => (&mut &*stream).write_all(&token.to_ne_bytes()).unwrap(),
        }
    }
}

/// Passes a token around a ring of two to four threads. Each thread enters `block_on`, or a foreign
/// executor, to wait for the token, and leaves it again.
pub(crate) fn hand_over(rng: &mut Rng, wakeups: u64) {
    let members = rng.usize(2..5);
    let (mut inlets, mut outlets) = (Vec::new(), Vec::new());
    for _ in 0..members {
        if rng.bool() {
            let (sender, receiver) = async_channel::bounded(1);
            inlets.push(Inlet::Channel(receiver));
            outlets.push(Outlet::Channel(sender));
        } else {
            let (here, there) = UnixStream::pair().unwrap();
            inlets.push(Inlet::Source(watched(here).unwrap()));
            outlets.push(Outlet::Source(there));
        }
    }
    outlets.rotate_left(1);
    outlets[members - 1].put(0);
    thread::scope(|scope| {
        for (place, (inlet, outlet)) in inlets.into_iter().zip(outlets).enumerate() {
            let mut rng = rng.fork();
            scope.spawn(move || {
                let runner = Runner::any(&mut rng);
                let mut expected = place as u64;
                while expected < wakeups {
                    assert_eq!(wait_one_way(&runner, &mut rng, &inlet), expected);
                    // No thread waits for a token after the last one.
                    if expected + 1 < wakeups {
                        outlet.put(expected + 1);
                    }
                    expected += members as u64;
                }
            });
        }
    });
}

/// Waits for the token: alone, together with a timer that is cancelled or that fires, or in a
/// nested call of `block_on`.
fn wait_one_way(runner: &Runner, rng: &mut Rng, inlet: &Inlet) -> u64 {
    let span = Duration::from_micros(rng.u64(1..30));
    match rng.u8(..8) {
        0 => runner.block_on(inlet.take().or(async {
            Timer::after(Duration::from_secs(3600)).await;
            unreachable!("an hour has passed")
        })),
        1 => runner.block_on(async { zip(inlet.take(), woken(Timer::after(span))).await.0 }),
        2 => async_io::block_on(async { runner.block_on(inlet.take()) }),
        _ => runner.block_on(inlet.take()),
    }
}

/// The size of a piece that is written. It is odd, so that pieces and buffers do not stay aligned.
const PIECE: usize = 777;

/// Transfers bytes in both directions of one connection at once, through buffers that are full most
/// of the time. Each source is read on one thread and written on another.
pub(crate) fn duplex(rng: &mut Rng, wakeups: u64) {
    let (one, two) = UnixStream::pair().unwrap();
    let total = 2000 * wakeups as usize / 4;
    for end in [&one, &two] {
        rustix::net::sockopt::set_socket_send_buffer_size(end, 4608).unwrap();
    }
    let (one, two) = (watched(one).unwrap(), watched(two).unwrap());
    thread::scope(|scope| {
        for source in [&one, &two] {
            let (reading, writing) = (Runner::any(rng), Runner::any(rng));
            let (reader, writer) = (rng.fork(), rng.usize(1..4));
            scope.spawn(move || reading.block_on(read_all(source, total, reader)));
            scope.spawn(move || writing.block_on(write_all(source, total, writer * PIECE)));
        }
    });
}

/// Returns the byte at a position of the stream.
fn byte_at(place: usize) -> u8 {
    (place % 251) as u8
}

async fn write_all(source: &Async<UnixStream>, total: usize, piece: usize) {
    let pattern: Vec<u8> = (0..piece + 251).map(byte_at).collect();
    let mut written = 0;
    while written < total {
        let bytes = &pattern[written % 251..][..piece.min(total - written)];
        let write = source.write_with(|mut stream| stream.write(bytes));
        written += woken(write).await.unwrap();
    }
    source.get_ref().shutdown(Shutdown::Write).unwrap();
}

async fn read_all(source: &Async<UnixStream>, total: usize, mut rng: Rng) {
    let mut buffer = vec![0; 4 * PIECE];
    let mut received = 0;
    loop {
        let length = rng.usize(1..=buffer.len());
        let part = &mut buffer[..length];
        let read = source.read_with(|mut stream| stream.read(part));
        let count = woken(read).await.unwrap();
        if count == 0 {
            break;
        }
        for (offset, byte) in buffer[..count].iter().enumerate() {
            assert_eq!(
                *byte,
                byte_at(received + offset),
                "byte {received} + {offset}"
            );
        }
        received += count;
    }
    assert_eq!(received, total);
}
