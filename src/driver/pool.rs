//! The drivers that were used by former private reactors, for the next ones.
//!
//! A driver is *leaving* from the moment when nothing uses it until its fallback thread has ended. A new
//! reactor waits for a leaving driver before it creates one. So a program pays for the largest number of
//! reactors that exist at once, even if it creates reactors faster than threads end.
//!
//! A thread may end late, because it is inside a waker. Then one new reactor waits without success, and the next
//! ones do not wait for the same threads.

use super::Driver;
use crate::core::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

/// How long a new reactor waits.
const PATIENCE: Duration = Duration::from_millis(100);

#[derive(Debug, Default)]
pub(super) struct Pool {
    drivers: Mutex<Drivers>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Drivers {
    vacant: Vec<&'static Driver>,
    /// The number of drivers that become vacant soon.
    leaving: usize,
}

impl Pool {
    /// Takes a vacant driver, or waits for one that is leaving.
    pub(super) fn take(&self) -> Option<&'static Driver> {
        let mut start = None;
        let mut drivers = self.drivers.lock();
        loop {
            if let Some(driver) = drivers.vacant.pop() {
                return Some(driver);
            }
            if drivers.leaving == 0 {
                return None;
            }
            let waited = start.get_or_insert_with(Instant::now).elapsed();
            let Some(rest) = PATIENCE.checked_sub(waited) else {
                drivers.leaving = 0;
                return None;
            };
            drivers = self.changed.wait_timeout(drivers, rest);
        }
    }

    /// Announces a driver that becomes vacant soon.
    pub(super) fn expect(&self) {
        self.drivers.lock().leaving += 1;
    }

    /// Adds a driver that was expected, and is vacant now.
    pub(super) fn add(&self, driver: &'static Driver) {
        let mut drivers = self.drivers.lock();
        drivers.leaving = drivers.leaving.saturating_sub(1);
        drivers.vacant.push(driver);
        drop(drivers);
        // All, because one of them may find that there is nothing to wait for any more.
        self.changed.notify_all();
    }

    /// Adds a driver that could not be used. It is taken before the others.
    pub(super) fn put_first(&self, driver: &'static Driver) {
        self.drivers.lock().vacant.push(driver);
    }

    /// Adds a driver that could not be used. It is taken after the others.
    pub(super) fn put_last(&self, driver: &'static Driver) {
        self.drivers.lock().vacant.insert(0, driver);
    }
}
