//! The client of the echo scenarios: one process with level-triggered epoll, and one request in
//! flight per connection. It has one thread, or a thread for each two cores that it may use.
//!
//! It warms up and waits for all answers. It prints `start`, waits for a line of input, and makes
//! the requests. At the end it prints `stop` and waits for input again. Between the two words the
//! server does nothing but serve, so its counters can be read exactly.

use std::io::{self, BufRead, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use rustix::event::epoll;

use crate::harness::Outcome;
use crate::harness::system::{allow_descriptors, pin};
use crate::work::lateness::Lateness;

/// The size of a request and of its answer.
pub(crate) const MESSAGE: usize = 64;

/// The options of the client process.
#[derive(Clone, Debug)]
pub(crate) struct LoadOptions {
    pub(crate) port: u16,
    pub(crate) connections: usize,
    pub(crate) requests: u64,
    pub(crate) cores: Vec<usize>,
}

impl LoadOptions {
    /// Returns the number of requests that are made before those that count.
    pub(crate) fn warm_up(requests: u64, connections: usize) -> u64 {
        (requests / 10).max(connections as u64)
    }
}

struct Connection {
    stream: TcpStream,
    missing: usize,
    sent: Instant,
}

struct Client {
    epoll: rustix::fd::OwnedFd,
    connections: Vec<Connection>,
    latency: Lateness,
}

/// Runs the client process.
pub(crate) fn run(options: &LoadOptions) -> Outcome<()> {
    pin(&options.cores)?;
    allow_descriptors(options.connections as u64 + 64)?;
    let mut clients = Client::connect_all(options)?;
    let warm_up = LoadOptions::warm_up(options.requests, options.connections);
    exchange(&mut clients, warm_up)?;
    say_and_wait("start")?;
    for client in &mut clients {
        client.latency = Lateness::new();
    }
    let start = Instant::now();
    exchange(&mut clients, options.requests)?;
    let rate = options.requests as f64 / start.elapsed().as_secs_f64();
    say_and_wait("stop")?;
    let mut latency = Lateness::new();
    for client in &clients {
        latency.add(&client.latency)?;
    }
    let sample = latency.sample("latency_us").with("rate", rate);
    print!("{}", sample.to_lines());
    Ok(())
}

fn say_and_wait(word: &str) -> io::Result<()> {
    println!("{word}");
    io::stdin().lock().read_line(&mut String::new()).map(drop)
}

/// Makes `requests` requests, spread over the clients, each on a thread of its own.
fn exchange(clients: &mut [Client], requests: u64) -> Outcome<()> {
    let Some((first, others)) = clients.split_first_mut() else {
        return Err("there is no client".into());
    };
    let share = requests / (others.len() as u64 + 1);
    let rest = requests - share * others.len() as u64;
    std::thread::scope(|scope| {
        let running: Vec<_> = others
            .iter_mut()
            .map(|client| scope.spawn(|| client.exchange(share)))
            .collect();
        let result = first.exchange(rest);
        for other in running {
            other
                .join()
                .map_err(|_| "a thread of the client panicked")??;
        }
        result
    })
}

impl Client {
    /// Makes the connections, spread over as many clients as there are threads.
    fn connect_all(options: &LoadOptions) -> Outcome<Vec<Client>> {
        let threads = (options.cores.len() / 2).clamp(1, options.connections.max(1));
        let share = |index| {
            let (all, threads) = (options.connections, threads);
            all * (index + 1) / threads - all * index / threads
        };
        let clients = (0..threads).map(|index| Client::connect(options.port, share(index)));
        clients.collect()
    }

    fn connect(port: u16, count: usize) -> Outcome<Client> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut connections = Vec::with_capacity(count);
        for index in 0..count {
            let stream = TcpStream::connect(("127.0.0.1", port))?;
            stream.set_nodelay(true)?;
            let data = epoll::EventData::new_u64(index as u64);
            epoll::add(&epoll, &stream, data, epoll::EventFlags::IN)?;
            let sent = Instant::now();
            connections.push(Connection {
                stream,
                missing: 0,
                sent,
            });
        }
        let latency = Lateness::new();
        Ok(Client {
            epoll,
            connections,
            latency,
        })
    }

    /// Makes `requests` requests, spread over the connections, and waits for all answers.
    fn exchange(&mut self, requests: u64) -> Outcome<()> {
        let mut unsent = requests;
        let mut unanswered = requests;
        for connection in &mut self.connections {
            if unsent > 0 {
                connection.send(Instant::now())?;
                unsent -= 1;
            }
        }
        let mut events = Vec::with_capacity(1024);
        while unanswered > 0 {
            events.clear();
            epoll::wait(
                &self.epoll,
                rustix::buffer::spare_capacity(&mut events),
                None,
            )?;
            for event in &events {
                let connection = &mut self.connections[event.data.u64() as usize];
                if !connection.receive()? {
                    continue;
                }
                // One clock read serves both purposes: the client must not be slower than the
                // servers.
                let now = Instant::now();
                self.latency.record(now - connection.sent);
                unanswered -= 1;
                if unsent > 0 {
                    connection.send(now)?;
                    unsent -= 1;
                }
            }
        }
        Ok(())
    }
}

impl Connection {
    fn send(&mut self, now: Instant) -> io::Result<()> {
        self.sent = now;
        self.missing = MESSAGE;
        self.stream.write_all(&[7; MESSAGE])
    }

    /// Reads once. Returns whether the answer is complete.
    fn receive(&mut self) -> io::Result<bool> {
        let length = self.stream.read(&mut [0; 4096])?;
        if length == 0 {
            return Err(io::Error::other("the server closed a connection"));
        }
        self.missing -= length;
        Ok(self.missing == 0)
    }
}
