//! What an interpreter runs in: this machine, or an emulator that is set up for one check and ended with it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::wine::WinePrefix;
use super::{Emulator, EmulatorError, EmulatorPrograms};
use process::Invocation;
use store::Context;

/// Dropping it ends all programs that still run in it.
pub struct Machine<'a> {
    inside: MachineKind<'a>,
}

enum MachineKind<'a> {
    Here,
    Qemu { program: &'a Path, sysroot: &'a Path, cpu: &'static str },
    Wine(WinePrefix<'a>),
}

/// Emulated code is this much slower, roughly; limits of time are as much longer.
const SLOWNESS: u32 = 10;

impl<'a> Machine<'a> {
    /// Sets the emulator up. `scratch` is an existing folder for its own files.
    ///
    /// # Errors
    /// The emulator's own folder cannot be made.
    pub fn enter(context: &'a Context, emulator: Option<&'a Emulator>, scratch: &Path) -> Result<Self, EmulatorError> {
        let inside = match emulator.map(|emulator| (&emulator.programs, &emulator.version)) {
            None => MachineKind::Here,
            Some((EmulatorPrograms::Qemu { program, sysroot, cpu }, _)) => MachineKind::Qemu { program, sysroot, cpu },
            Some((EmulatorPrograms::Wine { program, server }, version)) => {
                MachineKind::Wine(WinePrefix::make(context, program, server, version, scratch)?)
            }
        };
        Ok(Self { inside })
    }

    /// An invocation of the foreign `program` in `folder`.
    pub fn invocation(&self, program: &Path, folder: &Path) -> Invocation {
        match &self.inside {
            MachineKind::Here => Invocation::new(program, folder),
            MachineKind::Qemu { .. } => {
                let mut words = self.launcher();
                Invocation::new(words.remove(0), folder).args(words).arg(program)
            }
            MachineKind::Wine(prefix) => prefix.invocation(program, folder),
        }
    }

    /// Words that a program inside has to put before the name of another one to start it. The system that emulated code
    /// calls is still this one, which starts only its own programs.
    pub fn launcher(&self) -> Vec<OsString> {
        match &self.inside {
            MachineKind::Qemu { program, sysroot, cpu } => {
                vec![(*program).into(), "-L".into(), (*sysroot).into(), "-cpu".into(), (*cpu).into()]
            }
            MachineKind::Here | MachineKind::Wine(_) => Vec::new(),
        }
    }

    /// How an absolute path of this machine is written inside.
    pub fn path(&self, path: &Path) -> PathBuf {
        match &self.inside {
            MachineKind::Here | MachineKind::Qemu { .. } => path.to_owned(),
            MachineKind::Wine(_) => {
                let mut text = OsString::from("Z:");
                text.push(path);
                text.into()
            }
        }
    }

    /// Whether processes can be forked inside.
    pub fn forks(&self) -> bool {
        cfg!(unix) && !matches!(self.inside, MachineKind::Wine(_))
    }

    /// Factor for time limits: 1 on this machine, more in an emulator.
    pub fn slowness(&self) -> u32 {
        if matches!(self.inside, MachineKind::Here) { 1 } else { SLOWNESS }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn qemu_is_told_which_processor_to_emulate_also_for_programs_that_are_started_inside() {
        let (program, sysroot) = (Path::new("/q/qemu-aarch64"), Path::new("/q/sysroot"));
        let machine = Machine { inside: MachineKind::Qemu { program, sysroot, cpu: "max,sve=off" } };
        let words = ["/q/qemu-aarch64", "-L", "/q/sysroot", "-cpu", "max,sve=off"];
        assert_eq!(machine.launcher(), words);
        let invocation = machine.invocation(Path::new("/p/bin/python3"), Path::new("/p"));
        assert_eq!(invocation.program, Path::new(words[0]));
        assert_eq!(invocation.arguments[3..], ["max,sve=off", "/p/bin/python3"]);
    }
}
