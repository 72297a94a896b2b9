//! Programs that run a foreign prefix on this machine: qemu-user for the other Linux, wine for Windows.
//!
//! [`find`] looks for them and says what is missing; [`Machine`] is what an interpreter runs in; [`gap_in`]
//! distinguishes what an emulator cannot do from what is wrong with a runtime. `scripts/emulators` sets them up.

mod gap;
mod machine;
mod wine;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use vocab::{Fault, PlatformKey};

use process::{Invocation, ProcessError};
use store::Context;
use store::StoreError;

pub use gap::{gap_in, with_cause};
pub use machine::Machine;

/// Where `scripts/emulators` puts what it sets up, below the repository.
const DEFAULT_FOLDER: &str = "target/emulators";
/// An emulator that has not printed its version by then does not work.
const VERSION_LIMIT: Duration = Duration::from_secs(60);

/// Which emulator it is: qemu-user for Linux on another processor, wine for Windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmulatorKind {
    Qemu,
    Wine,
}

impl fmt::Display for EmulatorKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Qemu => "qemu",
            Self::Wine => "wine",
        })
    }
}

/// An emulator that was found and could be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Emulator {
    programs: EmulatorPrograms,
    /// `qemu-aarch64 7.2.22`, `wine 8.0`.
    pub label: String,
    /// The first line of its answer to `--version`, with what its packager adds, and the processor that it emulates.
    pub version: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum EmulatorPrograms {
    /// `sysroot` holds the C library of the emulated system, as `/lib` and `/usr/lib` of it; `cpu` is a processor as
    /// qemu names it.
    Qemu {
        program: PathBuf,
        sysroot: PathBuf,
        cpu: &'static str,
    },
    Wine {
        program: PathBuf,
        server: PathBuf,
    },
}

impl Emulator {
    /// Which emulator it is; decides how its messages are read ([`gap_in`]).
    pub fn kind(&self) -> EmulatorKind {
        match self.programs {
            EmulatorPrograms::Qemu { .. } => EmulatorKind::Qemu,
            EmulatorPrograms::Wine { .. } => EmulatorKind::Wine,
        }
    }
}

/// Why no emulator can be used.
#[derive(Debug, thiserror::Error, Fault)]
#[fault(Build)]
pub enum EmulatorError {
    #[error("`{platform}` cannot be emulated here: there is no {what} ({})", looked.join(", "))]
    #[fault(
        "E_EMULATOR_MISSING",
        hint("run `scripts/emulators`, or leave --emulate out: the static checks run anywhere")
    )]
    Missing {
        platform: PlatformKey,
        what: &'static str,
        /// Each place or variable that was looked at.
        looked: Vec<String>,
    },
    #[error("`{}` does not work: it ended with {code}: {said}", program.display())]
    #[fault("E_EMULATOR_BROKEN", hint("`scripts/emulators --check` shows which emulators are there"))]
    Broken { program: PathBuf, code: String, said: String },
    #[error("an emulator cannot be used")]
    #[fault(transparent)]
    Process(#[from] ProcessError),
    #[error("an emulator cannot be set up")]
    #[fault(transparent)]
    Store(#[from] StoreError),
    #[error("cannot write `{}`", path.display())]
    #[fault("E_EMULATOR_DISK")]
    Disk { path: PathBuf, source: io::Error },
}

/// Which emulator can run prefixes for `platform` on `host`, installed or not. `None` if nothing can (macOS) or
/// nothing is needed.
pub fn kind_for(platform: PlatformKey, host: PlatformKey) -> Option<EmulatorKind> {
    match (platform, host) {
        (PlatformKey::LinuxAarch64, PlatformKey::LinuxX64) | (PlatformKey::LinuxX64, PlatformKey::LinuxAarch64) => {
            Some(EmulatorKind::Qemu)
        }
        // Wine runs the code of its own architecture.
        (PlatformKey::WindowsX64, PlatformKey::LinuxX64 | PlatformKey::MacosxX64) => Some(EmulatorKind::Wine),
        _ => None,
    }
}

/// The emulator that `--emulate` asks for. `None` on the platform's own machine, and, with a note, where nothing
/// emulates it.
///
/// # Errors
/// As [`find`].
pub fn for_build(
    context: &Context,
    repository: &Path,
    platform: PlatformKey,
) -> Result<Option<Emulator>, EmulatorError> {
    let host = PlatformKey::host();
    if host == Some(platform) {
        return Ok(None);
    }
    match host.and_then(|host| kind_for(platform, host)) {
        Some(kind) => find(context, repository, platform, kind).map(Some),
        None => {
            context.note(format!("nothing here emulates `{platform}`: it gets the static checks only"));
            Ok(None)
        }
    }
}

/// The emulator for `platform`, started once for its version. `repository` is where `scripts/emulators` puts things
/// unless `PYDIST_EMULATORS` names another folder.
///
/// # Errors
/// It is missing or does not work, or [`kind_for`] knows none.
pub fn find(
    context: &Context,
    repository: &Path,
    platform: PlatformKey,
    kind: EmulatorKind,
) -> Result<Emulator, EmulatorError> {
    let folder = match context.environment.path("PYDIST_EMULATORS") {
        Some(folder) => folder.to_owned(),
        None => repository.join(DEFAULT_FOLDER),
    };
    let search = EmulatorSearch { context, folder: &folder, platform };
    let programs = match kind {
        EmulatorKind::Qemu => search.qemu()?,
        EmulatorKind::Wine => search.wine()?,
    };
    let (program, cpu) = match &programs {
        EmulatorPrograms::Qemu { program, cpu, .. } => (program, Some(*cpu)),
        EmulatorPrograms::Wine { program, .. } => (program, None),
    };
    let asked = Invocation::new(program, context.store.root()).arg("--version").timeout(Some(VERSION_LIMIT));
    let finished = process::run(context, &asked)?;
    let said = finished.stdout_text();
    let version = said.lines().next().unwrap_or_default().trim().to_owned();
    if !finished.succeeded() || version.is_empty() {
        return Err(EmulatorError::Broken {
            program: program.clone(),
            code: code_text(finished.code),
            said: finished.stderr_text().trim().to_owned(),
        });
    }
    let label = label_of(&version);
    let version = [Some(version.as_str()), cpu].into_iter().flatten().collect::<Vec<_>>().join(", cpu ");
    Ok(Emulator { programs, label, version })
}

/// `qemu-aarch64 7.2.22` of `qemu-aarch64 version 7.2.22 (Debian 1:7.2+dfsg-7)`, `wine 8.0` of `wine-8.0 (Debian …)`.
fn label_of(version: &str) -> String {
    let plain = version.split(" (").next().unwrap_or(version).replace(" version ", " ");
    match plain.strip_prefix("wine-") {
        Some(number) => format!("wine {number}"),
        None => plain,
    }
}

fn code_text(code: Option<i32>) -> String {
    code.map_or("a signal".to_owned(), |code| format!("code {code}"))
}

struct EmulatorSearch<'a> {
    context: &'a Context,
    folder: &'a Path,
    platform: PlatformKey,
}

