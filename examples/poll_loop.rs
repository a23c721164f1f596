//! Drives a reactor inside an event loop of another kind: a hand-written loop around `poll(2)`.
//!
//! The loop watches a pipe of its own, and the descriptor of the reactor. Before each wait it calls
//! `prepare`, and after it `turn`. Then it polls the executor with the waker of the reactor. So a task
//! that another thread wakes also makes the descriptor readable. When nothing is due, the loop
//! sleeps and does not wake up.
//!
//!     cargo run --example poll_loop

use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(argument) = std::env::args_os().nth(1) {
        println!(
            "usage: poll_loop\n\nServes a network inside a loop around `poll`. There are no options."
        );
        return if argument == "--help" {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(2)
        };
    }
    match platform::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("poll_loop: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(unix)]
mod platform {
    use std::cell::Cell;
    use std::convert::Infallible;
    use std::fs::File;
    use std::future::Future;
    use std::io::{self, Read, Write};
    use std::net::{SocketAddr, TcpListener, TcpStream};
    use std::pin::{Pin, pin};
    use std::task::{Context, Waker};
    use std::thread::{self, JoinHandle};
    use std::time::Duration;

    use async_channel::{Receiver, Sender};
    use async_executor::LocalExecutor;
    use async_io::{Async, Reactor, Timer};
    use futures_lite::{AsyncReadExt, AsyncWriteExt, StreamExt, future};
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::io::Errno;

    const MESSAGES: u32 = 100;
    const TICKS: u32 = 20;
    const VALUES: u32 = 50;
    const IDLE: Duration = Duration::from_millis(300);
    const HOUR: Duration = Duration::from_secs(3600);

    /// What the tasks have done. All of them run on one thread.
    #[derive(Default)]
    struct Counts {
        messages: Cell<u32>,
        clients: Cell<u32>,
        ticks: Cell<u32>,
        values: Cell<u32>,
    }

    fn add_one(count: &Cell<u32>) {
        count.set(count.get() + 1);
    }

    pub(crate) fn run() -> io::Result<()> {
        let reactor = Reactor::builder()
            .name("poll")
            .fallback_thread(false)
            .build()?;
        if let Err(error) = reactor.fd() {
            println!("no other event loop can wait for this reactor: {error}");
            return Ok(());
        }
        let counts = Counts::default();
        let executor = LocalExecutor::new();
        // The objects of the tasks belong to the reactor that is entered when they are created.
        let _entered = reactor.enter();
        let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
        let address = listener.get_ref().local_addr()?;
        let (values, received) = async_channel::unbounded();
        let server = executor.spawn(serve(listener, &counts));
        executor.spawn(tick(&counts)).detach();
        executor.spawn(receive(received, &counts)).detach();
        // A timer that is not due keeps nothing from sleeping.
        executor.spawn(Timer::after(HOUR)).detach();

        let (keys, keyboard) = rustix::pipe::pipe()?;
        let mut events = EventLoop {
            reactor: &reactor,
            waker: reactor.waker(),
            keys: File::from(keys),
            tasks: pin!(executor.run(future::pending())),
        };

        // Before the first wait, the tasks say what they wait for.
        events.run_tasks();

        let client = thread::spawn(move || ask(address));
        while counts.clients.get() < 1 || counts.ticks.get() < TICKS {
            events.round()?;
            if server.is_finished() {
                return future::block_on(server).map(|never| match never {});
            }
        }
        join(client)?;
        println!("{} messages", counts.messages.get());
        println!("{} ticks", counts.ticks.get());

        let sender = values.clone();
        let sender = thread::spawn(move || send(&sender));
        while counts.values.get() < VALUES {
            events.round()?;
        }
        join(sender)?;
        println!("{} values from another thread", counts.values.get());

        let typist = thread::spawn(move || press_a_key_later(keyboard.into()));
        println!("{} wake-ups while idle", count_idle_wakeups(&mut events)?);
        join(typist)
    }

    /// Runs the loop until a key is pressed, and returns how often it has woken before.
    fn count_idle_wakeups(events: &mut EventLoop<'_>) -> io::Result<u32> {
        let mut wakeups = 0;
        loop {
            let round = events.round()?;
            if round.key_pressed {
                return Ok(wakeups);
            }
            // The first rounds may finish what was woken before, and do not wait.
            wakeups += u32::from(round.has_waited);
        }
    }

    struct EventLoop<'a> {
        reactor: &'a Reactor,
        waker: Waker,
        /// The loop's own descriptor. Nothing but the loop knows about it.
        keys: File,
        tasks: Pin<&'a mut dyn Future<Output = Infallible>>,
    }

    struct Round {
        has_waited: bool,
        key_pressed: bool,
    }

    impl EventLoop<'_> {
        /// Waits until there is something to do, and does it.
        fn round(&mut self) -> io::Result<Round> {
            let limit = self.reactor.prepare()?;
            let timeout = limit.and_then(|limit| Timespec::try_from(limit).ok());
            let descriptor = self.reactor.fd()?;
            let mut fds = [
                PollFd::new(&descriptor, PollFlags::IN),
                PollFd::new(&self.keys, PollFlags::IN),
            ];
            match poll(&mut fds, timeout.as_ref()) {
                // After a signal, the next round waits again.
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            let key_pressed = !fds[1].revents().is_empty();

            self.reactor.turn(Some(Duration::ZERO))?;
            self.run_tasks();
            if key_pressed {
                self.keys.read_exact(&mut [0])?;
            }
            Ok(Round {
                has_waited: limit != Some(Duration::ZERO),
                key_pressed,
            })
        }

        /// Runs the tasks that can proceed. When a task is woken later, the reactor's waker is called.
        fn run_tasks(&mut self) {
            let mut context = Context::from_waker(&self.waker);
            let _pending = self.tasks.as_mut().poll(&mut context);
        }
    }

    /// Serves one client after the other. Returns only if no client can be accepted.
    async fn serve(listener: Async<TcpListener>, counts: &Counts) -> io::Result<Infallible> {
        loop {
            let (mut stream, _) = listener.accept().await?;
            let mut message = [0; 4];
            // An error concerns this client only.
            while stream.read_exact(&mut message).await.is_ok() {
                add_one(&counts.messages);
                if stream.write_all(&message).await.is_err() {
                    break;
                }
            }
            add_one(&counts.clients);
        }
    }

    async fn tick(counts: &Counts) {
        let mut ticks = Timer::interval(Duration::from_millis(10));
        while counts.ticks.get() < TICKS && ticks.next().await.is_some() {
            add_one(&counts.ticks);
        }
    }

    async fn receive(values: Receiver<u32>, counts: &Counts) {
        while values.recv().await.is_ok() {
            add_one(&counts.values);
        }
    }

    /// Runs on a thread of its own, without a reactor.
    fn ask(address: SocketAddr) -> io::Result<()> {
        let mut stream = TcpStream::connect(address)?;
        for number in 0..MESSAGES {
            let message = number.to_be_bytes();
            stream.write_all(&message)?;
            let mut answer = [0; 4];
            stream.read_exact(&mut answer)?;
            if answer != message {
                return Err(io::Error::other("the answer is not an echo"));
            }
        }
        Ok(())
    }

    /// Wakes the task in [`receive`] from a thread of its own.
    fn send(values: &Sender<u32>) -> io::Result<()> {
        for value in 0..VALUES {
            thread::sleep(Duration::from_millis(2));
            values.send_blocking(value).map_err(io::Error::other)?;
        }
        Ok(())
    }

    fn press_a_key_later(mut keyboard: File) -> io::Result<()> {
        thread::sleep(IDLE);
        keyboard.write_all(b"x")
    }

    fn join(thread: JoinHandle<io::Result<()>>) -> io::Result<()> {
        let panicked = |_| Err(io::Error::other("a thread has panicked"));
        thread.join().unwrap_or_else(panicked)
    }
}

#[cfg(not(unix))]
mod platform {
    pub(crate) fn run() -> std::io::Result<()> {
        println!("This platform has no `poll`, or no descriptor to wait for.");
        Ok(())
    }
}
