//! The layers of ARCHITECTURE.md: what each module of the library may import.

use super::source::{self, is_word_char};
use super::{File, Hit};

/// Each module of the crate, and what it may import besides itself. A path with `::` permits that
/// module or item only.
///
/// Tests and models may import `testing`, which imports everything.
const ALLOWED: &[(&str, &[&str])] = &[
    ("core", &[]),
    // A poller implements the trait of the engine.
    ("sys", &["core", "engine::poller"]),
    // The engine implements the trait of the driver.
    (
        "engine",
        &[
            "core",
            "driver::shell::Turning",
            "driver::shell::Pass",
            "trace",
        ],
    ),
    ("driver", &["core", "engine", "sys", "trace"]),
    ("reactor", &["driver"]),
    ("trace", &["core", "sys::raw"]),
    ("timer", &["core", "driver", "trace"]),
    ("timeout", &["timer"]),
    (
        "adapter",
        &[
            "core", "sys", "engine", "driver", "reactor", "trace", "ready", "timer",
        ],
    ),
    ("ready", &["core", "trace", "adapter"]),
    (
        "os",
        &["core", "sys", "driver", "trace", "adapter", "ready"],
    ),
];

const TESTING: &str = "testing";

/// Finds imports against the layers.
pub(super) fn check(files: &[File]) -> Vec<Hit> {
    let root = files.iter().find(|file| file.path == "src/lib.rs");
    let exports: Vec<Vec<String>> = root.map(exports).unwrap_or_default();
    let mut hits = Vec::new();
    for file in files {
        let Some(module) = module(&file.path) else {
            continue;
        };
        let layer = &module[0];
        if layer == TESTING {
            continue;
        }
        let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| name == layer) else {
            hits.push(file.hit(1, format!("`{layer}` is not in the table of layers")));
            continue;
        };
        for (line, path) in imports(&file.text, &module) {
            let exported = exports.iter().find(|export| export.last() == path.first());
            let target = exported.unwrap_or(&path).join("::");
            let inside = |name: &str| is_inside(&target, name);
            if !(inside(layer) || inside(TESTING) || allowed.iter().any(|name| inside(name))) {
                let what = format!("`{layer}` imports `{target}`, against the layers");
                hits.push(file.hit(line, what));
            }
        }
    }
    hits
}

fn is_inside(path: &str, module: &str) -> bool {
    let rest = path.strip_prefix(module);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// The path of the module in a file of the library. The root is left out.
fn module(path: &str) -> Option<Vec<String>> {
    let path = path.strip_prefix("src/")?.strip_suffix(".rs")?;
    let path = path.strip_suffix("/mod").unwrap_or(path);
    (path != "lib").then(|| path.split('/').map(String::from).collect())
}

/// The paths of the items that the root of the crate exports.
fn exports(root: &File) -> Vec<Vec<String>> {
    let code = code(&root.text);
    let uses = code.match_indices("pub use ");
    uses.flat_map(|(at, mark)| paths(&code[at + mark.len()..]))
        .map(|(_, path)| path)
        .collect()
}

/// The paths from the root of the crate in the code of a module, with their lines.
fn imports(text: &str, module: &[String]) -> Vec<(usize, Vec<String>)> {
    let code = code(text);
    let mut imports = Vec::new();
    // As many steps up as the module is deep lead to the root.
    let up = "super::".repeat(module.len());
    for mark in ["crate::", &up] {
        for (at, _) in code.match_indices(mark) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| is_word_char(c) || c == ':') {
                continue;
            }
            let first = code[..at].matches('\n').count() + 1;
            let found = paths(&code[at + mark.len()..]).into_iter();
            // From a module inside of the file, as many steps lead only to an item of the file.
            let from_root = |path: &[String]| mark == "crate::" || is_module(&path[0]);
            imports.extend(
                found
                    .filter(|(_, path)| from_root(path))
                    .map(|(line, path)| (first + line, path)),
            );
        }
    }
    imports
}

fn is_module(name: &str) -> bool {
    name == TESTING || ALLOWED.iter().any(|(module, _)| *module == name)
}

/// The code of a file, with its line breaks.
fn code(text: &str) -> String {
    let lines = source::split(text).into_iter().map(|line| line.code);
    lines.collect::<Vec<_>>().join("\n")
}

