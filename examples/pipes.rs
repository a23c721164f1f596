//! Writes to the standard input of a child process and reads its standard output concurrently.
//!
//! A pipe has a small buffer. A program that writes all its data before it reads anything hangs as
//! soon as the output of the child fills the other pipe. Here one future writes while another
//! reads.
//!
//!     cargo run --example pipes

use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(argument) = std::env::args_os().nth(1) {
        println!(
            "usage: pipes\n\nSends text through \"tr a-z A-Z\" and reads it back. There are no options."
        );
        return if argument == "--help" {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(2)
        };
    }
    match platform::converse() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pipes: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(unix)]
mod platform {
    use std::io;
    use std::process::{ChildStdin, ChildStdout, Command, Stdio};

    use async_io::{Async, block_on};
    use futures_lite::{AsyncReadExt, AsyncWriteExt, future};

    /// Sixteen times the capacity of a pipe on Linux, so that both sides have to wait.
    const LENGTH: usize = 1 << 20;

    pub(crate) fn converse() -> io::Result<()> {
        let mut command = Command::new("tr");
        command
            .args(["a-z", "A-Z"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("the child process has no pipes"));
        };

        let text: Vec<u8> = b"how quickly daft jumping zebras vex\n"
            .iter()
            .copied()
            .cycle()
            .take(LENGTH)
            .collect();
        let (_, answer) = block_on(future::try_zip(
            write(Async::new(input)?, &text),
            read(Async::new(output)?),
        ))?;

        println!("sent {} bytes, received {} bytes", text.len(), answer.len());
        if answer != text.to_ascii_uppercase() {
            return Err(io::Error::other(
                "the answer is not the sent text in upper case",
            ));
        }
        println!("the child exited: {}", child.wait()?);
        Ok(())
    }

    /// Writes `text`, then closes the pipe by dropping it, which the child sees as the end of its
    /// input.
    async fn write(mut pipe: Async<ChildStdin>, text: &[u8]) -> io::Result<()> {
        pipe.write_all(text).await
    }

    async fn read(mut pipe: Async<ChildStdout>) -> io::Result<Vec<u8>> {
        let mut answer = Vec::new();
        pipe.read_to_end(&mut answer).await?;
        Ok(answer)
    }
}

#[cfg(not(unix))]
mod platform {
    pub(crate) fn converse() -> std::io::Result<()> {
        println!("Pipes can be polled only on Unix.");
        Ok(())
    }
}
