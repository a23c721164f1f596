//! A read that is shorter than its buffer does not prove that no data is left. Each test queues
//! data behind a short read and expects all of it without a further event.

use std::fs::File;
use std::io::{IoSliceMut, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use async_io::{Async, IoSafe};
use futures_lite::AsyncReadExt;
use futures_lite::future::{poll_once, zip};

use crate::support::{Runner, guarded, raw, tcp_streams};

/// Reads with a large buffer and returns the sizes. `produce` runs while the first read waits, or
/// before all reads.
async fn sizes<T>(source: &mut Async<T>, reads: usize, late: bool, produce: impl Fn()) -> Vec<usize>
where
    T: IoSafe + Read,
{
    let mut buffer = [0; 4096];
    let mut sizes = Vec::new();
    if !late {
        produce();
    } else {
        assert!(poll_once(source.read(&mut buffer)).await.is_none());
        let (size, ()) = zip(source.read(&mut buffer), async { produce() }).await;
        sizes.push(size.unwrap());
    }
    while sizes.len() < reads {
        sizes.push(source.read(&mut buffer).await.unwrap());
    }
    sizes
}

/// Runs all four combinations: with both runners, and with the data produced before the first read
/// and while it waits. `make` returns the object to read from and the function that writes to its
/// other end.
fn each_way<T, P>(expected: &[usize], make: fn() -> (T, P))
where
    T: IoSafe + Read + AsFd + 'static,
    P: Fn() + 'static,
{
    let expected = expected.to_vec();
    guarded(move || {
        for runner in Runner::BOTH {
            for late in [false, true] {
                for _ in 0..20 {
                    let (object, produce) = make();
                    let mut source = Async::new(object).unwrap();
                    let sizes = sizes(&mut source, expected.len(), late, produce);
                    let sizes = runner.block_on(sizes);
                    assert_eq!(sizes, expected, "{runner:?}, late: {late}");
                }
            }
        }
    });
}

fn two_packets(kind: i32) -> (OwnedFd, impl Fn()) {
    let (local, peer) = raw::socket_pair(kind);
    let produce = move || {
        raw::send(&peer, &[1; 10], 0);
        raw::send(&peer, &[2; 20], 0);
    };
    (local, produce)
}

#[test]
fn both_of_two_datagrams_are_read() {
    each_way(&[10, 20], || {
        let (local, produce) = two_packets(libc::SOCK_DGRAM);
        (File::from(local), produce)
    });
}

/// The wrapper is a TCP stream, but the descriptor is a datagram socket.
#[test]
fn both_of_two_datagrams_behind_a_tcp_wrapper_are_read() {
    each_way(&[10, 20], || {
        let (local, produce) = two_packets(libc::SOCK_DGRAM);
        (TcpStream::from(local), produce)
    });
}

/// A socket that is reported as readable only from a hundred bytes on, but returns fewer bytes to a
/// reader.
#[test]
fn fewer_bytes_than_the_low_water_mark_are_read() {
    guarded(|| {
        for runner in Runner::BOTH {
            let (local, mut peer) = tcp_streams();
            raw::set_low_water_mark(&local, 100);
            let mut source = Async::new(local).unwrap();
            let mut buffer = [0; 4096];
            runner.block_on(async {
                for _ in 0..3 {
                    let read = source.read(&mut buffer);
                    let (size, ()) = zip(read, async { peer.write_all(&[1; 150]).unwrap() }).await;
                    assert_eq!(size.unwrap(), 150);
                }
                peer.write_all(&[2; 5]).unwrap();
                wait_for_bytes(source.get_ref(), 5);
                assert_eq!(source.read(&mut buffer).await.unwrap(), 5);
            });
        }
    });
}

/// More buffers than one call accepts: the data that did not fit into those of the first call is
/// still there.
#[test]
fn data_beyond_the_buffers_of_one_call_is_read() {
    guarded(|| {
        for runner in Runner::BOTH {
            const BYTES: usize = 2000;
            let (local, mut peer) = tcp_streams();
            let mut source = Async::new(local).unwrap();
            let mut buffer = [0; 4096];
            runner.block_on(async {
                // From here on the source is known to be TCP, where a short read may be conclusive.
                for _ in 0..3 {
                    let read = source.read(&mut buffer);
                    let (size, ()) = zip(read, async { peer.write_all(b"x").unwrap() }).await;
                    assert_eq!(size.unwrap(), 1);
                }
                peer.write_all(&[7; BYTES]).unwrap();
                wait_for_bytes(source.get_ref(), BYTES);
                let mut left = BYTES;
                while left > 0 {
                    let mut bytes = [0; BYTES];
                    let mut buffers: Vec<_> = bytes.chunks_mut(1).map(IoSliceMut::new).collect();
                    left -= source.read_vectored(&mut buffers).await.unwrap();
                }
            });
        }
    });
}

fn wait_for_bytes(stream: &TcpStream, count: usize) {
    let mut seen = vec![0; count];
    while stream.peek(&mut seen).unwrap_or(0) < count {
        std::thread::yield_now();
    }
}

/// A counter that returns one at a time, as eight bytes, into a buffer of any size.
#[test]
fn all_counts_of_a_semaphore_eventfd_are_read() {
    each_way(&[8, 8, 8], || {
        let local = raw::eventfd(0, libc::EFD_SEMAPHORE);
        let peer = local.try_clone().unwrap();
        (local, move || {
            (&peer).write_all(&3_u64.to_ne_bytes()).unwrap()
        })
    });
}

/// A pipe in packet mode.
#[test]
fn both_packets_of_a_pipe_are_read() {
    each_way(&[10, 20], || {
        let (local, peer) = raw::pipe_of_packets();
        (local, move || {
            (&peer).write_all(&[1; 10]).unwrap();
            (&peer).write_all(&[2; 20]).unwrap();
        })
    });
}

/// inotify ends a read before an event that does not fit into the buffer.
#[test]
fn an_inotify_event_that_did_not_fit_is_read_next() {
    guarded(|| {
        for runner in Runner::BOTH {
            let place = tempfile::tempdir().unwrap();
            let watch = inotify::Inotify::init().unwrap();
            let created = inotify::WatchMask::CREATE;
            watch.watches().add(place.path(), created).unwrap();
            let mut source = Async::new(File::from(OwnedFd::from(watch))).unwrap();
            // The header is 16 bytes, and the name is padded to a multiple of 16.
            let long = "n".repeat(100);
            let mut buffer = [0; 16 + 112];
            runner.block_on(async {
                assert!(poll_once(source.read(&mut buffer)).await.is_none());
                File::create(place.path().join("short")).unwrap();
                File::create(place.path().join(&long)).unwrap();
                assert_eq!(source.read(&mut buffer).await.unwrap(), 32);
                assert_eq!(source.read(&mut buffer).await.unwrap(), 128);
            });
        }
    });
}

/// A Unix stream ends a read where a descriptor is attached to the bytes.
#[test]
fn bytes_behind_a_passed_descriptor_are_read() {
    each_way(&[10, 10], || {
        let (local, peer) = UnixStream::pair().unwrap();
        (local, move || {
            raw::send_descriptor(&peer, &mut [1; 10], &peer);
            (&peer).write_all(&[2; 10]).unwrap();
        })
    });
}

/// A TCP read ends at the urgent mark. The urgent byte is not read.
#[test]
fn bytes_behind_an_urgent_mark_are_read() {
    each_way(&[10, 10], || {
        let (local, peer) = tcp_streams();
        (local, move || send_around_urgent(&peer))
    });
}

/// The same, but the urgent byte is read out of band between the reads, so that later events do not
/// show it.
#[test]
fn bytes_behind_a_taken_urgent_byte_are_read() {
    guarded(|| {
        for runner in Runner::BOTH {
            for _ in 0..20 {
                let (local, peer) = tcp_streams();
                let mut source = Async::new(local).unwrap();
                let mut buffer = [0; 4096];
                runner.block_on(async {
                    assert!(poll_once(source.read(&mut buffer)).await.is_none());
                    send_around_urgent(&peer);
                    assert_eq!(source.read(&mut buffer).await.unwrap(), 10);
                    let mut urgent = [0];
                    raw::recv(source.get_ref(), &mut urgent, libc::MSG_OOB).unwrap();
                    assert_eq!(urgent, *b"!");
                    assert_eq!(source.read(&mut buffer).await.unwrap(), 10);
                    // A second time: no event shows that there was urgent data.
                    assert!(poll_once(source.read(&mut buffer)).await.is_none());
                    send_around_urgent(&peer);
                    assert_eq!(source.read(&mut buffer).await.unwrap(), 10);
                    assert_eq!(source.read(&mut buffer).await.unwrap(), 10);
                });
            }
        }
    });
}

fn send_around_urgent(peer: &TcpStream) {
    raw::send(peer, &[1; 10], 0);
    raw::send(peer, b"!", libc::MSG_OOB);
    raw::send(peer, &[2; 10], 0);
}

/// Packets behind the wrapper of a Unix stream.
#[test]
fn both_packets_behind_a_stream_wrapper_are_read() {
    each_way(&[10, 20], || {
        let (local, produce) = two_packets(libc::SOCK_SEQPACKET);
        (UnixStream::from(local), produce)
    });
}
