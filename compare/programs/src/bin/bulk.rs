//! Transfers bulk data over QUIC with quinn, between two processes.
//!
//! * `bulk receive`: prints its port and its certificate in hexadecimal, receives one stream,
//!   checks every byte, and answers with the length.
//! * `bulk send PORT CERTIFICATE MEGABYTES`: sends one stream.
//!
//! Both print their throughput and their CPU time per megabyte.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use programs::{Moment, Outcome, argument};
use quinn::rustls::RootCertStore;
use quinn::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use quinn::{ClientConfig, Endpoint, EndpointConfig, ServerConfig, SmolRuntime};

const MEGABYTE: usize = 1 << 20;
const NAME: &str = "localhost";

fn main() -> Outcome {
    match argument::<String>(1)?.as_str() {
        "receive" => smol::block_on(receive()),
        "send" => smol::block_on(send(argument(2)?, &argument::<String>(3)?, argument(4)?)),
        other => Err(format!("{other:?} is neither receive nor send").into()),
    }
}

fn endpoint(config: Option<ServerConfig>) -> Outcome<Endpoint> {
    let socket = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let runtime = Arc::new(SmolRuntime);
    Ok(Endpoint::new(
        EndpointConfig::default(),
        config,
        socket,
        runtime,
    )?)
}

async fn receive() -> Outcome {
    let certified = rcgen::generate_simple_self_signed(vec![NAME.into()])?;
    let key = PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der());
    let certificate = certified.cert.der().clone();
    let text: String = certificate
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let config = ServerConfig::with_single_cert(vec![certificate], PrivateKeyDer::Pkcs8(key))?;
    let endpoint = endpoint(Some(config))?;
    println!("{} {text}", endpoint.local_addr()?.port());

    let incoming = endpoint.accept().await.ok_or("the endpoint is closed")?;
    let connection = incoming.await?;
    let (mut answer, mut stream) = connection.accept_bi().await?;
    let start = Moment::now();
    let mut length = 0;
    let mut buffer = vec![0; 64 * 1024];
    while let Some(read) = stream.read(&mut buffer).await? {
        for (offset, byte) in buffer[..read].iter().enumerate() {
            if *byte != pattern(length + offset) {
                return Err(format!("byte {} is wrong", length + offset).into());
            }
        }
        length += read;
    }
    start.report((length / MEGABYTE) as u64);
    answer.write_all(&(length as u64).to_be_bytes()).await?;
    answer.finish()?;
    connection.closed().await;
    Ok(())
}

async fn send(port: u16, certificate: &str, megabytes: usize) -> Outcome {
    let bytes = (0..certificate.len() / 2)
        .map(|at| u8::from_str_radix(&certificate[2 * at..2 * at + 2], 16));
    let bytes: Result<Vec<u8>, _> = bytes.collect();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(bytes?))?;
    let endpoint = endpoint(None)?;
    let config = ClientConfig::with_root_certificates(Arc::new(roots))?;
    let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let connection = endpoint.connect_with(config, peer, NAME)?.await?;
    let (mut stream, mut answer) = connection.open_bi().await?;
    // The period of the pattern divides a megabyte, so one chunk serves for every megabyte.
    let chunk: Vec<u8> = (0..MEGABYTE).map(pattern).collect();
    let start = Moment::now();
    for _ in 0..megabytes {
        stream.write_all(&chunk).await?;
    }
    stream.finish()?;
    let received = answer.read_to_end(8).await?;
    start.report(megabytes as u64);
    if received != ((megabytes * MEGABYTE) as u64).to_be_bytes() {
        return Err("the receiver did not get all bytes".into());
    }
    connection.close(0u32.into(), b"done");
    endpoint.wait_idle().await;
    Ok(())
}

/// Returns the byte that belongs at offset `at`. The period divides a megabyte, but not the length
/// of a packet, so a misplaced packet is detected.
fn pattern(at: usize) -> u8 {
    let at = at % 4096;
    (at ^ at >> 8) as u8
}
