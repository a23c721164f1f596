//! The parts that can be tested without the operating system: pure state machines, and the few
//! types that they share.
//!
//! Nothing in this folder makes a system call. Loom, the property tests and the fuzz targets
//! compile it unchanged.

/// Evaluates to whether a named mistake is planted at this point. Always false, except in a loom
/// build that was asked for this mistake. `cargo xtask loom` plants each mistake in turn and
/// expects a model to fail.
macro_rules! mutation {
    ($name:literal) => {
        cfg!(async_io_loom) && $crate::core::sync::is_planted($name)
    };
}

pub(crate) mod clock;
pub(crate) mod park;
pub(crate) mod presence;
pub(crate) mod registry;
pub(crate) mod roles;
pub(crate) mod source;
pub(crate) mod sync;
pub(crate) mod thread_number;
pub(crate) mod timers;
pub(crate) mod wake;
