//! The whole test suite under ThreadSanitizer, AddressSanitizer with its leak check, and valgrind's
//! memcheck.
//!
//! Each tool must first find the fault of a tiny program that has one. A tool that reports nothing
//! because it does not work would prove nothing.
//!
//! ThreadSanitizer needs an instrumented standard library. Otherwise the synchronization inside of
//! std looks like races. This takes a compiler with the sources of its own library, which Debian's
//! packages contain, and the runtime of clang, which must precede the objects on the command line
//! of the linker.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use lexopt::prelude::*;

use crate::debian;
use crate::shell::{self, Outcome};
use crate::tally::Tally;

const TARGET: &str = "x86_64-unknown-linux-gnu";

/// A part of the name of a test that a tool cannot judge, and the reason.
type Unfit = (&'static str, &'static str);

struct Tool {
    name: &'static str,
    /// A program with a fault, and the words with which the tool must report it.
    planted: &'static str,
    finding: &'static str,
    prepare: fn() -> Outcome<Setting>,
    /// The fraction of the load that is left to the tests under this tool, which makes them slower.
    stress: &'static str,
    unfit: &'static [Unfit],
}

/// How cargo is called for a tool.
struct Setting {
    program: Vec<String>,
    /// The arguments after the command, such as `test`.
    arguments: &'static [&'static str],
    variables: Vec<(&'static str, String)>,
}

const IDLE: Unfit = (
    "idle::",
    "counts wake-ups of the process, which include those of the tool's own thread",
);

const THREAD_COUNT: Unfit = (
    "reactors_in_sequence_use_the_same_resources",
    "counts the threads of the process, which include the tool's own",
);

const FORKS: Unfit = (
    "forks::",
    "starts threads in a forked child, which the tool does not support",
);

const WITHOUT_THREADS: &str =
    "forbids new threads permanently, and the leak check at the end of a process needs one";

const TOOLS: &[Tool] = &[
    Tool {
        name: "thread",
        planted: RACE,
        finding: "WARNING: ThreadSanitizer: data race",
        prepare: thread,
        stress: "0.1",
        unfit: &[IDLE, THREAD_COUNT, FORKS],
    },
    Tool {
        name: "address",
        planted: LEAK,
        finding: "LeakSanitizer: detected memory leaks",
        prepare: address,
        stress: "0.3",
        unfit: &[
            ("_without_threads", WITHOUT_THREADS),
            (
                "a_pipe_of_another_user_is_refused",
                "gives up its privileges, and the leak check at the end of a process needs them",
            ),
            (
                "an_unmounted_proc_is_an_error",
                "unmounts /proc, which the leak check at the end of a process reads",
            ),
            (
                "nothing_panics_without_poller_threads_and_notifications",
                WITHOUT_THREADS,
            ),
        ],
    },
    Tool {
        name: "memcheck",
        planted: OVERRUN,
        finding: "Invalid read of size",
        prepare: memcheck,
        stress: "0.02",
        unfit: &[(
            "a_pidfd_is_a_source",
            "valgrind 3.19 does not know the system call",
        )],
    },
];

