//! The rounds before those that count.

/// Returns the number of rounds to make before `count` rounds are measured: a tenth, and at most
/// 100.
///
/// A short run must not consist mostly of its warm-up. A long run must not have a longer one than
/// others: the guards count the instructions of a whole process with two numbers of rounds, and
/// divide the difference of the counts by the difference of the rounds. The warm-up cancels out in
/// that difference only if both runs have the same one. They have at least 1000 rounds each.
pub(crate) fn warm_up(count: u64) -> u64 {
    (count / 10).min(100)
}

#[cfg(test)]
mod tests {
    use super::warm_up;

    #[test]
    fn all_runs_of_the_guards_have_the_same_warm_up() {
        for count in [1000, 3000, 5000, 15_000, 20_000, 60_000] {
            assert_eq!(warm_up(count), 100);
        }
        assert_eq!(warm_up(50), 5);
    }
}
