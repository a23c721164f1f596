//! A small HTTP/1.1 file server.
//!
//! Each connection has a task, on one executor that several threads run. Every wait for a client
//! has a time limit, so a client that sends or receives nothing uses few resources, for a limited
//! time.
//!
//!     # serve the current folder on http://127.0.0.1:8000:
//!     cargo run --release --example web
//!     cargo run --release --example web -- --address 0.0.0.0:80 /srv/www
//!
//! `connection.rs` handles one connection, `request.rs` reads requests, `site.rs` finds files, and
//! `response.rs` writes responses.

mod connection;
mod listing;
mod options;
mod request;
mod response;
mod site;
mod status;
mod url;

use std::io::{self, ErrorKind};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use async_executor::Executor;
use async_io::{Async, Timer, block_on};
use futures_lite::future;

use crate::options::Options;
use crate::site::Site;

fn main() -> ExitCode {
    let options = match options::parse() {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{}", options::HELP);
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("web: {error}\n\nTry --help.");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("web: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> io::Result<()> {
    let explain = |what: String| {
        move |error: io::Error| io::Error::new(error.kind(), format!("{what}: {error}"))
    };
    let site = Site::new(&options.folder).map_err(explain(options.folder.display().to_string()))?;
    let listener = Async::<TcpListener>::bind(options.address)
        .map_err(explain(format!("cannot listen on {}", options.address)))?;
    println!(
        "{} is on http://{}/",
        site.root().display(),
        listener.get_ref().local_addr()?
    );

    let executor = Arc::new(Executor::new());
    for number in 1..options.threads {
        let executor = executor.clone();
        let builder = thread::Builder::new().name(format!("web-{number}"));
        builder.spawn(move || block_on(executor.run(future::pending::<()>())))?;
    }
    block_on(executor.run(accept(&executor, listener, Arc::new(site), options.timeout)));
    Ok(())
}

async fn accept(
    executor: &Executor<'_>,
    listener: Async<TcpListener>,
    site: Arc<Site>,
    timeout: Duration,
) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let site = site.clone();
                executor
                    .spawn(async move { serve(stream, &site, timeout).await })
                    .detach();
            }
            // The client disconnected while its connection was in the queue.
            Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
            Err(error) => {
                // The likely cause is that no descriptor is free (EMFILE). The client stays in the
                // queue, so retrying immediately would be a busy loop. Wait until some connections
                // have been closed.
                eprintln!("web: cannot accept, retrying in 50 ms: {error}");
                Timer::after(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn serve(stream: Async<TcpStream>, site: &Site, timeout: Duration) {
    // A client that disconnects or is too slow is not worth a report.
    let _ = connection::serve(&stream, site, timeout).await;
}
