//! `builder new`: the six steps to a new version or variant, each done unless it is done already. Folder, configuration
//! and package; a line in each workspace list; a dependency and an entry point in the catalogue.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use config_merger::Repository;
use disk::{FileBeside, remove_tree};
use npm_packages::{
    EntryPointKind, PACKAGE_FILE, PNPM_WORKSPACE, PackageFault, PackageFaultKind, PackageFaults, PackageJson,
    PackageManager, RepositoryPackages, add_item, add_member, add_to_pnpm_workspace, read_version_package,
};
use serde_json::{Value, json};
use store::{FileLock, LockOutcome};
use vocab::{Fault, PythonVersion, SourceFile, VersionString};

use crate::new_package::{FIRST_VERSION, PackageTemplate, name_of, package_of};

/// A configuration that takes everything from `shared-config.json`.
const EMPTY_CONFIG: &str = "{}\n";
const SCHEMA: &str = "schemas/config.schema.json";

/// What builds and other tools make, and what is a version's own; never copied.
const NOT_COPIED: [&str; 9] =
    ["pydist", "logs", "dist", "build", "node_modules", ".turbo", "lock.json", "package.json", "CHANGELOG.md"];

/// Why the folder of a version could not be made. The folder is not there.
#[derive(Debug, thiserror::Error, Fault)]
#[error("cannot begin {version}")]
#[fault(transparent = kind)]
pub struct NewVersionError {
    pub version: VersionString,
    #[source]
    pub kind: NewVersionErrorKind,
}

