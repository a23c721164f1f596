//! What the crate tells about itself with the feature `tracing`. The two files have the same shape, so that nothing else
//! depends on whether the feature is on.

#[cfg(not(feature = "tracing"))]
mod disabled;
#[cfg(feature = "tracing")]
mod enabled;

#[cfg(not(feature = "tracing"))]
pub(crate) use disabled::*;
#[cfg(feature = "tracing")]
pub(crate) use enabled::*;
