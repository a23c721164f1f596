//! What can be checked without a system: pure state machines, and the few types that they share.
//!
//! Nothing in here makes a system call. Loom, the property tests and the fuzz targets compile this folder as it is.

/// Returns whether a named mistake is planted at this place. Always false, except in a build for
/// loom that was asked for this mistake: `cargo xtask loom` plants each and expects a model to fail.
macro_rules! mutation {
    ($name:literal) => {
        cfg!(async_io_loom) && $crate::core::sync::is_planted($name)
    };
}

pub(crate) mod clock;
pub(crate) mod park;
pub(crate) mod registry;
pub(crate) mod roles;
pub(crate) mod source;
pub(crate) mod sync;
pub(crate) mod timers;
pub(crate) mod wake;
