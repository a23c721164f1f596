//! The programs for this crate and for async-io 2.6.0. This folder is compiled twice, once against
//! each.

use super::async_io;

pub(crate) mod accept;
pub(crate) mod alarms;
pub(crate) mod echo;
pub(crate) mod idle;
pub(crate) mod ping_pong;
pub(crate) mod short;
pub(crate) mod sources;
pub(crate) mod timers;