/// The paths of the tree at the start of the code, such as `a::{b, c::d}`, each with the number of
/// line breaks before its end.
fn paths(code: &str) -> Vec<(usize, Vec<String>)> {
    let mut found = Vec::new();
    // The lengths of the path at each open brace.
    let mut open: Vec<usize> = Vec::new();
    let mut path: Vec<String> = Vec::new();
    let (mut rest, mut line) = (code, 0);
    loop {
        let spaces = rest.len() - rest.trim_start().len();
        line += rest[..spaces].matches('\n').count();
        rest = rest.trim_start();
        let length = rest.find(|c| !is_word_char(c)).unwrap_or(rest.len());
        if length > 0 {
            let (name, after) = rest.split_at(length);
            path.push(name.into());
            rest = after;
            if let Some(after) = rest.strip_prefix("::").filter(|it| starts_path(it)) {
                rest = after;
                continue;
            }
            found.push((line, path.clone()));
        } else if let Some(after) = rest.strip_prefix('{') {
            open.push(path.len());
            rest = after;
            continue;
        } else if let Some(after) = rest.strip_prefix('*') {
            found.push((line, path.clone()));
            rest = after;
        } else if let Some(after) = rest.strip_prefix('}').filter(|_| !open.is_empty()) {
            open.pop();
            rest = after;
        } else {
            break;
        }
        // After an entry comes a comma, the end of the group, or the end of the tree.
        let Some(base) = open.last() else { break };
        path.truncate(*base);
        if let Some(at) = rest.find([',', '}']) {
            line += rest[..at].matches('\n').count();
            rest = &rest[at..];
            rest = rest.strip_prefix(',').unwrap_or(rest);
        } else {
            break;
        }
    }
    found
}

fn starts_path(rest: &str) -> bool {
    rest.starts_with(|c| is_word_char(c) || c == '{' || c == '*')
}

#[cfg(test)]
mod tests {
    use super::{File, check, paths};

    const ROOT: &str = "pub use adapter::{Async, IoSafe};\npub use timer::Timer;\n";

    fn hits(path: &str, text: &str) -> Vec<String> {
        let files = [File::new("src/lib.rs", ROOT), File::new(path, text)];
        let hits = check(&files).into_iter();
        hits.map(|hit| hit.to_string()).collect()
    }

    fn found(code: &str) -> Vec<(usize, String)> {
        let found = paths(code).into_iter();
        found.map(|(line, path)| (line, path.join("::"))).collect()
    }

    #[test]
    fn trees_of_imports_are_expanded() {
        assert_eq!(found("a::b;"), [(0, "a::b".into())]);
        assert_eq!(
            found("{a::{b, c as d}, e,\n f::*};"),
            [
                (0, "a::b".into()),
                (0, "a::c".into()),
                (0, "e".into()),
                (1, "f".into())
            ]
        );
        assert_eq!(found("a::b::<u8>()"), [(0, "a::b".into())]);
    }

    #[test]
    fn an_import_against_the_layers_is_found() {
        assert_eq!(
            hits("src/core/a.rs", "\nuse crate::sys::raw;"),
            ["src/core/a.rs:2: `core` imports `sys::raw`, against the layers"]
        );
        assert_eq!(
            hits("src/engine/mod.rs", "use crate::{core::a, driver::b};").len(),
            1
        );
        assert_eq!(
            hits("src/driver/a.rs", "fn a() { crate::adapter::b() }").len(),
            1
        );
        assert_eq!(hits("src/driver/a.rs", "use crate::Async;").len(), 1);
        assert_eq!(hits("src/timer.rs", "use super::os::linux;").len(), 1);
        assert_eq!(
            hits("src/core/a.rs", "use super::super::driver::b;").len(),
            1
        );
        assert_eq!(hits("src/new/a.rs", "").len(), 1);
    }

    #[test]
    fn an_import_from_below_is_allowed() {
        assert!(hits("src/adapter/a.rs", "use crate::{core::a, sys, Timer};").is_empty());
        assert!(
            hits(
                "src/core/a.rs",
                "use crate::core::b;\nuse crate::testing::c;"
            )
            .is_empty()
        );
        assert!(
            hits(
                "src/timer.rs",
                "mod tests {\nuse super::helper;\nuse super::Timer; }"
            )
            .is_empty()
        );
        assert!(hits("src/testing/a.rs", "use crate::adapter::b;").is_empty());
        assert!(hits("src/core/a.rs", "// crate::sys\nf(\"crate::sys\")").is_empty());
    }

    #[test]
    fn the_two_exceptions_are_for_one_module_each() {
        assert!(hits("src/engine/a.rs", "use crate::driver::shell::Turning;").is_empty());
        assert_eq!(
            hits("src/engine/a.rs", "use crate::driver::shell::Other;").len(),
            1
        );
        assert!(hits("src/sys/a.rs", "use crate::engine::poller::Poller;").is_empty());
        assert_eq!(hits("src/sys/a.rs", "use crate::engine::Engine;").len(), 1);
    }
}
