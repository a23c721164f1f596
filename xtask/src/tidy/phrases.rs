//! Stock phrases: words that hide the actor, and idioms with a plainer word.

use super::prose::{self, Paragraph};
use super::source::is_word_char;
use super::{File, Hit};

/// Found as whole words, in any case. A possessive "whose" is fine, and so is everything in
/// backticks.
const PHRASES: &[&str] = &[
    // Name the actor.
    "who",
    "whoever",
    "whom",
    "somebody",
    "someone",
    "nobody",
    "anybody",
    "anyone",
    "everybody",
    "the one that",
    // Use the usual word.
    "anew",
    "in vain",
    "merely",
    "tell of",
    "tells of",
    "told of",
    "for nothing",
    "the want of",
    "go on",
    "goes on",
    "let go",
    "lets go",
    "take it back",
    "takes it back",
    "take them back",
    "takes them back",
    "takes to its grave",
    "but that",
    "as good as",
    "had better",
    "should it",
    "from one hand",
];

/// Finds stock phrases in the prose of a file.
pub(super) fn check(file: &File) -> Vec<Hit> {
    let mut hits = Vec::new();
    for paragraph in prose::paragraphs(&prose::lines(file)) {
        let text = plain(&paragraph);
        for phrase in PHRASES {
            for at in words(&text, phrase) {
                hits.push(file.hit(paragraph.line_at(at), format!("stock phrase {phrase:?}")));
            }
        }
        for at in words(&text, "too").filter(|at| ends_sentence(&text, *at)) {
            hits.push(file.hit(paragraph.line_at(at), "\"too\" for \"also\""));
        }
        for at in words(&text, "with it").filter(|at| text[at + 7..].starts_with('.')) {
            hits.push(file.hit(paragraph.line_at(at), "a sentence ends in \"with it\""));
        }
    }
    hits
}

/// The text in lower case, with as many backticks in place of inline code.
fn plain(paragraph: &Paragraph) -> String {
    let mut text = paragraph.text.to_ascii_lowercase();
    for span in prose::code_spans(&paragraph.text) {
        let blank = "`".repeat(span.len());
        text.replace_range(span, &blank);
    }
    text
}

/// The positions of a phrase in a text, as whole words.
fn words<'a>(text: &'a str, phrase: &'a str) -> impl Iterator<Item = usize> + 'a {
    let positions = text.match_indices(phrase).map(|(at, _)| at);
    positions.filter(move |at| {
        let before = text[..*at].chars().next_back();
        let after = text[at + phrase.len()..].chars().next();
        ![before, after].into_iter().flatten().any(is_word_char)
    })
}

/// Whether the "too" at this position is set off by a comma, or is the last word of its sentence.
fn ends_sentence(text: &str, at: usize) -> bool {
    let after = text[at + "too".len()..].chars().next();
    text[..at].ends_with(", ") || after.is_none_or(|c| ".,;:!?)".contains(c))
}

#[cfg(test)]
mod tests {
    use super::{File, PHRASES, check};

    fn hits(text: &str) -> Vec<usize> {
        let hits = check(&File::new("a.md", text)).into_iter();
        hits.map(|hit| hit.line).collect()
    }

    #[test]
    fn every_phrase_is_found() {
        for phrase in PHRASES {
            assert_eq!(hits(&format!("\nA {phrase} b.")), [2], "{phrase}");
        }
        assert_eq!(hits("Who waits"), [1]);
    }

    #[test]
    fn a_phrase_is_found_across_lines() {
        assert_eq!(hits("A\ntask waits in\nvain."), [2]);
        let comment = "fn a() {}\n/// It waits for\n/// nothing.\n";
        assert_eq!(check(&File::new("a.rs", comment))[0].line, 2);
    }

    #[test]
    fn words_and_code_are_no_phrases() {
        assert!(hits("whose whole, `who` and `a\nnobody`; it lets Google; in vainly").is_empty());
        let code = "let who = \"nobody\";";
        assert!(check(&File::new("a.rs", code)).is_empty());
    }

    #[test]
    fn too_is_found_where_it_means_also() {
        assert_eq!(hits("It is, too, read."), [1]);
        assert_eq!(hits("It is read too."), [1]);
        assert_eq!(hits("\nIt is read too"), [2]);
        assert!(hits("It is too late, and too\nlong.").is_empty());
        assert_eq!(hits("It ends with it. It is with it"), [1]);
    }
}
