//! A small HTTP/1.1 file server.
//!
//! One task per connection, on one executor that several threads run. Every wait for a client has a limit, so that
//! clients who say nothing, or take nothing, cost little and not for long.
//!
//!     cargo run --release --example web                                # this folder, on http://127.0.0.1:8000
//!     cargo run --release --example web -- --address 0.0.0.0:80 /srv/www
//!
//! `connection.rs` is the life of a connection, `request.rs` reads, `site.rs` finds files, `response.rs` writes.

mod connection;
mod listing;
mod options;
mod request;
mod response;
mod site;
mod status;
mod timeout;
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
            // The client was gone before its turn came.
            Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
            Err(error) => {
                // Most likely no descriptor is free (EMFILE). The client stays in the queue, so that trying again at
                // once would keep the processor busy for nothing: wait until some connections have ended.
                eprintln!("web: cannot accept, waiting a little: {error}");
                Timer::after(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn serve(stream: Async<TcpStream>, site: &Site, timeout: Duration) {
    // Clients come and go as they please: that one vanished or was too slow is nothing to report.
    let _ = connection::serve(&stream, site, timeout).await;
}
