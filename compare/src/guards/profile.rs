//! Lists the functions and lines of a library that execute the instructions of an echo request.

use std::collections::BTreeMap;

use super::echo;
use super::owner::{LIBRARY, PROGRAM, is_within, owner};
use crate::harness::Outcome;
use crate::harness::callgrind::{Place, Profile};
use crate::harness::peer::Peer;

/// How many lines of each list are printed.
const SHOWN: usize = 40;

/// The lines of each source file.
type Sources = BTreeMap<String, Vec<String>>;

/// Lists the most expensive functions and lines of the library of `peer`, with their instructions
/// per request.
pub(super) fn of(peer: Peer) -> Outcome<String> {
    let profile = echo::request(peer)?;
    let library = match peer {
        Peer::Tokio | Peer::TokioMulti => "tokio",
        Peer::Raw | Peer::Floor => PROGRAM,
        _ => LIBRARY,
    };
    let sources = sources(&profile, library);
    let own = |place: &Place| (owner(place) == library).then(|| short(&place.file));
    let by_function = profile.sums(|place| {
        let function = enclosing(&sources, place);
        own(place).map(|file| format!("{file}: {function}"))
    });
    let by_line = profile.sums(|place| {
        let code = source_line(&sources, place).map_or_else(|| inside(place), str::to_owned);
        own(place).map(|file| format!("{file}:{} {}", place.line, code.trim()))
    });
    let inlined = profile.sums(|place| {
        let is_inlined = own(place).is_none() && is_within(place, library);
        is_inlined.then(|| described(place))
    });
    let lists = [
        ("functions of the crate, inlined or not", by_function),
        ("lines of the crate", by_line),
        (
            "code of other crates inside of the crate's symbols",
            inlined,
        ),
        (
            "everything: owner of the code, and symbol",
            profile.sums(|place| Some(described(place))),
        ),
    ];
    Ok(lists
        .into_iter()
        .map(|(title, costs)| list(title, costs))
        .collect())
}

fn described(place: &Place) -> String {
    format!("{}: {}", owner(place), place.function)
}

fn list(title: &str, costs: BTreeMap<String, f64>) -> String {
    let total = costs.values().fold(0.0, |sum, cost| sum + cost);
    let mut sorted: Vec<(String, f64)> = costs.into_iter().collect();
    sorted.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    sorted.retain(|(_, cost)| *cost >= 0.05);
    sorted.truncate(SHOWN);
    let lines = sorted
        .into_iter()
        .map(|(name, cost)| format!("{cost:7.1} {name}\n"));
    let lines: String = lines.collect();
    format!("\n{total:7.1} instructions per request: {title}\n{lines}")
}

fn sources(profile: &Profile, library: &str) -> Sources {
    let files = profile.0.keys().filter(|place| owner(place) == library);
    let mut sources = Sources::new();
    for place in files {
        sources.entry(place.file.clone()).or_insert_with(|| {
            // The lists are useful even without source text.
            let text = std::fs::read_to_string(&place.file).unwrap_or_default();
            text.lines().map(str::to_owned).collect()
        });
    }
    sources
}

fn source_line<'a>(sources: &'a Sources, place: &Place) -> Option<&'a str> {
    let index = usize::try_from(place.line).ok()?.checked_sub(1)?;
    Some(sources.get(&place.file)?.get(index)?.as_str())
}

/// Returns the name of the function that contains the line: the last function that begins at or
/// before it.
fn enclosing(sources: &Sources, place: &Place) -> String {
    let lines = sources.get(&place.file).map_or(&[][..], Vec::as_slice);
    let before = lines.iter().take(place.line as usize);
    let name = before.rev().find_map(|line| function_name(line));
    name.map_or_else(|| inside(place), str::to_owned)
}

/// Describes a place without a line. The compiler gives no line to code that it has merged from
/// several places.
fn inside(place: &Place) -> String {
    format!("(no line) in {}", place.function)
}

fn function_name(line: &str) -> Option<&str> {
    let (before, after) = line.split_once("fn ")?;
    let is_qualifier = |word: &str| {
        word.starts_with("pub") || ["const", "async", "unsafe", "extern", "\"C\""].contains(&word)
    };
    if !before.split_whitespace().all(is_qualifier) {
        return None;
    }
    let end = after.find(|letter: char| !letter.is_alphanumeric() && letter != '_')?;
    (end > 0).then(|| &after[..end])
}

/// Returns the path inside of the crate, without the folders that all its files share.
fn short(file: &str) -> String {
    file.rsplit_once("/src/")
        .map_or(file, |(_, inside)| inside)
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::function_name;

    #[test]
    fn the_head_of_a_function_is_found() {
        assert_eq!(
            function_name("    pub(crate) const fn take(&self) {"),
            Some("take")
        );
        assert_eq!(function_name("fn all<T>() {"), Some("all"));
        assert_eq!(function_name("    callback: fn (u8),"), None);
        assert_eq!(function_name("/// a fn in prose"), None);
    }
}
