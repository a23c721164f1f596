//! Duplicate entries: of arrays and keys in TOML, of lists of names in `xtask`, of tables and lists
//! in documents.

use std::collections::HashSet;

use super::{File, Hit};

/// Finds entries that are in a list twice.
pub(super) fn check(file: &File) -> Vec<Hit> {
    if file.is(&["toml"]) {
        let mut hits = arrays(file, &file.text, 1);
        hits.extend(keys(file));
        hits
    } else if file.is(&["md"]) {
        document(file)
    } else if file.path.starts_with("xtask/") && file.is(&["rs"]) {
        constants(file)
    } else {
        Vec::new()
    }
}

/// An opening bracket or brace that is not closed yet.
struct Open {
    bracket: char,
    entries: HashSet<String>,
    /// The text since the bracket or the last comma.
    entry: String,
    /// The line on which the entry starts.
    line: usize,
}

/// The entries of all arrays of a text that starts on this line. Comments start with `#` or `//`.
fn arrays(file: &File, text: &str, first: usize) -> Vec<Hit> {
    let mut hits = Vec::new();
    let mut open: Vec<Open> = Vec::new();
    let (mut quote, mut comment, mut line, mut previous) = (None, false, first, ' ');
    for c in text.chars() {
        if c == '\n' {
            (comment, quote) = (false, None);
            line += 1;
        }
        let starts_comment = c == '#' || (c == '/' && previous == '/');
        comment |= quote.is_none() && starts_comment;
        if !comment {
            match (quote, c) {
                (Some(mark), _) if c == mark && previous != '\\' => quote = None,
                (None, '"' | '\'') => quote = Some(c),
                _ => {}
            }
        }
        let structural = quote.is_none() && !comment;
        if structural && matches!(c, ',' | ']' | '}') {
            if let Some(last) = open.last_mut() {
                hits.extend(last.end_entry(file));
            }
        }
        if structural && matches!(c, ']' | '}') {
            open.pop();
        }
        // A nested array is a part of the entry that it is in.
        let depth = open.len();
        for (level, outer) in open.iter_mut().enumerate().filter(|_| !comment) {
            if outer.entry.is_empty() {
                outer.line = line;
            }
            let ends_entry = c == ',' && level + 1 == depth;
            if quote.is_some() || !(c.is_whitespace() || c == '/' || ends_entry) {
                outer.entry.push(c);
            }
        }
        if structural && matches!(c, '[' | '{') {
            open.push(Open {
                bracket: c,
                entries: HashSet::new(),
                entry: String::new(),
                line,
            });
        }
        previous = c;
    }
    hits
}

impl Open {
    /// Ends an entry. Returns a hit if an array has it already.
    fn end_entry(&mut self, file: &File) -> Option<Hit> {
        let entry = std::mem::take(&mut self.entry);
        let is_new = entry.is_empty() || self.entries.insert(entry.clone());
        (self.bracket == '[' && !is_new)
            .then(|| file.hit(self.line, format!("duplicate entry {entry}")))
    }
}

/// The keys of the tables of a TOML file. Arrays of tables may repeat theirs.
fn keys(file: &File) -> Vec<Hit> {
    let mut hits = Vec::new();
    let mut tables = HashSet::new();
    let mut keys = HashSet::new();
    for (index, line) in file.text.lines().enumerate() {
        if line.starts_with('[') {
            keys.clear();
            if !line.starts_with("[[") && !tables.insert(line) {
                hits.push(file.hit(index + 1, format!("duplicate table {line}")));
            }
        } else if let Some((key, _)) = line.split_once('=') {
            // Keys start in the first column, entries of arrays do not.
            let is_key = !key.starts_with([' ', '\t', '#', '"']);
            if is_key && !keys.insert(key.trim()) {
                hits.push(file.hit(index + 1, format!("duplicate key {:?}", key.trim())));
            }
        }
    }
    hits
}

/// The entries of constants that are lists of strings.
fn constants(file: &File) -> Vec<Hit> {
    let mut hits = Vec::new();
    let mut before = 0;
    for part in file.text.split_inclusive(';') {
        let first = file.text[..before].matches('\n').count() + 1;
        let declared = part.find(": &[&str] = &[");
        if let Some(at) = declared.filter(|at| part[..*at].contains("const ")) {
            let lines = part[..at].matches('\n').count();
            let list = &part[at + ": &[&str] = &".len()..];
            hits.extend(arrays(file, list, first + lines));
        }
        before += part.len();
    }
    hits
}

