//! Random orders that are the same in every run and for every implementation.

/// A xorshift generator. It is good enough to make memory accesses unpredictable.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new() -> Random {
        Random(0x9e37_79b9_7f4a_7c15)
    }

    /// Returns the generator of one of several threads.
    pub(crate) fn of_thread(index: u64) -> Random {
        let mut random = Random((index + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        // Small seeds have similar first numbers.
        for _ in 0..8 {
            random.below(1);
        }
        random
    }

    /// Returns a number below `limit`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// Returns the numbers below `count`, in random order.
pub(crate) fn order(count: u64) -> Vec<usize> {
    let mut random = Random::new();
    let mut order: Vec<usize> = (0..count as usize).collect();
    for last in (1..order.len()).rev() {
        order.swap(last, random.below(last as u64 + 1) as usize);
    }
    order
}
