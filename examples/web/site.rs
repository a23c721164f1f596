//! Maps the target of a request to a file, which is always inside the served folder.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::listing::listing;
use crate::status::Status;
use crate::url::{decode, encode, names, path_of};

/// A served folder.
pub(crate) struct Site {
    root: PathBuf,
}

pub(crate) enum Found {
    File {
        file: File,
        length: u64,
        content_type: &'static str,
    },
    Listing(String),
    Moved(String),
}

impl Site {
    pub(crate) fn new(folder: &Path) -> io::Result<Site> {
        let root = folder.canonicalize()?;
        if !root.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(Site { root })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn find(&self, target: &str) -> Result<Found, Status> {
        let decoded = decode(path_of(target)).ok_or(Status::BAD_REQUEST)?;
        let names = names(&decoded)?;
        let path = self.inside(&names.iter().collect::<PathBuf>())?;
        let metadata = fs::metadata(&path).map_err(|error| Status::of(&error))?;

        if metadata.is_dir() {
            // Without the trailing slash, a browser would resolve the links of the page relative to
            // the parent folder.
            if !decoded.ends_with('/') {
                let path: String = names
                    .iter()
                    .map(|name| format!("/{}", encode(name)))
                    .collect();
                return Ok(Found::Moved(path + "/"));
            }
            return match self.inside(&path.join("index.html")) {
                Ok(index) => open(&index),
                Err(_) => listing(&path, &names)
                    .map(Found::Listing)
                    .map_err(|error| Status::of(&error)),
            };
        }
        if decoded.ends_with('/') {
            return Err(Status::NOT_FOUND);
        }
        open(&path)
    }

    /// Returns `path` with symbolic links resolved, or an error if the result is outside of the
    /// served folder.
    ///
    /// A user with write access to the folder can replace a file by a link between this check and
    /// the opening of the file, and thereby read any file that the server can read. So the server
    /// must not have more rights than the users with write access to the folder.
    fn inside(&self, path: &Path) -> Result<PathBuf, Status> {
        let path = self
            .root
            .join(path)
            .canonicalize()
            .map_err(|error| Status::of(&error))?;
        if path.starts_with(&self.root) {
            Ok(path)
        } else {
            Err(Status::FORBIDDEN)
        }
    }
}

fn open(path: &Path) -> Result<Found, Status> {
    let metadata = fs::metadata(path).map_err(|error| Status::of(&error))?;
    // Opening a pipe or a device may block forever.
    if !metadata.is_file() {
        return Err(Status::FORBIDDEN);
    }
    let file = File::open(path).map_err(|error| Status::of(&error))?;
    Ok(Found::File {
        file,
        length: metadata.len(),
        content_type: content_type(path),
    })
}

fn content_type(path: &Path) -> &'static str {
    let extension = path
        .extension()
        .unwrap_or_default()
        .to_string_lossy()
        .to_ascii_lowercase();
    match extension.as_str() {
        "html" | "htm" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "txt" | "md" | "rs" | "toml" => "text/plain; charset=utf-8",
        "json" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "wasm" => "application/wasm",
        "pdf" => "application/pdf",
        _ => "application/octet-stream",
    }
}
