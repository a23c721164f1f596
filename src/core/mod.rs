//! What can be checked without a system: pure state machines, and the few types that they share.
//!
//! Nothing in here makes a system call. Loom, the property tests and the fuzz targets compile this folder as it is.

pub(crate) mod clock;
pub(crate) mod parker;
pub(crate) mod registry;
pub(crate) mod roles;
pub(crate) mod source;
pub(crate) mod sync;
pub(crate) mod timers;
pub(crate) mod wake;
