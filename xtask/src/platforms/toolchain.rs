//! Debian's compiler with the source of the standard library. It builds for any target, even if no
//! package contains a standard library for it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::table::{Depth, Machine, Platform};
use crate::debian;
use crate::shell::{self, Outcome};

const RUSTC: &str = "/usr/bin/rustc";
const CARGO: &str = "/usr/bin/cargo";
const CLIPPY: &str = "/usr/bin/cargo-clippy";

/// The function that gcc's unwinder needs in addition to musl.
const FIND_OBJECT: &str = include_str!("find_object.c");

/// The compiler with its linter, and the binutils that create import libraries for Windows, which
/// even a type-check needs.
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

/// Returns the build folder. All foreign targets share it, because what runs during the build is
/// the same for all.
pub(crate) fn folder() -> PathBuf {
    shell::target("platforms")
}

/// Returns Debian's cargo in the workspace, with the settings for the targets.
pub(crate) fn cargo(subcommand: &str, platforms: &[&Platform]) -> Outcome<Command> {
    // Cargo looks for subcommands in the user's folder first, which may contain those of another
    // compiler.
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
        // Without this, a stable compiler does not offer to build the standard library.
        .env("RUSTC_BOOTSTRAP", "1")
        // Each target has its own flags, which this variable would replace.
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
        // Programs do not look for their loader in the library folder of another architecture.
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

/// Creates a `libunwind.a` and returns its folder. Rust links musl programs with this library,
/// which is part of its standard library for musl. Such a standard library is not installed here.
/// The unwinder of gcc has the same functions, but needs one function of glibc that musl lacks.
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
