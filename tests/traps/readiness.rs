//! Readiness that is remembered incorrectly: cleared too early, cleared too late, or for the wrong
//! direction.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::thread;

use async_io::{Async, IoSafe};
use futures_lite::{AsyncReadExt, AsyncWriteExt};

use crate::support::{
    Counter, Noise, Runner, deliver_event, drain, fill, guarded, pipe, poll, raw, stress,
    tcp_streams,
};

/// Reads bytes one by one. Each byte is sent a varying time after the previous one was seen.
fn bytes_one_by_one<T>(runner: Runner, reader: T, mut writer: impl Write + Send + 'static)
where
    T: IoSafe + Read + std::os::fd::AsFd,
{
    let rounds = stress(8_000);
    let seen = Arc::new(AtomicUsize::new(0));
    let writer_seen = seen.clone();
    let sender = thread::spawn(move || {
        let mut noise = Noise::new(1);
        for round in 0..rounds {
            while writer_seen.load(Ordering::Acquire) < round {
                thread::yield_now();
            }
            noise.dawdle();
            writer.write_all(&[round as u8]).unwrap();
        }
    });
    let mut reader = Async::new(reader).unwrap();
    runner.block_on(async {
        for round in 0..rounds {
            let mut byte = [0];
            reader.read_exact(&mut byte).await.unwrap();
            assert_eq!(byte[0], round as u8);
            seen.store(round + 1, Ordering::Release);
        }
    });
    sender.join().unwrap();
}

/// A byte that arrives between a read's `WouldBlock` and the clearing of the readiness must wake
/// the reader.
#[test]
fn an_event_between_would_block_and_clear_wakes_the_reader_of_a_unix_stream() {
    guarded(|| {
        for runner in Runner::BOTH {
            let (reader, writer) = UnixStream::pair().unwrap();
            bytes_one_by_one(runner, reader, writer);
        }
    });
}

#[test]
fn an_event_between_would_block_and_clear_wakes_the_reader_of_a_tcp_stream() {
    guarded(|| {
        for runner in Runner::BOTH {
            let (reader, writer) = tcp_streams();
            bytes_one_by_one(runner, reader, writer);
        }
    });
}

#[test]
fn an_event_between_would_block_and_clear_wakes_the_reader_of_a_pipe() {
    guarded(|| {
        for runner in Runner::BOTH {
            let (reader, writer) = pipe();
            bytes_one_by_one(runner, reader, writer);
        }
    });
}

/// An operation that returned `WouldBlock` must not clear the event that came after 256 or 65 536
/// others.
#[test]
fn an_event_is_not_cleared_when_sequence_numbers_wrap_around() {
    for events in [256, 65_536] {
        guarded(move || {
            let (local, peer) = UnixStream::pair().unwrap();
            let source = Async::new(local).unwrap();
            let mut byte = [0];
            let mut first = true;
            let read = source.read_with(|mut stream| {
                if std::mem::take(&mut first) {
                    for event in 1..=events {
                        deliver_event(&source, &peer);
                        if event < events {
                            stream.read_exact(&mut byte)?;
                        }
                    }
                    // The result of an operation that ran before all of these events.
                    return Err(ErrorKind::WouldBlock.into());
                }
                stream.read(&mut byte)
            });
            assert_eq!(Runner::Foreign.block_on(read).unwrap(), 1);
        });
    }
}

/// Changing writability of a source must not wake a reader that waits for the same source.
#[test]
fn writable_events_do_not_wake_the_reader() {
    for runner in Runner::BOTH {
        guarded(move || {
            const BYTES: usize = 5_000;
            let (local, mut peer) = UnixStream::pair().unwrap();
            raw::set_option(&local, libc::SOL_SOCKET, libc::SO_SNDBUF, 4096);
            let source = Arc::new(Async::new(local).unwrap());
            let tries = Arc::new(AtomicUsize::new(0));

            let (reading, counted) = (source.clone(), tries.clone());
            let reader = thread::spawn(move || {
                let mut byte = [0];
                let read = reading.read_with(|mut stream| {
                    counted.fetch_add(1, Ordering::Relaxed);
                    stream.read(&mut byte)
                });
                runner.block_on(read).unwrap()
            });
            let writer = thread::spawn(move || {
                runner.block_on(async {
                    for _ in 0..BYTES {
                        source.write_with(|mut stream| stream.write(b"w")).await?;
                    }
                    io::Result::Ok(())
                })
            });
            for _ in 0..BYTES {
                peer.read_exact(&mut [0]).unwrap();
            }
            peer.write_all(b"r").unwrap();
            writer.join().unwrap().unwrap();
            assert_eq!(reader.join().unwrap(), 1);
            let tries = tries.load(Ordering::Relaxed);
            assert!(tries < BYTES / 20, "{tries} tries for one byte");
        });
    }
}

/// A reader that finds no data clears only its own direction: the writer still receives its event,
/// and vice versa.
#[test]
fn would_block_clears_only_its_own_direction() {
    guarded(|| {
        for _ in 0..100 {
            let (local, mut peer) = UnixStream::pair().unwrap();
            let source = Async::new(local).unwrap();
            let filled = fill(source.get_ref());
            let (reads, read_waker) = Counter::new();
            let (writes, write_waker) = Counter::new();
            let mut byte = [0];
            let mut read = Box::pin(source.read_with(|mut stream| stream.read(&mut byte)));
            let mut write = Box::pin(source.write_with(|mut stream| stream.write(b"w")));
            assert!(poll(&mut read, &read_waker).is_pending());
            assert!(poll(&mut write, &write_waker).is_pending());

            drain(&mut peer, filled);
            // The reader tries again without success, whether or not the writer's event has already
            // arrived.
            assert!(poll(&mut read, &read_waker).is_pending());
            writes.wait_for(1);
            assert!(matches!(poll(&mut write, &write_waker), Poll::Ready(Ok(1))));

            fill(source.get_ref());
            let mut write = Box::pin(source.write_with(|mut stream| stream.write(b"w")));
            let before = reads.wakes();
            assert!(poll(&mut read, &read_waker).is_pending());
            assert!(poll(&mut write, &write_waker).is_pending());
            peer.write_all(b"r").unwrap();
            assert!(poll(&mut write, &write_waker).is_pending());
            reads.wait_for(before + 1);
            assert!(matches!(poll(&mut read, &read_waker), Poll::Ready(Ok(1))));
        }
    });
}

/// One direction of a two-way transfer over small buffers, in pieces of varying size.
fn transfer(runner: Runner, from: Arc<Async<UnixStream>>, to: Arc<Async<UnixStream>>, seed: u64) {
    let total = stress(400_000);
    let byte_at = |position: usize| (position % 251) as u8;
    let sender = thread::spawn(move || {
        let mut noise = Noise::new(seed);
        let mut sent = 0;
        runner.block_on(async {
            while sent < total {
                let size = (1 + noise.below(700)).min(total - sent);
                let piece: Vec<u8> = (sent..sent + size).map(byte_at).collect();
                (&*from).write_all(&piece).await.unwrap();
                sent += size;
            }
        });
    });
    let mut noise = Noise::new(seed + 1);
    let mut buffer = [0; 700];
    let mut got = 0;
    runner.block_on(async {
        while got < total {
            let size = 1 + noise.below(buffer.len());
            let count = (&*to).read(&mut buffer[..size]).await.unwrap();
            assert!(count > 0, "the stream ended after {got} bytes");
            assert!(
                (got..)
                    .zip(&buffer[..count])
                    .all(|(at, byte)| *byte == byte_at(at))
            );
            got += count;
        }
    });
    sender.join().unwrap();
}

/// Two threads that change the interest of one source concurrently must not undo each other's
/// change.
#[test]
fn a_reader_and_a_writer_keep_the_interest_of_each_other() {
    for runner in Runner::BOTH {
        guarded(move || {
            let (left, right) = UnixStream::pair().unwrap();
            for end in [&left, &right] {
                raw::set_option(end, libc::SOL_SOCKET, libc::SO_SNDBUF, 4096);
            }
            let left = Arc::new(Async::new(left).unwrap());
            let right = Arc::new(Async::new(right).unwrap());
            let there = {
                let (left, right) = (left.clone(), right.clone());
                thread::spawn(move || transfer(runner, left, right, 1))
            };
            transfer(runner, right, left, 3);
            there.join().unwrap();
        });
    }
}

/// The same with a pipe that is always full.
#[test]
fn a_writer_to_a_full_pipe_makes_progress() {
    guarded(|| {
        let rounds = stress(500);
        let (reader, writer) = pipe();
        let source: Async<File> = Async::new(writer).unwrap();
        let total = fill(source.get_ref()) + rounds * 4096;
        let peer = thread::spawn(move || drain(reader, total));
        Runner::Foreign.block_on(async {
            for _ in 0..rounds {
                (&source).write_all(&[0; 4096]).await.unwrap();
            }
        });
        peer.join().unwrap();
    });
}
