//! Makes the kernel refuse chosen system calls, as sandboxes do.

#![allow(unsafe_code)]

use std::ffi::{c_int, c_long};
use std::os::fd::RawFd;

use super::raw::check;

/// The architecture constants of `linux/audit.h`.
#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xC000_00B7;
#[cfg(target_arch = "x86")]
const ARCHITECTURE: u32 = 0x4000_0003;
#[cfg(target_arch = "arm")]
const ARCHITECTURE: u32 = 0x4000_0028;
#[cfg(target_arch = "s390x")]
const ARCHITECTURE: u32 = 0x8000_0016;

/// The offsets of the call's number, the architecture and the low half of the first argument.
const NUMBER_AT: u32 = 0;
const ARCHITECTURE_AT: u32 = 4;
const FIRST_ARGUMENT_AT: u32 = if cfg!(target_endian = "little") {
    16
} else {
    20
};

/// The effect on a matching call.
#[derive(Clone, Copy)]
pub(crate) enum Verdict {
    Fail(c_int),
    KillProcess,
}

impl Verdict {
    fn code(self) -> u32 {
        match self {
            Verdict::Fail(errno) => libc::SECCOMP_RET_ERRNO | errno as u32,
            Verdict::KillProcess => libc::SECCOMP_RET_KILL_PROCESS,
        }
    }
}

/// The threads that a filter applies to, besides those that they start later.
#[derive(Clone, Copy)]
pub(crate) enum Reach {
    ThisThread,
    AllThreads,
}

/// A filter under construction. It cannot be removed once it is installed.
pub(crate) struct Filter(Vec<libc::sock_filter>);

impl Filter {
    pub(crate) fn new() -> Self {
        let mut filter = Self(Vec::new());
        filter.load(ARCHITECTURE_AT);
        filter.unless_equal(ARCHITECTURE, 1);
        filter.jump_over(1);
        filter.answer(libc::SECCOMP_RET_ALLOW);
        filter.load(NUMBER_AT);
        filter
    }

    /// Applies `verdict` to every call with this number.
    pub(crate) fn call(mut self, number: c_long, verdict: Verdict) -> Self {
        self.unless_equal(number as u32, 1);
        self.answer(verdict.code());
        self
    }

    /// Applies `verdict` to the calls with this number that have the descriptor as first argument.
    pub(crate) fn call_on(self, number: c_long, fd: RawFd, verdict: Verdict) -> Self {
        self.call_with(number, (0, fd as u32), verdict)
    }

    /// Applies `verdict` to the calls with this number in which one argument, counted from 0, has
    /// this value.
    pub(crate) fn call_with(
        mut self,
        number: c_long,
        argument: (u32, u32),
        verdict: Verdict,
    ) -> Self {
        let (place, value) = argument;
        self.unless_equal(number as u32, 4);
        self.load(FIRST_ARGUMENT_AT + 8 * place);
        self.unless_equal(value, 1);
        self.answer(verdict.code());
        self.load(NUMBER_AT);
        self
    }

    pub(crate) fn install(mut self, reach: Reach) {
        self.answer(libc::SECCOMP_RET_ALLOW);
        let program = libc::sock_fprog {
            len: self.0.len() as u16,
            filter: self.0.as_mut_ptr(),
        };
        let flags = match reach {
            Reach::ThisThread => 0,
            Reach::AllThreads => libc::SECCOMP_FILTER_FLAG_TSYNC,
        };
        let mode = libc::SECCOMP_SET_MODE_FILTER;
        // SAFETY: the arguments are integers and a pointer to a valid program, which the kernel
        // copies.
        unsafe {
            check(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)).unwrap();
            let installed = libc::syscall(libc::SYS_seccomp, mode, flags, &raw const program);
            check(installed as c_int).unwrap();
        }
    }

    fn load(&mut self, offset: u32) {
        self.push(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, offset);
    }

    fn answer(&mut self, code: u32) {
        self.push(libc::BPF_RET | libc::BPF_K, 0, code);
    }

    fn jump_over(&mut self, count: u32) {
        self.push(libc::BPF_JMP | libc::BPF_JA, 0, count);
    }

    /// Skips the next `count` instructions unless the loaded word has this value.
    fn unless_equal(&mut self, value: u32, count: u8) {
        self.push(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, count, value);
    }

    fn push(&mut self, code: u32, jf: u8, k: u32) {
        let code = code as u16;
        self.0.push(libc::sock_filter { code, jt: 0, jf, k });
    }
}
