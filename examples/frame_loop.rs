//! Serves a network inside a loop that draws 60 frames per second.
//!
//! Each frame first does its own work. The rest of its time belongs to the network: `turn` waits for
//! events and timers until the frame is over, and the tasks that it wakes run between the turns. One
//! thread does all of this, because the reactor is manual: it never starts a thread.
//!
//!     cargo run --example frame_loop

use std::cell::Cell;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use async_channel::{Receiver, Sender};
use async_executor::{LocalExecutor, Task};
use async_io::{Async, MissedTicks, Reactor, Timer};
use futures_lite::{AsyncReadExt, AsyncWriteExt, StreamExt};

const FRAMES: u32 = 120;
const FRAME: Duration = Duration::from_nanos(1_000_000_000 / 60);
/// A frame that ends later than this after its end is late.
const TOLERANCE: Duration = Duration::from_millis(2);
const PLAYERS: usize = 4;
const PARTICLES: usize = 5_000;

fn main() -> ExitCode {
    if let Some(argument) = std::env::args_os().nth(1) {
        println!("usage: frame_loop\n\nDraws frames and serves a network. There are no options.");
        return if argument == "--help" {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(2)
        };
    }
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("frame_loop: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What the frames and the tasks share. All of them run on one thread.
#[derive(Default)]
struct Game {
    steps: Cell<u64>,
    messages: Cell<u32>,
    tenths: Cell<u32>,
    is_over: Cell<bool>,
}

fn run() -> io::Result<()> {
    let reactor = Reactor::builder()
        .name("game")
        .fallback_thread(false)
        .build()?;
    let game = Game::default();
    let (arrivals, arrived) = async_channel::unbounded();
    let executor = LocalExecutor::new();

    // The objects of the tasks belong to the reactor that is entered when they are created.
    let entered = reactor.enter();
    let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
    let address = listener.get_ref().local_addr()?;
    let mut tasks = vec![
        executor.spawn(accept(listener, arrivals)),
        executor.spawn(count_tenths(&game)),
    ];
    tasks.extend((0..PLAYERS).map(|_| executor.spawn(play(address, &game))));

    let start = Instant::now();
    let late = draw_frames(&reactor, &executor, &game, &arrived, &mut tasks)?;
    drop(entered);
    println!("{FRAMES} frames in {:.2?}, {late} late", start.elapsed());

    // The players notice the end after their next message. Their errors are not lost.
    game.is_over.set(true);
    reactor.block_on(executor.run(async {
        for player in tasks.drain(2..) {
            player.await?;
        }
        io::Result::Ok(())
    }))?;
    println!(
        "{} messages handled, {} tenths of a second counted",
        game.messages.get(),
        game.tenths.get()
    );
    Ok(())
}

/// Returns how many frames were late.
fn draw_frames<'a>(
    reactor: &Reactor,
    executor: &LocalExecutor<'a>,
    game: &'a Game,
    arrived: &Receiver<Async<TcpStream>>,
    tasks: &mut Vec<Task<io::Result<()>>>,
) -> io::Result<u32> {
    let mut particles = vec![(0.0, 1.0); PARTICLES];
    let mut late = 0;
    let mut end = Instant::now() + FRAME;
    for _ in 0..FRAMES {
        move_particles(&mut particles);
        // Players enter the game at the start of a frame.
        while let Ok(stream) = arrived.try_recv() {
            executor.spawn(serve(stream, game)).detach();
        }
        serve_until(end, reactor, executor)?;
        if let Some(at) = tasks.iter().position(Task::is_finished) {
            // Before the end of the game, a task ends only with an error.
            return reactor
                .block_on(executor.run(tasks.swap_remove(at)))
                .map(|()| late);
        }
        let now = Instant::now();
        if now > end + TOLERANCE {
            late += 1;
            // The next frames do not make up for lost time.
            end = now;
        }
        end += FRAME;
    }
    Ok(late)
}

/// Runs tasks and drives the reactor until the end of a frame.
fn serve_until(end: Instant, reactor: &Reactor, executor: &LocalExecutor<'_>) -> io::Result<()> {
    loop {
        let mut left = end.saturating_duration_since(Instant::now());
        while !left.is_zero() && executor.try_tick() {
            left = end.saturating_duration_since(Instant::now());
        }
        // Also when the time is up: events are fetched at least once per frame.
        reactor.turn(Some(left))?;
        if left.is_zero() {
            return Ok(());
        }
    }
}

/// Stands for the work of a frame.
fn move_particles(particles: &mut [(f32, f32)]) {
    for (place, speed) in particles {
        *place += *speed * FRAME.as_secs_f32();
        if !(0.0..1.0).contains(place) {
            *speed = -*speed;
        }
    }
}

async fn accept(
    listener: Async<TcpListener>,
    arrivals: Sender<Async<TcpStream>>,
) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        arrivals.send(stream).await.map_err(io::Error::other)?;
    }
}

/// Answers each step of a player with the number of all steps.
async fn serve(mut stream: Async<TcpStream>, game: &Game) {
    let mut step = [0];
    // An error concerns only this player, and its own task reports it.
    while stream.read_exact(&mut step).await.is_ok() {
        game.steps.set(game.steps.get() + u64::from(step[0]));
        game.messages.set(game.messages.get() + 1);
        let answer = game.steps.get().to_be_bytes();
        if stream.write_all(&answer).await.is_err() {
            return;
        }
    }
}

/// Takes a step every few milliseconds until the game is over.
async fn play(address: SocketAddr, game: &Game) -> io::Result<()> {
    let mut stream = Async::<TcpStream>::connect(address).await?;
    let mut last = 0;
    for step in (1..=9).cycle() {
        stream.write_all(&[step]).await?;
        let mut answer = [0; 8];
        stream.read_exact(&mut answer).await?;
        let steps = u64::from_be_bytes(answer);
        if steps < last + u64::from(step) {
            return Err(io::Error::other("the server has lost a step"));
        }
        last = steps;
        if game.is_over.get() {
            break;
        }
        Timer::after(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// Counts the tenths of a second that have passed.
async fn count_tenths(game: &Game) -> io::Result<()> {
    let mut ticks = Timer::interval(Duration::from_millis(100));
    // After a long frame, each missed tick still counts.
    ticks.set_missed_ticks(MissedTicks::Burst);
    while ticks.next().await.is_some() {
        game.tenths.set(game.tenths.get() + 1);
    }
    Ok(())
}
