//! Nothing is left behind: descriptors on Unix, handles on Windows, counted before and after many rounds of everything.
#![cfg(any(unix, windows))]

mod common;

use std::net::{TcpListener, TcpStream, UdpSocket};
use std::pin::pin;
use std::time::Duration;

use async_io::{Async, Timer, block_on};
use common::*;
use futures_lite::{AsyncReadExt, AsyncWriteExt, future};

const ANY_PORT: ([u8; 4], u16) = ([127, 0, 0, 1], 0);

async fn connections() {
    let listener = Async::<TcpListener>::bind(ANY_PORT).unwrap();
    let addr = listener.get_ref().local_addr().unwrap();
    let (client, accepted) =
        future::zip(Async::<TcpStream>::connect(addr), listener.accept()).await;
    let (mut client, mut server) = (client.unwrap(), accepted.unwrap().0);
    client.write_all(b"x").await.unwrap();
    server.read_exact(&mut [0]).await.unwrap();
    // Given up in the middle of a wait.
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
    // Nobody answers there; whether that is known at once does not matter.
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
    // What is cancelled may be given back by the next turn only.
    settle();
}

/// §3, §7: everything that is made and dropped, finished, given up or refused.
#[test]
fn nothing_is_left_open() {
    in_child("nothing_is_left_open", || {
        // What is made once: the reactor, threads, libraries of the system.
        rounds(5);
        let before = open_objects();
        rounds(60);
        let after = open_objects();
        // Systems keep a few for themselves (thread pools, name services); one per round would be sixty and more.
        assert!(after < before + 20, "{before} open objects became {after}");
    });
}
