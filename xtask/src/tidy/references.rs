//! References to files, sections, names of tests and recipes, in documents and comments.

use std::collections::{HashMap, HashSet};

use super::source::{self, is_word_char};
use super::{File, Hit, prose};

/// What a name in backticks must end in to be taken for a file of this repository.
const EXTENSIONS: &[&str] = &[
    ".rs",
    ".md",
    ".toml",
    ".lock",
    ".yml",
    ".sh",
    ".svg",
    ".txt",
    ".baseline",
];

/// Where files are that are not of this repository: those of a build, and those of the system.
const ELSEWHERE: &[&str] = &["target/", "usr/"];

/// A name with this many underscores is that of a test or of a function, and must be in the code.
const UNDERSCORES: usize = 3;

const DECISIONS: &str = "docs/decisions/";

/// What a reference can lead to.
struct Targets<'a> {
    files: HashMap<&'a str, &'a File>,
    folders: HashSet<&'a str>,
    /// The identifiers in the code of all source files.
    names: HashSet<String>,
    recipes: &'a [&'a str],
}

/// Finds references to what does not exist, and decisions that are not in their index.
pub(super) fn check(files: &[File], recipes: &[&str]) -> Vec<Hit> {
    let targets = Targets::new(files, recipes);
    let mut hits = index(files);
    for file in files.iter().filter(|file| file.is(&["md", "rs"])) {
        for line in prose::lines(file) {
            let mut add = |what: Option<String>| {
                hits.extend(what.map(|what| file.hit(line.number, what)));
            };
            for span in prose::code_spans(&line.text) {
                add(targets.missing_name(&file.path, &line.text[span]));
            }
            for link in links(&line.text) {
                add(targets.missing_link(file, link));
            }
            add(targets.missing_recipe(&line.text));
        }
    }
    hits
}

/// The pages of decisions that the index does not link.
fn index(files: &[File]) -> Vec<Hit> {
    let page = format!("{DECISIONS}README.md");
    let Some(index) = files.iter().find(|file| file.path == page) else {
        return Vec::new();
    };
    let names = files.iter().filter_map(|file| {
        let name = file.path.strip_prefix(DECISIONS)?;
        (name != "README.md").then_some(name)
    });
    names
        .filter(|name| !index.text.contains(&format!("({name})")))
        .map(|name| index.hit(1, format!("{name} is not in the index")))
        .collect()
}

impl<'a> Targets<'a> {
    fn new(files: &'a [File], recipes: &'a [&'a str]) -> Targets<'a> {
        let mut folders = HashSet::new();
        let mut names = HashSet::new();
        for file in files {
            let slashes = file.path.match_indices('/');
            folders.extend(slashes.map(|(at, _)| &file.path[..at]));
            if file.is(&["rs"]) {
                for line in source::split(&file.text) {
                    names.extend(identifiers(&line.code).map(String::from));
                }
            } else if file.is(&["toml"]) {
                names.extend(identifiers(&file.text).map(String::from));
            }
        }
        Targets {
            files: files.iter().map(|file| (&file.path[..], file)).collect(),
            folders,
            names,
            recipes,
        }
    }

    /// Checks inline code that may be the name of a file, a folder or a test.
    fn missing_name(&self, from: &str, code: &str) -> Option<String> {
        let (path, name) = match code.split_once("::") {
            Some((path, name)) if path.ends_with(".rs") => (path, Some(name)),
            _ => (code, None),
        };
        let path = path.split('#').next().unwrap_or(path);
        if !is_path(path) {
            return self.missing_identifier(code);
        }
        if ELSEWHERE.iter().any(|start| path.starts_with(start)) {
            return None;
        }
        if path.ends_with('/') {
            let folder = path.trim_end_matches('/');
            let found = resolve(from, folder, self.folders.iter().copied());
            return found
                .is_none()
                .then(|| format!("there is no folder `{path}`"));
        }
        let Some(found) = resolve(from, path, self.files.keys().copied()) else {
            return Some(format!("there is no file `{path}`"));
        };
        let test = name?.rsplit("::").next().unwrap_or_default();
        let lines = source::split(&self.files[found].text);
        let is_named = |line: &source::Line| identifiers(&line.code).any(|name| name == test);
        let exists = lines.iter().any(is_named);
        (!exists).then(|| format!("nothing is named `{test}` in {found}"))
    }

    /// Checks a long name, such as that of a test. A `*` at its end stands for anything.
    fn missing_identifier(&self, code: &str) -> Option<String> {
        let name = code.rsplit("::").next().unwrap_or(code);
        let prefix = name.strip_suffix('*');
        let stem = prefix.unwrap_or(name);
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if !stem.chars().all(is_name) || stem.matches('_').count() < UNDERSCORES {
            return None;
        }
        let found = match prefix {
            Some(prefix) => self.names.iter().any(|name| name.starts_with(prefix)),
            None => self.names.contains(name),
        };
        (!found).then(|| format!("nothing is named `{name}`"))
    }

    /// Checks the target of a link.
    fn missing_link(&self, file: &File, link: &str) -> Option<String> {
        let (path, section) = match link.split_once('#') {
            Some((path, section)) => (path, Some(section)),
            None => (link, None),
        };
        let is_document = file.is(&["md"]);
        // Comments link items of the code, which rustdoc checks.
        let is_elsewhere = link.contains(':') || (!is_document && !is_path(path));
        if is_elsewhere {
            return None;
        }
        let target = match path {
            "" => file.path.clone(),
            _ => join(&file.path, path),
        };
        let folder = target.trim_end_matches('/');
        let Some(found) = self.files.get(&target[..]) else {
            let exists = self.folders.contains(folder) || folder.is_empty();
            return (!exists).then(|| format!("the link leads to {path}, which does not exist"));
        };
        let section = section.filter(|_| found.is(&["md"]))?;
        let mut headings = found.text.lines().filter(|line| line.starts_with('#'));
        let exists = headings.any(|heading| anchor(heading) == section);
        (!exists).then(|| format!("{target} has no section #{section}"))
    }

    /// Checks the recipe that a line mentions.
    fn missing_recipe(&self, text: &str) -> Option<String> {
        let (_, rest) = text.split_once("cargo xtask ")?;
        let is_name = |c: char| c.is_ascii_lowercase() || c == '-';
        let name = rest.split(|c| !is_name(c)).next().unwrap_or_default();
        let exists = name.is_empty() || name == "help" || self.recipes.contains(&name);
        (!exists).then(|| format!("there is no recipe `{name}`"))
    }
}

fn identifiers(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c| !is_word_char(c))
        .filter(|name| !name.is_empty())
}

/// Whether inline code looks like the path of a file or a folder of this repository.
fn is_path(code: &str) -> bool {
    let allowed = |c: char| is_word_char(c) || "./-".contains(c);
    let named = EXTENSIONS
        .iter()
        .any(|end| code.len() > end.len() && code.ends_with(end));
    let is_folder = code.len() > 1 && code.ends_with('/');
    (named || is_folder) && code.chars().all(allowed) && !code.starts_with('/')
}

/// Finds a path among others: from the root, from the file that mentions it, or the end of one.
fn resolve<'a>(from: &str, path: &str, among: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let near = join(from, path);
    let end = format!("/{path}");
    let mut found: Vec<&str> = among
        .filter(|it| *it == path || *it == near || it.ends_with(&end))
        .collect();
    found.sort_by_key(|it| (*it != near, *it != path, it.len()));
    found.first().copied()
}

