//! What several scenarios share: the echo load, listeners of several threads, warm-ups, histograms,
//! random orders, threads that repeat an operation, and processes that keep cores awake.

pub(crate) mod client;
pub(crate) mod echo;
pub(crate) mod hasty;
pub(crate) mod lateness;
pub(crate) mod load;
pub(crate) mod shares;
pub(crate) mod shuffle;
pub(crate) mod spinners;
pub(crate) mod tally;
pub(crate) mod threads;
pub(crate) mod warm_up;
