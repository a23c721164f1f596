//! The record of a run, and the comparison of two runs.

use std::collections::BTreeMap;

use crate::object::{Outcome, Value};

/// The result of one step that polled an operation.
#[derive(Clone, Debug)]
pub(crate) struct Polled {
    /// Whether the operation only asked for readiness.
    pub(crate) readiness: bool,
    pub(crate) outcome: Option<Outcome>,
    /// Whether the kernel reported readiness before or after the poll.
    pub(crate) ready: bool,
    /// Whether this poll, or an earlier one in the same step, was pending although the kernel had
    /// reported readiness.
    pub(crate) skips: bool,
    /// Whether the kernel's report was inconclusive.
    pub(crate) excused: bool,
}

/// The record of one program on one library.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    polls: BTreeMap<usize, Polled>,
    done: BTreeMap<usize, Outcome>,
    /// Whether all steps have been run.
    pub(crate) ends: bool,
    pub(crate) received: Vec<u64>,
    pub(crate) wakes: [usize; 3],
}

impl Trace {
    /// Records a poll. The last poll of a step counts. Polls after the last step are not recorded,
    /// because they depend on the wake-ups.
    pub(crate) fn polled(&mut self, step: usize, mut polled: Polled) {
        if self.ends {
            return;
        }
        let former = self.polls.get(&step);
        polled.skips |= former.is_some_and(|former| former.skips);
        self.polls.insert(step, polled);
    }

    pub(crate) fn done(&mut self, future: usize, outcome: Outcome) {
        self.done.insert(future, outcome);
    }
}

/// The agreement of two runs of the same program, with the number of allowed differences.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Agreement {
    /// Polls with the same result.
    pub same: u64,
    /// Allowed: the replacement reports readiness in an earlier poll. The kernel reports readiness
    /// then, or has reported it since the operation began to wait. The published library may need a
    /// second turn.
    pub sooner: u64,
    /// Allowed: the published library reports readiness because of an outdated event.
    pub stale: u64,
    /// Allowed: a poll is pending because a library may skip the system call. The next poll makes
    /// it. After such a poll of an operation that transfers data, the rest of the program is not
    /// compared.
    pub skipped: u64,
    /// Allowed: polls of operations that contradict the kernel differ, because such operations are
    /// paused.
    pub paused: u64,
    /// Programs with the same results but more wake-ups in the replacement, because its thread ran
    /// a turn early.
    pub more_wakes: u64,
    /// The wake-ups in the replacement and in the published library. Programs with operations that
    /// contradict the kernel are not included.
    pub wakes: [u64; 2],
}

impl Agreement {
    /// Adds the counts of another program.
    pub fn add(&mut self, other: &Agreement) {
        self.same += other.same;
        self.sooner += other.sooner;
        self.stale += other.stale;
        self.skipped += other.skipped;
        self.paused += other.paused;
        self.more_wakes += other.more_wakes;
        self.wakes[0] += other.wakes[0];
        self.wakes[1] += other.wakes[1];
    }
}

/// Compares the replacement with the published library.
///
/// # Errors
///
/// Returns the first difference that is not allowed.
pub fn compare(ours: &Trace, theirs: &Trace, insists: bool) -> Result<Agreement, String> {
    let mut agreement = Agreement::default();
    for (&step, our) in &ours.polls {
        let Some(their) = theirs.polls.get(&step) else {
            // The future completed in an earlier poll, which was counted as `sooner` or `skipped`.
            continue;
        };
        if our.outcome == their.outcome {
            agreement.same += 1;
        } else if our.excused || their.excused {
            agreement.paused += 1;
            return Ok(agreement);
        } else {
            match (&our.outcome, &their.outcome) {
                // The oracle has checked that the kernel reported readiness.
                (Some(_), None) if our.readiness => agreement.sooner += 1,
                (None, Some(_)) if their.readiness && !our.ready => agreement.stale += 1,
                (None, Some(_)) if their.readiness && !insists => agreement.skipped += 1,
                // The operation may transfer more data later in the same step.
                (_, Some(_)) if our.skips && !insists => {
                    agreement.skipped += 1;
                    return Ok(agreement);
                }
                _ => {
                    return Err(format!(
                        "step {step}: the results differ: {our:?} in the replacement, {their:?} in \
                         the published library"
                    ));
                }
            }
        }
    }
    for (future, outcome) in &theirs.done {
        match ours.done.get(future) {
            Some(our) if our == outcome => {}
            // Outdated readiness does not complete a future in the replacement.
            None if *outcome == Ok(Value::Ready) => agreement.stale += 1,
            our => {
                return Err(format!(
                    "future {future}: {our:?} in the replacement, {outcome:?} in the published library"
                ));
            }
        }
    }
    if ours.received != theirs.received {
        return Err(format!(
            "{:?} bytes arrived in the replacement, {:?} in the published library",
            ours.received, theirs.received
        ));
    }
    compare_wakes(ours, theirs, &mut agreement);
    Ok(agreement)
}

/// Counts the wake-ups of both runs. The replacement must not wake tasks more often than the
/// published library. Programs with operations that contradict the kernel are not counted, because
/// such an operation may be woken for each attempt.
fn compare_wakes(ours: &Trace, theirs: &Trace, agreement: &mut Agreement) {
    if ours.polls.values().any(|polled| polled.excused) {
        return;
    }
    agreement.wakes = [ours, theirs].map(|trace| trace.wakes.iter().sum::<usize>() as u64);
    // After a poll that was ready in only one library, or that skipped the system call, the tasks
    // wait for different events.
    let skips = ours.polls.values().any(|polled| polled.skips);
    let alike = agreement.sooner == 0 && agreement.stale == 0 && !skips;
    agreement.more_wakes += u64::from(alike && agreement.wakes[0] > agreement.wakes[1]);
}
