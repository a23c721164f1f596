use super::Reactor;
use crate::driver::handle::Handle;
use crate::driver::local;
use std::fmt;
use std::marker::PhantomData;

/// Makes a reactor the current one of a thread. Returned by [`Reactor::enter`].
///
/// # Examples
///
/// ```
/// use async_io::Reactor;
///
/// # fn main() -> std::io::Result<()> {
/// let reactor = Reactor::new()?;
/// let entered = reactor.enter();
/// assert_eq!(Reactor::current(), reactor);
/// drop(entered);
/// assert_eq!(Reactor::current(), Reactor::global());
/// # Ok(())
/// # }
/// ```
#[must_use = "the reactor is left when the guard is dropped"]
pub struct Entered<'a> {
    reactor: &'a Reactor,
    _scope: local::Scope,
    /// The entry belongs to one thread.
    _not_send: PhantomData<*mut ()>,
}

impl<'a> Entered<'a> {
    pub(super) fn new(reactor: &'a Reactor) -> Self {
        Entered {
            reactor,
            _scope: local::Scope::new(Handle::clone(&reactor.handle)),
            _not_send: PhantomData,
        }
    }
}

impl fmt::Debug for Entered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Entered").field(self.reactor).finish()
    }
}
