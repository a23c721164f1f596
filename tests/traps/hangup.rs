//! Half-closes, hang-ups and errors, which are reported once, permanently, or together with data.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use async_io::{Async, IoSafe};
use futures_lite::{AsyncReadExt, AsyncWriteExt};

use crate::support::raw::Terminal;
use crate::support::{
    Counter, Noise, Runner, assert_quiet, drain, fill, guarded, isolated, pipe, poll, raw,
    tcp_streams,
};

/// Reads with a large buffer: first the data that the peer sent, then the end of the stream.
async fn data_then_end<T: IoSafe + Read>(stream: &mut Async<T>) {
    let mut buffer = [0; 4096];
    assert_eq!(stream.read(&mut buffer).await.unwrap(), 10);
    assert_eq!(stream.read(&mut buffer).await.unwrap(), 0);
}

fn send_and_finish(peer: &TcpStream) {
    (&*peer).write_all(&[7; 10]).unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
}

/// Data and the end of the stream arrive in one event: the short read of the data must not hide the
/// end.
#[test]
fn the_end_of_stream_in_the_event_of_the_data_is_reported() {
    guarded(|| {
        for runner in Runner::BOTH {
            // Everything is sent before the registration.
            let (local, peer) = tcp_streams();
            send_and_finish(&peer);
            let mut stream = Async::new(local).unwrap();
            runner.block_on(data_then_end(&mut stream));

            // Everything is sent after the registration and before the first read.
            let (local, peer) = tcp_streams();
            let mut stream = Async::new(local).unwrap();
            send_and_finish(&peer);
            runner.block_on(data_then_end(&mut stream));

            // Everything is sent between the first read and the wait, inside the call that waits.
            let (local, peer) = tcp_streams();
            let mut stream = Async::new(local).unwrap();
            runner.block_on(async {
                let mut buffer = [0; 4096];
                let first = futures_lite::future::poll_once(stream.read(&mut buffer)).await;
                assert!(first.is_none());
                send_and_finish(&peer);
                stream.readable().await.unwrap();
                data_then_end(&mut stream).await;
            });
        }
    });
}

/// The same while the reader sleeps, with a varying delay between the two parts.
#[test]
fn a_sleeping_reader_gets_the_end_of_stream_behind_the_data() {
    for runner in Runner::BOTH {
        guarded(move || {
            for round in 0..200 {
                let (local, peer) = tcp_streams();
                let sender = thread::spawn(move || {
                    Noise::new(round).dawdle();
                    send_and_finish(&peer);
                    peer
                });
                let mut stream = Async::new(local).unwrap();
                runner.block_on(data_then_end(&mut stream));
                drop(sender.join().unwrap());
            }
        });
    }
}

/// A terminal also refuses a read while another reader holds its lock, and reports no event if that
/// reader leaves some of the data.
#[test]
fn a_terminal_reader_gets_what_a_second_reader_leaves() {
    guarded(|| {
        let (mut master, mut second) = raw::pty(Terminal::Raw);
        // A separate open file description. Otherwise both readers would be non-blocking.
        let path = format!("/proc/self/fd/{}", second.as_raw_fd());
        let mut source = Async::new(File::open(path).unwrap()).unwrap();
        for _ in 0..500 {
            thread::scope(|scope| {
                // The first reader takes one byte, the second one the next.
                scope.spawn(|| second.read_exact(&mut [0]).unwrap());
                scope.spawn(|| {
                    thread::sleep(Duration::from_micros(200));
                    master.write_all(b"12").unwrap();
                });
                async_io::block_on(source.read_exact(&mut [0])).unwrap();
            });
        }
    });
}

/// A terminal hangs up while more data is queued than one read returns.
#[test]
fn a_terminal_returns_queued_data_after_a_hang_up() {
    for runner in Runner::BOTH {
        guarded(move || {
            const SENT: usize = 30_000;
            let (master, mut slave) = raw::pty(Terminal::Raw);
            let sender = thread::spawn(move || slave.write_all(&[b'p'; SENT]).unwrap());
            let mut master = Async::<File>::new(master).unwrap();
            let mut buffer = [0; 1000];
            let mut got = 0;
            runner.block_on(async {
                loop {
                    match master.read(&mut buffer).await {
                        Ok(0) => break,
                        Ok(count) => got += count,
                        // Linux reports the hang-up of the other side of a terminal by this error.
                        Err(error) if error.raw_os_error() == Some(libc::EIO) => break,
                        Err(error) => panic!("{error}"),
                    }
                }
            });
            assert_eq!(got, SENT);
            sender.join().unwrap();
        });
    }
}

