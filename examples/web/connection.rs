//! Handles the requests of one connection until either side closes it.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use async_io::{Async, timeout};
use futures_lite::{AsyncReadExt, future};

use crate::request::{self, Method, Refusal, Request};
use crate::response::Response;
use crate::site::{Found, Site};
use crate::status::Status;

pub(crate) async fn serve(
    stream: &Async<TcpStream>,
    site: &Site,
    timeout: Duration,
) -> io::Result<()> {
    stream.get_ref().set_nodelay(true)?;
    // Bytes that were received and not yet parsed. A client may pipeline its requests.
    let mut received = Vec::new();
    loop {
        let deadline = Instant::now() + timeout;
        let (response, request) = match request::read(stream, &mut received, deadline).await {
            Ok(Some(request)) => (respond(site, &request), request),
            Ok(None) => return Ok(()),
            Err(Refusal::Answer(status)) => (Response::error(status), Request::unreadable()),
            Err(Refusal::Failed(error)) => return Err(error),
        };
        let (with_body, keep_alive) = (request.method != Method::Head, request.keep_alive);
        response
            .send(stream, with_body, keep_alive, timeout)
            .await?;
        if !keep_alive {
            return part(stream).await;
        }
    }
}

fn respond(site: &Site, request: &Request) -> Response {
    if request.method == Method::Other {
        return Response::error(Status::METHOD_NOT_ALLOWED);
    }
    match site.find(&request.target) {
        Ok(Found::File {
            file,
            length,
            content_type,
        }) => Response::file(file, length, content_type),
        Ok(Found::Listing(page)) => Response::page(Status::OK, page),
        Ok(Found::Moved(location)) => Response::moved(location),
        Err(status) => Response::error(status),
    }
}

/// Closes a connection such that the client receives the response.
///
/// If a socket is closed while it has unread data (for example the body of a refused request), TCP
/// resets the connection, and the client may lose the response. So this shuts down the write side
/// first, and then discards what the client sends for up to two seconds.
async fn part(mut stream: &Async<TcpStream>) -> io::Result<()> {
    stream.get_ref().shutdown(Shutdown::Write)?;
    let mut ignored = [0; 4096];
    timeout(Duration::from_secs(2), async {
        while stream.read(&mut ignored).await? > 0 {
            future::yield_now().await;
        }
        Ok(())
    })
    .await?
}
