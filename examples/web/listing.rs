//! The page that lists a folder.

use std::path::Path;
use std::{fs, io};

use crate::url::encode;

pub(crate) fn listing(folder: &Path, names: &[&str]) -> io::Result<String> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // `Site::find` rejects names that are not UTF-8, so they are not listed.
        if let Ok(mut name) = entry.file_name().into_string() {
            if entry.path().is_dir() {
                name.push('/');
            }
            entries.push(name);
        }
    }
    entries.sort();

    let title = escape(&format!("/{}", names.join("/")));
    let mut page = format!(
        "<!doctype html><meta charset=\"utf-8\"><title>{title}</title><h1>{title}</h1><ul>\n"
    );
    for name in &entries {
        // "./" prevents a name with a colon from being parsed as a URL with a scheme.
        let link = encode(name.trim_end_matches('/')) + if name.ends_with('/') { "/" } else { "" };
        page.push_str(&format!("<li><a href=\"./{link}\">{}</a>\n", escape(name)));
    }
    Ok(page + "</ul>\n")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
