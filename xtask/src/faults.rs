//! Faults of the system and of the program. The recipe runs the tests that cause them, by name, and
//! prints what the user gets. It fails if a test fails or is missing.

use crate::shell::{self, Outcome};

/// A fault, what the user gets, and the tests that show both and that nothing else is lost, as
/// `program::test`.
struct Fault {
    name: &'static str,
    result: &'static str,
    tests: &'static [&'static str],
}

const fn fault(name: &'static str, result: &'static str, tests: &'static [&'static str]) -> Fault {
    Fault {
        name,
        result,
        tests,
    }
}

const FAULTS: &[Fault] = &[
    fault(
        "EINTR, signals all the time",
        "nothing: waits continue, deadlines stay",
        &[
            "faults::signals::continuous_signals_lose_no_wake_up",
            "traps::timers::interrupted_waits_keep_their_deadline",
        ],
    ),
    fault(
        "EMFILE, ENFILE from accept",
        "the error, each time; the connection stays in the queue",
        &[
            "traps::errors::accept_without_descriptors_loses_no_connection",
            "faults::limits::enfile_from_accept_loses_no_connection",
        ],
    ),
    fault(
        "EMFILE, ENFILE for the poller",
        "registrations get the error; timers and block_on continue",
        &[
            "traps::errors::a_lack_of_descriptors_fails_registrations_temporarily",
            "faults::limits::enfile_from_epoll_create_fails_only_registrations",
        ],
    ),
    fault(
        "ENFILE for the eventfd",
        "as for the poller",
        &["faults::limits::enfile_from_eventfd_fails_only_registrations"],
    ),
    fault(
        "ENFILE for the timerfd",
        "nothing: another clock is used",
        &["faults::limits::enfile_from_timerfd_has_no_effect"],
    ),
    fault(
        "ENOSYS, EPERM for epoll_pwait2",
        "nothing",
        &[
            "traps::sandbox::everything_works_without_epoll_pwait2",
            "traps::sandbox::everything_works_with_the_oldest_calls_only",
        ],
    ),
    fault(
        "ENOSYS, EPERM for timerfd",
        "nothing: another clock is used",
        &[
            "traps::sandbox::everything_works_without_timerfd",
            "traps::sandbox::everything_works_if_timerfd_is_forbidden",
        ],
    ),
    fault(
        "ENOSYS, EPERM for eventfd",
        "nothing: a pipe is used",
        &[
            "traps::sandbox::everything_works_without_eventfd",
            "traps::sandbox::everything_works_if_eventfd_is_forbidden",
        ],
    ),
    fault(
        "ENOSYS for epoll itself",
        "registrations get the error; timers and block_on continue",
        &["traps::sandbox::only_registrations_fail_without_epoll"],
    ),
    fault(
        "notifications fail",
        "nothing: the wait ends by itself",
        &[
            "traps::own::failing_notifications_do_not_end_the_process",
            "traps::interrupts::a_full_notification_counter_still_interrupts_the_wait",
        ],
    ),
    fault(
        "ENOSPC from epoll_ctl",
        "an error that names the limit; its object is closed",
        &[
            "faults::epoll_ctl::enospc_at_registration_is_an_error_that_names_the_limit",
            "faults::epoll_ctl::enospc_at_rearming_affects_only_the_operation_that_rearms",
        ],
    ),
    fault(
        "EEXIST from epoll_ctl",
        "AlreadyExists; the first registration stays valid",
        &["faults::epoll_ctl::eexist_at_registration_leaves_the_first_source_working"],
    ),
    fault(
        "no thread can be started",
        "waits outside of block_on get an error that says why",
        &[
            "traps::sandbox::only_foreign_waits_for_io_fail_without_threads",
            "traps::sandbox::a_self_waking_future_does_not_starve_foreign_waits_without_threads",
        ],
    ),
    fault(
        "no poller, no thread, no notification",
        "errors; timers fire",
        &["traps::errors::nothing_panics_without_poller_threads_and_notifications"],
    ),
    fault(
        "descriptors of the user closed",
        "an error, or the end of the wait; other sources are not affected",
        &[
            "traps::identity::a_descriptor_closed_by_other_code_affects_only_its_source",
            "traps::identity::waits_for_a_closed_descriptor_end",
            "traps::identity::a_failing_rearm_loses_no_wake_up",
        ],
    ),
    fault(
        "descriptors reused and copied",
        "no event of another object",
        &[
            "traps::identity::events_of_a_dropped_source_do_not_reach_its_successor",
            "traps::identity::events_of_a_copy_of_a_dropped_source_are_ignored",
            "traps::identity::removing_one_of_two_copies_leaves_the_other_working",
        ],
    ),
    fault(
        "wakers that panic",
        "the panic is caught, the others are woken",
        &[
            "traps::reentry::a_panicking_waker_does_not_keep_others_from_being_called",
            "driver::thread::the_thread_survives_panics_of_wakers",
        ],
    ),
    fault(
        "wakers that call the library",
        "the calls work as anywhere else",
        &[
            "traps::reentry::a_woken_waker_may_use_the_library",
            "driver::hangs::wakers_may_call_block_on",
        ],
    ),
    fault(
        "wakers that block",
        "the rest of their turn waits for a millisecond, until another thread calls it",
        &["faults::wakers::slow_wakers_do_not_delay_other_waits_without_bound"],
    ),
    fault(
        "wakers dropped or woken late",
        "nothing",
        &[
            "faults::wakers::wakers_may_outlive_their_thread",
            "faults::wakers::a_waker_left_with_a_source_is_dropped_with_it",
            "traps::reentry::a_dropped_waker_may_own_timers_and_sources",
        ],
    ),
    fault(
        "a stopped clock",
        "timers fire when it runs again; I/O does not wait for it",
        &["faults::clock::a_stopped_clock_delays_timers_and_nothing_else"],
    ),
    fault(
        "fork with a live reactor",
        "the child has its own reactor; its parent is not affected",
        &[
            "traps::identity::drops_in_a_forked_child_do_not_affect_the_parent",
            "faults::process::a_forked_child_has_a_reactor_of_its_own",
        ],
    ),
    fault(
        "descriptors of the crate closed",
        "they are made again; waiting tasks try again",
        &[
            "traps::own::foreign_waits_end_if_the_set_of_sources_is_closed",
            "traps::own::waits_in_block_on_end_if_the_set_of_sources_is_closed",
            "traps::own::foreign_waits_end_if_all_our_descriptors_are_closed",
            "faults::process::new_waits_work_after_all_descriptors_are_closed",
        ],
    ),
];

