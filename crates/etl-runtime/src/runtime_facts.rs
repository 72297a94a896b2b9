//! What a runtime has, read from its files: no interpreter is started.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use config_merger::{MarkerAnswer, Requirement, RequirementSource};
use pep440_rs::Version;
use vocab::{Digest, DistributionName, Environment, Fault, INNER_MANIFEST, PlatformKey, PythonVersion, TreeLayout};
use wheel::WheelMetadata;

/// A runtime on this machine.
#[derive(Clone, Debug)]
pub struct RuntimeFacts {
    /// Absolute; links in it are not followed, since those of a virtual environment lead out of it.
    pub interpreter: PathBuf,
    /// Holds `bin` and `lib`.
    pub prefix: PathBuf,
    /// The patch release is 0: no file of a runtime says it.
    pub layout: TreeLayout,
    /// By name.
    pub installed: BTreeMap<DistributionName, InstalledDistribution>,
}

/// What its METADATA says of a distribution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstalledDistribution {
    pub version: Version,
    /// Requirements (PEP 508), those of extras included.
    pub requires: Vec<String>,
}

/// There is no runtime to serve with.
#[derive(Debug, thiserror::Error, Fault)]
#[fault(Build, hint("name the interpreter of a runtime with --python or ETL_PYTHON"))]
pub enum RuntimeError {
    #[error("no runtime: neither --python, ETL_PYTHON nor PATH leads to an interpreter")]
    #[fault("E_ETL_RUNTIME")]
    NoInterpreter,
    #[error("`{}` is not the interpreter of a runtime: no `lib/python3.N/site-packages` belongs to it", path.display())]
    #[fault("E_ETL_RUNTIME")]
    NoPrefix { path: PathBuf },
    #[error("cannot read `{}`", path.display())]
    #[fault("E_ETL_RUNTIME")]
    Read { path: PathBuf, source: io::Error },
    #[error("ETL servers run on Linux and macOS only: the SDK's server classes need Unix")]
    #[fault("E_ETL_RUNTIME", hint("use Linux, or a container"))]
    System,
}

impl RuntimeFacts {
    /// `named` wins, then `python3` beside `program`, then the one on PATH.
    pub fn find(
        named: Option<&Path>,
        program: Option<&Path>,
        environment: &Environment,
        folder: &Path,
    ) -> Result<Self, RuntimeError> {
        // Before anything is looked for: elsewhere no interpreter is the right one.
        system()?;
        let named = named.or_else(|| environment.path("ETL_PYTHON")).map(|path| folder.join(path));
        let beside =
            || program.and_then(Path::parent).map(|beside| beside.join("python3")).filter(|path| path.is_file());
        let on_path = || which::which_in("python3", environment.path("PATH"), folder).ok();
        let interpreter = named.or_else(beside).or_else(on_path).ok_or(RuntimeError::NoInterpreter)?;
        Self::of_interpreter(&interpreter)
    }

    /// Reads the runtime that this interpreter stands in. A link that leads into a runtime counts, too.
    pub fn of_interpreter(interpreter: &Path) -> Result<Self, RuntimeError> {
        let platform = system()?;
        let target = fs::canonicalize(interpreter).unwrap_or_else(|_| interpreter.to_owned());
        for interpreter in [interpreter, &target] {
            let Some(prefix) = interpreter.parent().and_then(Path::parent).filter(|_| interpreter.is_file()) else {
                continue;
            };
            if let Some(layout) = layout_of(prefix, platform) {
                let installed = installed_in(&layout.site_packages().below(prefix))?;
                return Ok(Self { interpreter: interpreter.to_owned(), prefix: prefix.to_owned(), layout, installed });
            }
        }
        Err(RuntimeError::NoPrefix { path: interpreter.to_owned() })
    }

    /// `3.12`
    pub fn minor_version(&self) -> String {
        self.layout.python.minor_version()
    }

    /// Digest of what decides which packages are installed beside this runtime, and which of them: a runtime of another Python or
    /// with other distributions has another one.
    pub fn identity(&self) -> Digest {
        let installed: String = self.installed.iter().map(|(name, it)| format!("{name}=={}\n", it.version)).collect();
        // Which build of which patch release it is, where the builder made it.
        let build = fs::read(self.prefix.join(INNER_MANIFEST)).map(Digest::of).map(|digest| digest.to_string());
        Digest::of(format!(
            "runtime 1\n{} {}\n{}\n{installed}",
            self.minor_version(),
            self.layout.platform,
            build.unwrap_or_default()
        ))
    }

    /// The version that meets the requirement. Requirements whose marker does not hold here are met by nothing else.
    pub fn answer(&self, requirement: &Requirement) -> RuntimeAnswer {
        if !matches!(requirement.applies(self.layout.platform, self.layout.python, None), MarkerAnswer::Yes) {
            return RuntimeAnswer::NotAsked;
        }
        let Some(installed) = self.installed.get(&requirement.name) else { return RuntimeAnswer::Missing };
        let RequirementSource::Index { specifier } = &requirement.source else { return RuntimeAnswer::Missing };
        if !specifier.contains(&installed.version) {
            return RuntimeAnswer::OtherVersion(installed.version.clone());
        }
        let extras_are_met = requirement.extras.iter().all(|extra| self.has_extra(installed, extra.as_ref()));
        if extras_are_met { RuntimeAnswer::Met(installed.version.clone()) } else { RuntimeAnswer::Missing }
    }

