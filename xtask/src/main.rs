//! Everything that takes more than one cargo command. `cargo xtask help` lists the recipes.
//!
//! Each recipe is one module with one `run` function. A recipe prints what it does, and fails with
//! one sentence that says what failed. It installs the Debian packages that it needs, if that is
//! possible, so that it works on a new machine.

#[cfg(target_os = "linux")]
mod api;
mod compat;
mod debian;
mod deny;
#[cfg(target_os = "linux")]
mod differential;
mod faults;
#[cfg(target_os = "linux")]
mod foreign_loops;
mod fuzz;
mod guards;
mod load;
mod loom;
mod msrv;
mod mutants;
mod package;
#[cfg(unix)]
mod peers;
mod platforms;
mod portable;
#[cfg(unix)]
mod programs;
mod repeat;
mod sanitize;
mod shell;
mod strace_echo;
mod tally;
mod tidy;
mod web;

use std::process::ExitCode;

use lexopt::prelude::*;
use shell::Outcome;

/// A recipe: its name with its arguments, what it does, and the function that runs it.
struct Recipe {
    name: &'static str,
    arguments: &'static str,
    summary: &'static str,
    run: fn(&mut lexopt::Parser) -> Outcome,
}

/// The recipes, in the order in which `help` prints them. A new recipe is a module and a row here.
/// If it must pass for every change, it also gets a stage in `.ci/run`.
const RECIPES: &[Recipe] = &[
    Recipe {
        name: "tidy",
        arguments: "",
        summary: "check layers, line lengths, wording, duplicates, references and commit subjects",
        run: |args| {
            no_more(args)?;
            let names: Vec<&str> = RECIPES.iter().map(|recipe| recipe.name).collect();
            tidy::run(&names)
        },
    },
    Recipe {
        name: "msrv",
        arguments: "",
        summary: "check everything with the oldest supported compiler",
        run: |args| no_more(args).and_then(|()| msrv::run()),
    },
    Recipe {
        name: "portable",
        arguments: "[--only portable|poll]",
        summary: "lint and test with the portable back end, on epoll and on poll(2)",
        run: portable::run,
    },
    Recipe {
        name: "platforms",
        arguments: "[--ci] [--only NAME[,NAME]]",
        summary: "type-check every platform, and test those that can be run here",
        run: platforms::run,
    },
    Recipe {
        name: "loom",
        arguments: "[--models-only | --planted MODEL]",
        summary: "run the models of the pure modules in every interleaving, then with planted mistakes",
        run: loom::run,
    },
    Recipe {
        name: "fuzz",
        arguments: "[--seconds N] [--only TARGET]",
        summary: "run each fuzz target for some seconds",
        run: fuzz::run,
    },
    Recipe {
        name: "guards",
        arguments: "[--only echo] [--write-baseline] | --profile echo [PEER]",
        summary: "compare counts of system calls, allocations, switches and instructions with limits",
        run: guards::run,
    },
    #[cfg(unix)]
    Recipe {
        name: "programs",
        arguments: "[--rounds N]",
        summary: "compare programs of hyper, zbus and quinn, built with this crate and with the published one",
        run: programs::run,
    },
    Recipe {
        name: "faults",
        arguments: "",
        summary: "cause each fault of the system and of the program, and print what the user gets",
        run: |args| no_more(args).and_then(|()| faults::run()),
    },
    Recipe {
        name: "stress",
        arguments: "[--wakeups N] [--seed S]",
        summary: "look for lost wake-ups; ASYNC_IO_STRESS_WAKEUPS sets the number of wake-ups",
        run: load::stress,
    },
    Recipe {
        name: "soak",
        arguments: "[--minutes N] [--connections N] [--timers N] [--seed S]",
        summary: "run ten thousand connections and a million timers for some minutes",
        run: load::soak,
    },
    #[cfg(unix)]
    Recipe {
        name: "peers",
        arguments: "",
        summary: "run the echo and web examples with slow, hostile and too many peers",
        run: |args| no_more(args).and_then(|()| peers::run()),
    },
    Recipe {
        name: "sanitize",
        arguments: "[--only thread|address|memcheck]",
        summary: "run the tests under ThreadSanitizer, AddressSanitizer and valgrind",
        run: sanitize::run,
    },
    Recipe {
        name: "mutants",
        arguments: "[--file PATH]",
        summary: "change the pure modules one operator at a time; a test must fail each time",
        run: mutants::run,
    },
    Recipe {
        name: "deny",
        arguments: "",
        summary: "check licences, versions, origins and reasons of all dependencies",
        run: |args| no_more(args).and_then(|()| deny::run()),
    },
    #[cfg(target_os = "linux")]
    Recipe {
        name: "api",
        arguments: "[--write]",
        summary: "compare the public API with its committed listing and with the published crate",
        run: api::run,
    },
    Recipe {
        name: "compat",
        arguments: "[--only NAME]",
        summary: "run dependents and their published test suites on this crate",
        run: compat::run,
    },
    #[cfg(target_os = "linux")]
    Recipe {
        name: "differential",
        arguments: "[--programs N] [--seed S] [--jobs J]",
        summary: "run random programs on this crate and on the published 2.6.0, and compare the results",
        run: differential::run,
    },
    #[cfg(target_os = "linux")]
    Recipe {
        name: "foreign-loops",
        arguments: "",
        summary: "run a reactor inside the event loops of calloop and GLib",
        run: |args| no_more(args).and_then(|()| foreign_loops::run()),
    },
    Recipe {
        name: "web",
        arguments: "",
        summary: "serve files with the web example to curl and to a load generator",
        run: |args| no_more(args).and_then(|()| web::run()),
    },
    Recipe {
        name: "package",
        arguments: "",
        summary: "build the package as it would be published, and fail on a warning",
        run: |args| no_more(args).and_then(|()| package::run()),
    },
    Recipe {
        name: "strace-echo",
        arguments: "[--requests N] [--connections N]",
        summary: "count the system calls that the echo server makes per request",
        run: strace_echo::run,
    },
    Recipe {
        name: "repeat",
        arguments: "N [-- ARGUMENTS OF CARGO TEST]",
        summary: "run the tests N times, stopping at the first failure",
        run: repeat::run,
    },
];

fn main() -> ExitCode {
    let mut args = lexopt::Parser::from_env();
    match dispatch(&mut args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(args: &mut lexopt::Parser) -> Outcome {
    let name = match args.next().map_err(|error| error.to_string())? {
        None | Some(Long("help") | Short('h')) => "help".into(),
        Some(Value(name)) => name.to_string_lossy().into_owned(),
        Some(other) => return Err(other.unexpected().to_string()),
    };
    if name == "help" {
        help();
        return Ok(());
    }
    match RECIPES.iter().find(|recipe| recipe.name == name) {
        Some(recipe) => (recipe.run)(args),
        None => Err(format!(
            "there is no recipe {name:?}; `cargo xtask help` lists them"
        )),
    }
}

fn help() {
    println!("Usage: cargo xtask RECIPE [ARGUMENTS]\n");
    for recipe in RECIPES {
        println!(
            "  {} {}\n      {}",
            recipe.name, recipe.arguments, recipe.summary
        );
    }
    println!(
        "\nTo run the tests: cargo test. To run everything that a change must pass: bash .ci/run"
    );
}

/// Fails if there are arguments, for recipes that take none.
fn no_more(args: &mut lexopt::Parser) -> Outcome {
    match args.next() {
        Ok(None) => Ok(()),
        Ok(Some(argument)) => Err(argument.unexpected().to_string()),
        Err(error) => Err(error.to_string()),
    }
}
