//! Pseudo-random numbers and delays.

/// A generator of small pseudo-random numbers, with the same sequence in every run.
pub(crate) struct Noise(u64);

impl Noise {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// Returns a number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % bound
    }

    /// Spins for nanoseconds to microseconds, so that two threads meet at varying points.
    pub(crate) fn dawdle(&mut self) {
        for _ in 0..self.below(2000) {
            std::hint::spin_loop();
        }
    }
}
