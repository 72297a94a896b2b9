//! What an interpreter runs in: this machine, or an emulator that is set up for one check and ended with it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::wine::WinePrefix;
use super::{Emulator, EmulatorError, Programs};
use crate::Context;
use crate::process::Invocation;

/// Dropped, it ends whatever still runs in it.
pub struct Machine<'a> {
    inside: Inside<'a>,
}

enum Inside<'a> {
    Here,
    Qemu { program: &'a Path, sysroot: &'a Path },
    Wine(WinePrefix<'a>),
}

/// Emulated code is this much slower, roughly; limits of time are as much longer.
const SLOWNESS: u32 = 10;

impl<'a> Machine<'a> {
    /// `scratch` is an existing folder for the emulator's own files.
    ///
    /// # Errors
    /// The emulator's own folder cannot be made.
    pub fn enter(context: &'a Context, emulator: Option<&'a Emulator>, scratch: &Path) -> Result<Self, EmulatorError> {
        let inside = match emulator.map(|emulator| (&emulator.programs, &emulator.version)) {
            None => Inside::Here,
            Some((Programs::Qemu { program, sysroot }, _)) => Inside::Qemu { program, sysroot },
            Some((Programs::Wine { program, server }, version)) => {
                Inside::Wine(WinePrefix::make(context, program, server, version, scratch)?)
            }
        };
        Ok(Self { inside })
    }

    /// `program` is the foreign one.
    pub fn invocation(&self, program: &Path, folder: &Path) -> Invocation {
        match &self.inside {
            Inside::Here => Invocation::new(program, folder),
            Inside::Qemu { .. } => {
                let mut words = self.launcher();
                Invocation::new(words.remove(0), folder).args(words).arg(program)
            }
            Inside::Wine(prefix) => prefix.invocation(program, folder),
        }
    }

    /// What a program inside has to put before the name of another one to start it. The system that emulated code
    /// calls is still this one, which starts only its own programs.
    pub fn launcher(&self) -> Vec<OsString> {
        match &self.inside {
            Inside::Qemu { program, sysroot } => vec![(*program).into(), "-L".into(), (*sysroot).into()],
            Inside::Here | Inside::Wine(_) => Vec::new(),
        }
    }

    /// How an absolute path of this machine is written inside.
    pub fn path(&self, path: &Path) -> PathBuf {
        match &self.inside {
            Inside::Here | Inside::Qemu { .. } => path.to_owned(),
            Inside::Wine(_) => {
                let mut text = OsString::from("Z:");
                text.push(path);
                text.into()
            }
        }
    }

    /// Whether processes can be forked inside.
    pub fn forks(&self) -> bool {
        cfg!(unix) && !matches!(self.inside, Inside::Wine(_))
    }

    pub fn slowness(&self) -> u32 {
        if matches!(self.inside, Inside::Here) { 1 } else { SLOWNESS }
    }
}
