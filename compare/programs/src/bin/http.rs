//! A hyper HTTP server on smol, and its load generator.
//!
//! * `http serve`: prints its port, serves until its standard input ends, then prints the CPU time
//!   that it used.
//! * `http load PORT CONNECTIONS REQUESTS`: sends requests over keep-alive connections, with one
//!   request in flight on each.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use programs::{Moment, Outcome, argument};
use smol::net::TcpListener;
use smol_hyper::rt::{FuturesIo, SmolTimer};

const BODY: &str = "Hello from a server that waits for its requests.\n";
const REQUEST: &[u8] = b"GET /hello HTTP/1.1\r\nhost: localhost\r\n\r\n";

fn main() -> Outcome {
    match argument::<String>(1)?.as_str() {
        "serve" => smol::block_on(serve()),
        "load" => load(argument(2)?, argument(3)?, argument(4)?),
        other => Err(format!("{other:?} is neither serve nor load").into()),
    }
}

async fn serve() -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?.port());
    let end = smol::unblock(|| std::io::stdin().read(&mut [0]));
    let executor = smol::LocalExecutor::new();
    let accept = async {
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            executor.spawn(connection(stream)).detach();
        }
    };
    let start = Moment::now();
    let served = executor
        .run(smol::future::or(accept, async { Ok(end.await.map(drop)?) }))
        .await;
    // Report the total: the parent process knows how many requests were answered.
    start.report(1);
    served
}

/// Serves one connection, with hyper's timeout for reading the head of each request.
async fn connection(stream: smol::net::TcpStream) {
    let served = http1::Builder::new()
        .timer(SmolTimer::new())
        .header_read_timeout(Duration::from_secs(30))
        .serve_connection(FuturesIo::new(stream), service_fn(hello))
        .await;
    if let Err(error) = served {
        eprintln!("http: a connection failed: {error}");
    }
}

async fn hello(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, std::convert::Infallible> {
    Ok(Response::new(Full::new(Bytes::from_static(
        BODY.as_bytes(),
    ))))
}

fn load(port: u16, connections: usize, requests: u64) -> Outcome {
    let connect = |_| {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        Ok(stream)
    };
    let streams: Result<Vec<_>, std::io::Error> = (0..connections).map(connect).collect();
    let mut streams = streams?;
    let start = Moment::now();
    let mut done = 0;
    while done < requests {
        for stream in &mut streams {
            stream.write_all(REQUEST)?;
        }
        for stream in &mut streams {
            answer(stream)?;
            done += 1;
        }
    }
    start.report(done);
    println!("requests {done}");
    Ok(())
}

/// Reads one response and checks it.
fn answer(stream: &mut TcpStream) -> Outcome {
    let mut buffer = [0; 1024];
    let mut length = 0;
    loop {
        let read = stream.read(&mut buffer[length..])?;
        if read == 0 {
            return Err("the server closed a connection".into());
        }
        length += read;
        let text = std::str::from_utf8(&buffer[..length])?;
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            if !head.starts_with("HTTP/1.1 200 ") || body.len() > BODY.len() {
                return Err(format!("wrong response: {text}").into());
            }
            if body == BODY {
                return Ok(());
            }
        }
    }
}