/// The rows of tables, by their first cells, and the items of lists.
fn document(file: &File) -> Vec<Hit> {
    let mut hits = Vec::new();
    let mut entries = HashSet::new();
    let (mut table, mut fenced) = (false, false);
    for (index, line) in file.text.lines().enumerate() {
        fenced ^= line.trim_start().starts_with("```");
        let row = line.trim_start().strip_prefix('|');
        if fenced || line.trim().is_empty() || row.is_some() != table {
            entries.clear();
        }
        table = row.is_some();
        let item = ["* ", "- "].iter().any(|mark| line.starts_with(mark));
        let entry = match row {
            Some(row) => key(row),
            None if item => line.trim_end(),
            None => continue,
        };
        let counts = !fenced && entry.contains(char::is_alphanumeric);
        if counts && !entries.insert(entry) {
            hits.push(file.hit(index + 1, format!("duplicate entry {entry:?}")));
        }
    }
    hits
}

/// The cells that tell a row of a table from the others: the first one, or the first two where many
/// columns follow, as in a table of measurements.
fn key(row: &str) -> &str {
    let mut ends = row.match_indices(" | ").map(|(at, _)| at);
    let ends = [ends.next(), ends.next(), ends.next()];
    let end = match ends {
        [_, Some(second), Some(_)] => second,
        [first, ..] => first.unwrap_or(row.len()),
    };
    row[..end].trim_matches(['|', ' '])
}

#[cfg(test)]
mod tests {
    use super::{File, check};

    fn hits(path: &str, text: &str) -> Vec<(usize, String)> {
        let hits = check(&File::new(path, text)).into_iter();
        hits.map(|hit| (hit.line, hit.what)).collect()
    }

    fn one(line: usize, what: &str) -> Vec<(usize, String)> {
        vec![(line, what.into())]
    }

    #[test]
    fn a_duplicate_of_an_array_is_found() {
        assert_eq!(
            hits(
                "a.toml",
                "b = [\n    \"c\",\n    # It is d.\n    \"d\",\n    \"c\",\n]"
            ),
            one(5, "duplicate entry \"c\"")
        );
        assert_eq!(
            hits("a.toml", "b = { c = [\"d\", \"d\"] }"),
            one(1, "duplicate entry \"d\"")
        );
        assert_eq!(
            hits(
                "a.toml",
                "b = [{ c = \"d\" }, { c = \"e\" }, { c = \"d\" }]"
            )
            .len(),
            1
        );
        assert!(
            hits(
                "a.toml",
                "b = [\"c\", \"d\"]\ne = [\"c\", \"# c\"] # \"c\", \"c\""
            )
            .is_empty()
        );
    }

    #[test]
    fn a_duplicate_key_or_table_is_found() {
        assert_eq!(
            hits("a.toml", "[a]\nb = 1\nb = 2"),
            one(3, "duplicate key \"b\"")
        );
        assert_eq!(
            hits("a.toml", "[a]\n[b]\n[a]"),
            one(3, "duplicate table [a]")
        );
        assert!(
            hits(
                "a.toml",
                "[a]\nb = 1\n[c]\nb = 1\n[[d]]\nb = 1\n[[d]]\nb = 1"
            )
            .is_empty()
        );
    }

    #[test]
    fn a_duplicate_of_a_constant_is_found() {
        let list = "fn f() {}\n/// It's a list.\nconst A: &[&str] = &[\n    \"b\",\n    \"c/d\",\n    \"b\",\n];\n";
        assert_eq!(
            hits("xtask/src/a.rs", list),
            one(6, "duplicate entry \"b\"")
        );
        assert!(hits("src/a.rs", list).is_empty());
        assert!(hits("xtask/src/a.rs", "const A: &[&str] = &[\"b\", \"c\"];").is_empty());
        assert!(hits("xtask/src/a.rs", "f(&[\"b\", \"b\"]);").is_empty());
    }

    #[test]
    fn a_duplicate_row_or_item_is_found() {
        assert_eq!(
            hits("a.md", "| b | c |\n|---|---|\n| d | e |\n| d | f |"),
            one(4, "duplicate entry \"d\"")
        );
        assert_eq!(
            hits("a.md", "* b\n* c\n* b"),
            one(3, "duplicate entry \"* b\"")
        );
        assert!(hits("a.md", "| b |\n\n| b |\n\n* b\n\n* b\n").is_empty());
        assert!(hits("a.md", "```\n* b\n* b\n```").is_empty());
        assert!(hits("a.md", "| | b |\n|---|---|\n| | c |\n| | d |").is_empty());
    }
}
