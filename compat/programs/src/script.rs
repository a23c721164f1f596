//! Programs: decoded from random bytes, and printed as text.

use std::fmt;

use crate::kinds::Kind;

/// What a future does. Each operation waits for one direction of one object. `Receive` and `Send`
/// exist only for some kinds of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// `readable()` or `writable()`.
    Ready(Direction),
    /// `readable_owned()` or `writable_owned()`.
    ReadyOwned(Direction),
    /// `read_with` with a closure that reads this many bytes, or `write_with` with a closure that
    /// writes.
    With(Direction, u8),
    /// The same, with a closure that first returns `WouldBlock` this many times, whatever the
    /// kernel reports.
    Stubborn(Direction, u8),
    /// `recv`, `peek` or `accept`.
    Receive,
    /// `send`.
    Send,
}

/// A direction of an object.
#[allow(missing_docs)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Read,
    Write,
}

impl Operation {
    pub(crate) fn direction(self) -> Direction {
        match self {
            Operation::Ready(direction)
            | Operation::ReadyOwned(direction)
            | Operation::With(direction, _)
            | Operation::Stubborn(direction, _) => direction,
            Operation::Receive => Direction::Read,
            Operation::Send => Direction::Write,
        }
    }

    /// Returns whether the future only reports readiness and takes nothing from the object.
    pub(crate) fn is_readiness(self) -> bool {
        matches!(self, Operation::Ready(_) | Operation::ReadyOwned(_))
    }

    pub(crate) fn is_stubborn(self) -> bool {
        matches!(self, Operation::Stubborn(..))
    }
}

/// When a timer is due.
#[allow(missing_docs)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    Now,
    Soon,
    Far,
    Never,
}

/// One step. Objects, futures, timers and tasks are chosen by a number modulo their count.
#[allow(missing_docs)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Open(Kind),
    Close(u8),
    /// The peer sends bytes, or connects.
    PeerSends(u8, u8),
    PeerDrains(u8),
    PeerHalfCloses(u8),
    PeerCloses(u8),
    /// Our side writes, bypassing the library, until the kernel returns `WouldBlock`.
    Fill(u8),
    /// Our side reads once, bypassing the library.
    ReadBehind(u8),
    Start(u8, Operation),
    Poll {
        future: u8,
        task: u8,
        times: u8,
    },
    DropFuture(u8),
    /// `poll_readable` or `poll_writable`.
    PollReady {
        object: u8,
        direction: Direction,
        task: u8,
        times: u8,
    },
    /// `poll_read` or `poll_write`.
    PollIo {
        object: u8,
        direction: Direction,
        task: u8,
        times: u8,
    },
    /// The loop around `readable()` from the documentation, inside one poll of a task.
    StandardLoop(u8, Direction),
    /// Polls a future, makes its object ready, and then blocks until its own wake-up arrives.
    Hear(u8),
    NewTimer(When),
    SetTimer(u8, When),
    ClearTimer(u8),
    PollTimer {
        timer: u8,
        task: u8,
    },
    DropTimer(u8),
    /// Several timers with one deadline, which must fire in the order in which they were scheduled.
    EqualTimers(u8),
    /// Gives the reactor a turn, and checks that each task that must be woken was woken.
    Turn,
    /// Sleeps briefly on a timer of the library, then does the same as `Turn`.
    Sleep,
    /// Polls a future for another task, makes its object ready, and keeps the thread busy with a
    /// task that yields and pauses in each poll. The other task must be woken in the meantime.
    SlowYield(u8),
}

impl Action {
    /// Returns the name of the step without its arguments.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Action::Open(_) => "Open",
            Action::Close(_) => "Close",
            Action::PeerSends(..) => "PeerSends",
            Action::PeerDrains(_) => "PeerDrains",
            Action::PeerHalfCloses(_) => "PeerHalfCloses",
            Action::PeerCloses(_) => "PeerCloses",
            Action::Fill(_) => "Fill",
            Action::ReadBehind(_) => "ReadBehind",
            Action::Start(..) => "Start",
            Action::Poll { .. } => "Poll",
            Action::DropFuture(_) => "DropFuture",
            Action::PollReady { .. } => "PollReady",
            Action::PollIo { .. } => "PollIo",
            Action::StandardLoop(..) => "StandardLoop",
            Action::Hear(_) => "Hear",
            Action::NewTimer(_) => "NewTimer",
            Action::SetTimer(..) => "SetTimer",
            Action::ClearTimer(_) => "ClearTimer",
            Action::PollTimer { .. } => "PollTimer",
            Action::DropTimer(_) => "DropTimer",
            Action::EqualTimers(_) => "EqualTimers",
            Action::Turn => "Turn",
            Action::Sleep => "Sleep",
            Action::SlowYield(_) => "SlowYield",
        }
    }
}

