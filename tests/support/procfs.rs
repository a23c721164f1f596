//! Information about this process from `/proc/self`.

use std::fs;
use std::os::fd::RawFd;
use std::thread;
use std::time::{Duration, Instant};

use super::{raw, until};

/// The name of the fallback thread.
const FALLBACK: &str = "async-io";

fn thread_ids() -> Vec<u32> {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    tasks
        .map(|task| task.unwrap().file_name().to_str().unwrap().parse().unwrap())
        .collect()
}

/// Returns the number of threads, including those that have not yet set their name.
pub(crate) fn thread_count() -> usize {
    thread_ids().len()
}

/// Returns the ids of the fallback threads of the global reactor. There should be at most one.
pub(crate) fn fallback_threads() -> Vec<u32> {
    threads_named(FALLBACK)
}

/// Returns the ids of the fallback threads of the private reactor with this name, which must not have
/// more than six bytes. There should be at most one.
pub(crate) fn threads_of(reactor: &str) -> Vec<u32> {
    let name = format!("{FALLBACK}/{reactor}");
    assert!(name.len() <= 15, "Linux would cut the name of the thread");
    threads_named(&name)
}

fn threads_named(name: &str) -> Vec<u32> {
    let named = |id: &u32| {
        // A thread may end between the listing and this read.
        fs::read_to_string(format!("/proc/self/task/{id}/comm"))
            .is_ok_and(|found| found.trim_end() == name)
    };
    thread_ids().into_iter().filter(named).collect()
}

/// Waits until the fallback thread has set its name, and returns its id.
pub(crate) fn fallback_thread() -> u32 {
    until("a thread called async-io", || {
        !fallback_threads().is_empty()
    });
    fallback_threads()[0]
}

/// Returns one line of a thread's status without its label, or `None` if the thread has ended.
pub(crate) fn status(thread: u32, label: &str) -> Option<String> {
    line_of(&format!("/proc/self/task/{thread}/status"), label)
}

/// Returns the same line for the calling thread.
pub(crate) fn own_status(label: &str) -> String {
    line_of("/proc/thread-self/status", label).unwrap()
}

fn line_of(file: &str, label: &str) -> Option<String> {
    let status = fs::read_to_string(file).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(label))?;
    Some(line.trim_start_matches(':').trim().to_owned())
}

/// Returns how often a thread has gone to sleep, which equals the number of its wake-ups.
pub(crate) fn sleeps(thread: u32) -> u64 {
    let count = status(thread, "voluntary_ctxt_switches");
    count.map_or(0, |count| count.parse().unwrap())
}

/// Returns how often all threads of this process have gone to sleep.
pub(crate) fn sleeps_of_all() -> u64 {
    thread_ids().into_iter().map(sleeps).sum()
}

/// Waits until a thread sleeps.
pub(crate) fn wait_until_asleep(thread: u32) {
    until("a sleeping thread", || {
        status(thread, "State").is_some_and(|state| state.starts_with('S'))
    });
}

/// Returns the descriptors of this process, including that of the listing itself.
pub(crate) fn all_descriptors() -> Vec<RawFd> {
    let entries = fs::read_dir("/proc/self/fd").unwrap();
    entries
        .map(|entry| {
            entry
                .unwrap()
                .file_name()
                .to_str()
                .unwrap()
                .parse()
                .unwrap()
        })
        .collect()
}

/// Returns the descriptors of this process of one kind, such as `eventpoll`.
pub(crate) fn descriptors(kind: &str) -> Vec<RawFd> {
    let name = format!("anon_inode:[{kind}]");
    let is_kind = |fd: &RawFd| {
        fs::read_link(format!("/proc/self/fd/{fd}"))
            .is_ok_and(|target| target.to_string_lossy() == name)
    };
    all_descriptors().into_iter().filter(is_kind).collect()
}

/// Returns the highest descriptor number of this process.
pub(crate) fn highest_descriptor() -> RawFd {
    all_descriptors().into_iter().max().unwrap()
}

/// Fails if the process uses CPU time although all of its threads should be asleep. Only meaningful
/// in an isolated process.
pub(crate) fn assert_quiet(what: &str) {
    let (start, used) = (Instant::now(), raw::process_cpu());
    thread::sleep(Duration::from_millis(300));
    let (wall, used) = (start.elapsed(), raw::process_cpu() - used);
    assert!(used * 2 < wall, "{what}: {used:?} of CPU in {wall:?}");
}
