//! The portable back end, which is used on systems without a back end of their own. It also runs on
//! Linux, so it is linted and tested here, on `polling`'s epoll and on its poll(2).

use crate::shell::{self, Outcome};

use lexopt::prelude::*;

/// The name of the option and of the build folder, and the flag that selects the form.
const FORMS: &[(&str, &str)] = &[
    ("portable", "--cfg async_io_portable"),
    ("poll", "--cfg polling_test_poll_backend"),
];

pub(crate) fn run(args: &mut lexopt::Parser) -> Outcome {
    let mut only = None;
    while let Some(argument) = args.next().map_err(|error| error.to_string())? {
        match argument {
            Long("only") => only = Some(shell::text(args.value())?),
            other => return Err(other.unexpected().to_string()),
        }
    }
    if let Some(name) = &only {
        if !FORMS.iter().any(|(known, _)| known == name) {
            return Err(format!(
                "there is no form {name:?} of the portable back end"
            ));
        }
    }

    for (name, flag) in FORMS
        .iter()
        .filter(|(name, _)| only.as_deref().is_none_or(|only| only == *name))
    {
        println!("portable back end: RUSTFLAGS={flag:?}");
        let cargo = |arguments: &[&str]| {
            let mut command = shell::cargo();
            command
                .args(arguments)
                .env("RUSTFLAGS", shell::rustflags(flag));
            command.env("CARGO_TARGET_DIR", shell::target(name));
            shell::run(&mut command)
        };
        cargo(&["clippy", "--all-targets", "--", "-D", "warnings"])?;
        cargo(&["test"])?;
    }
    Ok(())
}