pub(crate) fn run() -> Outcome {
    let log = shell::target("faults").with_extension("log");
    let mut passed = Vec::new();
    for program in ["faults", "traps", "driver"] {
        let prefix = format!("{program}::");
        let names = FAULTS.iter().flat_map(|fault| fault.tests);
        let names: Vec<&str> = names
            .filter_map(|name| name.strip_prefix(&prefix))
            .collect();
        let mut cargo = shell::cargo();
        cargo
            .args(["test", "--test", program, "--", "--exact"])
            .args(&names);
        shell::run_logged(&mut cargo, &log)?;
        let output = shell::read(&log)?;
        let lines = output.lines().filter_map(|line| line.strip_prefix("test "));
        let ok = lines.filter_map(|line| line.strip_suffix(" ... ok"));
        passed.extend(ok.map(|name| format!("{prefix}{name}")));
        if !names
            .iter()
            .all(|name| passed.contains(&format!("{prefix}{name}")))
        {
            println!("{}", shell::tail(&log, 60));
        }
    }
    let mut failed = Vec::new();
    println!("\n{:38} | {:56} | tests", "fault", "what the user gets");
    for fault in FAULTS {
        let missing: Vec<&&str> = fault
            .tests
            .iter()
            .filter(|name| !passed.iter().any(|it| it == **name))
            .collect();
        let verdict = match missing.len() {
            0 => format!("{} passed", fault.tests.len()),
            _ => format!("FAILED: {missing:?}"),
        };
        println!("{:38} | {:56} | {verdict}", fault.name, fault.result);
        failed.extend(missing.iter().map(|name| **name));
    }
    if failed.is_empty() {
        println!("\n{} faults, {} tests passed", FAULTS.len(), passed.len());
        Ok(())
    } else {
        Err(format!(
            "these failed or are missing: {}",
            failed.join(", ")
        ))
    }
}
