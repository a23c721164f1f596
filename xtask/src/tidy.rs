//! Checks of the text of the repository that no compiler makes: layers, line lengths, stock phrases,
//! duplicates, references and commit subjects.
//!
//! Every hit is printed as `file:line: what`. Each check is one module, and a pure function of text.

mod commits;
mod duplicates;
mod layers;
mod lines;
mod phrases;
mod prose;
mod references;
mod source;

use std::fmt;
use std::process::Command;

use crate::shell::{self, Outcome};

/// A violation of a rule, and its place.
#[derive(Debug, PartialEq)]
struct Hit {
    file: String,
    line: usize,
    what: String,
}

impl fmt::Display for Hit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.what)
    }
}

/// A text file of the repository, with its path from the root.
struct File {
    path: String,
    text: String,
}

impl File {
    #[cfg(test)]
    fn new(path: &str, text: &str) -> File {
        File {
            path: path.into(),
            text: text.into(),
        }
    }

    fn hit(&self, line: usize, what: impl Into<String>) -> Hit {
        Hit {
            file: self.path.clone(),
            line,
            what: what.into(),
        }
    }

    /// Whether the name of the file ends in a dot and one of these.
    fn is(&self, extensions: &[&str]) -> bool {
        let extension = self.path.rsplit_once('.').map(|(_, extension)| extension);
        extension.is_some_and(|extension| extensions.contains(&extension))
    }
}

pub(crate) fn run(recipes: &[&str]) -> Outcome {
    let files = files()?;
    let mut hits = Vec::new();
    for file in &files {
        hits.extend(lines::check(file));
        hits.extend(phrases::check(file));
        hits.extend(duplicates::check(file));
    }
    hits.extend(layers::check(&files));
    hits.extend(references::check(&files, recipes));
    hits.sort_by(|a, b| (&a.file, a.line, &a.what).cmp(&(&b.file, b.line, &b.what)));
    for hit in &hits {
        println!("{hit}");
    }
    let commits = commits::check()?;
    match hits.len() + commits {
        0 => {
            println!("{} files, nothing found", files.len());
            Ok(())
        }
        count => Err(format!("{count} hits; CONTRIBUTING.md has the rules")),
    }
}

/// Reads the text files that git tracks or would add.
fn files() -> Outcome<Vec<File>> {
    let arguments = ["ls-files", "--cached", "--others", "--exclude-standard"];
    let mut paths: Vec<String> = git(&arguments)?.lines().map(String::from).collect();
    paths.sort();
    paths.dedup();
    let mut files = Vec::new();
    for path in paths {
        // A file may be deleted and still tracked, and the corpus of the fuzz targets is not text.
        if let Ok(text) = std::fs::read_to_string(shell::root().join(&path)) {
            files.push(File { path, text });
        }
    }
    Ok(files)
}

fn git(arguments: &[&str]) -> Outcome<String> {
    shell::capture(
        Command::new("git")
            .current_dir(shell::root())
            .args(arguments),
    )
}