/// What was in the way.
#[derive(Debug, thiserror::Error, Fault)]
#[fault(Usage)]
pub enum NewVersionErrorKind {
    #[error("`{}` already exists and is not its folder", path.display())]
    #[fault("E_VERSION_EXISTS", hint("choose another variant name, or move it away"))]
    Exists { path: PathBuf },
    #[error("there is no `{}` to start from", path.display())]
    #[fault("E_VERSION_UNKNOWN")]
    NoSource { path: PathBuf },
    #[error("`{}` is {what}, and only files and folders are copied", path.display())]
    #[fault("E_VERSION_COPY", hint("replace it with a file, or move it away"))]
    NotCopied { path: PathBuf, what: &'static str },
    #[error("cannot read `{}`", path.display())]
    #[fault("E_READ", Build)]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write `{}`", path.display())]
    #[fault("E_WRITE", Build)]
    Write { path: PathBuf, source: io::Error },
    #[error("interrupted")]
    #[fault("E_INTERRUPTED", Interrupted)]
    Cancelled,
}

/// What was done, and what comes next.
pub struct BegunVersion {
    pub folder: PathBuf,
    /// A line for each file that was written; empty where all of it was there.
    pub changes: Vec<String>,
    pub notes: Vec<String>,
    /// Commands and edits, in their order.
    pub next: Vec<String>,
}

/// Held while files are read and written, so that no run overwrites what another has added.
const LOCK: &str = ".builder-new.lock";

/// Everything is read and decided before anything is written; each file is whole or as it was. What a killed run left
/// undone the next one does. `stop` says whether the user has interrupted it.
pub fn new_version(
    repository: &Repository,
    version: &VersionString,
    from: Option<&VersionString>,
    stop: &dyn Fn() -> bool,
) -> Result<BegunVersion, Box<dyn Fault>> {
    let failed = |kind| NewVersionError { version: version.clone(), kind };
    let lock = repository.root().join(LOCK);
    let held = FileLock::wait(&lock, &mut || stop());
    let held = held.map_err(|source| failed(NewVersionErrorKind::Write { path: lock.clone(), source }))?;
    let LockOutcome::Held(_lock) = held else { return Err(failed(NewVersionErrorKind::Cancelled).into()) };
    let folder = repository.root().join(version.folder_name());
    let is_there = repository.versions().contains(version);
    if !is_there && folder.exists() {
        return Err(failed(NewVersionErrorKind::Exists { path: folder }).into());
    }
    if let Some(source) = from.map(|from| repository.root().join(from.folder_name())).filter(|it| !it.is_dir()) {
        return Err(failed(NewVersionErrorKind::NoSource { path: source }).into());
    }
    let plan = NewVersionPlan::of(repository, version, from)?;
    let mut begun = BegunVersion { folder: folder.clone(), changes: Vec::new(), notes: Vec::new(), next: Vec::new() };
    let own = version.folder_name();
    if is_there {
        if let Some(text) = &plan.package {
            write(&folder.join(PACKAGE_FILE), text).map_err(failed)?;
            begun.changes.push(format!("created {own}/{PACKAGE_FILE}"));
        }
        if let Some(from) = from.filter(|_| !begun.changes.is_empty() || !plan.edits.is_empty()) {
            begun.notes.push(format!("`{own}` already existed, so nothing was copied from {from}"));
        }
    } else {
        make_folder(repository, version, from, plan.package.as_deref(), stop).map_err(failed)?;
        let package = if plan.package.is_some() { " and package.json" } else { "" };
        let copied = from.map(|from| format!(", copied from {from}")).unwrap_or_default();
        begun.changes.push(format!("created {own}/ with config.json{package}{copied}"));
        if let Some(from) = from.filter(|from| from.python() != version.python()) {
            begun.notes.push(format!(
                "the configuration is that of Python {}: pins, and an archive or tag in `python`, may not fit {}",
                from.python(),
                version.python()
            ));
        }
    }
    for edit in &plan.edits {
        write(&repository.root().join(&edit.file), &edit.text).map_err(failed)?;
        begun.changes.push(format!("added {} to {}", edit.added, edit.file));
    }
    begun.next = next(version, &plan);
    Ok(begun)
}

/// What has to be written, decided beforehand.
struct NewVersionPlan {
    /// The text of a `package.json` that is missing.
    package: Option<String>,
    edits: Vec<FileEdit>,
    /// What the version's package is called, where the repository has packages.
    name: Option<String>,
    manager: Option<PackageManager>,
}

/// One file with something more in it.
struct FileEdit {
    /// Relative to the repository.
    file: String,
    text: String,
    added: String,
}

impl NewVersionPlan {
    fn of(
        repository: &Repository,
        version: &VersionString,
        from: Option<&VersionString>,
    ) -> Result<Self, PackageFaults> {
        let (packages, faults) = RepositoryPackages::read(repository.root());
        // A neighbour's fault is its own; one of these would be built upon.
        let model = template(&packages, version, from).map(|template| likeness(template.version, version));
        let is_nearest = |place: &str| {
            let broken = place.strip_prefix("python-").and_then(|text| text.parse::<VersionString>().ok());
            from.is_none() && broken.is_some_and(|broken| Some(likeness(&broken, version)) >= model)
        };
        let matters = |place: &str| {
            !place.starts_with("python-")
                || place == version.folder_name()
                || from.is_some_and(|from| place == from.folder_name())
                || is_nearest(place)
        };
        if let Some((_, fault)) = faults.into_iter().find(|(place, _)| matters(place)) {
            return Err(fault);
        }
        let mut plan = Self { package: None, edits: Vec::new(), name: None, manager: packages.manager };
        let own = read_version_package(repository.root(), version)?;
        let has_packages = packages.versions.iter().any(|(_, package)| package.is_some());
        if own.is_none() && !has_packages && !packages.are_used() {
            // Who does not use npm gets nothing of it.
            return Ok(plan);
        }
        let npm_version;
        match &own {
            Some(package) => {
                plan.name = package.name.as_ref().map(|name| name.value.clone());
                npm_version = package.version.as_ref().map(|version| version.value.clone());
            }
            None => {
                let template = template(&packages, version, from);
                let name = name_of(version, template.as_ref(), &packages);
                if let Some((_, place)) = packages.names().find(|(taken, _)| *taken == name) {
                    let text = format!("`{name}`, the name for {version}, is taken");
                    let kind = PackageFaultKind::Disagreement;
                    return Err(PackageFault::new(kind, place.clone(), text, "give this package another name").into());
                }
                plan.package = Some(package_of(version, &name, template.as_ref()));
                plan.name = Some(name);
                npm_version = Some(FIRST_VERSION.to_owned());
            }
        }
        plan.add_to_lists(&packages, version)?;
        let made = plan.package.as_ref().map(|text| {
            PackageJson::parse(&SourceFile::new(&format!("{}/{PACKAGE_FILE}", version.folder_name()), text))
        });
        let package = match &made {
            Some(made) => Some(made.as_ref().map_err(Clone::clone)?),
            None => own.as_ref(),
        };
        if let Some(package) = package.filter(|package| package.name.is_some()) {
            for index in packages.indexes() {
                plan.add_to_index(index, &packages, version, package, npm_version.as_deref())?;
            }
        }
        Ok(plan)
    }