/// The path that is meant by a relative one in a file.
fn join(from: &str, path: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

/// The targets of the links in a line.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| {
        let target = rest.split([')', ' ']).next()?;
        (!target.is_empty()).then_some(target)
    })
}

/// The name that a heading has in links.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text
        .chars()
        .filter(|c| is_word_char(*c) || " -".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::{File, check};

    fn hits(path: &str, text: &str) -> Vec<String> {
        let files = [
            File::new("src/core/state.rs", "fn a_test_with_a_name() {}\n"),
            File::new("docs/page.md", "# A `big` page\n"),
            File::new(path, text),
        ];
        let hits = check(&files, &["fuzz"]).into_iter();
        hits.map(|hit| hit.to_string()).collect()
    }

    fn passes(text: &str) -> bool {
        hits("docs/a.md", text).is_empty() && hits("src/a.rs", &format!("//! {text}")).is_empty()
    }

    #[test]
    fn a_file_that_does_not_exist_is_found() {
        assert_eq!(
            hits("a.md", "\nSee `core/stat.rs`."),
            ["a.md:2: there is no file `core/stat.rs`"]
        );
        assert_eq!(hits("src/a.rs", "/// See `b.rs`.").len(), 1);
        assert_eq!(hits("a.md", "In `src/cor/`.").len(), 1);
        assert_eq!(hits("a.md", "[b](page.md)").len(), 1);
        for existing in [
            "state.rs",
            "core/state.rs",
            "src/core/state.rs",
            "src/core/",
            "core/",
        ] {
            assert!(passes(&format!("`{existing}`")), "{existing}");
        }
        assert!(
            hits(
                "docs/a.md",
                "[b](page.md), [c](../src/core/state.rs), [d](../src)"
            )
            .is_empty()
        );
        assert!(passes(
            "`/proc/a.rs`, `std::fs`, `a.b.rs c`, `*.rs`, [a](https://b.rs/c.md)"
        ));
    }

    #[test]
    fn a_section_that_does_not_exist_is_found() {
        assert_eq!(
            hits("a.md", "[b](docs/page.md#page)"),
            ["a.md:1: docs/page.md has no section #page"]
        );
        assert!(hits("a.md", "[b](docs/page.md#a-big-page)").is_empty());
        assert_eq!(hits("a.md", "[b](#c)\n# d").len(), 1);
    }

    #[test]
    fn a_test_that_does_not_exist_is_found() {
        assert_eq!(
            hits("a.md", "`state.rs::other`"),
            ["a.md:1: nothing is named `other` in src/core/state.rs"]
        );
        assert_eq!(hits("a.md", "`a_test_without_a_name`").len(), 1);
        assert_eq!(hits("a.md", "`core::a_test_without_a_name`").len(), 1);
        assert_eq!(hits("a.md", "`a_test_without_*`").len(), 1);
        assert!(passes(
            "`state.rs::a_test_with_a_name`, `a_test_with_a_name`, `a_test_with_*`"
        ));
        assert!(passes("`read_with_mut`, `EPOLL_A_B_C`"));
    }

    #[test]
    fn a_recipe_that_does_not_exist_is_found() {
        assert_eq!(hits("a.md", "`cargo xtask fuz`").len(), 1);
        assert!(passes("`cargo xtask fuzz --seconds 1`, `cargo xtask`"));
    }

    #[test]
    fn a_decision_outside_of_the_index_is_found() {
        let page = "[1](0001-a.md)";
        assert!(hits("docs/decisions/README.md", "").is_empty());
        let files = [
            File::new("docs/decisions/0001-a.md", ""),
            File::new("docs/decisions/0002-b.md", ""),
            File::new("docs/decisions/README.md", page),
        ];
        let hits = check(&files, &[]);
        assert_eq!(hits.len(), 1);
        assert_eq!(hits[0].what, "0002-b.md is not in the index");
    }
}