/// A half-close by the peer does not affect writing: a writer with a full buffer sleeps.
#[test]
fn a_writer_sleeps_after_the_half_close_of_its_peer() {
    isolated(
        "hangup::a_writer_sleeps_after_the_half_close_of_its_peer",
        || {
            for runner in Runner::BOTH {
                let (local, peer) = tcp_streams();
                peer.shutdown(Shutdown::Write).unwrap();
                let mut stream = Async::new(local).unwrap();
                let filled = fill(stream.get_ref());
                let writer = thread::spawn(move || {
                    runner.block_on(stream.write_all(&[b'w'; 100_000])).unwrap();
                    stream
                });
                assert_quiet("a writer whose peer has half closed");
                drain(&peer, filled + 100_000);
                let mut stream = writer.join().unwrap();
                assert_eq!(runner.block_on(stream.read(&mut [0; 8])).unwrap(), 0);
            }
        },
    );
}

/// A socket that does not listen yet is reported as hung up. This must not persist once it listens.
#[test]
fn a_hang_up_before_listen_does_not_persist() {
    isolated("hangup::a_hang_up_before_listen_does_not_persist", || {
        for runner in Runner::BOTH {
            let socket = raw::socket(libc::AF_INET, libc::SOCK_STREAM);
            raw::bind(&socket);
            let listener = Async::new(TcpListener::from(socket)).unwrap();
            runner.block_on(listener.readable()).unwrap();
            raw::listen(listener.get_ref());
            let address = listener.get_ref().local_addr().unwrap();
            let tries = Arc::new(AtomicUsize::new(0));
            let counted = tries.clone();
            let accepted = thread::spawn(move || {
                let accept = listener.read_with(|listener| {
                    counted.fetch_add(1, Ordering::Relaxed);
                    listener.accept()
                });
                runner.block_on(accept).unwrap();
                runner.block_on(listener.accept()).unwrap();
            });
            assert_quiet("a listener that was hung up once");
            let tries = tries.load(Ordering::Relaxed);
            assert!(tries < 50, "{tries} tries to accept");
            let _clients = [(); 2].map(|()| TcpStream::connect(address).unwrap());
            accepted.join().unwrap();
        }
    });
}

/// The same for a socket that is not connected yet.
#[test]
fn a_hang_up_before_connect_does_not_persist() {
    isolated("hangup::a_hang_up_before_connect_does_not_persist", || {
        for runner in Runner::BOTH {
            let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
            let port = listener.local_addr().unwrap().port();
            let socket = raw::socket(libc::AF_INET, libc::SOCK_STREAM);
            let mut stream = Async::new(TcpStream::from(socket)).unwrap();
            runner.block_on(stream.readable()).unwrap();
            runner.block_on(stream.writable()).unwrap();
            match raw::connect(stream.get_ref(), port) {
                Ok(_) => {}
                Err(error) => assert_eq!(error.raw_os_error(), Some(libc::EINPROGRESS)),
            }
            let (mut peer, _) = listener.accept().unwrap();
            runner.block_on(stream.writable()).unwrap();
            let reader = thread::spawn(move || {
                let mut bytes = [0; 10];
                runner.block_on(stream.read_exact(&mut bytes)).unwrap();
                bytes
            });
            assert_quiet("a stream that was hung up once");
            peer.write_all(&[3; 10]).unwrap();
            assert_eq!(reader.join().unwrap(), [3; 10]);
        }
    });
}

/// When its last writer is closed, a pipe reports HUP alone, without IN.
#[test]
fn closing_the_last_writer_of_a_pipe_wakes_the_reader() {
    guarded(|| {
        for runner in Runner::BOTH {
            let (reader, mut writer) = pipe();
            let mut reader = Async::new(reader).unwrap();
            writer.write_all(b"data").unwrap();
            runner.block_on(reader.read_exact(&mut [0; 4])).unwrap();

            let (counter, waker) = Counter::new();
            let mut buffer = [0; 4];
            let mut read = Box::pin(reader.read(&mut buffer));
            assert!(poll(&mut read, &waker).is_pending());
            drop(writer);
            counter.wait_for(1);
            assert_eq!(runner.block_on(read).unwrap(), 0);
        }
    });
}

