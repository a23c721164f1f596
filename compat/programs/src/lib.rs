//! Random programs over the public types of async-io, with the kernel as the oracle.
//!
//! A [`Program`] is a short list of steps over a few sockets, pipes, futures and timers.
//! [`Lab::run`] runs it on a [`Runtime`], which is a set of thin forwarding functions that
//! [`runtime!`] writes for one library. After each step the interpreter asks poll(2) what is ready.
//! It fails the program if the library contradicts the kernel: a task is not woken, an operation
//! stays pending, a byte is lost, or a waker is not released.
//!
//! A run returns a [`Trace`]. [`compare`] compares the traces of two libraries. [`Agreement`] lists
//! the differences that are allowed.
//!
//! | module | contents |
//! |---|---|
//! | `runtime` | what a library must offer |
//! | `script` | programs: from random bytes, and as text |
//! | `kinds`, `object` | the sockets and pipes, with their peers |
//! | `tasks` | wakers that count, and the guard against hangs |
//! | `bench`, `operations`, `slots`, `timers`, `turns` | the interpreter |
//! | `checks` | the oracle: what must hold after each step |
//! | `trace` | the record of a run, and the comparison of two |

#![cfg(target_os = "linux")]

mod bench;
mod checks;
mod kinds;
mod object;
mod operations;
mod runtime;
mod script;
mod slots;
mod tasks;
mod timers;
mod trace;
mod turns;

pub use bench::{Failure, Lab, Setting};
pub use kinds::{Io, Kind};
pub use runtime::Runtime;
pub use script::{Action, Bytes, Direction, Operation, Program, When, minimize};
pub use trace::{Agreement, Trace, compare};
