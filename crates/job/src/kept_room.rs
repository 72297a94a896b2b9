//! The environment that jobs are asked in, which is the same for all with the same interpreter and the same build requirements: made
//! once, kept among the store's tools, with byte code of all that a question imports.
//!
//! Code of a job can only read it: it lies outside of what the sandbox lets be written. Where there is no sandbox, each
//! job gets an environment of its own.

use std::fs;
use std::path::{Path, PathBuf};

use process::Invocation;
use source_build::{BuildTools, Room, SourceBuild, enter_room, make_room};
use store::{Context, EntryKind, LockOutcome};
use vocab::Digest;

use crate::job_error::JobError;

/// Changes with what is in the folder.
const KEPT_FORMAT: u32 = 1;
/// Written last.
const COMPLETE: &str = "complete";
/// Imports what a question imports, so that its byte code is there. Modules that this Python lacks are left out.
const WARM: &str = r#"
import importlib, pkgutil, sys
names = """ast base64 contextlib ctypes email.parser glob gzip hashlib importlib.metadata io json os re runpy shutil signal socket
subprocess tarfile tempfile textwrap threading tokenize traceback types zipfile sysconfig platform csv configparser
setuptools setuptools.build_meta setuptools.dist setuptools.command.egg_info setuptools.command.sdist setuptools.command.build
setuptools.command.build_py setuptools.command.bdist_wheel setuptools.command.install distutils.core distutils.command.build
distutils.command.sdist distutils.archive_util distutils.filelist distutils.text_file""".split()
import setuptools.command
names += [module.name for module in pkgutil.iter_modules(setuptools.command.__path__, "setuptools.command.")]
for name in names:
    try:
        importlib.import_module(name)
    except Exception:
        pass
"#;

/// A room, and its folder if it is kept.
#[derive(Debug)]
pub(crate) struct EnteredRoom {
    pub room: Room,
    pub kept: Option<PathBuf>,
}

/// Python's options to read the byte code in it.
pub(crate) fn byte_code(kept: &Path) -> [String; 2] {
    ["-X".to_owned(), format!("pycache_prefix={}", kept.join("byte-code").display())]
}

/// A room of one job's own.
pub(crate) fn throw_away(
    context: &Context,
    build: &SourceBuild<'_>,
    tools: &BuildTools<'_>,
    work: &Path,
) -> Result<EnteredRoom, JobError> {
    Ok(EnteredRoom { room: make_room(context, build, tools, work)?, kept: None })
}

/// The room with home and temporary files below `work`; made first if it is not kept yet.
pub(crate) fn enter(
    context: &Context,
    build: &SourceBuild<'_>,
    tools: &BuildTools<'_>,
    work: &Path,
) -> Result<EnteredRoom, JobError> {
    // Where a version is open, or an index is named, the next answer may be another one.
    if !tools.registries.is_empty() || !build.build_requires.iter().all(|line| is_pin(line)) {
        return throw_away(context, build, tools, work);
    }
    let requires = build.build_requires.join("\n");
    let key = Digest::of(format!("{KEPT_FORMAT}\n{}\n{}\n{requires}\n", build.base_identity, build.python.display()));
    let name = format!("job-environment-{}", key.short());
    context.store.mark_used(EntryKind::Tools, &name);
    let place = context.store.tool(&name);
    let environment = place.join("environment");
    if !place.join(COMPLETE).is_file() {
        let held = context.store.lock("tools", &key, || context.is_cancelled())?;
        let LockOutcome::Held(_lock) = held else { return Err(JobError::Interrupted) };
        // Another builder may have finished it while this one waited.
        if !place.join(COMPLETE).is_file() {
            make(context, build, tools, &place)?;
        }
    }
    let room = enter_room(context, build, tools, &environment, work)?;
    Ok(EnteredRoom { room, kept: Some(place) })
}

fn is_pin(line: &str) -> bool {
    line.contains("==") && !line.contains(['*', ';', ',', '<', '>', '~', '!', '@'])
}

fn make(context: &Context, build: &SourceBuild<'_>, tools: &BuildTools<'_>, place: &Path) -> Result<(), JobError> {
    let failed = JobError::disk("make", place);
    let emptied = || {
        if place.exists() {
            disk::remove_tree(place)?;
        }
        fs::create_dir_all(place)
    };
    emptied().map_err(failed)?;
    let room = make_room(context, build, tools, place)?;
    let mut warm = Invocation::new(&room.python, place)
        .arg("-I")
        .args(byte_code(place))
        .args(["-c", WARM])
        .timeout(context.timeout);
    warm.clear_environment = true;
    // It is what keeps Python from writing byte code.
    warm.environment = room.environment.into_iter().filter(|(name, _)| name != "PYTHONDONTWRITEBYTECODE").collect();
    process::run(context, &warm)?;
    let complete = place.join(COMPLETE);
    fs::write(&complete, "").map_err(JobError::disk("write", &complete))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exact_pins_have_a_kept_environment() {
        for (line, is) in [("setuptools==84.2.1", true), ("setuptools>=60", false), ("x==1.*", false), ("x", false)] {
            assert_eq!(is_pin(line), is, "for {line}");
        }
    }
}
