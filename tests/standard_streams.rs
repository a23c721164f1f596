//! Standard input, output and error in non-blocking mode, without a change for the processes that
//! share them.
#![cfg(all(target_os = "linux", not(async_io_loom)))]

#[allow(dead_code)] // The test calls the part behind the options.
#[path = "../examples/prompt.rs"]
mod prompt;
mod support;

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use async_io::os::linux::{stderr, stdin, stdout};
use async_io::{Async, block_on};
use futures_lite::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use support::procfs::{own_status, wait_until_asleep};
use support::raw::{Terminal, replaced};
use support::*;

/// Opens standard input again while descriptor 0 refers to `object`.
fn stdin_of(object: impl AsFd) -> io::Result<Async<File>> {
    replaced(0, object, stdin)
}

/// Opens standard output and standard error again while descriptors 1 and 2 refer to `object`. Both
/// results have to be alike. Returns the first one.
#[track_caller]
fn stdout_of(object: impl AsFd) -> io::Result<Async<File>> {
    let output = replaced(1, &object, stdout);
    let error = replaced(2, &object, stderr);
    match (&output, &error) {
        (Ok(_), Ok(_)) => {}
        (Err(output), Err(error)) => assert_eq!(
            (
                output.kind(),
                output.to_string().replace("descriptor 1", "descriptor 2")
            ),
            (error.kind(), error.to_string().replace("stderr", "stdout"))
        ),
        _ => panic!("stdout: {output:?}, stderr: {error:?}"),
    }
    output
}

/// Fails unless `result` is an error of `kind` with all of `words` in its text.
#[track_caller]
fn assert_refused(result: io::Result<Async<File>>, kind: ErrorKind, words: &[&str]) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    for word in words {
        assert!(error.to_string().contains(word), "{word:?}: {error}");
    }
}

fn poll_read(source: &Async<File>, buffer: &mut [u8], cx: &mut Context<'_>) -> Poll<usize> {
    let mut source = source;
    std::pin::Pin::new(&mut source)
        .poll_read(cx, buffer)
        .map(Result::unwrap)
}

/// A child process reads all of a pipe without blocking. Afterwards the file description that it
/// shares with its parent is in blocking mode.
#[test]
fn a_pipe_of_the_parent_stays_blocking() {
    let (reader, mut writer) = pipe();
    writer.write_all(b"line\n").unwrap();
    drop(writer);
    let shared = reader.try_clone().unwrap();
    isolated_with_stdin("a_pipe_of_the_parent_stays_blocking", shared, || {
        let mut stdin = stdin().unwrap();
        assert!(is_ours(&stdin));
        assert!(!is_nonblocking(io::stdin()));
        let mut text = String::new();
        block_on(stdin.read_to_string(&mut text)).unwrap();
        assert_eq!(text, "line\n");
        // Left open, as by a program that ends by `exit`.
        std::mem::forget(stdin);
    });
    assert!(!is_nonblocking(&reader));
}

/// A child process reads a line of a terminal without blocking. Afterwards the file description
/// that it shares with its parent is in blocking mode.
#[test]
fn a_terminal_of_the_parent_stays_blocking() {
    let (mut master, slave) = raw::pty(Terminal::Lines);
    master.write_all(b"line\n").unwrap();
    let shared = slave.try_clone().unwrap();
    isolated_with_stdin("a_terminal_of_the_parent_stays_blocking", shared, || {
        let mut stdin = stdin().unwrap();
        assert!(is_ours(&stdin));
        assert!(!is_nonblocking(io::stdin()));
        let mut buffer = [0; 64];
        let count = block_on(stdin.read(&mut buffer)).unwrap();
        assert_eq!(&buffer[..count], b"line\n");
        std::mem::forget(stdin);
    });
    assert!(!is_nonblocking(&slave));
}

/// A read of an empty pipe is pending, and the data wake its task. The end is reported when all
/// writers have closed.
#[test]
fn reading_a_pipe_waits_for_its_writer() {
    isolated("reading_a_pipe_waits_for_its_writer", || {
        let (reader, mut writer) = pipe();
        let stdin = stdin_of(&reader).unwrap();
        for text in [&b"data"[..], b""] {
            let (counter, waker) = Counter::new();
            let mut buffer = [0; 8];
            let cx = &mut Context::from_waker(&waker);
            assert!(poll_read(&stdin, &mut buffer, cx).is_pending());
            match text {
                b"" => drop(std::mem::replace(
                    &mut writer,
                    File::open("/dev/null").unwrap(),
                )),
                _ => writer.write_all(text).unwrap(),
            }
            counter.wait_for(1);
            let count = foreign((&stdin).read(&mut buffer)).unwrap();
            assert_eq!(&buffer[..count], text);
        }
        assert!(!is_nonblocking(&reader));
    });
}

