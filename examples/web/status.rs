//! The HTTP status codes that this server uses.

use std::io::{Error, ErrorKind};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Status(pub(crate) u16, pub(crate) &'static str);

impl Status {
    pub(crate) const OK: Status = Status(200, "OK");
    pub(crate) const MOVED: Status = Status(301, "Moved Permanently");
    pub(crate) const BAD_REQUEST: Status = Status(400, "Bad Request");
    pub(crate) const FORBIDDEN: Status = Status(403, "Forbidden");
    pub(crate) const NOT_FOUND: Status = Status(404, "Not Found");
    pub(crate) const METHOD_NOT_ALLOWED: Status = Status(405, "Method Not Allowed");
    pub(crate) const REQUEST_TIMEOUT: Status = Status(408, "Request Timeout");
    pub(crate) const HEAD_TOO_LARGE: Status = Status(431, "Request Header Fields Too Large");
    pub(crate) const INTERNAL_ERROR: Status = Status(500, "Internal Server Error");
    pub(crate) const VERSION: Status = Status(505, "HTTP Version Not Supported");

    /// Returns the status for an error of the file system.
    pub(crate) fn of(error: &Error) -> Status {
        match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => Status::NOT_FOUND,
            ErrorKind::PermissionDenied => Status::FORBIDDEN,
            _ => {
                eprintln!("web: {error}");
                Status::INTERNAL_ERROR
            }
        }
    }
}
