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

/// Returns what the test programs of one run printed about the tests that failed.
pub(crate) fn failures(output: &str) -> Vec<&str> {
    let mut inside = false;
    output
        .lines()
        .filter(|line| {
            inside |= *line == "failures:";
            inside &= !line.starts_with("test result: ");
            inside
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Tally, failures};

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

    #[test]
    fn failures_of_all_programs_are_found() {
        let output = "\
            test a ... FAILED\n\
            failures:\n\
            ---- a stdout ----\n\
            test result: FAILED. 0 passed; 1 failed\n\
            test b ... ok\n\
            test result: ok. 1 passed; 0 failed\n\
            failures:\n\
            ---- c stdout ----\n\
            test result: FAILED. 0 passed; 1 failed\n";
        let expected = [
            "failures:",
            "---- a stdout ----",
            "failures:",
            "---- c stdout ----",
        ];
        assert_eq!(failures(output), expected);
    }
}
