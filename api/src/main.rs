//! Prints the public API that a JSON file of rustdoc describes, one item a line.
//!
//! `cargo xtask api` makes that file and compares the listing.

use std::process::ExitCode;

/// Auto traits that no stable program can name.
const UNSTABLE: &[&str] = &["core::marker::Freeze", "core::marker::UnsafeUnpin"];

fn main() -> ExitCode {
    let Some(path) = std::env::args_os().nth(1) else {
        eprintln!("the argument is a JSON file of rustdoc");
        return ExitCode::FAILURE;
    };
    // Blanket implementations are those of other crates.
    let listing = public_api::Builder::from_rustdoc_json(path).omit_blanket_impls(true);
    match listing.build() {
        Ok(api) => {
            let items = api.items().map(ToString::to_string);
            for item in items.filter(|item| !UNSTABLE.iter().any(|name| item.contains(name))) {
                println!("{item}");
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
