//! What setup.py says, as the probe tells it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// The answer of a probe.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetupFacts {
    /// The setuptools that was asked.
    #[serde(default)]
    pub setuptools: Option<String>,
    /// Absent if setup() was not called.
    #[serde(default)]
    pub setup: Option<SetupCall>,
    /// What ended setup.py before its end, or setuptools behind it.
    #[serde(default)]
    pub failure: Option<SetupFailure>,
    /// Programs that it or its commands would have started, in order. None was run.
    #[serde(default)]
    pub calls: Vec<CommandCall>,
    /// Files of the job that it or its commands read; relative, with `/`.
    #[serde(default)]
    pub opened: Vec<String>,
    /// All Python files of the job, as far as they can be read.
    #[serde(default)]
    pub modules: Vec<ModuleFacts>,
}

/// What setup() was given, with what setup.cfg and pyproject.toml add.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetupCall {
    pub name: Option<String>,
    pub version: Option<String>,
    pub py_modules: Vec<String>,
    pub packages: Vec<String>,
    /// Folders by package; the empty name is the root's.
    #[serde(default)]
    pub package_dir: std::collections::BTreeMap<String, String>,
    pub data_files: Vec<DataFiles>,
    /// PEP 508.
    pub install_requires: Vec<String>,
    #[serde(default)]
    pub setup_requires: Vec<String>,
    pub python_requires: Option<String>,
    /// Whether it compiles anything.
    pub has_extensions: bool,
    /// Names of the commands that the job replaces or adds.
    pub cmdclass: Vec<String>,
    /// Those of its modules and packages that are called as some of the standard library.
    #[serde(default)]
    pub standard: Vec<String>,
    /// Modules and packages of a job that names neither, if setuptools cannot choose among them.
    #[serde(default)]
    pub ambiguous: Vec<String>,
    /// Members of the source archive, but for those that setuptools makes itself; relative, with `/`.
    #[serde(default)]
    pub archive: BTreeSet<String>,
    /// The rules of MANIFEST.in, in order.
    #[serde(default)]
    pub rules: Vec<ManifestRule>,
    #[serde(default)]
    pub sub_commands: Vec<String>,
    /// Those of `sub_commands` that there is no class for.
    #[serde(default)]
    pub undefined: Vec<String>,
    /// Commands of the job that `build` never runs.
    #[serde(default)]
    pub never_run: Vec<OwnCommand>,
    /// What commands of the job raised while their programs were only recorded.
    #[serde(default)]
    pub problems: Vec<SetupFailure>,
}

/// One entry of `data_files`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataFiles {
    /// As it is written; `.` and the empty text are the runtime's prefix.
    pub dest: String,
    pub sources: Vec<String>,
}

/// One rule of MANIFEST.in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestRule {
    /// Counted from 1.
    #[serde(default)]
    pub line: Option<usize>,
    pub text: String,
    /// What setuptools said.
    pub warnings: Vec<String>,
    /// Files that it took out of the archive, up to 1000.
    pub removed: Vec<String>,
}

/// A command class of the job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnCommand {
    pub name: String,
    pub class: String,
}

/// An exception, with its last place in the job's own files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetupFailure {
    /// `ValueError: no such thing`.
    pub exception: String,
    /// The name of its type.
    #[serde(default)]
    pub kind: Option<String>,
    #[serde(default)]
    pub file: Option<String>,
    #[serde(default)]
    pub line: Option<usize>,
    /// The command class that raised it.
    #[serde(default)]
    pub class: Option<String>,
}

/// A program that a setup.py wants to start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandCall {
    /// One text if a shell is to split it.
    pub argv: Vec<String>,
    pub shell: bool,
    /// The command class it was called in. Absent: setup.py itself.
    pub class: Option<String>,
    /// How it ended, if it really ran.
    #[serde(default)]
    pub code: Option<i32>,
    /// The end of what it printed, as far as the caller read that.
    #[serde(default)]
    pub output: Option<String>,
    /// It would have run, and was not allowed to.
    #[serde(default)]
    pub denied: bool,
}

/// What a Python file holds, read and not run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleFacts {
    /// Relative, with `/`.
    pub file: String,
    pub imports: Vec<Import>,
    /// Texts that begin with `/usr/`.
    pub paths: Vec<FixedPath>,
    /// Names at its top level: functions, classes, variables, imports.
    pub defines: Vec<String>,
}

/// An absolute import.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    /// `a.b` of `import a.b` and `from a.b import c`.
    pub name: String,
    pub line: usize,
    /// In a `try` that catches its failure.
    pub optional: bool,
}

/// A text that is a path of some machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FixedPath {
    pub text: String,
    pub line: usize,
}

impl SetupCall {
    /// Name and version as the archive has them: setuptools fills in what is missing.
    pub fn identity(&self) -> (String, String) {
        let or = |value: &Option<String>, other: &str| value.clone().unwrap_or_else(|| other.to_owned());
        (or(&self.name, "unknown"), or(&self.version, "0.0.0"))
    }

    /// The file of a packaged module, relative to the job folder: `a/b.py` of `a.b`, by `package_dir`.
    pub fn module_file(&self, module: &str) -> String {
        let path = format!("{}.py", module.replace('.', "/"));
        match self.package_dir.get("").map(|root| root.trim_end_matches('/')).filter(|root| !root.is_empty()) {
            Some(root) => format!("{root}/{path}"),
            None => path,
        }
    }
}
