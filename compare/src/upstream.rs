//! The programs of `smol/`, compiled against the published async-io 2.6.0.

pub(crate) use ::upstream as async_io;

// The same source is compiled twice on purpose, so that only the library differs.
#[allow(clippy::duplicate_mod)]
#[path = "smol/mod.rs"]
pub(crate) mod smol;
