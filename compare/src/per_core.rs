//! The echo server with a private reactor per thread. async-io 2.6.0 has none, so this program is not
//! in `smol/`.

use std::io;
use std::net::TcpStream;

use ours::Reactor;

use crate::ours::smol;
use crate::work::echo::Style;

/// Serves these connections in a reactor of this thread, until they are closed.
pub(crate) fn serve(streams: Vec<TcpStream>) -> io::Result<()> {
    let reactor = Reactor::new()?;
    // The program for the global reactor creates all its objects and calls `block_on` on this
    // thread, so it uses the reactor that this thread has entered.
    let _entered = reactor.enter();
    smol::echo::serve(streams, Style::Plain)
}
