//! The web example, served to `curl`, `ab`, `wrk` and hostile clients.

mod hostile;
mod programs;
mod server;
pub(crate) mod site;

use crate::shell::{self, Outcome};
use server::Server;
use site::Site;

/// A check. The text that it returns is for the reader.
type Check = fn(&Site, &Server) -> Outcome<String>;

const CHECKS: &[(&str, Check)] = &[
    ("large file, curl", programs::curl_large),
    ("small files, curl", programs::curl_small),
    ("keep-alive, ab", programs::ab_keep_alive),
    ("a connection each, ab", programs::ab_close),
    ("many connections, wrk", programs::wrk),
    ("pipelined requests", hostile::pipelined),
    ("refusals", hostile::refusals),
    ("half a request", hostile::half_a_request),
    ("a client that reads nothing", hostile::reads_nothing),
    ("clients that reset", hostile::resets),
];

/// How long the server waits for a slow client. It is short, because some checks wait longer.
const TIMEOUT_MS: u64 = 1500;

pub(crate) fn run() -> Outcome {
    let program = server::build()?;
    let site = Site::make(&shell::target("web"))?;
    let server = Server::start(&program, &site.root, None)?;

    // This client is connected all the time and sends nothing.
    let silent = hostile::connect(&server)?;
    for (name, check) in CHECKS {
        let seen = check(&site, &server).map_err(|error| format!("{name}: {error}"))?;
        println!("{name}: {seen}");
    }
    println!("a silent client: {}", hostile::is_hung_up(silent, &server)?);
    server.stop()?;

    if cfg!(unix) {
        println!(
            "no free descriptor: {}",
            hostile::no_descriptors(&program, &site)?
        );
    }
    Ok(())
}
