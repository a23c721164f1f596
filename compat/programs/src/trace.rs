//! What a run leaves, and the comparison of two runs.

use std::collections::BTreeMap;

use crate::object::{Outcome, Value};

/// The result of one step that polled an operation.
#[derive(Clone, Debug)]
pub(crate) struct Polled {
    /// It only asked for readiness.
    pub(crate) readiness: bool,
    pub(crate) outcome: Option<Outcome>,
    /// The kernel said ready before or after.
    pub(crate) ready: bool,
    /// This poll, or an earlier one in the same step, was pending although the kernel said ready before.
    pub(crate) skips: bool,
    /// The kernel's word was not conclusive.
    pub(crate) excused: bool,
}

/// What a program has done on one library.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    polls: BTreeMap<usize, Polled>,
    done: BTreeMap<usize, Outcome>,
    /// All steps have been taken.
    pub(crate) ends: bool,
    pub(crate) received: Vec<u64>,
    pub(crate) wakes: [usize; 3],
}

impl Trace {
    /// Records a poll. Of several in one step, the last one counts. What is polled after the last step, and how often,
    /// depends on the wake-ups.
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

/// How two runs of the same program agree, and how often a difference was allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Agreement {
    /// Polls with the same result.
    pub same: u64,
    /// Difference 1: readiness that the replacement reports in an earlier poll. The kernel says ready then, or has said
    /// so since the operation waits. The published library may need a second turn.
    pub sooner: u64,
    /// Difference 2: readiness that the published library reports from an event that is out of date.
    pub stale: u64,
    /// Difference 3: a poll that is pending because the contract lets a library skip the question. The next one asks.
    /// After such a poll of an operation that transfers data, the rest of the program is not compared.
    pub skipped: u64,
    /// Difference 4: polls of operations that contradict the kernel, which are paused.
    pub paused: u64,
    /// Programs with the same results and more wake-ups in the replacement: its thread has had a turn early.
    pub more_wakes: u64,
    /// Wake-ups in the replacement and in the published library, of programs without such operations.
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
/// The first difference that the contract does not allow.
pub fn compare(ours: &Trace, theirs: &Trace, insists: bool) -> Result<Agreement, String> {
    let mut agreement = Agreement::default();
    for (&step, our) in &ours.polls {
        let Some(their) = theirs.polls.get(&step) else {
            // The future had completed before, which was counted as "sooner" or "skipped".
            continue;
        };
        if our.outcome == their.outcome {
            agreement.same += 1;
        } else if our.excused || their.excused {
            agreement.paused += 1;
            return Ok(agreement);
        } else {
            match (&our.outcome, &their.outcome) {
                // The oracle has checked that the kernel had said ready.
                (Some(_), None) if our.readiness => agreement.sooner += 1,
                (None, Some(_)) if their.readiness && !our.ready => agreement.stale += 1,
                (None, Some(_)) if their.readiness && !insists => agreement.skipped += 1,
                // It may transfer more later in the same step.
                (_, Some(_)) if our.skips && !insists => {
                    agreement.skipped += 1;
                    return Ok(agreement);
                }
                _ => {
                    return Err(format!(
                        "step {step}: the results differ: {our:?} here, {their:?} there"
                    ));
                }
            }
        }
    }
    for (future, outcome) in &theirs.done {
        match ours.done.get(future) {
            Some(our) if our == outcome => {}
            // Readiness that is out of date does not complete a future here.
            None if *outcome == Ok(Value::Ready) => agreement.stale += 1,
            our => return Err(format!("future {future}: {our:?} here, {outcome:?} there")),
        }
    }
    if ours.received != theirs.received {
        return Err(format!(
            "{:?} bytes have arrived here, {:?} there",
            ours.received, theirs.received
        ));
    }
    compare_wakes(ours, theirs, &mut agreement);
    Ok(agreement)
}

/// This crate wakes no more often than the published one. Difference 5: an operation that contradicts the kernel may be
/// woken for each attempt.
fn compare_wakes(ours: &Trace, theirs: &Trace, agreement: &mut Agreement) {
    if ours.polls.values().any(|polled| polled.excused) {
        return;
    }
    agreement.wakes = [ours, theirs].map(|trace| trace.wakes.iter().sum::<usize>() as u64);
    // After a poll that was ready in one library only, or skipped the question, the tasks wait for different events.
    let skips = ours.polls.values().any(|polled| polled.skips);
    let alike = agreement.sooner == 0 && agreement.stale == 0 && !skips;
    agreement.more_wakes += u64::from(alike && agreement.wakes[0] > agreement.wakes[1]);
}
