//! Wine's own folder, `WINEPREFIX`: made once in the store, lent to each check as a light copy.
//!
//! Making one takes ten seconds and most of a gigabyte, because wine copies each of its libraries into it. Here the
//! copies become links to the installed ones, and a check gets a folder with its own registry and a link to the rest:
//! so checks do not see each other, and each can end its own wine without ending another's.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use vocab::Digest;

use super::{EmulatorError, code_text};
use process::Invocation;
use store::Context;
use store::{EntryKind, LockOutcome};

const SET_UP_LIMIT: Duration = Duration::from_secs(600);
const END_LIMIT: Duration = Duration::from_secs(30);

/// Neither Mono nor Gecko (wine would ask for them in a window), no menu entries, no debugger for crashes.
const SWITCHED_OFF: &str = "mscoree,mshtml=;winemenubuilder.exe,winedbg.exe=d";
/// Only messages about missing libraries. Calls of functions that wine lacks are always reported.
const MESSAGES: &str = "-all,err+module";

/// Dropping it ends all programs that run in it.
pub(crate) struct WinePrefix<'a> {
    context: &'a Context,
    program: &'a Path,
    server: &'a Path,
    folder: PathBuf,
    /// Folder of the sockets of wine's server.
    temporary: PathBuf,
}

impl<'a> WinePrefix<'a> {
    /// Lends a copy of the template below `scratch`; makes the template in the store first if this version of wine has
    /// none.
    pub(crate) fn make(
        context: &'a Context,
        program: &'a Path,
        server: &'a Path,
        version: &str,
        scratch: &Path,
    ) -> Result<Self, EmulatorError> {
        let template = template(context, program, server, version)?;
        let (folder, temporary) = (scratch.join("wine"), scratch.join("temporary"));
        let lent = fs::create_dir_all(&temporary).and_then(|()| lend(&template, &folder));
        lent.map_err(|source| EmulatorError::Disk { path: folder.clone(), source })?;
        Ok(Self { context, program, server, folder, temporary })
    }

    /// An invocation of the Windows `program` in `folder`, under wine and this prefix.
    pub(crate) fn invocation(&self, program: &Path, folder: &Path) -> Invocation {
        within(&self.folder, &self.temporary, Invocation::new(self.program, folder).arg(program))
    }
}

impl Drop for WinePrefix<'_> {
    fn drop(&mut self) {
        // It fails when nothing runs any more.
        let _ = end(self.context, self.server, &self.folder, &self.temporary);
    }
}

/// Adds the variables that every program under wine gets.
fn within(folder: &Path, temporary: &Path, invocation: Invocation) -> Invocation {
    let invocation = invocation.env("WINEPREFIX", folder).env("TMPDIR", temporary);
    invocation.env("WINEDEBUG", MESSAGES).env("WINEDLLOVERRIDES", SWITCHED_OFF).daemons_stay()
}

/// Ends all programs that run in `folder`, and wine's own services with them. They are daemons, beyond the reach of
/// what ends the children of a program.
fn end(context: &Context, server: &Path, folder: &Path, temporary: &Path) -> Result<(), process::ProcessError> {
    let invocation = Invocation::new(server, folder).arg("-k").timeout(Some(END_LIMIT)).also_when_cancelled();
    process::run(context, &within(folder, temporary, invocation)).map(|_| ())
}

/// The folder in the store that all checks with this version of wine begin from.
fn template(context: &Context, program: &Path, server: &Path, version: &str) -> Result<PathBuf, EmulatorError> {
    let digest = Digest::of(format!("wine folder 1\n{version}"));
    let name = format!("wine-folder-{}", &digest.to_string()[..16]);
    context.store.mark_used(EntryKind::Tools, &name);
    let target = context.store.tool(&name);
    if target.is_dir() {
        return Ok(target);
    }
    let held = context.store.lock("wine", &digest, || context.is_cancelled())?;
    let made_meanwhile = target.is_dir();
    if made_meanwhile || matches!(held, LockOutcome::GivenUp) {
        return Ok(target);
    }
    context.note("setting up wine, once for all checks");
    let staged = context.store.stage_dir()?;
    let made = set_up(context, program, server, staged.path());
    let _ = end(context, server, staged.path(), staged.path());
    made?;
    lighten(program, staged.path());
    context.store.publish_dir(staged, &target)?;
    Ok(target)
}

