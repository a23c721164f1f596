//! The programs of `smol/`, compiled against this repository's crate.

pub(crate) use ::ours as async_io;

#[path = "smol/mod.rs"]
pub(crate) mod smol;