/// A terminal in its usual mode passes input on when a line is complete. Ctrl-D ends it.
#[test]
fn reading_a_terminal_waits_for_a_line() {
    isolated("reading_a_terminal_waits_for_a_line", || {
        let (mut master, slave) = raw::pty(Terminal::Lines);
        let stdin = stdin_of(&slave).unwrap();
        let (counter, waker) = Counter::new();
        let mut buffer = [0; 16];
        master.write_all(b"hel").unwrap();
        let cx = &mut Context::from_waker(&waker);
        assert!(poll_read(&stdin, &mut buffer, cx).is_pending());
        master.write_all(b"lo\n").unwrap();
        counter.wait_for(1);
        let count = foreign((&stdin).read(&mut buffer)).unwrap();
        assert_eq!(&buffer[..count], b"hello\n");
        master.write_all(b"\x04").unwrap();
        assert_eq!(foreign((&stdin).read(&mut buffer)).unwrap(), 0);
        assert!(!is_nonblocking(&slave));
    });
}

/// A write to a full pipe is pending, and a read of the other end wakes its task. The shared file
/// description stays in blocking mode meanwhile.
#[test]
fn writing_to_a_pipe_waits_for_its_reader() {
    isolated("writing_to_a_pipe_waits_for_its_reader", || {
        let (reader, writer) = pipe();
        let stdout = stdout_of(&writer).unwrap();
        assert!(is_ours(&stdout));
        assert!(!is_nonblocking(&writer));
        let filled = fill(stdout.get_ref());
        let (counter, waker) = Counter::new();
        let mut full = &stdout;
        let polled =
            std::pin::Pin::new(&mut full).poll_write(&mut Context::from_waker(&waker), b"more");
        assert!(polled.is_pending());
        drain(&reader, filled);
        counter.wait_for(1);
        foreign((&stdout).write_all(b"more")).unwrap();
        drain(&reader, 4);

        // The last writers close, which the reader sees.
        drop((stdout, writer));
        assert_eq!((&reader).read(&mut [0; 8]).unwrap(), 0);
    });
}

/// A terminal shows what is written to standard output or standard error.
#[test]
fn writing_to_a_terminal_shows_the_text() {
    isolated("writing_to_a_terminal_shows_the_text", || {
        let (master, slave) = raw::pty(Terminal::Raw);
        foreign(stdout_of(&slave).unwrap().write_all(b"text")).unwrap();
        let mut buffer = [0; 16];
        let count = (&master).read(&mut buffer).unwrap();
        assert_eq!(&buffer[..count], b"text");
        assert!(!is_nonblocking(&slave));
    });
}

/// A thread that reads through the shared file description blocks until data arrive, instead of
/// failing with `WouldBlock`.
#[test]
fn another_reader_blocks_as_before() {
    isolated("another_reader_blocks_as_before", || {
        let (reader, mut writer) = pipe();
        let stdin = stdin_of(&reader).unwrap();
        assert!(poll_now(stdin.readable()).is_pending());
        let (tell, told) = mpsc::channel();
        let other = thread::spawn(move || {
            tell.send(own_status("Pid")).unwrap();
            let mut buffer = [0; 8];
            let count = (&reader).read(&mut buffer).unwrap();
            buffer[..count].to_owned()
        });
        wait_until_asleep(told.recv().unwrap().parse().unwrap());
        writer.write_all(b"other").unwrap();
        assert_eq!(other.join().unwrap(), b"other");
        // Each byte goes to one of the readers.
        assert!(poll_now((&stdin).read(&mut [0; 8])).is_pending());
    });
}

