//! The tasks of a guest, and the threads that use them.

use std::cell::{Cell, RefCell};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use async_channel::{Receiver, Sender};
use async_io::{Async, Timer};
use futures_lite::{AsyncReadExt, AsyncWriteExt, StreamExt};

const MESSAGES: u32 = 200;
const TICKS: u32 = 60;
const PERIOD: Duration = Duration::from_millis(4);
const VALUES: u32 = 100;

/// What the tasks have done.
#[derive(Default)]
pub(crate) struct Counts {
    messages: Cell<u32>,
    clients: Cell<u32>,
    ticks: Cell<u32>,
    values: Cell<u32>,
    pub(crate) failure: RefCell<Option<io::Error>>,
}

impl Counts {
    pub(crate) fn are_complete(&self) -> bool {
        self.clients.get() >= 1 && self.ticks.get() >= TICKS && self.values.get() >= VALUES
    }

    pub(crate) fn take(&self) -> io::Result<String> {
        let counts = (self.messages.take(), self.ticks.take(), self.values.take());
        self.clients.take();
        let (messages, ticks, values) = counts;
        let text = format!("{messages} messages, {ticks} ticks, {values} values");
        if counts == (MESSAGES, TICKS, VALUES) {
            Ok(text)
        } else {
            Err(io::Error::other(format!("{text}: not what was sent")))
        }
    }
}

fn add_one(count: &Cell<u32>) {
    count.set(count.get() + 1);
}

/// Serves one client after the other.
pub(crate) async fn serve(listener: Async<TcpListener>, counts: Rc<Counts>) {
    loop {
        let mut stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => return drop(counts.failure.replace(Some(error))),
        };
        let mut message = [0; 4];
        while stream.read_exact(&mut message).await.is_ok() {
            add_one(&counts.messages);
            if stream.write_all(&message).await.is_err() {
                break;
            }
        }
        add_one(&counts.clients);
    }
}

/// Counts ticks. They last longer than the values of the other thread, so the idle phase begins right
/// after the last one. The tick that would have followed must not wake the loop.
pub(crate) async fn tick(counts: Rc<Counts>) {
    let mut ticks = Timer::interval(PERIOD);
    while counts.ticks.get() < TICKS && ticks.next().await.is_some() {
        add_one(&counts.ticks);
    }
}

pub(crate) async fn receive(values: Receiver<u32>, counts: Rc<Counts>) {
    while values.recv().await.is_ok() {
        add_one(&counts.values);
    }
}

/// The threads that use the tasks of a guest.
pub(crate) struct Work {
    client: JoinHandle<io::Result<()>>,
    sender: JoinHandle<io::Result<()>>,
}

impl Work {
    pub(crate) fn start(server: SocketAddr, values: Sender<u32>) -> io::Result<Work> {
        Ok(Work {
            client: thread::Builder::new().spawn(move || ask(server))?,
            sender: thread::Builder::new().spawn(move || send(&values))?,
        })
    }

    pub(crate) fn join(self) -> io::Result<()> {
        for thread in [self.client, self.sender] {
            thread
                .join()
                .unwrap_or_else(|_| Err(io::Error::other("a thread has panicked")))?;
        }
        Ok(())
    }
}

fn ask(server: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect(server)?;
    for number in 0..MESSAGES {
        let message = number.to_be_bytes();
        stream.write_all(&message)?;
        let mut answer = [0; 4];
        stream.read_exact(&mut answer)?;
        if answer != message {
            return Err(io::Error::other("the answer is not an echo"));
        }
    }
    Ok(())
}

/// Sends values at irregular times: alone, in pairs, and after pauses in which the loop sleeps.
fn send(values: &Sender<u32>) -> io::Result<()> {
    for value in 0..VALUES {
        thread::sleep(Duration::from_micros(u64::from(value % 4) * 700));
        values.send_blocking(value).map_err(io::Error::other)?;
    }
    Ok(())
}
