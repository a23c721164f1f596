//! Runs the recipes among the examples as processes, and checks what they print and that they exit
//! successfully. On a system that a recipe does not support, it only has to exit successfully.
//!
//! Plain `cargo test` builds the examples. With a choice of targets, such as `--test examples`, the
//! tests run what the last `cargo build --examples` has built.

mod support;

use support::*;

/// The library keeps its descriptor: it can still use its socket after the registration is gone.
#[test]
fn borrowed() {
    let output = run_example("borrowed");
    if cfg!(unix) {
        let expected = "received \"one\"\nreceived \"two\"\nreceived \"three\"\nclosing: goodbye\n";
        assert_eq!(output, expected);
    }
}

/// Each client gets its answer from the task that received the descriptor.
#[test]
fn pass_descriptors() {
    let output = run_example("pass_descriptors");
    if cfg!(any(target_os = "linux", target_os = "android")) {
        let line = |client| format!("client {client}: \"the worker is speaking\"\n");
        assert_eq!(output, [1, 2, 3].map(line).concat());
    }
}

/// All bytes arrive, in both directions.
#[test]
fn splice() {
    let output = run_example("splice");
    if cfg!(target_os = "linux") {
        let length = 8 << 20;
        assert_contains(
            &output,
            &[
                &format!("relayed {length} bytes to the server and {length} bytes back"),
                &format!("received the same {length} bytes"),
            ],
        );
    }
}

/// Both datagrams arrive with the id of the sending process.
#[test]
fn control_data() {
    let output = run_example("control_data");
    if cfg!(target_os = "linux") {
        let mut lines = output.lines();
        let process = lines
            .next()
            .and_then(|line| line.strip_prefix("this process is "));
        let sender = format!("process {} of user ", process.unwrap());
        for text in [
            ": an ordinary datagram",
            ": one with credentials of its own",
        ] {
            let line = lines.next().unwrap();
            assert!(
                line.starts_with(&sender) && line.ends_with(text),
                "{output}"
            );
        }
        assert_eq!(lines.next(), None);
    }
}

/// The pauses grow, the first client is served meanwhile, and the other clients are served in the
/// end.
#[test]
fn accept_backoff() {
    let output = run_example("accept_backoff");
    if cfg!(unix) {
        let (before, after) = output
            .split_once("descriptors are free again\n")
            .unwrap_or_else(|| panic!("{output}"));
        let pauses = ["; pausing for 10ms\n", "; pausing for 20ms\n"];
        assert_contains(
            before,
            &["8 more clients are connected, but not accepted\n"],
        );
        assert_contains(before, &pauses);
        assert!(before.matches("; pausing for ").count() >= 4, "{output}");
        assert_eq!(before.matches("client 1: served\n").count(), 5, "{output}");
        let served = after.matches("a waiting client: served\n").count();
        assert_eq!(served, 8, "{output}");
    }
}

/// Neither kind of event keeps the other from the loop. The server needs six heartbeats. The client
/// may send more before it sees the end of the stream.
#[test]
fn select() {
    let output = run_example("select");
    let news = "received \"news 1\"\nreceived \"news 2\"\nreceived \"news 3\"\n";
    let rest = output.strip_prefix(news);
    let rest = rest.and_then(|rest| rest.strip_prefix("the server has finished, after "));
    let heartbeats = rest.and_then(|rest| rest.strip_suffix(" heartbeats\n"));
    let heartbeats: Option<u32> = heartbeats.and_then(|number| number.parse().ok());
    assert!(heartbeats.is_some_and(|number| number >= 6), "{output}");
}

/// The client gets all answers in spite of at least three failures.
#[test]
fn reconnect() {
    let output = run_example("reconnect");
    assert!(
        output.matches("; trying again in ").count() >= 3,
        "{output}"
    );
    assert_contains(
        &output,
        &["server: gone", "server: back", "client: connected"],
    );
    for question in 1..=6 {
        let answer = format!("the square of {question} is {}\n", question * question);
        assert_eq!(output.matches(&answer).count(), 1, "{output}");
    }
}

/// All frames are drawn, and the network is served meanwhile. How many frames are late depends on the
/// load of the machine.
#[test]
fn frame_loop() {
    let output = run_example("frame_loop");
    let lines: Vec<_> = output.lines().collect();
    let [frames, served] = lines[..] else {
        panic!("{output}");
    };
    assert!(frames.starts_with("120 frames in "), "{output}");
    assert!(frames.ends_with(" late"), "{output}");
    let (messages, tenths) = served.split_once(" messages handled, ").unwrap();
    let tenths = tenths.strip_suffix(" tenths of a second counted").unwrap();
    // Each of the four players sends at least one message.
    assert!(messages.parse::<u32>().unwrap() >= 4, "{output}");
    assert!(tenths.parse::<u32>().unwrap() >= 19, "{output}");
}

