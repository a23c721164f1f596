//! Checks that no system object leaks: descriptors on Unix, handles on Windows. Both are counted
//! before and after many rounds of all operations.
#![cfg(any(unix, windows))]

mod support;

use std::net::{TcpListener, TcpStream, UdpSocket};
use std::pin::pin;
use std::time::Duration;

use async_io::{Async, Timer, block_on};
use futures_lite::{AsyncReadExt, AsyncWriteExt, future};
use support::*;

const ANY_PORT: ([u8; 4], u16) = ([127, 0, 0, 1], 0);

async fn connections() {
    let listener = Async::<TcpListener>::bind(ANY_PORT).unwrap();
    let addr = listener.get_ref().local_addr().unwrap();
    let (client, accepted) =
        future::zip(Async::<TcpStream>::connect(addr), listener.accept()).await;
    let (mut client, mut server) = (client.unwrap(), accepted.unwrap().0);
    client.write_all(b"x").await.unwrap();
    server.read_exact(&mut [0]).await.unwrap();
    // Waits that are cancelled while pending.
    assert!(future::poll_once(server.read(&mut [0])).await.is_none());
    assert!(future::poll_once(pin!(listener.accept())).await.is_none());
    drop(client.into_inner().unwrap());
}

async fn refusals() {
    let bound = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let any = std::net::SocketAddr::from(ANY_PORT);
    bound.bind(&any.into()).unwrap();
    let addr = bound.local_addr().unwrap().as_socket().unwrap();
    Async::<TcpStream>::connect(addr).await.unwrap_err();

    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let _registered = Async::new(&socket).unwrap();
    Async::new(&socket).unwrap_err();
}

async fn attempts_given_up() {
    // No socket listens there. Whether the refusal is reported immediately does not matter.
    let attempt = Async::<TcpStream>::connect(([127, 0, 0, 1], 9));
    let _ = future::poll_once(attempt).await;
    Timer::after(Duration::from_micros(100)).await;
    let _ = future::poll_once(Timer::after(HOUR)).await;
}

#[cfg(windows)]
async fn waitables() {
    use async_io::os::windows::Waitable;
    let child = std::process::Command::new("cmd")
        .args(["/C", "exit"])
        .spawn();
    let child = Waitable::new(child.unwrap()).unwrap();
    child.ready().await.unwrap();
    child.into_inner().unwrap().wait().unwrap();
}

#[cfg(unix)]
async fn waitables() {
    let (reader, writer) = pipe();
    let reader = Async::new(reader).unwrap();
    drop(writer);
    reader.readable().await.unwrap();
}

async fn round() {
    connections().await;
    refusals().await;
    attempts_given_up().await;
}

fn rounds(count: usize) {
    for _ in 0..count {
        block_on(round());
        foreign(round());
    }
    block_on(waitables());
    foreign(waitables());
    // Some resources of cancelled operations are released only by the next turn.
    settle();
}

/// Everything that is created and dropped, completed, cancelled or refused.
#[test]
fn nothing_is_left_open() {
    isolated("nothing_is_left_open", || {
        // Objects that are created only once: the reactor, threads, system libraries.
        rounds(5);
        let before = open_objects();
        rounds(60);
        let after = open_objects();
        // Systems keep a few objects for themselves (thread pools, name services). One leak per
        // round would be at least sixty.
        assert!(after < before + 20, "{before} open objects became {after}");
    });
}
