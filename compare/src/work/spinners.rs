//! Processes that keep cores awake, and give way to every other thread.
//!
//! On a virtual machine, a wake-up of an idle core costs 20 to 70 us with any library. That is more
//! than what is measured.

use crate::harness::Outcome;
use crate::harness::job::Job;
use crate::harness::process::{Guarded, in_child, this_program};
use crate::harness::sample::Sample;
use crate::harness::system::{only_when_idle, pin};

/// Spins on one core whenever no other thread wants to run there.
pub(crate) fn spin(core: usize) -> Outcome<()> {
    pin(&[core])?;
    only_when_idle()?;
    loop {
        std::hint::spin_loop();
    }
}

/// Takes a sample while both cores are kept awake.
pub(crate) fn with_cores_awake(job: &Job) -> Outcome<Sample> {
    let start = |core: usize| -> Outcome<Guarded> {
        let mut command = this_program()?;
        Ok(Guarded(
            command.arg("--spin").arg(core.to_string()).spawn()?,
        ))
    };
    let spinners = [start(job.near)?, start(job.far)?];
    let sample = in_child(job);
    drop(spinners);
    sample
}
