//! Waits for a descriptor that belongs to a foreign library, without taking it from the library.
//!
//! Many libraries in C own a socket, show its descriptor, and ask the caller to wait for it: libpq,
//! curl, Wayland. `BorrowedFd` expresses this. The compiler checks that the library stays alive
//! while the descriptor is registered. Dropping the `Async` removes the registration and closes
//! nothing.
//!
//!     cargo run --example borrowed

use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(argument) = std::env::args_os().nth(1) {
        println!("usage: borrowed\n\nWaits for messages of a library. There are no options.");
        return if argument == "--help" {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(2)
        };
    }
    match platform::receive_all() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("borrowed: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(unix)]
mod platform {
    use std::io;
    use std::os::fd::{AsFd, BorrowedFd};

    use async_io::{Async, block_on};

    use super::library::Connection;

    pub(crate) fn receive_all() -> io::Result<()> {
        let connection = Connection::open()?;
        block_on(async {
            // `new_nonblocking` does not change the mode of the descriptor. The library has made it
            // nonblocking, and relies on that.
            let socket = Async::<BorrowedFd<'_>>::new_nonblocking(connection.as_fd())?;
            // The closure ignores the descriptor and asks the library, which may have a message in
            // its buffer. `read_with` waits only after the library has reported `WouldBlock`.
            while let Some(message) = socket.read_with(|_| connection.next_message()).await? {
                println!("received \"{message}\"");
            }
            io::Result::Ok(())
        })?;
        // The registration is gone, and the library still has its socket.
        println!("closing: {}", connection.close()?);
        Ok(())
    }
}

/// The foreign library. It knows nothing about `async_io`.
///
/// Its functions take `&self`, as a wrapper of a C library can. If they took `&mut self`, the
/// descriptor could not stay borrowed between two calls. The program would then register it for
/// each wait: `Async::<BorrowedFd>::new_nonblocking(library.as_fd())?.readable().await?`.
#[cfg(unix)]
mod library {
    use std::cell::RefCell;
    use std::io::{self, Read, Write};
    use std::os::fd::{AsFd, BorrowedFd};
    use std::os::unix::net::UnixStream;
    use std::thread::{self, JoinHandle};
    use std::time::Duration;

    pub(crate) struct Connection {
        socket: UnixStream,
        received: RefCell<Vec<u8>>,
        server: JoinHandle<io::Result<String>>,
    }

    impl Connection {
        /// Connects to a server, which is a thread here. It sends two messages at once and a third
        /// one later, and then waits for a farewell.
        pub(crate) fn open() -> io::Result<Connection> {
            let (socket, mut peer) = UnixStream::pair()?;
            socket.set_nonblocking(true)?;
            let server = thread::spawn(move || {
                peer.write_all(b"one\ntwo\n")?;
                thread::sleep(Duration::from_millis(100));
                peer.write_all(b"three\n\n")?;
                let mut farewell = String::new();
                peer.read_to_string(&mut farewell)?;
                Ok(farewell)
            });
            let received = RefCell::default();
            Ok(Connection {
                socket,
                received,
                server,
            })
        }

        /// Returns the next message, `None` after the last one, or the error `WouldBlock`.
        pub(crate) fn next_message(&self) -> io::Result<Option<String>> {
            let mut received = self.received.borrow_mut();
            loop {
                if let Some(end) = received.iter().position(|byte| *byte == b'\n') {
                    let line: Vec<u8> = received.drain(..=end).collect();
                    let text = String::from_utf8_lossy(&line[..end]).into_owned();
                    return Ok(Some(text).filter(|text| !text.is_empty()));
                }
                let mut chunk = [0; 512];
                match (&self.socket).read(&mut chunk)? {
                    0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                    count => received.extend_from_slice(&chunk[..count]),
                }
            }
        }

        /// Says farewell, and returns what the server received.
        pub(crate) fn close(self) -> io::Result<String> {
            (&self.socket).write_all(b"goodbye")?;
            drop(self.socket);
            let answer = self.server.join();
            answer.map_err(|_| io::Error::other("the server has panicked"))?
        }
    }

    impl AsFd for Connection {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.socket.as_fd()
        }
    }
}

#[cfg(not(unix))]
mod platform {
    pub(crate) fn receive_all() -> std::io::Result<()> {
        println!("Descriptors exist only on Unix.");
        Ok(())
    }
}