/// Files, folders and devices are refused, and are not changed. Their position is not, either.
#[test]
fn files_and_devices_are_refused() {
    isolated("files_and_devices_are_refused", || {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"contents").unwrap();
        file.seek(SeekFrom::Start(3)).unwrap();
        let null = File::options().read(true).write(true).open("/dev/null");
        let words = ["always ready", "`std::io::std"];
        for object in [&file, &null.unwrap()] {
            let input = stdin_of(object);
            assert_refused(input, ErrorKind::PermissionDenied, &words);
            let output = stdout_of(object);
            assert_refused(output, ErrorKind::PermissionDenied, &words);
        }
        let folder = stdin_of(File::open("/").unwrap());
        assert_refused(folder, ErrorKind::PermissionDenied, &words);

        assert_eq!(file.stream_position().unwrap(), 3);
        assert_eq!(file.metadata().unwrap().len(), 8);
    });
}

/// A socket is refused with an error that names a remedy, and the remedy works.
#[test]
fn a_socket_is_refused_and_its_duplicate_works() {
    isolated("a_socket_is_refused_and_its_duplicate_works", || {
        let (socket, mut peer) = UnixStream::pair().unwrap();
        let words = ["is a socket", "try_clone_to_owned", "UnixStream", "share"];
        assert_refused(stdin_of(&socket), ErrorKind::Unsupported, &words);
        assert_refused(stdout_of(&socket), ErrorKind::Unsupported, &words);
        assert!(!is_nonblocking(&socket));

        let duplicate = replaced(0, &socket, || io::stdin().as_fd().try_clone_to_owned());
        let mut stream = Async::new(UnixStream::from(duplicate.unwrap())).unwrap();
        peer.write_all(b"data").unwrap();
        let mut buffer = [0; 8];
        assert_eq!(foreign(stream.read(&mut buffer)).unwrap(), 4);
        // As the text of the error says.
        assert!(is_nonblocking(&socket));
    });
}

/// Objects that would become other objects, or cannot be opened, are refused.
#[test]
fn masters_of_terminals_and_eventfds_are_refused() {
    isolated("masters_of_terminals_and_eventfds_are_refused", || {
        let (master, _slave) = raw::pty(Terminal::Lines);
        let eventfd = raw::eventfd(1, 0);
        let words = ["neither a pipe nor a terminal", "try_clone_to_owned"];
        for object in [master, eventfd] {
            assert_refused(stdin_of(&object), ErrorKind::Unsupported, &words);
            assert_refused(stdout_of(&object), ErrorKind::Unsupported, &words);
        }
    });
}

/// The wrong end of a pipe is refused. The system would open the other end.
#[test]
fn the_wrong_end_of_a_pipe_is_refused() {
    isolated("the_wrong_end_of_a_pipe_is_refused", || {
        let (reader, writer) = pipe();
        let (input, output) = (stdin_of(&writer), stdout_of(&reader));
        assert_refused(input, ErrorKind::PermissionDenied, &["only for writing"]);
        assert_refused(output, ErrorKind::PermissionDenied, &["only for reading"]);
    });
}

/// A closed descriptor is an error that says so.
#[test]
fn a_closed_descriptor_is_an_error() {
    isolated("a_closed_descriptor_is_an_error", || {
        raw::close(0);
        assert_refused(stdin(), ErrorKind::NotFound, &["descriptor 0 is closed"]);
        // The number is not left to an object that the harness opens.
        assert_eq!(File::open("/dev/null").unwrap().as_raw_fd(), 0);
    });
}

/// A pipe of another user is refused with an error that says so. Needs the superuser.
#[test]
fn a_pipe_of_another_user_is_refused() {
    isolated("a_pipe_of_another_user_is_refused", || {
        let (reader, writer) = pipe();
        if !raw::become_another_user() {
            eprintln!("skipped: this process cannot change its user");
            return;
        }
        let words = ["another user", "Async::new(std::io::std"];
        assert_refused(stdin_of(&reader), ErrorKind::PermissionDenied, &words);
        assert_refused(stdout_of(&writer), ErrorKind::PermissionDenied, &words);
    });
}

/// Without `/proc` the error says what is missing. Needs the superuser.
#[test]
fn an_unmounted_proc_is_an_error() {
    isolated("an_unmounted_proc_is_an_error", || {
        let (reader, _writer) = pipe();
        // Any folder without one called `proc`.
        if let Err(error) = std::os::unix::fs::chroot("/dev") {
            eprintln!("skipped: this process cannot change its root: {error}");
            return;
        }
        let words = ["/proc/self/fd", "mount /proc"];
        assert_refused(stdin_of(&reader), ErrorKind::NotFound, &words);
    });
}

