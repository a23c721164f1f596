//! Runs a server and a client on a Unix domain socket in a temporary folder.
//!
//!     cargo run --example unix_socket

use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(argument) = std::env::args_os().nth(1) {
        println!(
            "usage: unix_socket\n\n\
             A client talks to a server over a Unix domain socket. There are no options."
        );
        return if argument == "--help" {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(2)
        };
    }
    match conversation() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("unix_socket: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(unix)]
fn conversation() -> std::io::Result<()> {
    use async_io::{Async, block_on};
    use futures_lite::future;
    use std::os::unix::net::UnixListener;

    // A new folder for each run: binding fails if a socket file from an earlier run is in the way.
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("socket");

    block_on(async {
        let listener = Async::<UnixListener>::bind(&path)?;
        println!("listening on {}", path.display());
        future::try_zip(unix::serve_one(&listener), unix::ask(&path)).await?;
        Ok(())
    })
}

#[cfg(unix)]
mod unix {
    use std::io;
    use std::net::Shutdown;
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::path::Path;

    use async_io::Async;
    use futures_lite::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, StreamExt, io::BufReader};

    /// Accepts one client and returns each of its lines in upper case.
    pub(crate) async fn serve_one(listener: &Async<UnixListener>) -> io::Result<()> {
        let (stream, _) = listener.accept().await?;
        let mut lines = BufReader::new(&stream).lines();
        while let Some(line) = lines.next().await {
            (&stream)
                .write_all(format!("{}\n", line?.to_uppercase()).as_bytes())
                .await?;
        }
        Ok(())
    }

    pub(crate) async fn ask(path: &Path) -> io::Result<()> {
        let mut stream = Async::<UnixStream>::connect(path).await?;
        stream.write_all(b"hello\nis anybody there?\n").await?;
        // `close` would only flush. Shutting down the write side signals the end of the stream to
        // the server.
        stream.get_ref().shutdown(Shutdown::Write)?;

        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        print!("the server says:\n{answer}");
        Ok(())
    }
}

#[cfg(not(unix))]
fn conversation() -> std::io::Result<()> {
    println!("Unix domain sockets are not available on this platform.");
    Ok(())
}
