//! Counts the instructions of operations with callgrind, through gungraun. Instructions in the
//! kernel are not counted.
//!
//! Each operation runs with two numbers of rounds. One-time costs cancel out in the difference of
//! the two counts, which `cargo xtask guards` compares with `guards.baseline`. If `cargo bench` is
//! run by hand, this benchmark shows what has changed since the last run, and writes profiles for
//! `callgrind_annotate` to `target/gungraun`.

use std::io;

use compare::guards::operations;
use gungraun::{
    Callgrind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main,
};

#[library_benchmark]
#[benches::rounds(20_000, 60_000)]
fn timer_set_and_dropped(rounds: u64) -> io::Result<()> {
    operations::timer_set_and_dropped(rounds)
}

#[library_benchmark]
#[benches::rounds(20_000, 60_000)]
fn timer_set_yield_dropped(rounds: u64) -> io::Result<()> {
    operations::timer_set_yield_dropped(rounds)
}

#[library_benchmark]
#[benches::rounds(20_000, 60_000)]
fn timer_replaced_among_1000(rounds: u64) -> io::Result<()> {
    operations::timer_replaced_among_1000(rounds)
}

#[library_benchmark]
#[benches::rounds(20_000, 60_000)]
fn block_on_one_yield(rounds: u64) -> io::Result<()> {
    operations::block_on_one_yield(rounds)
}

#[library_benchmark]
#[benches::rounds(5000, 15_000)]
fn register_and_deregister(rounds: u64) -> io::Result<()> {
    operations::register_and_deregister(rounds)
}

#[library_benchmark]
#[benches::rounds(5000, 15_000)]
fn ping_pong_of_two_tasks(rounds: u64) -> io::Result<()> {
    operations::ping_pong_of_two_tasks(rounds)
}

#[library_benchmark]
#[benches::rounds(1000, 3000)]
fn ten_events_of_100_sources(rounds: u64) -> io::Result<()> {
    operations::ten_events_of_100_sources(rounds)
}

#[library_benchmark]
#[benches::rounds(20_000, 60_000)]
fn yield_with_timeout(rounds: u64) -> io::Result<()> {
    operations::yield_with_timeout(rounds)
}

#[library_benchmark]
#[benches::rounds(20_000, 60_000)]
fn yield_with_race(rounds: u64) -> io::Result<()> {
    operations::yield_with_race(rounds)
}

library_benchmark_group!(
    name = instructions;
    benchmarks =
        timer_set_and_dropped,
        timer_set_yield_dropped,
        timer_replaced_among_1000,
        block_on_one_yield,
        register_and_deregister,
        ping_pong_of_two_tasks,
        ten_events_of_100_sources,
        yield_with_timeout,
        yield_with_race
);

main!(
    config = LibraryBenchmarkConfig::default()
        .tool(Callgrind::with_args(["--cache-sim=no"]));
    library_benchmark_groups = instructions
);
