//! The length of lines.

use super::{File, Hit};

const COLUMNS: usize = 120;

/// Finds lines that are too long in source files and documents. Tables, URLs and targets of links
/// cannot be wrapped.
pub(super) fn check(file: &File) -> Vec<Hit> {
    if !file.is(&["rs", "md"]) {
        return Vec::new();
    }
    let lines = file.text.lines().enumerate();
    lines
        .filter(|(_, line)| !(file.is(&["md"]) && line.trim_start().starts_with('|')))
        .filter(|(_, line)| wrappable(line) > COLUMNS)
        .map(|(index, line)| {
            let columns = line.chars().count();
            file.hit(index + 1, format!("{columns} columns, more than {COLUMNS}"))
        })
        .collect()
}

/// The columns of a line without its URLs and targets of links.
fn wrappable(line: &str) -> usize {
    let mut columns = line.chars().count();
    let mut rest = line;
    while let Some(at) = rest
        .find("](")
        .map(|at| at + 1)
        .or_else(|| rest.find("http"))
    {
        let end = |c: char| c.is_whitespace() || c == ')';
        let target = &rest[at..];
        let length = target.find(end).unwrap_or(target.len());
        columns -= target[..length].chars().count();
        rest = &target[length..];
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::{File, check};

    #[test]
    fn a_long_line_is_found() {
        let long = "a".repeat(121);
        let text = format!("b\n{long}\n");
        for path in ["a.rs", "a.md"] {
            let hits = check(&File::new(path, &text));
            assert_eq!(hits.len(), 1);
            assert_eq!(
                hits[0].to_string(),
                format!("{path}:2: 121 columns, more than 120")
            );
        }
        assert!(check(&File::new("a.svg", &text)).is_empty());
        assert!(check(&File::new("a.rs", &"ä".repeat(120))).is_empty());
    }

    #[test]
    fn tables_and_links_cannot_be_wrapped() {
        let long = "a".repeat(121);
        assert!(check(&File::new("a.md", &format!("| {long} |"))).is_empty());
        assert!(check(&File::new("a.md", &format!("[a]({long}) b"))).is_empty());
        assert!(check(&File::new("a.rs", &format!("// https://{long}"))).is_empty());
        assert_eq!(check(&File::new("a.rs", &format!("| {long} |"))).len(), 1);
        assert_eq!(
            check(&File::new("a.md", &format!("[a](b) {long}"))).len(),
            1
        );
    }
}