fn set_up(context: &Context, program: &Path, server: &Path, folder: &Path) -> Result<(), EmulatorError> {
    let boot = Invocation::new(program, folder).args(["wineboot", "--init"]).timeout(Some(SET_UP_LIMIT));
    let booted = process::run(context, &within(folder, folder, without_screen(context, boot)))?;
    // The registry is written when the last program has ended, which services do a little later than `wineboot`.
    let wait = Invocation::new(server, folder).arg("-w").timeout(Some(SET_UP_LIMIT));
    process::run(context, &within(folder, folder, wait))?;
    if booted.succeeded() && folder.join("system.reg").is_file() {
        return Ok(());
    }
    Err(EmulatorError::Broken {
        program: program.to_owned(),
        code: code_text(booted.code),
        said: booted.stderr_text().trim().to_owned(),
    })
}

/// Keeps wine from opening windows.
fn without_screen(context: &Context, mut invocation: Invocation) -> Invocation {
    invocation.clear_environment = true;
    for name in ["PATH", "HOME", "USER", "LOGNAME"] {
        if let Some(value) = context.environment.path(name) {
            invocation = invocation.env(name, value.as_os_str());
        }
    }
    invocation.env("LC_ALL", "C.UTF-8")
}

/// Copies that equal the installed libraries become links to them. If those are not found, the copies stay.
fn lighten(program: &Path, folder: &Path) {
    let Some(installed) = libraries_of(program) else { return };
    let Ok(copies) = fs::read_dir(folder.join("drive_c/windows/system32")) else { return };
    for copy in copies.flatten() {
        let original = installed.join(copy.file_name());
        if matches!(same_bytes(&copy.path(), &original), Ok(true)) {
            let link = copy.path().with_extension("link");
            // Beside, then renamed: a failure leaves the copy.
            if symbolic_link(&original, &link).is_ok() {
                let _ = fs::rename(&link, copy.path());
            }
        }
    }
}

/// `/usr/lib/x86_64-linux-gnu/wine/x86_64-windows` for `/usr/lib/wine/wine64`, and as other packagers place it.
fn libraries_of(program: &Path) -> Option<PathBuf> {
    let program = program.canonicalize().ok()?;
    let places = ["x86_64-linux-gnu/wine/x86_64-windows", "lib/wine/x86_64-windows", "lib64/wine/x86_64-windows"];
    program.ancestors().skip(1).take(3).flat_map(|above| places.map(|place| above.join(place))).find(|it| it.is_dir())
}

fn same_bytes(one: &Path, other: &Path) -> io::Result<bool> {
    let (one, other) = (File::open(one)?, File::open(other)?);
    let (metadata, other_metadata) = (one.metadata()?, other.metadata()?);
    if !metadata.is_file() || metadata.len() != other_metadata.len() {
        return Ok(false);
    }
    let (mut one, mut other) = (io::BufReader::new(one), io::BufReader::new(other));
    let (mut left, mut right) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let mut rest = metadata.len();
    while rest > 0 {
        let length = usize::try_from(rest).unwrap_or(usize::MAX).min(left.len());
        one.read_exact(&mut left[..length])?;
        other.read_exact(&mut right[..length])?;
        if left[..length] != right[..length] {
            return Ok(false);
        }
        rest -= length as u64;
    }
    Ok(true)
}

/// A folder of its own for one check, on the template's libraries.
fn lend(template: &Path, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder.join("dosdevices"))?;
    for entry in fs::read_dir(template)? {
        let (name, path) = entry.map(|entry| (entry.file_name(), entry.path()))?;
        let is_setting = path.extension() == Some(OsStr::new("reg")) || name == ".update-timestamp";
        if is_setting {
            fs::copy(path, folder.join(name))?;
        }
    }
    let drive = folder.join("drive_c");
    for user in fs::read_dir(template.join("drive_c/users"))? {
        let user = drive.join("users").join(user?.file_name());
        for own in ["Temp", "AppData/Local/Temp", "AppData/Roaming"] {
            fs::create_dir_all(user.join(own))?;
        }
    }
    symbolic_link(&template.join("drive_c/windows"), &drive.join("windows"))?;
    symbolic_link(Path::new("../drive_c"), &folder.join("dosdevices").join(OsString::from("c:")))?;
    symbolic_link(Path::new("/"), &folder.join("dosdevices").join(OsString::from("z:")))
}

#[cfg(unix)]
fn symbolic_link(target: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

/// Windows needs no wine, and `emulator::kind_for` offers none there.
#[cfg(not(unix))]
fn symbolic_link(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
