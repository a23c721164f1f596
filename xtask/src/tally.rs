//! The number of tests that ran, read from the output of `cargo test`.

use std::fmt;

/// The sum over all test programs of one run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) ignored: usize,
}

impl Tally {
    pub(crate) fn of(output: &str) -> Tally {
        let mut tally = Tally::default();
        for line in output
            .lines()
            .filter_map(|line| line.trim().strip_prefix("test result: "))
        {
            // "ok. 3 passed; 0 failed; 1 ignored; 0 measured; ..."
            for part in line
                .split_once(". ")
                .map_or("", |(_, counts)| counts)
                .split("; ")
            {
                let Some((count, what)) = part.split_once(' ') else {
                    continue;
                };
                let Ok(count) = count.parse::<usize>() else {
                    continue;
                };
                match what {
                    "passed" => tally.passed += count,
                    "failed" => tally.failed += count,
                    "ignored" => tally.ignored += count,
                    _ => {}
                }
            }
        }
        tally
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally {
            passed,
            failed,
            ignored,
        } = self;
        write!(f, "{passed} passed, {failed} failed")?;
        if *ignored > 0 {
            write!(f, ", {ignored} ignored")
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Tally;

    #[test]
    fn sums_up_all_programs_of_a_run() {
        let output = "\
            test a ... ok\n\
            test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
            test result: FAILED. 2 passed; 4 failed; 0 ignored; 0 measured; 9 filtered out; finished in 1.00s\n";
        let tally = Tally::of(output);
        assert_eq!(
            tally,
            Tally {
                passed: 5,
                failed: 4,
                ignored: 1
            }
        );
        assert_eq!(tally.to_string(), "5 passed, 4 failed, 1 ignored");
    }
}
