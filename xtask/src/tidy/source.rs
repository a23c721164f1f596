//! Separates the code of a Rust file from its comments.

/// One line of a file.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Line {
    /// The code, without comments. String literals keep their quotes and lose their content.
    pub(super) code: String,
    /// The text of the comment, without its marker.
    pub(super) comment: String,
}

enum State {
    Code,
    LineComment,
    /// With the depth of nesting.
    BlockComment(usize),
    String,
    /// With the number of hashes that end it.
    RawString(usize),
}

/// Splits a file into lines of code and comment.
pub(super) fn split(text: &str) -> Vec<Line> {
    let chars: Vec<char> = text.chars().collect();
    let mut lines = vec![Line::default()];
    let mut state = State::Code;
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        if c == '\n' {
            if matches!(state, State::LineComment) {
                state = State::Code;
            }
            lines.push(Line::default());
            at += 1;
            continue;
        }
        let line = lines.last_mut().expect("there is a first line");
        let next = chars.get(at + 1).copied();
        at += 1;
        match state {
            State::Code if c == '/' && next == Some('/') => {
                at += marker(&chars[at..]);
                state = State::LineComment;
            }
            State::Code if c == '/' && next == Some('*') => {
                at += 1;
                state = State::BlockComment(1);
            }
            State::Code if c == '"' => {
                line.code.push(c);
                let hashes = raw_hashes(&chars[..at - 1]);
                state = hashes.map_or(State::String, State::RawString);
            }
            State::Code if c == '\'' => {
                line.code.push(c);
                // `'a'` and `'\n'` are characters, `'a` is a lifetime.
                if next == Some('\\') || chars.get(at + 1) == Some(&'\'') {
                    let skipped = if next == Some('\\') { 2 } else { 1 };
                    let rest = chars[(at + skipped).min(chars.len())..].iter();
                    at += skipped + rest.take_while(|c| **c != '\'').count() + 1;
                    line.code.push('\'');
                }
            }
            State::Code => line.code.push(c),
            State::LineComment => line.comment.push(c),
            State::BlockComment(depth) if c == '*' && next == Some('/') => {
                at += 1;
                state = match depth {
                    1 => State::Code,
                    deeper => State::BlockComment(deeper - 1),
                };
            }
            State::BlockComment(depth) if c == '/' && next == Some('*') => {
                at += 1;
                state = State::BlockComment(depth + 1);
            }
            State::BlockComment(_) => line.comment.push(c),
            // A backslash before a line break leaves the line break to the branch above.
            State::String if c == '\\' && next != Some('\n') => at += 1,
            State::String if c == '"' => {
                line.code.push(c);
                state = State::Code;
            }
            State::RawString(hashes)
                if c == '"' && chars[at..].iter().take_while(|c| **c == '#').count() >= hashes =>
            {
                at += hashes;
                line.code.push(c);
                state = State::Code;
            }
            State::String | State::RawString(_) => {}
        }
    }
    lines
}

/// The length of what is left of a comment's marker after its first slash.
fn marker(rest: &[char]) -> usize {
    match rest.get(1) {
        Some('/' | '!') => 2,
        _ => 1,
    }
}

/// The number of hashes before a quote, if what is before it starts a raw string.
fn raw_hashes(before: &[char]) -> Option<usize> {
    let hashes = before.iter().rev().take_while(|c| **c == '#').count();
    let mut rest = before[..before.len() - hashes].iter().rev();
    let is_prefix = rest.next() == Some(&'r');
    // `r` after a letter ends a word, except in the prefixes `br` and `cr`.
    let is_word = match rest.next() {
        Some('b' | 'c') => rest.next().is_some_and(|c| is_word_char(*c)),
        Some(c) => is_word_char(*c),
        None => false,
    };
    (is_prefix && !is_word).then_some(hashes)
}

/// Whether a character can be a part of an identifier.
pub(super) fn is_word_char(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::split;

    fn parts(text: &str) -> Vec<(String, String)> {
        let lines = split(text).into_iter();
        lines.map(|line| (line.code, line.comment)).collect()
    }

    #[track_caller]
    fn check(text: &str, expected: &[(&str, &str)]) {
        let expected: Vec<_> = expected
            .iter()
            .map(|(code, comment)| (code.to_string(), comment.to_string()))
            .collect();
        assert_eq!(parts(text), expected);
    }

    #[test]
    fn comments_are_separated_from_code() {
        check(
            "a // b\n/// c\n//! d",
            &[("a ", " b"), ("", " c"), ("", " d")],
        );
        check("a /* b /* c */\nd */ e", &[("a ", " b  c "), (" e", "d ")]);
    }

    #[test]
    fn literals_lose_their_content() {
        check(r#"a("// \" b") // c"#, &[(r#"a("") "#, " c")]);
        check("r#\"a\" // b\"# c // d", &[("r#\"\" c ", " d")]);
        check("\"a\nb\" c", &[("\"", ""), ("\" c", "")]);
        check("\"a\\\nb\" // c", &[("\"", ""), ("\" ", " c")]);
    }

    #[test]
    fn a_quote_is_a_character_or_a_lifetime() {
        check("'\"' // a", &[("'' ", " a")]);
        check("'\\'' // a", &[("'' ", " a")]);
        check("&'a str // b", &[("&'a str ", " b")]);
    }
}
