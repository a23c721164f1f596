//! The targets, what is done with each, and the tests that are left out, with reasons.

/// What is done with a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// The library, its tests and the examples are type-checked and linted; warnings are errors.
    Check,
    /// The tests are built, linked and run.
    Run(Machine),
    /// The same on this system with the usual compiler and these flags.
    Here { flags: &'static str },
}

/// The machine that runs the programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Machine {
    /// This processor, with this loader and the libraries in the same folder.
    Loader(&'static str),
    /// This processor, without a loader: the programs are linked statically.
    Static,
    /// An emulator, with the folder of the target's libraries.
    Qemu {
        program: &'static str,
        libraries: &'static str,
    },
    Wine,
}

#[derive(Debug)]
pub(crate) struct Platform {
    /// The target triple, or a name for a variant of this system.
    pub(crate) name: &'static str,
    pub(crate) depth: Depth,
    /// Whether the platform belongs to the part that every change must pass.
    pub(crate) in_ci: bool,
    /// The Debian packages that are needed besides the compiler.
    pub(crate) packages: &'static [&'static str],
    /// The linker, if it is not the usual one.
    pub(crate) linker: Option<&'static str>,
}

const fn check(name: &'static str, in_ci: bool) -> Platform {
    Platform {
        name,
        depth: Depth::Check,
        in_ci,
        packages: &[],
        linker: None,
    }
}

const fn here(name: &'static str, flags: &'static str) -> Platform {
    Platform {
        name,
        depth: Depth::Here { flags },
        in_ci: false,
        packages: &[],
        linker: None,
    }
}

const fn qemu(
    name: &'static str,
    in_ci: bool,
    packages: &'static [&'static str],
    linker: &'static str,
    program: &'static str,
    libraries: &'static str,
) -> Platform {
    Platform {
        name,
        depth: Depth::Run(Machine::Qemu { program, libraries }),
        in_ci,
        packages,
        linker: Some(linker),
    }
}

/// The platforms, in the order of the printed table.
pub(crate) const PLATFORMS: &[Platform] = &[
    here("poll", "--cfg polling_test_poll_backend"),
    here(
        "pipe",
        "--cfg async_io_portable --cfg polling_test_epoll_pipe",
    ),
    Platform {
        name: "x86_64-pc-windows-gnu",
        depth: Depth::Run(Machine::Wine),
        in_ci: true,
        packages: &["gcc-mingw-w64-x86-64", "wine64"],
        linker: Some("x86_64-w64-mingw32-gcc"),
    },
    qemu(
        "s390x-unknown-linux-gnu",
        false,
        &["gcc-s390x-linux-gnu", "libc6-dev-s390x-cross", "qemu-user"],
        "s390x-linux-gnu-gcc",
        "qemu-s390x",
        "/usr/s390x-linux-gnu",
    ),
    qemu(
        "aarch64-unknown-linux-gnu",
        false,
        &[
            "gcc-aarch64-linux-gnu",
            "libc6-dev-arm64-cross",
            "qemu-user",
        ],
        "aarch64-linux-gnu-gcc",
        "qemu-aarch64",
        "/usr/aarch64-linux-gnu",
    ),
    qemu(
        "armv7-unknown-linux-gnueabihf",
        false,
        &[
            "gcc-arm-linux-gnueabihf",
            "libc6-dev-armhf-cross",
            "qemu-user",
        ],
        "arm-linux-gnueabihf-gcc",
        "qemu-arm",
        "/usr/arm-linux-gnueabihf",
    ),
    // 32 bits without 64-bit atomics.
    qemu(
        "armv5te-unknown-linux-gnueabi",
        false,
        &[
            "gcc-arm-linux-gnueabi",
            "libc6-dev-armel-cross",
            "qemu-user",
        ],
        "arm-linux-gnueabi-gcc",
        "qemu-arm",
        "/usr/arm-linux-gnueabi",
    ),
    Platform {
        name: "i686-unknown-linux-gnu",
        depth: Depth::Run(Machine::Loader("/usr/i686-linux-gnu/lib/ld-linux.so.2")),
        in_ci: true,
        packages: &["gcc-i686-linux-gnu", "libc6-dev-i386-cross"],
        linker: Some("i686-linux-gnu-gcc"),
    },
    Platform {
        name: "x86_64-unknown-linux-musl",
        depth: Depth::Run(Machine::Static),
        in_ci: false,
        packages: &["musl-tools"],
        linker: Some("musl-gcc"),
    },
    check("aarch64-apple-darwin", true),
    check("x86_64-apple-darwin", false),
    check("aarch64-apple-ios", false),
    check("x86_64-apple-ios", false),
    check("aarch64-apple-tvos", false),
    check("x86_64-unknown-freebsd", true),
    check("x86_64-unknown-netbsd", false),
    check("x86_64-unknown-openbsd", false),
    check("x86_64-unknown-dragonfly", false),
    check("x86_64-unknown-illumos", true),
    check("x86_64-pc-solaris", false),
    check("aarch64-linux-android", false),
    // Also 32 bits.
    check("armv7-linux-androideabi", true),
    check("x86_64-pc-windows-msvc", false),
    check("i686-pc-windows-msvc", false),
    check("x86_64-unknown-redox", false),
    check("x86_64-unknown-haiku", false),
];

/// A test that cannot run on some machine, for a reason outside of this crate.
#[derive(Debug)]
pub(crate) struct LeftOut {
    /// The name of the test in the test program, or a common beginning of several names.
    pub(crate) test: &'static str,
    pub(crate) on: fn(Machine) -> bool,
    pub(crate) reason: &'static str,
}

pub(crate) const LEFT_OUT: &[LeftOut] = &[
    LeftOut {
        test: "sandbox::",
        on: in_qemu,
        reason: NO_FILTERS,
    },
    LeftOut {
        test: "errors::nothing_panics_without_poller_threads_and_notifications",
        on: in_qemu,
        reason: NO_FILTERS,
    },
    LeftOut {
        test: "own::failing_notifications_do_not_end_the_process",
        on: in_qemu,
        reason: NO_FILTERS,
    },
    LeftOut {
        test: "interrupts::timers_of_the_waiting_thread_cause_no_notification",
        on: in_qemu,
        reason: NO_FILTERS,
    },
    LeftOut {
        test: "epoll_ctl::",
        on: in_qemu,
        reason: NO_FILTERS,
    },
    LeftOut {
        test: "limits::enfile_",
        on: in_qemu,
        reason: NO_FILTERS,
    },
    LeftOut {
        test: "idle::",
        on: in_qemu,
        reason: "they count how often threads sleep, and the emulator's own work counts as well",
    },
    LeftOut {
        test: "thread::the_thread_blocks_all_signals",
        on: in_qemu,
        reason: "/proc shows the signals of the emulator, which needs some of them itself",
    },
];

const NO_FILTERS: &str = "qemu-user has no seccomp";

fn in_qemu(machine: Machine) -> bool {
    matches!(machine, Machine::Qemu { .. })
}

impl Platform {
    /// Returns the tests that are left out on this platform.
    pub(crate) fn left_out(&self) -> impl Iterator<Item = &'static LeftOut> + '_ {
        let machine = match self.depth {
            Depth::Run(machine) => Some(machine),
            _ => None,
        };
        LEFT_OUT
            .iter()
            .filter(move |left_out| machine.is_some_and(left_out.on))
    }
}
