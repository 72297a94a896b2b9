//! What this machine offers, gathered before anything is decided.

use std::path::{Path, PathBuf};

use vocab::Environment;

use crate::delta::FoundDelta;
use crate::mounts;
use crate::os_packages::PackageManager;
use crate::runtime_facts::{RuntimeError, RuntimeFacts};

/// The runtime and the system.
#[derive(Clone, Debug)]
pub struct Facts {
    pub runtime: RuntimeFacts,
    pub package_manager: Option<(PackageManager, PathBuf)>,
    /// Where volumes are mounted.
    pub volumes: Vec<PathBuf>,
    /// What was baked for these packages; found by [`crate::delta::find`].
    pub delta: Option<FoundDelta>,
    /// An existing or future folder for what is installed and for the server's files.
    pub work: PathBuf,
}

impl Facts {
    /// Looks around; starts no process and asks no server. `python` and `work` are the command line's, `program` is where
    /// this program lies, `folder` is the current one.
    pub fn gather(
        environment: &Environment,
        python: Option<&Path>,
        program: Option<&Path>,
        work: Option<&Path>,
        folder: &Path,
    ) -> Result<Self, RuntimeError> {
        // Elsewhere than on Linux there are no pods, and nothing is mounted for them.
        let mountinfo = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let work = work.or_else(|| environment.path("ETL_WORK")).map(|work| folder.join(work));
        let temporary = || environment.path("TMPDIR").unwrap_or(Path::new("/tmp")).join("pydist-etl");
        Ok(Self {
            runtime: RuntimeFacts::find(python, program, environment, folder)?,
            package_manager: PackageManager::find(environment, folder),
            volumes: mounts::volumes(&mountinfo),
            delta: None,
            work: work.unwrap_or_else(temporary),
        })
    }
}
