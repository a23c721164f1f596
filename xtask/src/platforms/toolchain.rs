//! Debian's compiler together with the source of the standard library: builds for any target, also for those that no
//! package has a standard library for.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::table::{Depth, Machine, Platform};
use crate::debian;
use crate::shell::{self, Outcome};

const RUSTC: &str = "/usr/bin/rustc";
const CARGO: &str = "/usr/bin/cargo";
const CLIPPY: &str = "/usr/bin/cargo-clippy";

/// What gcc's unwinder needs beside musl.
const FIND_OBJECT: &str = include_str!("find_object.c");

/// The compiler with its linter, and what finds entry points of Windows libraries, which is needed even for type-checking.
const PACKAGES: &[&str] = &[
    "rustc-web",
    "cargo-web",
    "rust-web-clippy",
    "rust-web-src",
    "binutils-mingw-w64-x86-64",
];

pub(crate) fn install(platforms: &[&Platform]) -> Outcome {
    let mut packages = PACKAGES.to_vec();
    packages.extend(platforms.iter().flat_map(|platform| platform.packages));
    packages.sort_unstable();
    packages.dedup();
    let missing: Vec<&str> = packages
        .into_iter()
        .filter(|package| !is_installed(package))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    println!("installing {}", missing.join(" "));
    debian::install(&missing)
        .map_err(|error| format!("missing Debian packages ({}): {error}", missing.join(" ")))
}

fn is_installed(package: &str) -> bool {
    let status = Command::new("dpkg-query")
        .args(["-W", "-f", "${db:Status-Status}", package])
        .stderr(Stdio::null())
        .output();
    status.is_ok_and(|output| output.stdout == b"installed")
}

/// All foreign targets share one build folder: what runs during the build is the same for all.
pub(crate) fn folder() -> PathBuf {
    shell::target("platforms")
}

/// Debian's cargo in the workspace, with all that the targets need.
pub(crate) fn cargo(subcommand: &str, platforms: &[&Platform]) -> Outcome<Command> {
    // Cargo looks for its subcommands in the user's folder first, which may have those of another compiler.
    let program = if subcommand == "clippy" {
        CLIPPY
    } else {
        CARGO
    };
    let mut cargo = Command::new(program);
    cargo
        .env("CARGO", CARGO)
        .current_dir(shell::root())
        .env("CARGO_TARGET_DIR", folder())
        .env("RUSTC", RUSTC)
        .env("RUSTDOC", "/usr/bin/rustdoc")
        // Building the standard library is not offered by a stable compiler otherwise.
        .env("RUSTC_BOOTSTRAP", "1")
        // Each target has its own, which this would replace.
        .env_remove("RUSTFLAGS")
        .env_remove("RUSTUP_TOOLCHAIN");
    cargo.args([
        subcommand,
        "--locked",
        "-Z",
        "build-std=std,panic_abort,test",
    ]);
    for platform in platforms {
        cargo.args(["--target", platform.name]);
        let variable = |what: &str| {
            let target = platform.name.to_uppercase().replace('-', "_");
            format!("CARGO_TARGET_{target}_{what}")
        };
        cargo.env(variable("RUSTFLAGS"), shell::rustflags(&flags(platform)?));
        if let Some(linker) = platform.linker {
            cargo.env(variable("LINKER"), linker);
        }
    }
    Ok(cargo)
}

fn flags(platform: &Platform) -> Outcome<String> {
    let warnings = "-D warnings";
    Ok(match platform.depth {
        // The library folder of another architecture is not where programs look for their loader.
        Depth::Run(Machine::Loader(loader)) => {
            let libraries = Path::new(loader).parent().unwrap_or(Path::new("/"));
            format!(
                "{warnings} -C link-arg=-Wl,--dynamic-linker={loader} -C link-arg=-Wl,-rpath,{}",
                libraries.display()
            )
        }
        Depth::Run(Machine::Static) => format!(
            "{warnings} -C link-self-contained=no -C relocation-model=static -L native={}",
            unwinder()?.display()
        ),
        _ => warnings.into(),
    })
}

/// Rust links musl programs with a `libunwind.a`, which it brings along where it brings a standard library for musl.
/// That of gcc has the same functions, and lacks one of glibc's.
fn unwinder() -> Outcome<PathBuf> {
    let folder = folder().join("unwinder");
    shell::fresh_dir(&folder)?;
    let library = shell::capture(Command::new("gcc").arg("-print-file-name=libgcc_eh.a"))?;
    let copied = std::fs::copy(library.trim(), folder.join("libunwind.a"));
    copied.map_err(|error| format!("cannot copy {}: {error}", library.trim()))?;

    shell::write(&folder.join("find_object.c"), FIND_OBJECT)?;
    let mut compiler = Command::new("musl-gcc");
    compiler.args(["-O1", "-Wall", "-Werror", "-c", "find_object.c"]);
    shell::run(compiler.current_dir(&folder))?;
    let mut archiver = Command::new("ar");
    archiver.args(["r", "libunwind.a", "find_object.o"]);
    shell::run(archiver.current_dir(&folder))?;
    Ok(folder)
}
