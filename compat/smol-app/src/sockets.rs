//! Sockets of async-net.

use std::io::ErrorKind;

use async_net::unix::{UnixDatagram, UnixListener, UnixStream};
use async_net::{TcpListener, TcpStream, UdpSocket};
use smol::future;
use smol::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::{Check, ensure};

/// Returns bytes that differ between senders and between positions.
fn pattern(seed: usize, length: usize) -> Vec<u8> {
    (0..length)
        .map(|index| ((index ^ (index >> 8)) + seed * 31) as u8)
        .collect()
}

/// Echoes everything until the end of the stream, then closes.
async fn send_back(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> std::io::Result<()> {
    let mut buffer = vec![0; 4096];
    loop {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return stream.close().await;
        }
        stream.write_all(&buffer[..count]).await?;
    }
}

/// Sends `sent` and reads at the same time, because the peer stops reading if its echo is not read.
async fn exchange<S>(stream: S, sent: &[u8]) -> Check
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut reader, mut writer) = smol::io::split(stream);
    let write = async {
        writer.write_all(sent).await?;
        writer.close().await
    };
    let mut received = Vec::new();
    let (_, _) = future::try_zip(write, reader.read_to_end(&mut received)).await?;
    ensure(
        received == sent,
        format!(
            "{} bytes came back for {}, or they differ",
            received.len(),
            sent.len()
        ),
    )
}

pub(crate) fn tcp() -> Check {
    smol::block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let server = smol::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                smol::spawn(send_back(stream)).detach();
            }
        });

        let clients: Vec<_> = (0..50)
            .map(|seed| {
                smol::spawn(async move {
                    let stream = TcpStream::connect(address).await?;
                    stream.set_nodelay(true)?;
                    exchange(stream, &pattern(seed, 200_000 + seed)).await
                })
            })
            .collect();
        for client in clients {
            client.await?;
        }
        server.cancel().await;
        Ok(())
    })
}

pub(crate) fn refused() -> Check {
    smol::block_on(async {
        // A port that was free a moment ago and that no socket listens on.
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        drop(listener);
        match TcpStream::connect(address).await {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(()),
            other => Err(format!("{other:?}").into()),
        }
    })
}

pub(crate) fn udp() -> Check {
    smol::block_on(async {
        let one = UdpSocket::bind("127.0.0.1:0").await?;
        let other = UdpSocket::bind("127.0.0.1:0").await?;
        let mut buffer = [0; 2048];
        for round in 0..200 {
            let sent = pattern(round, 1 + round * 7);
            one.send_to(&sent, other.local_addr()?).await?;
            let (count, from) = other.recv_from(&mut buffer).await?;
            ensure(from == one.local_addr()?, format!("a datagram from {from}"))?;
            ensure(
                buffer[..count] == sent,
                format!("datagram {round} has changed"),
            )?;
        }
        one.connect(other.local_addr()?).await?;
        let (received, sent) =
            future::try_zip(other.recv_from(&mut buffer), one.send(b"at last")).await?;
        ensure(
            received.0 == sent && sent == 7,
            "a datagram of the wrong size",
        )
    })
}

pub(crate) fn unix() -> Check {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("socket");
    smol::block_on(async {
        let listener = UnixListener::bind(&path)?;
        let serve = async {
            let (stream, _) = listener.accept().await?;
            Ok(send_back(stream).await?)
        };
        let ask = async { exchange(UnixStream::connect(&path).await?, &pattern(1, 500_000)).await };
        future::try_zip(serve, ask).await?;

        let (one, other) = UnixStream::pair()?;
        let serve = async { Ok(send_back(one).await?) };
        future::try_zip(serve, exchange(other, &pattern(2, 300_000))).await?;

        let (one, other) = UnixDatagram::pair()?;
        let mut buffer = [0; 64];
        let (count, _) = future::try_zip(other.recv(&mut buffer), one.send(b"datagram")).await?;
        ensure(&buffer[..count] == b"datagram", "the wrong datagram")
    })
}
