//! Finds the prose in a file: all of a document, and the comments of everything else.

use super::{File, source};

/// A line of prose.
#[derive(Debug, PartialEq)]
pub(super) struct Line {
    pub(super) number: usize,
    pub(super) text: String,
    /// Whether the line continues the paragraph of the line above it.
    continues: bool,
}

/// Consecutive lines, joined with spaces.
pub(super) struct Paragraph {
    pub(super) text: String,
    /// Where each line starts in the text, and its number.
    starts: Vec<(usize, usize)>,
}

impl Paragraph {
    /// The number of the line at this position of the text.
    pub(super) fn line_at(&self, position: usize) -> usize {
        let before = self
            .starts
            .iter()
            .rev()
            .find(|(start, _)| *start <= position);
        before.map_or(0, |(_, number)| *number)
    }
}

/// The lines of prose of a file, without code blocks between fences.
pub(super) fn lines(file: &File) -> Vec<Line> {
    let (texts, is_document) = if file.is(&["rs"]) {
        (comments(&file.text), false)
    } else if file.is(&["md"]) {
        let all = file.text.lines().map(|line| (line.to_string(), true));
        (all.collect(), true)
    } else if file.is(&["toml", "yml", "yaml", "sh"]) || file.text.starts_with("#!") {
        (hash_comments(&file.text), false)
    } else {
        (Vec::new(), false)
    };
    let mut fenced = false;
    let mut previous = 0;
    let mut lines = Vec::new();
    for (index, (text, whole_line)) in texts.into_iter().enumerate() {
        let trimmed = text.trim();
        if trimmed.starts_with("```") {
            fenced = !fenced;
            continue;
        }
        // The comments of a file are separate texts: a fence ends with its comment.
        fenced &= is_document || whole_line;
        if fenced || trimmed.is_empty() {
            continue;
        }
        let number = index + 1;
        lines.push(Line {
            number,
            continues: whole_line && previous + 1 == number && !starts_block(trimmed),
            text: trimmed.to_string(),
        });
        previous = if whole_line { number } else { 0 };
    }
    lines
}

/// Joins the lines to paragraphs.
pub(super) fn paragraphs(lines: &[Line]) -> Vec<Paragraph> {
    let mut paragraphs: Vec<Paragraph> = Vec::new();
    for line in lines {
        match paragraphs.last_mut() {
            Some(last) if line.continues => {
                last.text.push(' ');
                last.starts.push((last.text.len(), line.number));
                last.text.push_str(&line.text);
            }
            _ => paragraphs.push(Paragraph {
                text: line.text.clone(),
                starts: vec![(0, line.number)],
            }),
        }
    }
    paragraphs
}

/// The spans of inline code in a text, as ranges of bytes without the backticks.
pub(super) fn code_spans(text: &str) -> Vec<std::ops::Range<usize>> {
    let mut ticks = text.match_indices('`').map(|(at, _)| at);
    let mut spans = Vec::new();
    while let (Some(start), Some(end)) = (ticks.next(), ticks.next()) {
        spans.push(start + 1..end);
    }
    spans
}

/// The comment of each line, and whether it has the line to itself.
fn comments(text: &str) -> Vec<(String, bool)> {
    let lines = source::split(text).into_iter();
    lines
        .map(|line| (line.comment, line.code.trim().is_empty()))
        .collect()
}

fn hash_comments(text: &str) -> Vec<(String, bool)> {
    let comment = |line: &str| {
        line.trim_start()
            .strip_prefix('#')
            .unwrap_or("")
            .to_string()
    };
    text.lines().map(|line| (comment(line), true)).collect()
}

/// Whether a line of Markdown starts a block of its own: a row, an item, a heading.
fn starts_block(line: &str) -> bool {
    let numbered = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let is_numbered = numbered.len() < line.len() && numbered.starts_with(". ");
    is_numbered
        || ["|", "* ", "- ", "#"]
            .iter()
            .any(|start| line.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::{File, code_spans, lines, paragraphs};

    fn of(path: &str, text: &str) -> Vec<String> {
        let paragraphs = paragraphs(&lines(&File::new(path, text)));
        paragraphs.into_iter().map(|it| it.text).collect()
    }

    #[test]
    fn consecutive_lines_are_one_paragraph() {
        assert_eq!(of("a.md", "a\nb\n\nc"), ["a b", "c"]);
        assert_eq!(
            of("a.md", "a\n* b\n  c\n| d |\n| e |"),
            ["a", "* b c", "| d |", "| e |"]
        );
        assert_eq!(
            of("a.rs", "/// a\n/// b\nfn c() {} // d\n// e"),
            ["a b", "d", "e"]
        );
    }

    #[test]
    fn code_is_not_prose() {
        assert_eq!(of("a.md", "a\n```\nb\n```\nc"), ["a", "c"]);
        assert_eq!(of("a.rs", "//! a\n//! ```\n//! b\n//! ```\nc"), ["a"]);
        assert_eq!(of("a.toml", "# a\nb = 1 # c"), ["a"]);
        assert_eq!(of("run", "#!/bin/sh\n# a\nb"), ["!/bin/sh a"]);
        assert!(of("a.txt", "# a").is_empty());
    }

    #[test]
    fn a_position_belongs_to_a_line() {
        let joined = &paragraphs(&lines(&File::new("a.md", "\nab\ncd")))[0];
        assert_eq!([0, 2, 3, 4].map(|at| joined.line_at(at)), [2, 2, 3, 3]);
    }

    #[test]
    fn spans_of_code_are_found() {
        assert_eq!(code_spans("`a` b `cd`"), [1..2, 7..9]);
    }
}
