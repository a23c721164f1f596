//! What the programs of this package share.

use std::error::Error;
use std::fs;
use std::thread;
use std::time::Duration;

/// The result of a check. An error says what is wrong.
pub type Check<T = ()> = Result<T, Problem>;
pub type Problem = Box<dyn Error + Send + Sync>;

/// A program that takes this long is reported as hanging.
const PATIENCE: Duration = Duration::from_secs(60);

/// Returns an error with this text unless the condition holds.
pub fn ensure(condition: bool, text: impl Into<String>) -> Check {
    if condition {
        Ok(())
    } else {
        Err(text.into().into())
    }
}

/// Starts a thread that ends the process with 2 if it hangs.
pub fn exit_if_it_hangs() {
    thread::spawn(|| {
        thread::sleep(PATIENCE);
        println!("HANGS");
        std::process::exit(2);
    });
}

/// Returns the names of the threads that reactors have started in this process. Linux shows at most
/// 15 bytes of a name.
pub fn reactor_threads() -> Check<Vec<String>> {
    let mut names = Vec::new();
    for thread in fs::read_dir("/proc/self/task")? {
        // A thread may end before its name is read.
        let name = fs::read_to_string(thread?.path().join("comm")).unwrap_or_default();
        if name.starts_with("async-io") {
            names.push(name.trim_end().to_owned());
        }
    }
    Ok(names)
}
