//! Peers that are slow, hostile or too many, against the echo and the web example. After each of
//! them the server must still run, and must serve an ordinary client completely.

mod rude;
mod server;
mod slow;

use crate::shell::{self, Outcome};
use server::{Kind, Server};

/// A test with one kind of peer. The text that it returns is for the reader.
type Peer = fn(&Server) -> Outcome<String>;

const PEERS: &[(&str, Peer)] = &[
    ("writes a byte at a time", slow::writer),
    ("reads a little at a time", slow::reader),
    ("half-closes without a request", slow::half_closed_silent),
    ("half-closes after its request", slow::half_closed),
    ("connects and closes without a request", rude::nothing_said),
    ("empty messages", rude::empty_messages),
    ("resets in every state", rude::resets),
    ("a huge message", rude::huge),
    ("more connections than the backlog", rude::flood),
];

pub(crate) fn run() -> Outcome {
    let folder = shell::target("peers");
    shell::fresh_dir(&folder)?;
    for kind in [Kind::Echo, Kind::Web] {
        let server = Server::start(kind, &folder)?;
        let answer = server.is_well()?;
        println!("{kind:?}: an ordinary client: {answer} bytes, all correct");
        for (name, peer) in PEERS {
            let failed = |error| format!("{kind:?}: {name}: {error}");
            let seen = peer(&server).map_err(failed)?;
            let well = server.is_well();
            well.map_err(|error| failed(format!("the next client: {error}")))?;
            println!("{kind:?}: {name}: {seen}; the next client is served");
        }
        server.stop()?;
    }
    Ok(())
}
