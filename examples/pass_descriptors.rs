//! Passes open TCP connections from one task to another through a Unix socket (`SCM_RIGHTS`).
//!
//! A server uses this to hand connections to worker processes, or to a new version of itself. Both
//! ends are in one process here, but nothing in the code depends on that. `Async` has no method for
//! control data: `write_with` and `read_with` run any system call and do the waiting.
//!
//!     cargo run --example pass_descriptors

use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(argument) = std::env::args_os().nth(1) {
        println!(
            "usage: pass_descriptors\n\nPasses TCP connections to a worker. There are no options."
        );
        return if argument == "--help" {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(2)
        };
    }
    match platform::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pass_descriptors: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod platform {
    use std::io::{self, IoSlice, IoSliceMut};
    use std::mem::MaybeUninit;
    use std::net::{SocketAddr, TcpListener, TcpStream};
    use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
    use std::os::unix::net::UnixStream;

    use async_io::{Async, block_on};
    use futures_lite::{AsyncReadExt, AsyncWriteExt, future};
    use rustix::cmsg_space;
    use rustix::net::{
        RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
        SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
    };

    const CONNECTIONS: usize = 3;

    pub(crate) fn run() -> io::Result<()> {
        let (sender, receiver) = Async::<UnixStream>::pair()?;
        let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
        let address = listener.get_ref().local_addr()?;
        let server = future::try_zip(accept_and_pass(listener, sender), work(receiver));
        block_on(future::try_zip(server, ask(address))).map(|_| ())
    }

    async fn accept_and_pass(
        listener: Async<TcpListener>,
        worker: Async<UnixStream>,
    ) -> io::Result<()> {
        for _ in 0..CONNECTIONS {
            let (client, _) = listener.accept().await?;
            send_descriptor(&worker, client.as_fd()).await?;
            // The message holds a reference to the connection. Dropping `client` closes the
            // descriptor of this task only.
        }
        Ok(())
    }

    /// Answers the clients of the connections that arrive through the socket, until its peer closes it.
    async fn work(dispatcher: Async<UnixStream>) -> io::Result<()> {
        while let Some(descriptor) = receive_descriptor(&dispatcher).await? {
            // The descriptor is new, so this process registers it. The file description is shared
            // with the sender, and with it the nonblocking mode.
            let mut client = Async::<TcpStream>::new(descriptor.into())?;
            client.write_all(b"the worker is speaking").await?;
        }
        Ok(())
    }

    async fn send_descriptor(
        socket: &Async<UnixStream>,
        descriptor: BorrowedFd<'_>,
    ) -> io::Result<()> {
        let descriptors = [descriptor];
        let send = |socket: &UnixStream| {
            // The buffer is built for each attempt, because the call takes it as mutable.
            let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            if !control.push(SendAncillaryMessage::ScmRights(&descriptors)) {
                return Err(io::Error::other("the buffer for control data is too small"));
            }
            // A stream carries control data only along with at least one byte.
            let byte = [IoSlice::new(b"d")];
            Ok(sendmsg(socket, &byte, &mut control, SendFlags::NOSIGNAL)?)
        };
        socket.write_with(send).await.map(|_| ())
    }

    /// Returns the next descriptor, or `None` at the end of the stream.
    async fn receive_descriptor(socket: &Async<UnixStream>) -> io::Result<Option<OwnedFd>> {
        let receive = |socket: &UnixStream| {
            let mut byte = [0];
            let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
            let mut control = RecvAncillaryBuffer::new(&mut space);
            let mut data = [IoSliceMut::new(&mut byte)];
            // Without the flag, a child process that starts now would inherit the descriptor.
            let message = recvmsg(socket, &mut data, &mut control, RecvFlags::CMSG_CLOEXEC)?;
            if message.flags.contains(ReturnFlags::CTRUNC) {
                return Err(io::Error::other(
                    "descriptors were lost: no room or limit reached",
                ));
            }
            let descriptor = control.drain().find_map(|message| match message {
                RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
                _ => None,
            });
            match (message.bytes, descriptor) {
                (0, None) => Ok(None),
                (_, Some(descriptor)) => Ok(Some(descriptor)),
                (_, None) => Err(io::Error::other("a message without a descriptor")),
            }
        };
        socket.read_with(receive).await
    }

    async fn ask(address: SocketAddr) -> io::Result<()> {
        for client in 1..=CONNECTIONS {
            let mut answer = String::new();
            let mut stream = Async::<TcpStream>::connect(address).await?;
            stream.read_to_string(&mut answer).await?;
            println!("client {client}: \"{answer}\"");
        }
        Ok(())
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod platform {
    pub(crate) fn run() -> std::io::Result<()> {
        println!("This example sets a flag of recvmsg that exists only on Linux and some others.");
        Ok(())
    }
}
