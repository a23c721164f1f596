//! Shared by the programs: measuring throughput and CPU time, and reading arguments.

use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};

/// Any error ends the program.
pub type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// A reading of the wall clock and the CPU clock.
pub struct Moment {
    wall: Instant,
    cpu: u64,
}

impl Moment {
    pub fn now() -> Moment {
        Moment {
            wall: Instant::now(),
            cpu: cpu_time(),
        }
    }

    /// Prints the throughput and the CPU time per operation since this reading, for `done`
    /// operations. The CPU time is that of all threads of this process.
    pub fn report(&self, done: u64) {
        let wall = self.wall.elapsed().as_nanos() as f64;
        let cpu = (cpu_time() - self.cpu) as f64;
        println!("per_second {}", done as f64 * 1e9 / wall);
        println!("cpu_ns {}", cpu / done as f64);
    }
}

fn cpu_time() -> u64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Returns a command-line argument, parsed.
pub fn argument<T: std::str::FromStr>(index: usize) -> Outcome<T> {
    let text = std::env::args()
        .nth(index)
        .ok_or("an argument is missing")?;
    text.parse()
        .map_err(|_| format!("invalid argument: {text:?}").into())
}