    fn add_to_lists(&mut self, packages: &RepositoryPackages, version: &VersionString) -> Result<(), PackageFaults> {
        let folder = version.folder_name();
        if let Some(pnpm) = packages.pnpm.as_ref().filter(|pnpm| !pnpm.list.holds(&folder)) {
            let text = add_to_pnpm_workspace(&pnpm.source, &folder)?;
            self.edit(PNPM_WORKSPACE, &pnpm.source.text, text, format!("`{folder}`"));
        }
        if let Some(root) = &packages.root
            && let Some(list) = &root.workspaces
            && !list.holds(&folder)
        {
            let path: &[&str] =
                if list.place.pointer.ends_with("/packages") { &["workspaces", "packages"] } else { &["workspaces"] };
            let text = add_item(&root.source, path, &folder, |item| item.contains("python-"))?;
            self.edit(PACKAGE_FILE, &root.source.text, text, format!("`{folder}`"));
        }
        Ok(())
    }

    /// A dependency and an entry point, in the manner of those that are there.
    fn add_to_index(
        &mut self,
        index: &PackageJson,
        packages: &RepositoryPackages,
        version: &VersionString,
        package: &PackageJson,
        npm_version: Option<&str>,
    ) -> Result<(), PackageFaults> {
        let Some(name) = &package.name else { return Ok(()) };
        let file = index.source.name.to_string();
        // The root may have got a member in its list already.
        let edited = self.edits.iter().find(|edit| edit.file == file).map(|edit| edit.text.clone());
        let before = SourceFile::new(&file, edited.as_deref().unwrap_or(&index.source.text));
        let range = packages.range_for(index, npm_version);
        let after = packages.neighbour(index).map(|(dependency, _)| dependency);
        let text = add_member(&before, &["dependencies"], &name.value, &Value::from(range), after)?;
        let reference =
            package.reference().unwrap_or_else(|| format!("{}/dist/tengo/software/main.sw.json", name.value));
        let entry_points = index.entry_points.as_deref().unwrap_or_default();
        let last = entry_points.iter().rfind(|entry_point| entry_point.id.value.parse::<VersionString>().is_ok());
        // A reference may stand alone or in an object.
        let is_plain = matches!(last.map(|last| &last.kind), Some(EntryPointKind::Reference(it)) if !it.place.pointer.ends_with("/reference"));
        let value = if is_plain { Value::from(reference) } else { json!({ "reference": reference }) };
        let path = ["block-software", "entrypoints"];
        let after = last.map(|last| last.id.value.as_str());
        let text = add_member(&SourceFile::new(&file, &text), &path, &version.to_string(), &value, after)?;
        self.edit(&file, &before.text, text, "its dependency and entry point".to_owned());
        Ok(())
    }

    fn edit(&mut self, file: &str, before: &str, text: String, added: String) {
        if text == before {
            return;
        }
        match self.edits.iter_mut().find(|edit| edit.file == file) {
            Some(edit) => {
                edit.text = text;
                edit.added = format!("{}, {added}", edit.added);
            }
            None => self.edits.push(FileEdit { file: file.to_owned(), text, added }),
        }
    }
}

/// The package that the new one is made after: that of `from`, else the nearest.
fn template<'a>(
    packages: &'a RepositoryPackages,
    version: &VersionString,
    from: Option<&VersionString>,
) -> Option<PackageTemplate<'a>> {
    let with = |(version, package): &'a (VersionString, Option<PackageJson>)| {
        package.as_ref().map(|package| PackageTemplate { version, package, whole: Some(version) == from })
    };
    let all = || packages.versions.iter().filter_map(with);
    all().find(|template| template.whole).or_else(|| {
        // A plain version's package says the least of its own.
        all().max_by_key(|template| (template.package.environment().is_some(), likeness(template.version, version)))
    })
}

/// The greater, the better a model is `of` for `version`.
fn likeness(of: &VersionString, version: &VersionString) -> (bool, bool, PythonVersion) {
    (of.python() == version.python(), of.variant().is_none(), of.python())
}

fn next(version: &VersionString, plan: &NewVersionPlan) -> Vec<String> {
    let mut next = vec![format!("edit {}/config.json", version.folder_name())];
    if let Some(manager) = plan.manager.filter(|_| plan.package.is_some() || !plan.edits.is_empty()) {
        next.push(format!("{} install", manager.name()));
    }
    next.push(format!("builder check {version}"));
    next.push(format!("builder plan {version} --platform all"));
    next.push(match (&plan.name, plan.manager) {
        (Some(name), Some(PackageManager::Pnpm { .. })) => {
            format!("builder {version}, or `pnpm --filter={name} build`")
        }
        (Some(name), Some(PackageManager::Npm)) => {
            format!("builder {version}, or `npm run build --workspace={name}`")
        }
        (Some(name), Some(PackageManager::Yarn)) => format!("builder {version}, or `yarn workspace {name} build`"),
        _ => format!("builder {version}"),
    });
    next
}

