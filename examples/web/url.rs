//! Paths in URLs.

use std::path::{Component, Path};

use crate::status::Status;

/// Returns the path in `/path?query`, or in `http://host/path?query`, which proxies send.
pub(crate) fn path_of(target: &str) -> &str {
    let path = match target.split_once("://") {
        Some((scheme, rest)) if !scheme.contains('/') => {
            rest.find('/').map_or("/", |slash| &rest[slash..])
        }
        _ => target,
    };
    path.split_once('?').map_or(path, |(path, _)| path)
}

/// Returns the names in a path. Each must be a plain file name.
pub(crate) fn names(path: &str) -> Result<Vec<&str>, Status> {
    if path.len() > 2048 {
        return Err(Status::NOT_FOUND);
    }
    if !path.starts_with('/') || path.contains('\0') {
        return Err(Status::BAD_REQUEST);
    }
    let names: Vec<&str> = path
        .split('/')
        .filter(|name| !name.is_empty() && *name != ".")
        .collect();
    for name in &names {
        let mut components = Path::new(name).components();
        // Reject "..", and on some systems a drive or another separator.
        if !matches!(
            (components.next(), components.next()),
            (Some(Component::Normal(_)), None)
        ) {
            return Err(Status::FORBIDDEN);
        }
        if name.len() > 255 {
            return Err(Status::NOT_FOUND);
        }
    }
    Ok(names)
}

/// Returns `text` with each `%XX` replaced by its byte, or `None` if an escape is malformed or the
/// result is not UTF-8.
pub(crate) fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit = || char::from(rest.next()?).to_digit(16);
            bytes.push((digit()? * 16 + digit()?) as u8);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

/// Returns `name` with all bytes that may have a special meaning in a URL replaced by `%XX`.
pub(crate) fn encode(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let encode = |byte| {
        if plain(byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    name.bytes().map(encode).collect()
}