/// A program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Whether the program polls an operation again if it is pending although the kernel reports
    /// readiness. The results then do not depend on the polls in which a library may skip the
    /// system call.
    pub insists: bool,
    /// The steps of the program.
    pub steps: Vec<Action>,
}

/// The bytes that encode one step.
pub type Bytes = [u8; 3];

impl Program {
    /// Decodes a program from random bytes. All bytes are valid.
    pub fn decode(insists: bool, first: u8, steps: &[Bytes]) -> Self {
        let mut decoded = vec![Action::Open(Kind::of(first))];
        decoded.extend(steps.iter().copied().map(step));
        Program {
            insists,
            steps: decoded,
        }
    }

    /// Returns the program with number `index` of a seed.
    pub fn random(seed: u64, index: u64) -> Self {
        let mut state = seed
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .wrapping_add(index.wrapping_mul(0xd1b5_4a32_d192_ed03));
        let mut next = || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        };
        let head = next().to_le_bytes();
        let count = 4 + usize::from(head[2] % 28);
        let steps: Vec<Bytes> = (0..count)
            .map(|_| {
                let bytes = next().to_le_bytes();
                [bytes[0], bytes[1], bytes[2]]
            })
            .collect();
        Program::decode(head[0] % 4 != 0, head[1], &steps)
    }
}

fn direction(byte: u8) -> Direction {
    // Reads are chosen more often, because they can go wrong in more ways.
    if byte % 8 < 5 {
        Direction::Read
    } else {
        Direction::Write
    }
}

fn operation(byte: u8) -> Operation {
    let size = if byte & 0x40 == 0 { 64 } else { 3 };
    let direction = direction(byte);
    match (byte >> 3) % 8 {
        0 | 1 => Operation::Ready(direction),
        2 => Operation::ReadyOwned(direction),
        3 | 4 => Operation::With(direction, size),
        5 => Operation::Stubborn(direction, 1 + (byte >> 6)),
        _ if direction == Direction::Read => Operation::Receive,
        _ => Operation::Send,
    }
}

fn times(byte: u8) -> u8 {
    match byte >> 4 {
        0..10 => 1,
        10..13 => 2,
        13 => 5,
        _ => 12,
    }
}

fn when(byte: u8) -> When {
    match byte % 8 {
        0 | 1 => When::Now,
        2 => When::Soon,
        3 => When::Never,
        _ => When::Far,
    }
}

fn step([code, a, b]: Bytes) -> Action {
    match code {
        0..5 => Action::Open(Kind::of(a)),
        5..8 => Action::Close(a),
        8..40 => Action::PeerSends(a, 1 + b % 40),
        40..48 => Action::PeerDrains(a),
        48..52 => Action::PeerHalfCloses(a),
        52..55 => Action::PeerCloses(a),
        55..62 => Action::Fill(a),
        62..74 => Action::ReadBehind(a),
        74..104 => Action::Start(a, operation(b)),
        104..150 => Action::Poll {
            future: a,
            task: b,
            times: times(b),
        },
        150..158 => Action::DropFuture(a),
        158..172 => Action::PollReady {
            object: a,
            direction: direction(b),
            task: b >> 3,
            times: times(b),
        },
        172..188 => Action::PollIo {
            object: a,
            direction: direction(b),
            task: b >> 3,
            times: times(b),
        },
        188..191 => Action::StandardLoop(a, direction(b)),
        191..199 => Action::Hear(a),
        199..205 => Action::NewTimer(when(a)),
        205..212 => Action::SetTimer(a, when(b)),
        212..215 => Action::ClearTimer(a),
        215..226 => Action::PollTimer { timer: a, task: b },
        226..230 => Action::DropTimer(a),
        230..254 => Action::Turn,
        254 if a < 128 => Action::Sleep,
        254 => Action::EqualTimers(b),
        _ if a < 128 => Action::SlowYield(b),
        _ => Action::Turn,
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "insists: {}", self.insists)?;
        for (number, step) in self.steps.iter().enumerate() {
            writeln!(f, "{number:4}  {step:?}")?;
        }
        Ok(())
    }
}

/// Removes steps from a program as long as it still fails.
pub fn minimize(program: &Program, mut fails: impl FnMut(&Program) -> bool) -> Program {
    let mut least = program.clone();
    let mut size = least.steps.len() / 2;
    while size > 0 {
        let mut at = 0;
        let before = least.steps.len();
        while at < least.steps.len() {
            let mut shorter = least.clone();
            let end = (at + size).min(shorter.steps.len());
            shorter.steps.drain(at..end);
            if fails(&shorter) {
                least = shorter;
            } else {
                at += size;
            }
        }
        if size > 1 || least.steps.len() == before {
            size /= 2;
        }
    }
    least
}
