use super::Reactor;
use crate::driver::Uses;
use std::error::Error;
use std::fmt;

/// The error of [`Reactor::close`]: the reactor is still in use.
///
/// `Display` lists what uses it. A call of `block_on` or `turn` in progress and a guard of
/// [`Reactor::enter`] count as handles.
///
/// # Examples
///
/// ```
/// use async_io::Reactor;
///
/// let error = Reactor::global().close().unwrap_err();
/// assert_eq!(error.to_string(), "the global reactor is always in use and cannot be closed");
/// ```
#[derive(Debug)]
pub struct StillInUse {
    reactor: Reactor,
    /// `None` for the global reactor.
    uses: Option<Uses>,
}

impl StillInUse {
    pub(super) fn new(reactor: Reactor, uses: Option<Uses>) -> Self {
        StillInUse { reactor, uses }
    }

    /// Returns the handle on which `close` was called.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Reactor;
    ///
    /// let error = Reactor::global().close().unwrap_err();
    /// assert_eq!(error.into_reactor(), Reactor::global());
    /// ```
    pub fn into_reactor(self) -> Reactor {
        self.reactor
    }
}

impl fmt::Display for StillInUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Some(uses), Some(name)) = (self.uses, self.reactor.driver().name()) else {
            return f.write_str("the global reactor is always in use and cannot be closed");
        };
        write!(f, "the reactor `{name}` is still in use by ")?;
        let kinds = [
            (uses.handles, "other handle"),
            (uses.sources, "I/O object"),
            (uses.timers, "timer"),
        ];
        let mut separator = "";
        for (count, kind) in kinds.into_iter().filter(|(count, _)| *count > 0) {
            let plural = if count == 1 { "" } else { "s" };
            write!(f, "{separator}{count} {kind}{plural}")?;
            separator = ", ";
        }
        Ok(())
    }
}

impl Error for StillInUse {}
