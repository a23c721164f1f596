//! Names the crate that a source file belongs to.

use crate::harness::callgrind::Place;

/// The name under which both this crate and the published one own code.
pub(super) const LIBRARY: &str = "async-io";

/// The name under which the programs in `compare/` own code.
pub(super) const PROGRAM: &str = "program";

/// Returns the name of the crate, [`PROGRAM`], "std" or "libc". Other code belongs to its
/// executable or shared library.
pub(super) fn owner(place: &Place) -> String {
    let file = place.file.as_str();
    let here = env!("CARGO_MANIFEST_DIR");
    let repository = here.strip_suffix("compare").unwrap_or(here);
    let object = place.object.rsplit('/').next().unwrap_or_default();
    let name = if file.starts_with(here) {
        PROGRAM
    } else if file.starts_with(&format!("{repository}src/")) {
        LIBRARY
    } else if let Some(name) = registry_crate(file) {
        name
    } else if file.contains("/library/") || file.starts_with("/rust/deps/") {
        "std"
    } else if object.starts_with("libc.") || object.starts_with("ld-linux") {
        "libc"
    } else {
        object
    };
    name.to_owned()
}

/// Returns whether the place is in a source file of `library`, or in code that was inlined into one
/// of its functions.
pub(super) fn is_within(place: &Place, library: &str) -> bool {
    owner(place) == library || place.function.contains(&module(library))
}

fn module(library: &str) -> String {
    library.replace('-', "_") + "::"
}

/// Returns the name, without the version, of a package that is unpacked below `registry/src`.
fn registry_crate(file: &str) -> Option<&str> {
    let (_, inside) = file.split_once("/registry/src/")?;
    let folder = inside.split('/').nth(1)?;
    let is_version = |at: usize| folder[at + 1..].starts_with(|first: char| first.is_ascii_digit());
    let end = folder
        .match_indices('-')
        .map(|(at, _)| at)
        .find(|&at| is_version(at))?;
    Some(&folder[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner_of(object: &str, file: &str) -> String {
        owner(&Place {
            object: object.into(),
            function: String::new(),
            file: file.into(),
            line: 1,
        })
    }

    #[test]
    fn each_file_has_an_owner() {
        let registry = "/root/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f";
        let here = env!("CARGO_MANIFEST_DIR");
        let cases = [
            (
                format!("{registry}/async-io-2.6.0/src/driver.rs"),
                "async-io",
            ),
            (format!("{registry}/rustix-0.38.44/src/lib.rs"), "rustix"),
            (format!("{here}/src/smol/echo.rs"), "program"),
            (
                format!("{here}/../src/lib.rs").replace("/compare/..", ""),
                "async-io",
            ),
            ("/rustc/ab12/library/core/src/task.rs".into(), "std"),
            ("./malloc/./malloc/malloc.c".into(), "libc"),
        ];
        for (file, expected) in cases {
            assert_eq!(owner_of("/usr/lib/libc.so.6", &file), expected, "{file}");
        }
    }
}
