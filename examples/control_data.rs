//! Receives datagrams along with their control data: the credentials of the sender (Linux).
//!
//! Control data describes a message: which process sent it, when it arrived, for which address.
//! The methods of `Async` return only the message. `read_with` and `write_with` run any other call
//! and do the waiting, here `recvmsg` and `sendmsg`.
//!
//! The kernel fills in the credentials, or checks them if the sender does, so that a server may
//! rely on them. The journal of systemd and D-Bus find out in this way which process is speaking.
//!
//!     cargo run --example control_data

use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(argument) = std::env::args_os().nth(1) {
        println!(
            "usage: control_data\n\nReceives the credentials of a sender. There are no options."
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
            eprintln!("control_data: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(target_os = "linux")]
mod platform {
    use std::io::{self, IoSlice, IoSliceMut};
    use std::mem::MaybeUninit;
    use std::os::unix::net::UnixDatagram;

    use async_io::{Async, block_on};
    use futures_lite::future;
    use rustix::cmsg_space;
    use rustix::net::sockopt::set_socket_passcred;
    use rustix::net::{
        RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
        SendAncillaryMessage, SendFlags, UCred, recvmsg, sendmsg,
    };
    use rustix::process::{getgid, getpid, getuid};

    pub(crate) fn run() -> io::Result<()> {
        println!("this process is {}", getpid());
        let (client, server) = Async::<UnixDatagram>::pair()?;
        // From now on, the kernel adds the credentials to every datagram that is sent here.
        set_socket_passcred(&server, true)?;
        block_on(future::try_zip(send(&client), serve(&server)))?;
        Ok(())
    }

    async fn send(server: &Async<UnixDatagram>) -> io::Result<()> {
        server.send(b"an ordinary datagram").await?;
        let own = UCred {
            pid: getpid(),
            uid: getuid(),
            gid: getgid(),
        };
        send_with_credentials(server, b"one with credentials of its own", own).await?;
        server.send(b"end").await.map(|_| ())
    }

    /// Sends a datagram that states its credentials. A privileged process may state others than its
    /// own. In all other cases the kernel refuses false ones with `EPERM`.
    async fn send_with_credentials(
        socket: &Async<UnixDatagram>,
        text: &[u8],
        credentials: UCred,
    ) -> io::Result<()> {
        let send = |socket: &UnixDatagram| {
            let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmCredentials(1))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            if !control.push(SendAncillaryMessage::ScmCredentials(credentials)) {
                return Err(io::Error::other("the buffer for control data is too small"));
            }
            Ok(sendmsg(
                socket,
                &[IoSlice::new(text)],
                &mut control,
                SendFlags::empty(),
            )?)
        };
        socket.write_with(send).await.map(|_| ())
    }

    async fn serve(socket: &Async<UnixDatagram>) -> io::Result<()> {
        loop {
            let (text, UCred { pid, uid, gid }) = receive_with_credentials(socket).await?;
            if text == "end" {
                return Ok(());
            }
            println!("process {pid} of user {uid}, group {gid}: {text}");
        }
    }

    async fn receive_with_credentials(socket: &Async<UnixDatagram>) -> io::Result<(String, UCred)> {
        let mut buffer = [0; 1024];
        let receive = |socket: &UnixDatagram| {
            let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmCredentials(1))];
            let mut control = RecvAncillaryBuffer::new(&mut space);
            let mut data = [IoSliceMut::new(&mut buffer)];
            let message = recvmsg(socket, &mut data, &mut control, RecvFlags::CMSG_CLOEXEC)?;
            // Both buffers are cut off silently if they are too small.
            if message
                .flags
                .intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC)
            {
                return Err(io::Error::other(
                    "the datagram or its control data is truncated",
                ));
            }
            let credentials = control.drain().find_map(|message| match message {
                RecvAncillaryMessage::ScmCredentials(credentials) => Some(credentials),
                _ => None,
            });
            let credentials =
                credentials.ok_or_else(|| io::Error::other("no credentials arrived"))?;
            Ok((message.bytes, credentials))
        };
        let (length, credentials) = socket.read_with(receive).await?;
        Ok((
            String::from_utf8_lossy(&buffer[..length]).into_owned(),
            credentials,
        ))
    }
}

#[cfg(not(target_os = "linux"))]
mod platform {
    pub(crate) fn run() -> std::io::Result<()> {
        println!("Datagrams carry credentials in this form only on Linux.");
        Ok(())
    }
}
