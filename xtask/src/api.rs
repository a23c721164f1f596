//! The public API: a committed listing shows each change of it, and has all that the published crate
//! has.
//!
//! rustdoc lists the API as JSON, which is an unstable option. `RUSTC_BOOTSTRAP` makes a stable
//! compiler accept it, and the format and the paths in std are those of one version of the compiler.

use std::collections::HashSet;
use std::path::PathBuf;
use std::process::Command;

use crate::msrv;
use crate::shell::{self, Outcome};
use lexopt::prelude::*;

/// The compiler whose JSON is read. A new one may need a new version of `public-api`.
const COMPILER: &str = "1.95";

/// The program that makes a listing from JSON.
const PRINTER: &str = "api/Cargo.toml";

/// A package that depends on the published crate, and the name of that one.
const DEPENDENT: &str = "compat/differential/Cargo.toml";
const PACKAGE: &str = "registry+https://github.com/rust-lang/crates.io-index#async-io@2.6.0";

/// The listing of this crate, on Linux with all features.
const OURS: &str = "api/public.txt";

/// The listing of the published crate, made in the same way.
const PUBLISHED: &str = "api/published-2.6.0.txt";

pub(crate) fn run(args: &mut lexopt::Parser) -> Outcome {
    let mut write = false;
    while let Some(argument) = args.next().map_err(|error| error.to_string())? {
        match argument {
            Long("write") => write = true,
            other => return Err(other.unexpected().to_string()),
        }
    }
    let ours = list("Cargo.toml", &["--all-features"], "ours")?;
    let published = list(DEPENDENT, &["--package", PACKAGE], "published")?;
    if write {
        shell::write(&shell::root().join(OURS), &ours)?;
        shell::write(&shell::root().join(PUBLISHED), &published)?;
    }
    let changed = [same(OURS, &ours)?, same(PUBLISHED, &published)?].contains(&false);

    let missing = missing(&published, &ours);
    for item in &missing {
        println!("missing: {item}");
    }
    match missing.len() {
        0 if changed => Err("the API differs; `cargo xtask api --write` updates api/".into()),
        0 => {
            let [count, least] = [&ours, &published].map(|listing| listing.lines().count());
            println!("{count} items, among them the {least} of the published crate");
            Ok(())
        }
        count => Err(format!("{count} items of the published crate are missing")),
    }
}

/// Lists the API of a package.
fn list(manifest: &str, package: &[&str], name: &str) -> Outcome<String> {
    let target = shell::target("api").join(name);
    let mut cargo = compiler()?;
    cargo
        .args(["rustdoc", "--lib", "--locked", "--manifest-path"])
        .arg(shell::root().join(manifest))
        .args(package)
        .args(["--", "-Zunstable-options", "--output-format=json"])
        .env("CARGO_TARGET_DIR", &target)
        .env("RUSTC_BOOTSTRAP", "1");
    shell::run(&mut cargo)?;
    let mut print = Command::new(printer()?);
    shell::capture(print.arg(target.join("doc/async_io.json")))
}

/// Builds the program that makes a listing from JSON.
fn printer() -> Outcome<PathBuf> {
    let mut cargo = compiler()?;
    cargo
        .args([
            "build",
            "--locked",
            "--message-format=json-render-diagnostics",
        ])
        .arg("--manifest-path")
        .arg(shell::root().join(PRINTER))
        .env("CARGO_TARGET_DIR", shell::target("api"));
    shell::executable(&shell::capture(&mut cargo)?)
}

/// The cargo of the compiler that is needed. rustup installs it where it is missing.
fn compiler() -> Outcome<Command> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    if msrv::is_version(
        &shell::capture(Command::new(rustc).arg("--version"))?,
        COMPILER,
    ) {
        return Ok(shell::cargo());
    }
    if let Some((cargo, _)) = msrv::rustup(COMPILER) {
        return Ok(cargo);
    }
    let mut install = Command::new("rustup");
    install.args([
        "toolchain",
        "install",
        "--no-self-update",
        "--profile",
        "minimal",
    ]);
    install.arg(COMPILER);
    shell::run(&mut install)?;
    let found = msrv::rustup(COMPILER).map(|(cargo, _)| cargo);
    found.ok_or_else(|| format!("rustup has no toolchain {COMPILER}"))
}

/// Compares a listing with the committed one, and prints what differs.
fn same(path: &str, listing: &str) -> Outcome<bool> {
    let committed = shell::read(&shell::root().join(path))?;
    for line in difference(&committed, listing) {
        println!("{path}: {line}");
    }
    Ok(committed == listing)
}

/// The lines that only one of the listings has, with a sign.
fn difference(old: &str, new: &str) -> Vec<String> {
    let only = |here: &str, there: &str, sign: char| -> Vec<String> {
        let there: HashSet<&str> = there.lines().collect();
        let lines = here.lines().filter(|line| !there.contains(line));
        lines.map(|line| format!("{sign}{line}")).collect()
    };
    let mut lines = only(old, new, '-');
    lines.extend(only(new, old, '+'));
    lines
}

/// The items of the first listing that the second one does not have.
fn missing<'a>(published: &'a str, ours: &str) -> Vec<&'a str> {
    let ours: HashSet<String> = ours.lines().map(meaning).collect();
    let lines = published.lines();
    lines
        .filter(|line| !ours.contains(&meaning(line)))
        .collect()
}

/// An item without what users cannot tell apart: the name of a lifetime, and whether a private field
/// has a name.
fn meaning(item: &str) -> String {
    let item = item.strip_suffix("(_)").unwrap_or(item);
    item.replace("impl<'a, T> ", "impl<T> ")
        .replace("<'a, ", "<'_, ")
}

#[cfg(test)]
mod tests {
    use super::{difference, missing};

    #[test]
    fn an_item_that_is_missing_is_found() {
        let published = "pub struct A\npub fn A::b(&self)\nimpl Send for A\n";
        assert!(missing(published, &format!("pub struct B\n{published}")).is_empty());
        let without = published.replace("impl Send for A\n", "");
        assert_eq!(missing(published, &without), ["impl Send for A"]);
        let changed = published.replace("&self", "&mut self");
        assert_eq!(missing(published, &changed), ["pub fn A::b(&self)"]);
    }

    #[test]
    fn names_that_users_cannot_see_do_not_count() {
        let published = "pub struct A<'a, T>(_)\nimpl<T> Send for A<'_, T>\n";
        assert!(
            missing(
                published,
                "pub struct A<'a, T>\nimpl<'a, T> Send for A<'a, T>"
            )
            .is_empty()
        );
        assert_eq!(
            missing("pub struct A(u8)", "pub struct A"),
            ["pub struct A(u8)"]
        );
    }

    #[test]
    fn a_difference_shows_both_sides() {
        assert_eq!(difference("a\nb", "b\nc"), ["-a", "+c"]);
        assert!(difference("a\nb", "a\nb").is_empty());
    }
}
