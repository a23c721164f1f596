//! Starts async-process inside a private reactor, ends that reactor, and checks that child processes
//! still work.
//!
//! With SIGCHLD (`--cfg async_process_force_signal_backend`) async-process has one socket for the
//! whole process. It belongs to the reactor that was current when the first child was started, and
//! keeps that reactor alive. With pidfds, only children that were dropped while they ran do so.
//!
//! async-process is started once in a process, so each case is a process of its own. Exits with 0
//! if all checks pass, with 1 if a check fails, and with 2 if it hangs.

use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use async_io::Reactor;
use async_process::{Command, Stdio};
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol_app::{Check, ensure, exit_if_it_hangs, reactor_threads};

/// A case: its name, and a function that starts async-process in some reactor.
type Case = (&'static str, fn() -> Check);

const CASES: [Case; 3] = [
    ("an-ended-reactor", ended),
    ("an-ended-manual-reactor", ended_manual),
    ("the-global-reactor", global),
];

const USES_SIGNALS: bool = cfg!(async_process_force_signal_backend);

fn main() -> ExitCode {
    exit_if_it_hangs();
    let result = match std::env::args().nth(1) {
        None => run_all(),
        Some(wanted) => match CASES.iter().find(|(name, _)| *name == wanted) {
            Some((_, case)) => case(),
            None => Err(format!("there is no case {wanted}").into()),
        },
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("WRONG {error}");
            ExitCode::FAILURE
        }
    }
}

fn run_all() -> Check {
    let backend = if USES_SIGNALS { "SIGCHLD" } else { "pidfds" };
    for (name, _) in CASES {
        let status = std::process::Command::new(std::env::current_exe()?)
            .arg(name)
            .status()?;
        ensure(status.success(), format!("{name}: {status}"))?;
        println!("ok    async-process with {backend}, started in {name}");
    }
    Ok(())
}

fn ended() -> Check {
    let reactor = Reactor::builder().name("first").build()?;
    reactor.block_on(children())?;
    end(reactor)?;
    still_works()?;
    // The thread async-process waits for the socket, which belongs to the reactor that has ended.
    let threads = reactor_threads()?;
    let runs = threads.iter().any(|name| name == "async-io/first");
    ensure(!USES_SIGNALS || runs, format!("threads: {threads:?}"))
}

/// Without its last handle, the reactor may start a thread.
fn ended_manual() -> Check {
    let reactor = Reactor::builder()
        .name("manual")
        .fallback_thread(false)
        .build()?;
    reactor.block_on(children())?;
    let threads = reactor_threads()?;
    ensure(threads.is_empty(), format!("threads: {threads:?}"))?;
    end(reactor)?;
    still_works()?;
    let threads = reactor_threads()?;
    let runs = threads.iter().any(|name| name == "async-io/manual");
    ensure(!USES_SIGNALS || runs, format!("threads: {threads:?}"))
}

/// The remedy: async-process is started under the global reactor, and a private one can be ended.
fn global() -> Check {
    let global = Reactor::global();
    let entered = global.enter();
    let mut first = Command::new("true").spawn()?;
    drop(entered);
    let reactor = Reactor::builder().name("second").build()?;
    reactor.block_on(async {
        let status = first.status().await?;
        ensure(status.success(), status.to_string())?;
        children().await
    })?;
    drop(first);
    if USES_SIGNALS {
        let threads = reactor_threads()?;
        ensure(
            !threads.iter().any(|name| name.starts_with("async-io/")),
            format!("threads: {threads:?}"),
        )?;
        reactor.close()?;
    }
    still_works()
}

/// Ends a reactor in which async-process was started.
fn end(reactor: Reactor) -> Check {
    match reactor.close() {
        // A child with a pidfd may be in the hands of the thread async-process for a moment longer.
        Err(error) => drop(error.into_reactor()),
        Ok(()) => ensure(!USES_SIGNALS, "nothing keeps the reactor alive")?,
    }
    Ok(())
}

/// Children work in the global reactor and in another private one, and dropped ones are reaped.
fn still_works() -> Check {
    smol::block_on(children())?;
    let reactor = Reactor::new()?;
    reactor.block_on(children())?;
    let dropped = reactor.block_on(async { dropped_child() })?;
    drop(reactor);
    is_reaped(dropped)?;
    smol::block_on(children())
}

async fn children() -> Check {
    for code in [0, 3] {
        // The pause makes the parent wait for the child.
        let script = format!("sleep 0.02; exit {code}");
        let status = Command::new("sh").args(["-c", &script]).status().await?;
        ensure(status.code() == Some(code), status.to_string())?;
    }
    let mut child = Command::new("cat")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut input = child.stdin.take().ok_or("no standard input")?;
    input.write_all(b"hello").await?;
    drop(input);
    let mut output = String::new();
    let mut pipe = child.stdout.take().ok_or("no standard output")?;
    pipe.read_to_string(&mut output).await?;
    ensure(output == "hello", format!("cat returned {output:?}"))?;
    let status = child.status().await?;
    ensure(status.success(), status.to_string())
}

/// Starts a child and drops it while it runs. Returns its id.
fn dropped_child() -> Check<u32> {
    Ok(Command::new("sleep").arg("0.05").spawn()?.id())
}

/// Waits until async-process has reaped this child.
fn is_reaped(child: u32) -> Check {
    while Path::new(&format!("/proc/{child}")).exists() {
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}
