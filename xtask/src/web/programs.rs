//! Checks with clients of other projects.

use std::time::Instant;

use super::server::{Server, client};
use super::site::{SMALL_FILES, Site, same};
use crate::shell::Outcome;

const SKIPPED: &str = "not checked";

pub(super) fn curl_large(site: &Site, server: &Server) -> Outcome<String> {
    let received = site.received.join("large.bin");
    let (url, output) = (server.url("/large.bin"), received.display().to_string());
    let started = Instant::now();
    let arguments = [
        "--silent",
        "--show-error",
        "--fail",
        "--max-time",
        "300",
        "--output",
        &output,
        &url,
    ];
    if client("curl", "curl", &arguments)?.is_none() {
        return Ok(SKIPPED.into());
    }
    let seconds = started.elapsed().as_secs_f64();
    let length = same(&site.large(), &received)?;
    Ok(format!(
        "{length} bytes, the same as on the disk, in {seconds:.2} s"
    ))
}

pub(super) fn curl_small(site: &Site, server: &Server) -> Outcome<String> {
    let url = server.url(&format!("/small/[0-{}].bin", SMALL_FILES - 1));
    let output = format!("{}/#1.bin", site.received.display());
    let arguments = [
        "--silent",
        "--show-error",
        "--fail",
        "--max-time",
        "300",
        "--output",
        &output,
        &url,
        "--write-out",
        "%{num_connects}\n",
    ];
    let Some(connects) = client("curl", "curl", &arguments)? else {
        return Ok(SKIPPED.into());
    };
    let mut length = 0;
    for number in 0..SMALL_FILES {
        let name = format!("{number}.bin");
        // Older versions of curl write no file for an empty body.
        let received = site.received.join(&name);
        if number == 0 && !received.exists() {
            continue;
        }
        length += same(&site.root.join("small").join(&name), &received)?;
    }
    let connections: usize = connects
        .lines()
        .filter_map(|line| line.parse::<usize>().ok())
        .sum();
    if connections != 1 {
        return Err(format!(
            "{SMALL_FILES} requests took {connections} connections instead of one"
        ));
    }
    Ok(format!(
        "{SMALL_FILES} files, {length} bytes, the same as on the disk, over one connection"
    ))
}

pub(super) fn ab_keep_alive(_: &Site, server: &Server) -> Outcome<String> {
    ab(server, &["-k", "-n", "20000", "-c", "50"])
}

pub(super) fn ab_close(_: &Site, server: &Server) -> Outcome<String> {
    ab(server, &["-n", "5000", "-c", "50"])
}

fn ab(server: &Server, options: &[&str]) -> Outcome<String> {
    let url = server.url("/small/100.bin");
    let arguments = [&["-q"], options, &[&url]].concat();
    let Some(report) = client("ab", "apache2-utils", &arguments)? else {
        return Ok(SKIPPED.into());
    };
    let number = |label: &str| {
        let line = report.lines().find_map(|line| line.strip_prefix(label));
        line.and_then(|rest| rest.split_whitespace().next())
            .and_then(|number| number.parse::<f64>().ok())
    };
    let complete = number("Complete requests:").ok_or("ab did not finish")?;
    let failed = number("Failed requests:").ok_or("ab did not finish")?;
    let refused = number("Non-2xx responses:").unwrap_or(0.0);
    if failed + refused > 0.0 {
        return Err(format!(
            "{failed} of {complete} requests failed, {refused} were refused"
        ));
    }
    if options.contains(&"-k") && number("Keep-Alive requests:") != Some(complete) {
        return Err("not every connection was kept alive".into());
    }
    let rate = number("Requests per second:").unwrap_or_default();
    Ok(format!("{complete} requests without an error, {rate:.0}/s"))
}

pub(super) fn wrk(_: &Site, server: &Server) -> Outcome<String> {
    let arguments = ["-t1", "-c100", "-d3s", &server.url("/small/100.bin")];
    let Some(report) = client("wrk", "wrk", &arguments)? else {
        return Ok(SKIPPED.into());
    };
    for line in report.lines() {
        if line.contains("Socket errors") || line.contains("Non-2xx") {
            return Err(line.trim().into());
        }
    }
    let summary = report
        .lines()
        .find(|line| line.contains("requests in"))
        .ok_or("wrk did not finish")?;
    Ok(format!("{} without an error", summary.trim()))
}
