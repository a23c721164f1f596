//! Any descriptor that can be polled works: here inotify, which reports changes in a folder (Linux).
//!
//! `Async<OwnedFd>` knows nothing about inotify. `read_with` runs our closure, and while the closure says
//! `WouldBlock` it waits until the descriptor is readable and runs it again.
//!
//!     cargo run --example inotify                # watches a new folder while three changes are made in it
//!     cargo run --example inotify -- /tmp        # watches /tmp until interrupted

use std::process::ExitCode;

fn main() -> ExitCode {
    let path = std::env::args_os().nth(1);
    if std::env::args_os().len() > 2
        || path
            .as_ref()
            .is_some_and(|path| path.to_string_lossy().starts_with('-'))
    {
        println!(
            "usage: inotify [FOLDER]\n\nReports the changes in FOLDER, or in a new folder that it plays with."
        );
        return if path.is_some_and(|path| path == "--help") {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(2)
        };
    }
    match platform::watch(path.map(Into::into)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("inotify: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(target_os = "linux")]
mod platform {
    use std::mem::MaybeUninit;
    use std::os::fd::OwnedFd;
    use std::path::{Path, PathBuf};
    use std::{fs, io};

    use async_io::{Async, block_on};
    use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

    pub(crate) fn watch(folder: Option<PathBuf>) -> io::Result<()> {
        let Some(folder) = folder else {
            let folder = tempfile::tempdir()?;
            let watcher = watcher(folder.path())?;
            change(folder.path())?;
            return block_on(report(&watcher, 4));
        };
        let watcher = watcher(&folder)?;
        println!("watching {}, stop with Ctrl-C", folder.display());
        block_on(report(&watcher, usize::MAX))
    }

    fn watcher(folder: &Path) -> io::Result<Async<OwnedFd>> {
        let descriptor = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        let flags =
            WatchFlags::CREATE | WatchFlags::DELETE | WatchFlags::MOVE | WatchFlags::CLOSE_WRITE;
        inotify::add_watch(&descriptor, folder, flags).map_err(|error| {
            io::Error::other(format!("cannot watch {}: {error}", folder.display()))
        })?;
        // The descriptor is nonblocking already, so `Async` need not make it so.
        Async::new_nonblocking(descriptor)
    }

    async fn report(watcher: &Async<OwnedFd>, count: usize) -> io::Result<()> {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        // One `read` returns several events: the reader keeps the rest and asks the system only when it has none.
        let mut reader = inotify::Reader::new(watcher.get_ref(), &mut buffer);
        for _ in 0..count {
            let line = watcher.read_with(|_| {
                let event = reader.next()?;
                Ok(format!(
                    "{:?} {:?}",
                    event.events(),
                    event.file_name().unwrap_or_default()
                ))
            });
            println!("{}", line.await?);
        }
        Ok(())
    }

    /// Three changes, four events: created, written, renamed from, renamed to.
    fn change(folder: &Path) -> io::Result<()> {
        fs::write(folder.join("draft"), "text")?;
        fs::rename(folder.join("draft"), folder.join("final"))
    }
}

#[cfg(not(target_os = "linux"))]
mod platform {
    pub(crate) fn watch(_folder: Option<std::path::PathBuf>) -> std::io::Result<()> {
        println!("inotify exists on Linux only.");
        Ok(())
    }
}
