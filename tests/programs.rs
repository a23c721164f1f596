//! Random programs over real sockets, pipes and timers, with the kernel as the oracle. See
//! `compat/programs`.
//!
//! `PROPTEST_CASES` sets the number of programs in each setting. A failing program is printed as a
//! list of steps. `cargo xtask differential` runs more programs and compares this crate with the
//! published async-io 2.6.0.

#![cfg(target_os = "linux")]

mod support;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};
use random_programs::{Bytes, Lab, Program, Setting};
use support::procfs::fallback_threads;
use support::*;

random_programs::runtime!(Ours, async_io, published: false);

/// The number of programs per setting if `PROPTEST_CASES` is not set.
const CASES: u32 = 1000;

/// How long a wake-up may take after the first failure, while proptest minimizes the program.
const IMPATIENT: std::time::Duration = std::time::Duration::from_millis(500);

fn programs() -> impl Strategy<Value = Program> {
    let steps = proptest::collection::vec(any::<Bytes>(), 0..32);
    (any::<bool>(), any::<u8>(), steps)
        .prop_map(|(insists, first, steps)| Program::decode(insists, first, &steps))
}

/// Runs programs in one setting, in a process without other threads.
fn run(test: &str, setting: Setting) {
    isolated(test, move || {
        let mut config = Config::default();
        if std::env::var_os("PROPTEST_CASES").is_none() {
            config.cases = CASES;
        }
        config.failure_persistence = None;
        let lab = Lab::<Ours>::new(setting);
        let threads = fallback_threads().len();
        let open = open_objects();
        let result = TestRunner::new(config).run(&programs(), |program| {
            lab.run(&program).map(drop).map_err(|failure| {
                lab.set_patience(IMPATIENT);
                TestCaseError::fail(failure.to_string())
            })
        });
        match result {
            Ok(()) => {}
            Err(TestError::Fail(reason, program)) => panic!("{reason}\n{program}"),
            Err(error) => panic!("{error}"),
        }
        // If all waits belong to `block_on`, no other thread is needed.
        let most = if setting == Setting::Alone { 0 } else { 1 };
        assert!(fallback_threads().len() <= threads + most);
        // The listener of the last TCP pairs and the reactor itself stay open.
        assert!(open_objects() <= open + 8);
    });
}

#[test]
fn random_programs_agree_with_the_kernel_if_all_waits_belong_to_block_on() {
    run(
        "random_programs_agree_with_the_kernel_if_all_waits_belong_to_block_on",
        Setting::Alone,
    );
}

#[test]
fn random_programs_agree_with_the_kernel_inside_block_on() {
    run(
        "random_programs_agree_with_the_kernel_inside_block_on",
        Setting::Inside,
    );
}

#[test]
fn random_programs_agree_with_the_kernel_on_a_thread_that_parks() {
    run(
        "random_programs_agree_with_the_kernel_on_a_thread_that_parks",
        Setting::Parked,
    );
}

#[test]
fn random_programs_agree_with_the_kernel_between_short_calls_of_block_on() {
    run(
        "random_programs_agree_with_the_kernel_between_short_calls_of_block_on",
        Setting::Between,
    );
}
