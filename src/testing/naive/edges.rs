//! The reactor on the scripted back end, reporting as `Edges`.

pub(super) mod sys {
    pub(crate) use super::super::scripted::{Events, Poller, ask};
    use crate::core::source::Interest;
    use crate::core::source::state::Reporting;
    pub(crate) use crate::sys::Until;

    pub(crate) const REPORTING: Reporting = Reporting::Edges;
    pub(crate) const FIRST_INTEREST: Interest = Interest::READ;
    pub(crate) const FORGETS_IDLE: bool = false;
    pub(crate) const ARMS_IN_SILENCE: bool = false;
}

// Finds its `sys` above.
#[path = "../../reactor/mod.rs"]
#[allow(dead_code)]
pub(super) mod reactor;
