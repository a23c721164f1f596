use super::Reactor;
use crate::driver::Driver;
use std::io;

/// Creates a private [`Reactor`].
///
/// # Examples
///
/// ```
/// use async_io::Reactor;
///
/// # fn main() -> std::io::Result<()> {
/// let reactor = Reactor::builder().name("ui").fallback_thread(false).build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder creates nothing until `build` is called"]
pub struct Builder {
    name: Option<String>,
    fallback_thread: bool,
}

impl Builder {
    pub(super) fn new() -> Builder {
        Builder {
            name: None,
            fallback_thread: true,
        }
    }

    /// Names the reactor. The default is a number.
    ///
    /// The name appears in the output of `Debug`, and the thread of the reactor is named
    /// `async-io/NAME`. Linux shows the first 15 bytes of that, six of them of the name.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Reactor;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let reactor = Reactor::builder().name("db").build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets whether the reactor may start a thread of its own. The default is true.
    ///
    /// Without it the reactor is *manual*: it never starts a thread. I/O and timers make progress only
    /// while the program is inside [`Reactor::block_on`] or [`Reactor::turn`], and a wait of any thread
    /// lasts at least until then. Use this for a reactor inside another event loop, or where no thread
    /// may be started.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Reactor;
    /// use std::time::Duration;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let reactor = Reactor::builder().fallback_thread(false).build()?;
    /// reactor.turn(Some(Duration::ZERO))?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn fallback_thread(mut self, allowed: bool) -> Self {
        self.fallback_thread = allowed;
        self
    }

    /// Creates the reactor.
    ///
    /// # Errors
    ///
    /// * [`InvalidInput`](io::ErrorKind::InvalidInput) if the name has a zero byte, which the name of a
    ///   thread cannot have.
    /// * The errors of the system if it refuses to create a poller, for example because no file
    ///   descriptors are left.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Reactor;
    ///
    /// assert!(Reactor::builder().name("a\0b").build().is_err());
    /// ```
    pub fn build(self) -> io::Result<Reactor> {
        if self.name.as_ref().is_some_and(|name| name.contains('\0')) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the name of a reactor contains a zero byte, which the name of its thread cannot have; remove it",
            ));
        }
        Driver::private(self.name, !self.fallback_thread).map(Reactor::with)
    }
}
