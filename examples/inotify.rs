//! Reports changes in a folder with inotify (Linux). `Async` supports any descriptor that can be
//! polled.
//!
//! `Async<OwnedFd>` knows nothing about inotify. `read_with` calls the closure. When the closure
//! returns `WouldBlock`, it waits until the descriptor is readable and calls the closure again.
//!
//!     cargo run --example inotify            # watches a temporary folder and makes changes in it
//!     cargo run --example inotify -- /tmp    # watches /tmp until it is interrupted

use std::process::ExitCode;

fn main() -> ExitCode {
    let path = std::env::args_os().nth(1);
    if std::env::args_os().len() > 2
        || path
            .as_ref()
            .is_some_and(|path| path.to_string_lossy().starts_with('-'))
    {
        println!(
            "usage: inotify [FOLDER]\n\n\
             Reports changes in FOLDER. Without FOLDER, it makes changes in a temporary folder."
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
        // The descriptor is already nonblocking, so `Async` does not have to change its mode.
        Async::new_nonblocking(descriptor)
    }

    async fn report(watcher: &Async<OwnedFd>, count: usize) -> io::Result<()> {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        // One `read` can return several events. The reader buffers them, and makes a system call
        // only when its buffer is empty.
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

    /// Makes changes that cause four events: created, written, renamed from, renamed to.
    fn change(folder: &Path) -> io::Result<()> {
        fs::write(folder.join("draft"), "text")?;
        fs::rename(folder.join("draft"), folder.join("final"))
    }
}

#[cfg(not(target_os = "linux"))]
mod platform {
    pub(crate) fn watch(_folder: Option<std::path::PathBuf>) -> std::io::Result<()> {
        println!("inotify exists only on Linux.");
        Ok(())
    }
}