    /// Cautious: whatever the rest of a marker says, what an extra names must be there.
    fn has_extra(&self, installed: &InstalledDistribution, extra: &str) -> bool {
        let of_extra = |line: &&String| {
            line.split_once(';').is_some_and(|(_, marker)| {
                [format!("'{extra}'"), format!("\"{extra}\"")].iter().any(|name| marker.contains(name.as_str()))
            })
        };
        installed.requires.iter().filter(of_extra).all(|line| {
            let head = line.split(';').next().unwrap_or_default();
            let requirement = config_merger::requirement_of_metadata(head);
            requirement.is_some_and(|requirement| {
                requirement.extras.is_empty() && matches!(self.answer(&requirement), RuntimeAnswer::Met(_))
            })
        })
    }
}

/// Whether a runtime meets a requirement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuntimeAnswer {
    Met(Version),
    /// Its marker excludes this runtime.
    NotAsked,
    OtherVersion(Version),
    Missing,
}

/// This machine, if servers run on it.
fn system() -> Result<PlatformKey, RuntimeError> {
    PlatformKey::host().filter(|host| !host.is_windows()).ok_or(RuntimeError::System)
}

/// That of the only Python below the prefix.
fn layout_of(prefix: &Path, platform: PlatformKey) -> Option<TreeLayout> {
    let entries = fs::read_dir(prefix.join("lib")).ok()?;
    let mut found = entries.filter_map(Result::ok).filter_map(|entry| {
        let name = entry.file_name();
        let minor = name.to_str()?.strip_prefix("python3.")?.parse().ok()?;
        let layout = TreeLayout { platform, python: PythonVersion { major: 3, minor, patch: 0 } };
        layout.site_packages().below(prefix).is_dir().then_some(layout)
    });
    let layout = found.next()?;
    found.next().is_none().then_some(layout)
}

fn installed_in(folder: &Path) -> Result<BTreeMap<DistributionName, InstalledDistribution>, RuntimeError> {
    let failed = |source| RuntimeError::Read { path: folder.to_owned(), source };
    let mut installed = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_none_or(|extension| extension != "dist-info") {
            continue;
        }
        // What an interrupted installation left has no METADATA; Python does not find such a distribution either.
        let Some(metadata) = fs::read(path.join("METADATA")).ok().and_then(|bytes| WheelMetadata::parse(&bytes)) else {
            continue;
        };
        let (Ok(name), Ok(version)) = (metadata.name.parse(), Version::from_str(&metadata.version)) else { continue };
        installed.insert(name, InstalledDistribution { version, requires: metadata.requires });
    }
    Ok(installed)
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;

    fn runtime(distributions: &[(&str, &str)]) -> (tempfile::TempDir, RuntimeFacts) {
        let folder = tempfile::tempdir().unwrap();
        let prefix = folder.path().join("prefix");
        let site = prefix.join("lib/python3.12/site-packages");
        fs::create_dir_all(prefix.join("bin")).unwrap();
        fs::write(prefix.join("bin/python3"), "").unwrap();
        for (head, rest) in distributions {
            let (name, version) = head.split_once(' ').unwrap();
            let info = site.join(format!("{name}-{version}.dist-info"));
            fs::create_dir_all(&info).unwrap();
            fs::write(info.join("METADATA"), format!("Name: {name}\nVersion: {version}\n{rest}")).unwrap();
        }
        let facts = RuntimeFacts::of_interpreter(&prefix.join("bin/python3")).unwrap();
        (folder, facts)
    }

    fn answer(facts: &RuntimeFacts, text: &str) -> RuntimeAnswer {
        facts.answer(&config_merger::requirement_of_metadata(text).unwrap())
    }

    // E6
    #[test]
    fn a_requirement_is_compared_with_the_installed_version() {
        let (_folder, facts) = runtime(&[("six 1.17.0", ""), ("Foo_Bar 2.0rc1", "")]);
        assert_eq!(facts.minor_version(), "3.12");
        let met = |text: &str| RuntimeAnswer::Met(text.parse().unwrap());
        assert_eq!(answer(&facts, "six"), met("1.17.0"));
        assert_eq!(answer(&facts, "SIX>=1,<2"), met("1.17.0"));
        assert_eq!(answer(&facts, "six<1.17"), RuntimeAnswer::OtherVersion("1.17.0".parse().unwrap()));
        assert_eq!(answer(&facts, "numpy"), RuntimeAnswer::Missing);
        assert_eq!(answer(&facts, "foo.bar==2.0rc1"), met("2.0rc1"));
        assert_eq!(answer(&facts, "numpy; sys_platform == 'win32'"), RuntimeAnswer::NotAsked);
    }

    #[test]
    fn an_extra_is_met_if_everything_that_it_names_is_there() {
        let requires = "Requires-Dist: six ; extra == \"y\"\nRequires-Dist: numpy>=2 ; extra == 'z'\n";
        let (_folder, facts) = runtime(&[("six 1.17.0", ""), ("x 1", requires)]);
        assert!(matches!(answer(&facts, "x[y]"), RuntimeAnswer::Met(_)));
        assert_eq!(answer(&facts, "x[y,z]"), RuntimeAnswer::Missing);
    }

    #[test]
    fn an_interpreter_outside_of_a_runtime_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("python3");
        fs::write(&path, "").unwrap();
        let error = RuntimeFacts::of_interpreter(&path).unwrap_err();
        assert!(error.to_string().contains("is not the interpreter of a runtime"), "{error}");
    }
}
