//! Handles, and the names of reactors.

use super::Driver;
use std::fmt;
use std::hash::{Hash, Hasher};

/// A counted handle of a driver. The driver of the process is not counted.
#[derive(Debug)]
pub(crate) struct Handle(&'static Driver);

impl Handle {
    pub(crate) fn new(driver: &'static Driver) -> Handle {
        driver.add_handle();
        Handle(driver)
    }

    #[inline]
    pub(crate) fn driver(&self) -> &'static Driver {
        self.0
    }
}

impl Clone for Handle {
    fn clone(&self) -> Self {
        Handle::new(self.0)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.remove_handle();
    }
}

impl PartialEq for Handle {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl Eq for Handle {}

impl Hash for Handle {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::ptr::from_ref(self.0).hash(state);
    }
}

/// Names the reactor of a driver in the output of `Debug`.
pub(crate) struct Named(pub(crate) &'static Driver);

impl fmt::Debug for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.name() {
            Some(name) => write!(f, "{name:?}"),
            None => f.write_str("global"),
        }
    }
}
