//! Runs the types of smol and async-net in a private reactor per thread, and checks that no reactor
//! starts a thread.
//!
//! Exits with 0 if all checks pass, with 1 if a check fails, and with 2 if it hangs.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use async_io::Reactor;
use async_net::unix::UnixStream;
use async_net::{TcpListener, TcpStream, UdpSocket};
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::stream::StreamExt;
use smol::{LocalExecutor, Timer, future};
use smol_app::{Check, ensure, exit_if_it_hangs, reactor_threads};

/// The number of server threads, and of client threads.
const THREADS: usize = 3;
/// The connections that each client thread makes to each server thread.
const CONNECTIONS: usize = 4;
const QUESTIONS: u64 = 50;

fn main() -> ExitCode {
    exit_if_it_hangs();
    match run() {
        Ok(()) => {
            println!("ok    private reactors: one per thread, and no other thread");
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("WRONG private reactors: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Check {
    let (to_clients, addresses) = mpsc::channel();
    let servers = (0..THREADS).map(|_| {
        let to_clients = to_clients.clone();
        thread::spawn(move || serve(to_clients))
    });
    let mut threads: Vec<JoinHandle<Check>> = servers.collect();
    drop(to_clients);
    let addresses = all_of(&addresses)?;
    let clients = (0..THREADS).map(|_| {
        let addresses = addresses.clone();
        thread::spawn(move || ask(&addresses))
    });
    threads.extend(clients);

    let mut started = Vec::new();
    while !threads.iter().all(JoinHandle::is_finished) {
        started.extend(reactor_threads()?);
        thread::sleep(Duration::from_millis(1));
    }
    started.extend(reactor_threads()?);
    for thread in threads {
        thread.join().map_err(|_| "a thread panicked")??;
    }
    ensure(started.is_empty(), format!("threads: {started:?}"))
}

fn all_of(addresses: &Receiver<SocketAddr>) -> Check<Vec<SocketAddr>> {
    let all: Vec<SocketAddr> = addresses.iter().collect();
    ensure(all.len() == THREADS, "a server thread has failed")?;
    Ok(all)
}

/// Serves the connections of all clients in a reactor of its own.
fn serve(to_clients: Sender<SocketAddr>) -> Check {
    let executor = LocalExecutor::new();
    Reactor::new()?.block_on(executor.run(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        to_clients.send(listener.local_addr()?)?;
        drop(to_clients);
        let mut sessions = Vec::new();
        let mut incoming = listener.incoming();
        while sessions.len() < THREADS * CONNECTIONS {
            let stream = incoming.next().await.ok_or("the listener has ended")??;
            sessions.push(executor.spawn(answer(stream)));
        }
        for session in sessions {
            session.await?;
        }
        Ok(())
    }))
}

async fn answer(mut stream: TcpStream) -> Check {
    let mut question = [0; 8];
    for number in 0..QUESTIONS {
        stream.read_exact(&mut question).await?;
        if number % 10 == 0 {
            Timer::after(Duration::from_millis(1)).await;
        }
        let answer = u64::from_le_bytes(question) + 1;
        stream.write_all(&answer.to_le_bytes()).await?;
    }
    Ok(())
}

/// Runs the clients of one thread in a reactor of its own.
fn ask(servers: &[SocketAddr]) -> Check {
    let executor = LocalExecutor::new();
    Reactor::new()?.block_on(executor.run(async {
        let clients: Vec<_> = (0..CONNECTIONS)
            .flat_map(|_| servers)
            .map(|server| executor.spawn(client(*server)))
            .collect();
        let others = [
            executor.spawn(datagrams()),
            executor.spawn(pair()),
            executor.spawn(timers()),
        ];
        for task in clients.into_iter().chain(others) {
            task.await?;
        }
        Ok(())
    }))
}

async fn client(server: SocketAddr) -> Check {
    let mut stream = TcpStream::connect(server).await?;
    stream.set_nodelay(true)?;
    let mut answer = [0; 8];
    for question in 0..QUESTIONS {
        stream.write_all(&question.to_le_bytes()).await?;
        stream.read_exact(&mut answer).await?;
        ensure(u64::from_le_bytes(answer) == question + 1, "a wrong answer")?;
    }
    ensure(stream.read(&mut answer).await? == 0, "the stream goes on")
}

async fn datagrams() -> Check {
    let one = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let other = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let mut buffer = [0; 16];
    for number in 0..20_u8 {
        let (received, _) = future::try_zip(
            other.recv_from(&mut buffer),
            one.send_to(&[number], other.local_addr()?),
        )
        .await?;
        ensure(received == (1, one.local_addr()?), "a wrong datagram")?;
        ensure(buffer[0] == number, "a datagram has changed")?;
    }
    Ok(())
}

async fn pair() -> Check {
    let (mut one, mut other) = UnixStream::pair()?;
    // More than the socket holds, so both sides have to wait.
    let sent = vec![7; 1_000_000];
    let mut received = Vec::new();
    let send = async {
        one.write_all(&sent).await?;
        one.close().await
    };
    future::try_zip(send, other.read_to_end(&mut received)).await?;
    ensure(received == sent, "a pair has lost bytes")
}

async fn timers() -> Check {
    let start = Instant::now();
    let period = Duration::from_millis(5);
    let mut ticks = Timer::interval(period);
    for tick in 1..=10 {
        ticks.next().await.ok_or("the interval has ended")?;
        ensure(start.elapsed() >= period * tick, "a tick was early")?;
    }
    Ok(())
}
