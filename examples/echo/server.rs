//! The server: one executor on one or more threads, with one task per connection.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use async_channel::{Receiver, Sender};
use async_executor::Executor;
use async_io::{Async, Timer, block_on};
use futures_lite::{AsyncReadExt, AsyncWriteExt};

use crate::options::Options;
use crate::system::{self, Spender};

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// This channel and the next one are closed to signal the threads. No message is ever sent.
    measure: Sender<()>,
    stop: Sender<()>,
    threads: Vec<JoinHandle<Option<Duration>>>,
}

pub(crate) fn start(options: &Options) -> io::Result<Server> {
    let cannot = |error: io::Error| {
        io::Error::new(
            error.kind(),
            format!("cannot listen on {}: {error}", options.address),
        )
    };
    let listener = Async::<TcpListener>::bind(options.address).map_err(cannot)?;
    let address = listener.get_ref().local_addr()?;

    let executor = Arc::new(Executor::new());
    executor
        .spawn(accept(executor.clone(), listener, options.server_timeout))
        .detach();

    let (measure, measuring) = async_channel::bounded(1);
    let (stop, stopped) = async_channel::bounded(1);
    let mut threads = Vec::new();
    for number in 0..options.threads {
        let (executor, measuring, stopped) = (executor.clone(), measuring.clone(), stopped.clone());
        let builder = thread::Builder::new().name(format!("server-{number}"));
        threads.push(builder.spawn(move || drive(&executor, &measuring, &stopped))?);
    }
    Ok(Server {
        address,
        measure,
        stop,
        threads,
    })
}

impl Server {
    /// Starts the measurement of CPU time.
    pub(crate) fn measure(&self) {
        self.measure.close();
    }

    /// Stops the server. Returns the CPU time that its threads have spent since `measure`, or
    /// `None` if the system does not report it.
    pub(crate) fn stop(self) -> io::Result<Option<Duration>> {
        self.measure.close();
        self.stop.close();
        self.join()
    }

    pub(crate) fn serve_for_ever(self) -> io::Result<bool> {
        self.join().map(|_| true)
    }

    fn join(self) -> io::Result<Option<Duration>> {
        let mut total = Some(Duration::ZERO);
        for thread in self.threads {
            let cpu = thread
                .join()
                .map_err(|_| io::Error::other("a server thread panicked"))?;
            total = total.zip(cpu).map(|(total, cpu)| total + cpu);
        }
        Ok(total)
    }
}

/// Runs the tasks of the executor on a server thread until `stopped` is closed. Returns the CPU
/// time that the thread has spent since `measuring` was closed.
fn drive(
    executor: &Executor<'_>,
    measuring: &Receiver<()>,
    stopped: &Receiver<()>,
) -> Option<Duration> {
    let _ = block_on(executor.run(measuring.recv()));
    let before = system::cpu(Spender::ThisThread);
    let _ = block_on(executor.run(stopped.recv()));
    system::since(before, system::cpu(Spender::ThisThread))
}

async fn accept(
    executor: Arc<Executor<'static>>,
    listener: Async<TcpListener>,
    timeout: Option<Duration>,
) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => executor.spawn(serve(stream, timeout)).detach(),
            Err(error) => {
                // The likely cause is that no descriptor is free. The connection stays in the
                // queue, so retrying immediately would be a busy loop.
                eprintln!("echo server: cannot accept: {error}");
                Timer::after(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn serve(mut stream: Async<TcpStream>, timeout: Option<Duration>) {
    // An error concerns only this connection, which is closed in any case.
    let _ = echo(&mut stream, timeout).await;
}

async fn echo(stream: &mut Async<TcpStream>, timeout: Option<Duration>) -> io::Result<()> {
    stream.get_ref().set_nodelay(true)?;
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let length = async_io::timeout(timeout, stream.read(&mut buffer)).await??;
        if length == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..length]).await?;
    }
}
