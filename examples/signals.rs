//! Awaits Unix signals, which arrive as bytes in a socket pair.
//!
//! A signal handler may do very little, but it may write a byte to a socket. `signal-hook` installs
//! such a handler. The other end of the pair is an ordinary `Async<UnixStream>`.
//!
//!     cargo run --example signals    # then press Ctrl-C, or send SIGHUP from another terminal

use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(argument) = std::env::args_os().nth(1) {
        println!(
            "usage: signals\n\n\
             Reports SIGHUP, and exits on SIGINT (Ctrl-C) or SIGTERM. There are no options."
        );
        return if argument == "--help" {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(2)
        };
    }
    match platform::wait() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("signals: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(unix)]
mod platform {
    use std::io;
    use std::os::unix::net::UnixStream;

    use async_io::{Async, block_on};
    use futures_lite::{AsyncReadExt, future};
    use signal_hook::consts::signal::{SIGHUP, SIGINT, SIGTERM};

    pub(crate) fn wait() -> io::Result<()> {
        let mut hang_up = subscribe(SIGHUP)?;
        let mut interrupt = subscribe(SIGINT)?;
        let mut terminate = subscribe(SIGTERM)?;
        println!(
            "process {} is waiting for signals, stop it with Ctrl-C",
            std::process::id()
        );

        block_on(async {
            let hang_ups = async {
                loop {
                    next(&mut hang_up).await?;
                    println!("SIGHUP: a daemon would read its configuration again");
                }
            };
            let end = async {
                future::or(next(&mut interrupt), next(&mut terminate)).await?;
                println!("asked to exit: a daemon would finish its work now");
                Ok(())
            };
            future::or(end, hang_ups).await
        })
    }

    /// Returns the end of a socket pair that receives a byte for each `signal`.
    fn subscribe(signal: i32) -> io::Result<Async<UnixStream>> {
        let (reader, writer) = UnixStream::pair()?;
        signal_hook::low_level::pipe::register(signal, writer)?;
        Async::new(reader)
    }

    async fn next(signals: &mut Async<UnixStream>) -> io::Result<()> {
        signals.read_exact(&mut [0]).await
    }
}

#[cfg(not(unix))]
mod platform {
    pub(crate) fn wait() -> std::io::Result<()> {
        println!("This platform has no Unix signals.");
        Ok(())
    }
}