impl EmulatorSearch<'_> {
    fn qemu(&self) -> Result<EmulatorPrograms, EmulatorError> {
        let (names, variable, loader, sysroot, cpu) = match self.platform {
            PlatformKey::LinuxX64 => (
                ["qemu-x86_64-static", "qemu-x86_64"],
                "PYDIST_SYSROOT_X86_64",
                "lib64/ld-linux-x86-64.so.2",
                "sysroot-x86_64",
                // The default has no AVX, which some wheels expect.
                "max",
            ),
            _ => (
                ["qemu-aarch64-static", "qemu-aarch64"],
                "PYDIST_SYSROOT_AARCH64",
                "lib/ld-linux-aarch64.so.1",
                "sysroot-aarch64",
                // Without SVE: numerical libraries take other code where the processor has it, which has been seen to
                // compute wrongly in qemu 7.
                "max,sve=off",
            ),
        };
        let program = self.program(&names, &[], "qemu-user")?;
        let sysroot = match self.context.environment.path(variable) {
            Some(sysroot) => sysroot.to_owned(),
            None => self.folder.join(sysroot),
        };
        // A link that dangles on this machine may be right inside, so it is not followed.
        if sysroot.join(loader).symlink_metadata().is_err() {
            let looked =
                vec![format!("looked for `{}`", sysroot.join(loader).display()), format!("{variable} names it")];
            return Err(EmulatorError::Missing { platform: self.platform, what: "sysroot for qemu-user", looked });
        }
        Ok(EmulatorPrograms::Qemu { program, sysroot, cpu })
    }

    fn wine(&self) -> Result<EmulatorPrograms, EmulatorError> {
        // Debian keeps the 64-bit loader of its package `wine64` here, off PATH.
        let debian = Path::new("/usr/lib/wine");
        let program = self.program(&["wine64", "wine"], &[debian], "wine")?;
        let beside = program.parent().unwrap_or(debian).to_owned();
        let server = self.program(&["wineserver", "wineserver64"], &[&beside, debian], "wineserver")?;
        Ok(EmulatorPrograms::Wine { program, server })
    }

    fn program(&self, names: &[&str], places: &[&Path], what: &'static str) -> Result<PathBuf, EmulatorError> {
        let own = self.folder.join("bin");
        let places: Vec<&Path> = std::iter::once(own.as_path()).chain(places.iter().copied()).collect();
        let on_path = |name: &str| which::which_in(name, self.context.environment.path("PATH"), &own).ok();
        let in_places = |name: &str| places.iter().map(|place| place.join(name)).find(|path| path.is_file());
        names.iter().find_map(|name| on_path(name).or_else(|| in_places(name))).ok_or_else(|| {
            let places: Vec<String> = places.iter().map(|place| format!("`{}`", place.display())).collect();
            let looked = format!("looked for `{}` on PATH and in {}", names.join("` and `"), places.join(" and "));
            EmulatorError::Missing { platform: self.platform, what, looked: vec![looked] }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_platform_has_its_emulator_where_there_is_one() {
        use PlatformKey::{LinuxAarch64, LinuxX64, MacosxAarch64, MacosxX64, WindowsX64};
        let cases = [
            // (platform, host, emulator)
            (LinuxAarch64, LinuxX64, Some(EmulatorKind::Qemu)),
            (LinuxX64, LinuxAarch64, Some(EmulatorKind::Qemu)),
            (WindowsX64, LinuxX64, Some(EmulatorKind::Wine)),
            (WindowsX64, LinuxAarch64, None),
            (LinuxX64, LinuxX64, None),
            (MacosxAarch64, LinuxX64, None),
            (MacosxX64, LinuxAarch64, None),
            (LinuxX64, WindowsX64, None),
        ];
        for (platform, host, kind) in cases {
            assert_eq!(kind_for(platform, host), kind, "for {platform} on {host}");
        }
    }

    #[test]
    fn the_label_is_short_and_the_same_for_every_packager() {
        let cases = [
            ("qemu-aarch64 version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)", "qemu-aarch64 7.2.22"),
            ("wine-8.0 (Debian 8.0~repack-4)", "wine 8.0"),
            ("wine-9.0", "wine 9.0"),
        ];
        for (version, label) in cases {
            assert_eq!(label_of(version), label, "for {version}");
        }
    }
}