/// A loop around `poll` serves a socket, a timer and wake-ups of another thread. When nothing is due, it
/// sleeps.
#[test]
fn poll_loop() {
    let output = run_example("poll_loop");
    let has_descriptor = cfg!(target_os = "linux") && !cfg!(polling_test_poll_backend);
    if has_descriptor {
        let expected =
            "100 messages\n20 ticks\n50 values from another thread\n0 wake-ups while idle\n";
        assert_eq!(output, expected);
    }
}

/// All datagrams arrive, in order.
#[test]
fn transport() {
    let output = run_example("transport");
    for message in 1..=10 {
        assert_contains(&output, &[&format!("sent \"message {message}\"\n")]);
    }
    assert_contains(&output, &["\n10 messages, 0 refusals\n"]);
}

/// The system distributes the connections over the listeners of the cores.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn per_core_with_a_listener_per_core() {
    per_core("reuseport");
}

/// The cores accept from the same listeners.
#[test]
fn per_core_with_shared_listeners() {
    per_core("shared");
}

/// The acceptor hands half of the connections to each core.
#[test]
fn per_core_with_an_acceptor() {
    for (connections, requests) in per_core("acceptor") {
        assert_eq!(connections, 8);
        assert!(requests >= 8);
    }
}

/// Runs two cores and sixteen clients. Fails unless all requests are answered, by a core, and no
/// reactor has started a thread. Returns the numbers of connections and of requests of each core.
#[track_caller]
fn per_core(distribution: &str) -> Vec<(u64, u64)> {
    let mut args = vec!["--distribute", distribution];
    args.extend("--cores 2 --connections 16 --seconds 0.3".split(' '));
    let output = run_example_with("per_core", &args);
    let sent = output
        .lines()
        .find(|line| line.contains(" requests sent, "));
    let sent = sent.unwrap_or_else(|| panic!("{output}"));
    let numbers = sent.split(' ').filter_map(|word| word.parse().ok());
    let [sent, answered, _rate] = numbers.collect::<Vec<u64>>()[..] else {
        panic!("{output}");
    };
    assert_eq!(sent, answered, "{output}");

    let table = output.lines().skip_while(|line| !line.starts_with("core "));
    let cores: Vec<(u64, u64)> = table
        .skip(1)
        .take(2)
        .map(|line| {
            let numbers = line.split_whitespace().filter_map(|word| word.parse().ok());
            match numbers.collect::<Vec<u64>>()[..] {
                [_core, connections, requests] => (connections, requests),
                _ => panic!("{output}"),
            }
        })
        .collect();
    let sums = cores
        .iter()
        .fold((0, 0), |sums, core| (sums.0 + core.0, sums.1 + core.1));
    assert_eq!(sums, (16, answered), "{output}");
    assert_contains(&output, &["threads of reactors: {}\n"]);
    cores
}

/// In a terminal session of `script`, where this program is installed: the prompt reads a line and the
/// end of the input (Ctrl-D), and its shell then still has the terminal in blocking mode.
#[cfg(target_os = "linux")]
#[test]
fn prompt() {
    use std::process::{Command, Stdio};

    const NONBLOCK: u32 = 0o4000;
    let is_emulated = std::env::var_os("ASYNC_IO_TEST_RUNNER").is_some();
    let is_installed = Command::new("script").arg("--version").output().is_ok();
    if is_emulated || !is_installed {
        return;
    }
    let program = example("prompt");
    let session = format!(
        "{} --seconds 60; grep flags: /proc/self/fdinfo/0",
        program.display()
    );
    let mut script = Command::new("script")
        .args(["-q", "-e", "-c", &session, "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Kept open: the end of this pipe would end the session.
    let mut keys = script.stdin.take().unwrap();
    std::io::Write::write_all(&mut keys, b"hello\n\x04").unwrap();
    let output = output_of("prompt", script);
    drop(keys);
    let flags = output
        .split("flags:")
        .nth(1)
        .and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
    assert!(flags.is_some_and(|flags| flags & NONBLOCK == 0), "{output}");
    // The terminal shows what is typed, and the prompt repeats it.
    assert_eq!(output.matches("hello").count(), 2, "{output}");
}

/// Fails if these texts are not in the output, in this order.
#[track_caller]
fn assert_contains(output: &str, texts: &[&str]) {
    let mut rest = output;
    for text in texts {
        let at = rest.find(text);
        assert!(
            at.is_some(),
            "{text:?} is missing at its place in:\n{output}"
        );
        rest = &rest[at.unwrap_or(0) + text.len()..];
    }
}
