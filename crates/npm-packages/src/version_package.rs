//! The package of a version, and what it must agree with: its folder, and what is built there.

use std::path::Path;

use vocab::quoted::shown;
use vocab::{PlatformKey, VersionString};

use crate::environment::RunEnvironment;
use crate::fault::{PackageFault, PackageFaultKind, PackageFaults};
use crate::package::{PACKAGE_FILE, PackageJson};

/// Where the programs of every runtime are.
const BIN: &str = "bin";

/// Where the runtime of a platform is built, as `roots` name it.
pub fn root_of(platform: PlatformKey) -> String {
    format!("./pydist/{platform}")
}

/// The platforms that `--platform all` means for a version: those of the `roots` in its `package.json`, or all five
/// without that file or without a run environment in it.
pub fn platforms_of(root: &Path, version: &VersionString) -> Result<Vec<PlatformKey>, PackageFaults> {
    Ok(read_version_package(root, version)?.map_or_else(|| PlatformKey::ALL.to_vec(), |package| package.platforms()))
}

/// `None` if the version has no `package.json`.
pub fn read_version_package(root: &Path, version: &VersionString) -> Result<Option<PackageJson>, PackageFaults> {
    let name = format!("{}/{PACKAGE_FILE}", version.folder_name());
    let Some(package) = PackageJson::read(root, &name)? else { return Ok(None) };
    let faults = disagreements(&package, version);
    PackageFaults::unless_none(faults, Some(package))
}

/// A package that others refer to, or that is published, needs a name.
pub(crate) fn lacks_name(package: &PackageJson, version: &VersionString) -> Option<PackageFault> {
    let hint = format!("write `\"name\": \"runenv-python-{version}\"`, with your scope before it");
    let fault =
        || PackageFault::new(PackageFaultKind::Disagreement, package.name_place(), "the package has no name", hint);
    package.name.is_none().then(fault)
}

/// What the package of a version offers to others, once it is published.
#[derive(Clone, Copy, Debug)]
pub struct PackageOffer<'a> {
    pub name: &'a str,
    /// Version of the package, not of Python.
    pub npm_version: &'a str,
    pub environment: &'a RunEnvironment,
}

impl<'a> PackageOffer<'a> {
    /// # Errors
    /// Everything that the package lacks, each with what to write.
    pub fn of(package: &'a PackageJson, version: &VersionString) -> Result<Self, PackageFaults> {
        if let (Some(name), Some(npm), Some(environment)) = (&package.name, &package.version, package.environment()) {
            return Ok(Self { name: &name.value, npm_version: &npm.value, environment });
        }
        let lacks = |text: &str, hint: &str| PackageFault::new(PackageFaultKind::File, package.place(), text, hint);
        let mut faults: Vec<PackageFault> = lacks_name(package, version).into_iter().collect();
        if package.version.is_none() {
            faults.push(lacks("the package has no version", "write `\"version\": \"0.1.0\"`"));
        }
        if package.environment().is_none() {
            let hint = "describe it in `block-software.entrypoints.main.environment.artifact`: type, runtime, registry, \
                        python-version, roots, binDir";
            faults.push(lacks("the package describes no run environment", hint));
        }
        Err(PackageFaults::of(faults))
    }
}

fn disagreements(package: &PackageJson, version: &VersionString) -> Vec<PackageFault> {
    let mut faults = Vec::new();
    let mut say = |place: &vocab::TextPlace, text: String, hint: String| {
        faults.push(PackageFault::new(PackageFaultKind::File, place.clone(), text, hint));
    };
    if let Some(environment) = package.environment() {
        let (said, python) = (environment.python_version.value, version.python());
        if said != python {
            let text = format!("`python-version` is {said}, the folder is `{}`", version.folder_name());
            say(&environment.python_version.place, text, format!("write `\"python-version\": \"{python}\"`"));
        }
        for (platform, root) in &environment.roots {
            let expected = root_of(*platform);
            if folder(&root.value) != folder(&expected) {
                let text = format!("{} is not where the runtime for {platform} is built", shown(&root.value));
                say(&root.place, text, format!("write `\"{platform}\": \"{expected}\"`"));
            }
        }
        if folder(&environment.bin_dir.value) != BIN {
            let text = format!("{} is not where the programs of a runtime are", shown(&environment.bin_dir.value));
            say(&environment.bin_dir.place, text, format!("write `\"binDir\": \"{BIN}\"`"));
        }
    }
    if let Some(script) = &package.build_script {
        // A script may find its version in another way; one that names a version must name this one.
        let words = script.value.split_whitespace().filter_map(|word| word.parse::<VersionString>().ok());
        let named: Vec<VersionString> = words.collect();
        if !named.is_empty() && !named.contains(version) {
            let text = format!("`scripts.build` builds {}, the folder is `{}`", named[0], version.folder_name());
            say(&script.place, text, format!("write {version} in place of {}", named[0]));
        }
    }
    faults
}

fn folder(path: &str) -> &str {
    path.strip_prefix("./").unwrap_or(path).trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const PACKAGE: &str = r#"{
  "name": "runenv-python-3.12.10-atls",
  "scripts": { "build": "cargo run --release -p builder -- 3.12.10" },
  "block-software": { "entrypoints": { "main": { "environment": { "artifact": {
    "type": "environment", "runtime": "python", "registry": "r", "python-version": "3.12.9",
    "roots": { "linux-x64": "pydist/linux-x64/", "windows-x64": "./pydist/w" },
    "binDir": "Scripts"
  } } } } }
}"#;

    #[test]
    fn a_package_agrees_with_its_folder_and_with_what_is_built_there() {
        let place = tempfile::tempdir().unwrap();
        let version: VersionString = "3.12.10-atls".parse().unwrap();
        assert_eq!(platforms_of(place.path(), &version).unwrap(), PlatformKey::ALL);
        let folder = place.path().join(version.folder_name());
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join(PACKAGE_FILE), PACKAGE).unwrap();
        let faults = read_version_package(place.path(), &version).unwrap_err();
        let said: Vec<String> = faults
            .iter()
            .map(|it| {
                format!("{}:{} {} | {}", it.place.line, it.place.column, it.text, it.hint.as_deref().unwrap_or(""))
            })
            .collect();
        assert_eq!(
            said,
            [
                "5:84 `python-version` is 3.12.9, the folder is `python-3.12.10-atls` | write `\"python-version\": \"3.12.10\"`",
                "6:65 `./pydist/w` is not where the runtime for windows-x64 is built | write `\"windows-x64\": \"./pydist/windows-x64\"`",
                "7:15 `Scripts` is not where the programs of a runtime are | write `\"binDir\": \"bin\"`",
                "3:25 `scripts.build` builds 3.12.10, the folder is `python-3.12.10-atls` | write 3.12.10-atls in place of 3.12.10",
            ]
        );
        let mended = PACKAGE
            .replace("3.12.9", "3.12.10")
            .replace("./pydist/w\"", "./pydist/windows-x64\"")
            .replace("Scripts", "bin")
            .replace("-- 3.12.10", "-- 3.12.10-atls");
        fs::write(folder.join(PACKAGE_FILE), mended).unwrap();
        let platforms = platforms_of(place.path(), &version).unwrap();
        assert_eq!(platforms, [PlatformKey::LinuxX64, PlatformKey::WindowsX64]);
    }
}
