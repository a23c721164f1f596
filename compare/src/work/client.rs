//! The client of the echo rows: one process, one thread, level-triggered epoll, one request in flight per connection.
//!
//! It warms up, lets everything come back, says `start`, waits for a word, and works. At the end it says `stop` and waits
//! again: between the two words the server does nothing but serve, so its counters can be read exactly.

use std::io::{self, BufRead, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use rustix::event::epoll;

use crate::harness::Outcome;
use crate::harness::system::{allow_descriptors, pin};
use crate::work::lateness::Lateness;

/// The size of a request and of its answer.
pub(crate) const MESSAGE: usize = 64;

/// What the client is told.
#[derive(Clone, Debug)]
pub(crate) struct LoadOptions {
    pub(crate) port: u16,
    pub(crate) connections: usize,
    pub(crate) requests: u64,
    pub(crate) cores: Vec<usize>,
}

impl LoadOptions {
    /// How many requests are made before those that count.
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

/// The client process.
pub(crate) fn run(options: &LoadOptions) -> Outcome<()> {
    pin(&options.cores)?;
    allow_descriptors(options.connections as u64 + 64)?;
    let mut client = Client::connect(options)?;
    client.exchange(LoadOptions::warm_up(options.requests, options.connections))?;
    say_and_wait("start")?;
    client.latency = Lateness::new();
    let start = Instant::now();
    client.exchange(options.requests)?;
    let rate = options.requests as f64 / start.elapsed().as_secs_f64();
    say_and_wait("stop")?;
    let sample = client.latency.sample("latency_us").with("rate", rate);
    print!("{}", sample.to_lines());
    Ok(())
}

fn say_and_wait(word: &str) -> io::Result<()> {
    println!("{word}");
    io::stdin().lock().read_line(&mut String::new()).map(drop)
}

impl Client {
    fn connect(options: &LoadOptions) -> Outcome<Client> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut connections = Vec::with_capacity(options.connections);
        for index in 0..options.connections {
            let stream = TcpStream::connect(("127.0.0.1", options.port))?;
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

    /// Makes so many requests, spread over the connections, and waits for all answers.
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
                // One clock read for both: the client must not be slower than the servers.
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

    /// Has the whole answer come?
    fn receive(&mut self) -> io::Result<bool> {
        let length = self.stream.read(&mut [0; 4096])?;
        if length == 0 {
            return Err(io::Error::other("the server closed a connection"));
        }
        self.missing -= length;
        Ok(self.missing == 0)
    }
}
