//! Programs that put the library under load for minutes or hours. They fail if a wake-up is lost, a
//! byte is wrong, or memory, descriptors or wakers leak. `cargo xtask stress` and
//! `cargo xtask soak` build and run them.
//!
//! * [`stress`]: as many wake-ups as possible, in shapes that are prone to lost wake-ups.
//! * [`soak`]: ten thousand connections and a million timers, for a given time.
//! * [`watchdog`]: detects that a run makes no progress, and prints what is waited for.

#[cfg(target_os = "linux")]
mod soak;
#[cfg(target_os = "linux")]
mod stress;
#[cfg(target_os = "linux")]
mod system;
#[cfg(target_os = "linux")]
mod watchdog;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    let mut args = lexopt::Parser::from_env();
    let result = match args.next() {
        Ok(Some(lexopt::Arg::Value(name))) => match name.to_str() {
            Some("stress") => stress::run(&mut args),
            Some("soak") => soak::run(&mut args),
            Some("soak-server") => soak::server::run(&mut args),
            _ => Err("usage: load stress|soak [OPTION]...".into()),
        },
        _ => Err("usage: load stress|soak [OPTION]...".into()),
    };
    match result {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("load: {message}");
            std::process::ExitCode::FAILURE
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("load: Linux only, because it reads /proc");
}