/// A pipe without a reader is a broken pipe: a named one when it is opened, another one when it is
/// written.
#[test]
fn a_pipe_without_a_reader_is_broken() {
    isolated("a_pipe_without_a_reader_is_broken", || {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        raw::named_pipe(&path);
        let open = |options: &mut fs::OpenOptions| {
            let options = options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits() as i32);
            options.open(&path).unwrap()
        };
        let reader = open(File::options().read(true));
        let writer = open(File::options().write(true));
        assert!(stdout_of(&writer).is_ok());
        drop(reader);
        let words = ["a pipe without a reader"];
        assert_refused(stdout_of(&writer), ErrorKind::BrokenPipe, &words);

        let (reader, writer) = pipe();
        drop(reader);
        let mut stdout = stdout_of(&writer).unwrap();
        let error = foreign(stdout.write_all(b"x")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    });
}

/// The data and the end of a named pipe are read although its writer has closed it before.
#[test]
fn the_rest_of_a_named_pipe_is_read() {
    isolated("the_rest_of_a_named_pipe_is_read", || {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        raw::named_pipe(&path);
        let both = File::options().read(true).write(true).open(&path).unwrap();
        let reader = File::open(&path).unwrap();
        (&both).write_all(b"rest").unwrap();
        drop(both);
        let mut stdin = stdin_of(&reader).unwrap();
        let mut text = String::new();
        foreign(stdin.read_to_string(&mut text)).unwrap();
        assert_eq!(text, "rest");
    });
}

/// Each call opens a file description, and dropping the `Async` closes it.
#[test]
fn dropping_closes_the_new_description_only() {
    isolated("dropping_closes_the_new_description_only", || {
        let (reader, mut writer) = pipe();
        // The reactor opens its descriptors with the first object.
        drop(stdin_of(&reader).unwrap());
        let before = open_objects();
        let both = (stdin_of(&reader).unwrap(), stdin_of(&reader).unwrap());
        assert_eq!(open_objects(), before + 2);
        drop(both);
        assert_eq!(open_objects(), before);
        writer.write_all(b"x").unwrap();
        assert_eq!((&reader).read(&mut [0; 8]).unwrap(), 1);
    });
}

/// Runs the example `prompt` from `input` to `output`.
fn run_prompt(input: impl AsFd, output: &File, limit: Duration) {
    let result = replaced(0, input, || {
        replaced(1, output, || prompt::platform::run(limit))
    });
    result.unwrap();
}

/// Returns the contents of a file.
fn contents(file: &File) -> String {
    let mut bytes = vec![0; file.metadata().unwrap().len() as usize];
    file.read_exact_at(&mut bytes, 0).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// The example repeats the lines of a pipe, and ends at the end of the input.
#[test]
fn the_example_prompt_repeats_the_lines_of_a_pipe() {
    isolated("the_example_prompt_repeats_the_lines_of_a_pipe", || {
        let (reader, mut writer) = pipe();
        writer.write_all(b"one\ntwo\nno end").unwrap();
        drop(writer);
        let output = tempfile::tempfile().unwrap();
        run_prompt(reader, &output, HOUR);
        assert!(contents(&output).ends_with("one\ntwo\nno end\n"));
    });
}

/// The example prints a reminder when a line is late, and keeps the beginning of that line.
#[test]
fn the_example_prompt_survives_a_late_line() {
    isolated("the_example_prompt_survives_a_late_line", || {
        let (reader, mut writer) = pipe();
        let output = tempfile::tempfile().unwrap();
        let seen = output.try_clone().unwrap();
        let late = thread::spawn(move || {
            writer.write_all(b"be").unwrap();
            let reminder = "(no line within 20ms)\n";
            until("a reminder", || contents(&seen).contains(reminder));
            writer.write_all(b"gin\n").unwrap();
        });
        run_prompt(reader, &output, Duration::from_millis(20));
        late.join().unwrap();
        assert!(contents(&output).ends_with("begin\n"));
    });
}

/// The example prompts in a terminal, and ends with Ctrl-D.
#[test]
fn the_example_prompt_prompts_in_a_terminal() {
    isolated("the_example_prompt_prompts_in_a_terminal", || {
        let (mut master, slave) = raw::pty(Terminal::Lines);
        master.write_all(b"one\n\x04").unwrap();
        let output = tempfile::tempfile().unwrap();
        run_prompt(slave, &output, HOUR);
        assert!(contents(&output).ends_with("> one\n> "));
    });
}