// The threads meet a thousand times. Otherwise one thread may end before the other one runs on a
// busy machine, and the race goes unnoticed.
const RACE: &str = "
use std::sync::Barrier;
static mut SHARED: u64 = 0;
fn main() {
    let both = Barrier::new(2);
    let add = || {
        for _ in 0..1000 {
            both.wait();
            for _ in 0..100 {
                unsafe { *(&raw mut SHARED) += 1 }
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(add);
        scope.spawn(add);
    });
}
";

const LEAK: &str = "
fn main() {
    let forgotten = std::hint::black_box(Box::new([1u8; 1000]));
    std::mem::forget(forgotten);
}
";

const OVERRUN: &str = "
fn main() {
    let freed = std::hint::black_box(Box::into_raw(Box::new(7u64)));
    drop(unsafe { Box::from_raw(freed) });
    println!(\"{}\", unsafe { freed.read_volatile() });
}
";

pub(crate) fn run(args: &mut lexopt::Parser) -> Outcome {
    let mut only = None;
    while let Some(argument) = args.next().map_err(|error| error.to_string())? {
        match argument {
            Long("only") => only = Some(shell::text(args.value())?),
            other => return Err(other.unexpected().to_string()),
        }
    }
    let wanted = |tool: &&Tool| only.as_deref().is_none_or(|only| only == tool.name);
    let tools: Vec<&Tool> = TOOLS.iter().filter(wanted).collect();
    if tools.is_empty() {
        return Err(format!(
            "there is no tool {only:?}; the tools are thread, address and memcheck"
        ));
    }
    for tool in tools {
        let setting = (tool.prepare)()?;
        plant(tool, &setting)?;
        test(tool, &setting)?;
    }
    Ok(())
}

impl Setting {
    fn cargo(&self, tool: &Tool, command: &str, folder: &Path) -> Command {
        let mut cargo = match self.program.split_first() {
            Some((program, rest)) => {
                let mut cargo = Command::new(program);
                cargo.args(rest);
                for variable in ["RUSTC", "RUSTDOC", "RUSTUP_TOOLCHAIN"] {
                    cargo.env_remove(variable);
                }
                cargo
            }
            None => shell::cargo(),
        };
        cargo.current_dir(folder).arg(command).args(self.arguments);
        cargo.args(["--target", TARGET]);
        cargo.env(
            "CARGO_TARGET_DIR",
            shell::target(&format!("sanitize-{}", tool.name)),
        );
        cargo.envs(self.variables.iter().map(|(name, value)| (name, value)));
        cargo
    }
}

/// Checks that the tool finds the fault of a program that has one.
fn plant(tool: &Tool, setting: &Setting) -> Outcome {
    let folder = shell::target("sanitize").join(tool.name);
    shell::fresh_dir(&folder.join("src"))?;
    let manifest =
        "[package]\nname = \"planted\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n";
    shell::write(&folder.join("Cargo.toml"), manifest)?;
    shell::write(&folder.join("src/main.rs"), tool.planted)?;
    let log = folder.join("planted.log");
    let passed = shell::run_logged(&mut setting.cargo(tool, "run", &folder), &log)?;
    if passed || !shell::read(&log)?.contains(tool.finding) {
        println!("{}", shell::tail(&log, 30));
        return Err(format!("{}: the planted fault was not reported", tool.name));
    }
    println!(
        "{}: the planted fault is reported: {}",
        tool.name, tool.finding
    );
    Ok(())
}

fn test(tool: &Tool, setting: &Setting) -> Outcome {
    let log = shell::target("sanitize").join(format!("{}.log", tool.name));
    // A test runs the examples. With `--tests`, cargo does not build them.
    let mut cargo = setting.cargo(tool, "build", &shell::root());
    if !shell::run_logged(cargo.arg("--examples"), &log)? {
        println!("{}", shell::tail(&log, 30));
        return Err(format!("{}: the examples were not built", tool.name));
    }
    let mut cargo = setting.cargo(tool, "test", &shell::root());
    cargo.args(["--lib", "--tests", "--no-fail-fast", "--"]);
    cargo.env("ASYNC_IO_STRESS", tool.stress);
    for (name, reason) in tool.unfit {
        println!("{}: without {name}: {reason}", tool.name);
        cargo.args(["--skip", name]);
    }
    let passed = shell::run_logged(&mut cargo, &log)?;
    let output = shell::read(&log)?;
    let tally = Tally::of(&output);
    if !passed || output.contains(tool.finding) || tally.passed == 0 {
        for line in output
            .lines()
            .filter(|line| line.ends_with(" ... FAILED") || line.contains("SUMMARY: "))
        {
            println!("{line}");
        }
        return Err(format!(
            "{}: {tally}; the full output is in {}",
            tool.name,
            log.display()
        ));
    }
    println!("{}: {tally}, nothing reported", tool.name);
    Ok(())
}

fn thread() -> Outcome<Setting> {
    debian::install(&["rustc-web", "rust-web-src", "libclang-rt-22-dev"])?;
    let runtime =
        PathBuf::from("/usr/lib/llvm-22/lib/clang/22/lib/linux/libclang_rt.tsan-x86_64.a");
    fs::metadata(&runtime).map_err(|error| format!("{}: {error}", runtime.display()))?;
    let runtime = runtime.display();
    let flags = format!(
        "-Z sanitizer=thread -Z external-clangrt -Z pre-link-args=-Wl,--whole-archive \
         -Z pre-link-args={runtime} -Z pre-link-args=-Wl,--no-whole-archive -C link-arg=-lm \
         -C link-arg=-lrt -C link-arg=-ldl -C link-arg=-lpthread"
    );
    Ok(Setting {
        program: Vec::new(),
        arguments: &["-Z", "build-std"],
        variables: vec![
            ("RUSTC_BOOTSTRAP", "1".into()),
            ("RUSTC", "/usr/bin/rustc".into()),
            ("RUSTFLAGS", flags),
        ],
    })
}

fn address() -> Outcome<Setting> {
    let program = ["rustup", "run", "nightly", "cargo"]
        .map(String::from)
        .to_vec();
    shell::capture(Command::new("rustup").args(["run", "nightly", "cargo", "--version"])).map_err(
        |error| format!("{error}; `rustup toolchain install nightly` installs the compiler"),
    )?;
    Ok(Setting {
        program,
        arguments: &[],
        variables: vec![
            ("RUSTFLAGS", "-Z sanitizer=address".into()),
            ("ASAN_OPTIONS", "detect_leaks=1".into()),
        ],
    })
}

fn memcheck() -> Outcome<Setting> {
    debian::need("valgrind", "valgrind")?;
    // Only memory that nothing points to any more is a leak. What the library keeps for its one
    // reactor stays until the end.
    let runner = "valgrind --quiet --error-exitcode=9 --leak-check=full --show-leak-kinds=definite \
                  --errors-for-leak-kinds=definite --fair-sched=yes";
    Ok(Setting {
        program: Vec::new(),
        arguments: &[],
        variables: vec![
            (
                "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER",
                runner.into(),
            ),
            // The tests run fifty times slower, so there are fewer cases.
            ("PROPTEST_CASES", "8".into()),
        ],
    })
}
