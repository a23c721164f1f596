//! The subjects of commits.

use super::git;
use crate::shell::Outcome;

const COLUMNS: usize = 72;

/// The file whose first commit is where the rule starts, if there is no tag.
const FIRST: &str = "xtask/src/tidy.rs";

/// Checks the commits since the last tag. Returns the number of hits, after printing them.
pub(super) fn check() -> Outcome<usize> {
    let Some(start) = start()? else {
        return Ok(0);
    };
    let range = format!("{start}..HEAD");
    let log = git(&["log", "--no-merges", "--format=%h %s", &range])?;
    let mut count = 0;
    for (commit, subject) in log.lines().filter_map(|line| line.split_once(' ')) {
        if let Some(what) = hit(subject) {
            println!("commit {commit}: {what}: {subject}");
            count += 1;
        } else if subject.contains(" and ") {
            println!("warning: commit {commit} may be two changes: {subject}");
        }
    }
    Ok(count)
}

/// The commit after which the rule applies. There is none before this file is committed.
fn start() -> Outcome<Option<String>> {
    let tags = git(&["tag", "--merged", "HEAD", "--sort=-creatordate"])?;
    if let Some(tag) = tags.lines().next() {
        return Ok(Some(tag.into()));
    }
    let added = git(&["log", "--diff-filter=A", "--format=%H", "--", FIRST])?;
    Ok(added.lines().last().map(String::from))
}

/// What is wrong with a subject.
fn hit(subject: &str) -> Option<&'static str> {
    let is_area = |area: &str| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
        !area.is_empty() && area.chars().all(allowed)
    };
    let is_verb = |rest: &str| rest.starts_with(char::is_lowercase) && rest.contains(' ');
    match subject.split_once(": ") {
        _ if subject.chars().count() > COLUMNS => Some("more than 72 characters"),
        _ if subject.contains(';') => Some("a semicolon: two changes"),
        _ if subject.ends_with('.') => Some("a period at the end"),
        Some((area, rest)) if is_area(area) && is_verb(rest) => None,
        _ => Some("not of the form `area: verb ...`"),
    }
}

#[cfg(test)]
mod tests {
    use super::hit;

    #[test]
    fn a_subject_against_the_rule_is_found() {
        let long = format!("docs: say {}", "a".repeat(63));
        for subject in [
            &long,
            "timers: fire once; test it",
            "timers: fire once.",
            "Fire timers once",
            "timers: Fire once",
            "timers and tests: fire once",
            "timers: once",
            ": fire once",
        ] {
            assert!(hit(subject).is_some(), "{subject}");
        }
    }

    #[test]
    fn a_subject_of_the_right_form_passes() {
        let longest = format!("docs: say {}", "a".repeat(62));
        for subject in [
            &longest,
            "timers: fire equal deadlines in insertion order",
            "src/sys: read errno once",
            "CI: run tidy: first stage",
        ] {
            assert_eq!(hit(subject), None, "{subject}");
        }
    }
}