/// When its last reader is closed, a pipe reports ERR alone.
#[test]
fn closing_the_last_reader_of_a_pipe_wakes_the_writer() {
    guarded(|| {
        for runner in Runner::BOTH {
            let (reader, writer) = pipe();
            let mut writer = Async::new(writer).unwrap();
            fill(writer.get_ref());
            let (counter, waker) = Counter::new();
            let mut write = Box::pin(writer.write(b"more"));
            assert!(poll(&mut write, &waker).is_pending());
            drop(reader);
            counter.wait_for(1);
            let error = runner.block_on(write).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        }
    });
}

/// Creates a UDP socket connected to a port without a listener.
fn towards_nobody() -> UdpSocket {
    let socket = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    let gone = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    socket.connect(gone.local_addr().unwrap()).unwrap();
    socket
}

/// An error without IN and OUT (here the ICMP answer of a closed port) wakes a reader.
#[test]
fn an_error_alone_wakes_readers() {
    // In a process of its own: another test could bind the port that must stay closed.
    isolated("hangup::an_error_alone_wakes_readers", || {
        for runner in Runner::BOTH {
            let socket = Async::new(towards_nobody()).unwrap();
            let (counter, waker) = Counter::new();
            let mut buffer = [0; 8];
            let mut recv = Box::pin(socket.recv(&mut buffer));
            assert!(poll(&mut recv, &waker).is_pending());
            socket.get_ref().send(b"hello").unwrap();
            counter.wait_for(1);
            let error = runner.block_on(recv).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        }
    });
}

/// The error queue keeps a failed datagram until the program takes it out.
#[test]
fn a_message_in_the_error_queue_wakes_readers() {
    isolated("hangup::a_message_in_the_error_queue_wakes_readers", || {
        for runner in Runner::BOTH {
            let socket = Async::new(towards_nobody()).unwrap();
            raw::set_option(socket.get_ref(), libc::SOL_IP, libc::IP_RECVERR, 1);
            let (counter, waker) = Counter::new();
            let mut readable = socket.readable();
            assert!(poll(&mut readable, &waker).is_pending());
            socket.get_ref().send(b"hello").unwrap();
            counter.wait_for(1);
            runner.block_on(readable).unwrap();
            let mut returned = [0; 8];
            let queue = libc::MSG_ERRQUEUE;
            let count = raw::recv(socket.get_ref(), &mut returned, queue).unwrap();
            assert_eq!(&returned[..count], b"hello");
        }
    });
}

/// A hang-up of a stream wakes a reader and a writer that both sleep.
#[test]
fn a_hang_up_wakes_both_directions() {
    guarded(|| {
        let (local, peer) = UnixStream::pair().unwrap();
        let source = Async::new(local).unwrap();
        fill(source.get_ref());
        let (reads, read_waker) = Counter::new();
        let (writes, write_waker) = Counter::new();
        let (mut readable, mut writable) = (source.readable(), source.writable());
        assert!(poll(&mut readable, &read_waker).is_pending());
        assert!(poll(&mut writable, &write_waker).is_pending());
        drop(peer);
        reads.wait_for(1);
        writes.wait_for(1);
        Runner::Foreign.block_on(readable).unwrap();
        Runner::Foreign.block_on(writable).unwrap();
    });
}

/// A UDP socket that is shut down for reading is always reported as readable, while every read
/// returns `WouldBlock`. Edge-triggered polling reports this once. A one-shot back end reports it
/// again after each re-arm.
#[test]
fn a_udp_socket_shut_down_for_reading_keeps_no_thread_busy() {
    isolated(
        "hangup::a_udp_socket_shut_down_for_reading_keeps_no_thread_busy",
        || {
            for runner in Runner::BOTH {
                let socket = towards_nobody();
                let sender = socket.try_clone().unwrap();
                raw::shutdown_reading(&sender);
                let socket = Async::new(socket).unwrap();
                let reader = thread::spawn(move || runner.block_on(socket.recv(&mut [0; 8])));
                assert_quiet("a UDP socket that is shut down for reading");
                sender.send(b"hello").unwrap();
                let error = reader.join().unwrap().unwrap_err();
                assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
            }
        },
    );
}