/// The folder, whole or not there. The lock is not taken over: the first build makes it.
fn make_folder(
    repository: &Repository,
    version: &VersionString,
    from: Option<&VersionString>,
    package: Option<&str>,
    stop: &dyn Fn() -> bool,
) -> Result<(), NewVersionErrorKind> {
    let folder = repository.root().join(version.folder_name());
    let staged = repository.root().join(format!(".{}.new", version.folder_name()));
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| NewVersionErrorKind::Write { path, source }
    };
    let source = from.map(|from| repository.root().join(from.folder_name()));
    let copied = source.as_deref().map_or(Ok(Vec::new()), copied_from)?;
    let make = || -> Result<(), NewVersionErrorKind> {
        remove_tree(&staged).map_err(failed(&staged))?;
        fs::create_dir(&staged).map_err(failed(&staged))?;
        for (entry, path) in &copied {
            if stop() {
                return Err(NewVersionErrorKind::Cancelled);
            }
            let place = staged.join(path);
            if entry.is_dir() {
                fs::create_dir(&place).map_err(failed(&place))?;
            } else {
                // The executable bit is kept.
                fs::copy(entry, &place).map_err(failed(&place))?;
            }
        }
        let config = staged.join("config.json");
        if !config.exists() {
            let schema = json!({ "$schema": format!("../{SCHEMA}") });
            let has_schema = repository.root().join(SCHEMA).is_file();
            let text = if has_schema { format!("{schema:#}\n") } else { EMPTY_CONFIG.to_owned() };
            fs::write(&config, text).map_err(failed(&config))?;
        }
        if let Some(package) = package {
            let path = staged.join(PACKAGE_FILE);
            fs::write(&path, package).map_err(failed(&path))?;
        }
        disk::rename(&staged, &folder).map_err(failed(&folder))
    };
    make().inspect_err(|_| {
        let _ = remove_tree(&staged);
    })
}

/// What is copied of the folder of a version: files and folders, each with its path below it, folders first. Links to
/// files are followed, so that the copy is independent. Anything else is refused before anything is copied: reading a
/// pipe could block forever.
fn copied_from(source: &Path) -> Result<Vec<(PathBuf, PathBuf)>, NewVersionErrorKind> {
    let walk = walkdir::WalkDir::new(source).min_depth(1).into_iter().filter_entry(|entry| {
        let name = entry.file_name().to_str().unwrap_or_default();
        let packed = name.starts_with("pkg-") && name.ends_with(".tgz");
        let own = entry.depth() == 1 && (NOT_COPIED.contains(&name) || packed);
        !own && name != "__pycache__" && name != ".DS_Store"
    });
    let mut copied = Vec::new();
    for entry in walk {
        let entry = entry.map_err(|error| NewVersionErrorKind::Read {
            path: error.path().unwrap_or(source).to_owned(),
            source: error.into(),
        })?;
        let path = entry.path().to_owned();
        let what = match fs::metadata(&path) {
            Ok(metadata) if metadata.is_file() => None,
            Ok(metadata) if metadata.is_dir() => entry.path_is_symlink().then_some("a link to a folder"),
            Ok(_) => Some("neither a file nor a folder"),
            Err(_) => Some("a link that leads nowhere"),
        };
        if let Some(what) = what {
            return Err(NewVersionErrorKind::NotCopied { path, what });
        }
        let below = path.strip_prefix(source).map(Path::to_owned).unwrap_or_default();
        copied.push((path, below));
    }
    Ok(copied)
}

/// With the byte order mark that the file had.
fn write(path: &Path, text: &str) -> Result<(), NewVersionErrorKind> {
    const MARK: &str = "\u{feff}";
    let had_mark = fs::read(path).is_ok_and(|bytes| bytes.starts_with(MARK.as_bytes()));
    let written = || -> io::Result<()> {
        let mut file = FileBeside::beside(path, ".builder-new-")?;
        if had_mark {
            file.write_all(MARK.as_bytes())?;
        }
        file.write_all(text.as_bytes())?;
        file.replace(path)
    };
    written().map_err(|source| NewVersionErrorKind::Write { path: path.to_owned(), source })
}
