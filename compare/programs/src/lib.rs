//! What the programs share: how they say what they have used.

use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};

/// Any error ends the program.
pub type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// The clocks at some moment.
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

    /// Prints what this process has used since, all its threads, for so many things done.
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

/// An argument of the program.
pub fn argument<T: std::str::FromStr>(index: usize) -> Outcome<T> {
    let text = std::env::args()
        .nth(index)
        .ok_or("an argument is missing")?;
    text.parse()
        .map_err(|_| format!("{text:?} is not what was expected").into())
}
