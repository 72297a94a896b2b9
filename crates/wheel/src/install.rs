//! Lays unpacked wheels out in a prefix.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::io;
use std::path::Path;

use archive::NameRules;
use rayon::prelude::*;
use vocab::{Digest, DistributionName, FileClash, TreePath};

use super::clash::{self, ClashVerdict, InstallClaim};
use super::former::FormerDistribution;
use super::guard::{GuardJudgement, PrefixGuard};
use super::install_error::{InstallError, InstallErrorKind};
use super::install_request::{InstallRequest, WheelToInstall};
use super::launcher::ScriptTarget;
use super::link::{self, LinkMethod};
use super::placement::{self, PlacementPlan, PlannedContent, PlannedFile};
use super::{Remark, UnpackedWheel, former, thread_pool};
use crate::WheelTarget;
use crate::windows_launcher::WindowsLaunchers;
use store::Context;
use vocab::TreeLayout;
use vocab::record_format::{self, RecordRow};

/// One distribution as it is in the prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstalledDistribution {
    pub name: DistributionName,
    pub version: String,
    /// The SPDX expression or licence text line of its metadata. Absent if the metadata has none.
    pub licence: Option<String>,
    /// Its `.dist-info` folder.
    pub dist_info: TreePath,
    /// Sorted by path, including RECORD: the distribution's own files, also those it shares with another, and the
    /// corresponding files in `bin` on Windows.
    pub files: Vec<InstalledFile>,
    /// Those of the files that are in the scripts folder.
    pub scripts: Vec<TreePath>,
}

/// One file of an installed distribution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstalledFile {
    /// Below the prefix.
    pub path: TreePath,
    /// Digest of the installed bytes, which for a script differ from the wheel's.
    pub sha256: Digest,
    /// In bytes.
    pub size: u64,
    pub executable: bool,
    /// Its path in the wheel. Absent if it was made for this installation.
    pub source: Option<TreePath>,
}

/// The result of one installation of several wheels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstalledAll {
    /// In the order of the input.
    pub distributions: Vec<InstalledDistribution>,
    /// Sorted by path.
    pub clashes: Vec<FileClash>,
    /// Files of the interpreter that stayed although a wheel has others, with the distribution that they belong to.
    pub kept: Vec<(TreePath, DistributionName)>,
    /// Unusual facts about scripts.
    pub remarks: Vec<(DistributionName, Remark)>,
    /// Distributions that were there before and were removed for another version.
    pub removed: Vec<DistributionName>,
    /// Other files that were in the prefix before and were replaced. Sorted.
    pub replaced: Vec<TreePath>,
    /// How files of the store were placed.
    pub method: LinkMethod,
}

/// The prefix that wheels are installed into.
#[derive(Clone, Copy, Debug)]
pub struct InstallDestination<'a> {
    /// A staging folder with the interpreter's files.
    pub prefix: &'a Path,
    pub layout: TreeLayout,
    /// Files and links of the interpreter in the prefix, which no wheel may replace.
    pub base: &'a BTreeSet<TreePath>,
    /// Needed for scripts on Windows.
    pub launchers: Option<&'a WindowsLaunchers>,
}

/// Installs a single wheel.
pub fn install(
    context: &Context,
    wheel: &UnpackedWheel,
    destination: &InstallDestination<'_>,
    request: InstallRequest,
) -> Result<InstalledDistribution, InstallError> {
    let mut all = install_all(context, &[WheelToInstall { wheel, request }], destination)?;
    Ok(all.distributions.pop().expect("one wheel goes in and one distribution comes out"))
}

/// Installs wheels that belong together. Everything (places, clashes, RECORDs) is decided before anything is written,
/// so the result is the same for every number and timing of threads. An error leaves the prefix incomplete: it must be
/// a staging folder of the caller.
pub fn install_all(
    context: &Context,
    wheels: &[WheelToInstall<'_>],
    destination: &InstallDestination<'_>,
) -> Result<InstalledAll, InstallError> {
    let everything = || wheels.iter().map(shown).collect::<Vec<_>>().join("`, `");
    let failed = |kind| InstallError { wheel: everything(), kind };
    let pool = thread_pool(context).map_err(|error| failed(InstallErrorKind::Threads(error)))?;
    pool.install(|| WheelInstallation { context, wheels, destination }.run())
}

fn shown(wheel: &WheelToInstall<'_>) -> String {
    wheel.wheel.contents.file_name.to_string()
}

type PlannedFiles = BTreeMap<TreePath, PlannedFile>;

struct WheelInstallation<'a> {
    context: &'a Context,
    wheels: &'a [WheelToInstall<'a>],
    destination: &'a InstallDestination<'a>,
}

impl WheelInstallation<'_> {
    fn failed(&self, index: usize, kind: InstallErrorKind) -> InstallError {
        InstallError { wheel: self.wheels.get(index).map(shown).unwrap_or_default(), kind }
    }

    fn run(&self) -> Result<InstalledAll, InstallError> {
        let names = self.names()?;
        let (planned, remarks): (Vec<PlannedFiles>, Vec<_>) =
            self.plan()?.into_iter().map(|plan| (plan.files, plan.remarks)).unzip();
        let formers = former::find(self.destination.prefix, self.destination.layout);
        let formers = formers.map_err(|kind| self.failed(0, kind))?;
        let kept = self.guard(&names, &formers, &planned)?;
        let verdict = self.settle(&names, &planned, &kept)?;
        let told = |index: usize, path: &TreePath| planned[index].get(path).is_some_and(|file| !file.stand_in);
        let told: Vec<_> = kept
            .iter()
            .enumerate()
            .flat_map(|(index, paths)| {
                paths.iter().filter(move |path| told(index, path)).map(move |path| (path, index))
            })
            .map(|(path, index)| (path.clone(), names[index].clone()))
            .collect();
        let removed = self.remove_former(&names, &formers)?;
        let method = self.make_folders_and_probe(&planned)?;
        let replaced = self.write(&planned, &verdict, method)?;
        let distributions = self.finish(&names, planned, &verdict)?;
        let of = |index: usize| names[index].clone();
        let remarks = remarks.into_iter().enumerate();
        let remarks = remarks.flat_map(|(index, own)| own.into_iter().map(move |remark| (of(index), remark)));
        let (kept, remarks) = (told, remarks.collect());
        Ok(InstalledAll { distributions, clashes: verdict.clashes, kept, remarks, removed, replaced, method })
    }

    fn names(&self) -> Result<Vec<DistributionName>, InstallError> {
        let names: Vec<_> = self.wheels.iter().map(|wheel| wheel.wheel.contents.file_name.name.clone()).collect();
        let mut seen = HashSet::new();
        match names.iter().position(|name| !seen.insert(name)) {
            Some(index) => Err(self.failed(index, InstallErrorKind::SameDistribution)),
            None => Ok(names),
        }
    }

    fn plan(&self) -> Result<Vec<PlacementPlan>, InstallError> {
        let planned: Vec<Result<PlacementPlan, InstallError>> = (0..self.wheels.len())
            .into_par_iter()
            .with_max_len(1)
            .map(|index| {
                let WheelToInstall { wheel, request } = &self.wheels[index];
                let InstallDestination { layout, launchers, .. } = *self.destination;
                let platform = layout.platform;
                if !WheelTarget::is_for(platform, &wheel.contents.file_name.platform_tags) {
                    return Err(self.failed(index, InstallErrorKind::OtherPlatform { platform }));
                }
                let target = ScriptTarget { layout, launchers };
                placement::files_of(wheel, target, request).map_err(|kind| self.failed(index, kind))
            })
            .collect();
        planned.into_iter().collect()
    }

    /// Compares every file with what the interpreter brought. Returns, per wheel, the files that are not created.
    fn guard(
        &self,
        names: &[DistributionName],
        formers: &[FormerDistribution],
        planned: &[PlannedFiles],
    ) -> Result<Vec<BTreeSet<TreePath>>, InstallError> {
        let InstallDestination { layout, base, .. } = *self.destination;
        let guard = PrefixGuard::new(layout, base, formers, &names.iter().collect());
        let mut kept = vec![BTreeSet::new(); planned.len()];
        for (index, files) in planned.iter().enumerate() {
            for path in files.keys() {
                if guard.judge(path).map_err(|kind| self.failed(index, kind))? == GuardJudgement::KeepsOwn {
                    kept[index].insert(path.clone());
                }
            }
        }
        Ok(kept)
    }

    fn settle(
        &self,
        names: &[DistributionName],
        planned: &[PlannedFiles],
        kept: &[BTreeSet<TreePath>],
    ) -> Result<ClashVerdict, InstallError> {
        let claims: Vec<InstallClaim<'_>> = (0..names.len())
            .map(|index| InstallClaim {
                name: &names[index],
                requested: self.wheels[index].request.requested,
                files: planned[index]
                    .iter()
                    .filter(|(path, _)| !kept[index].contains(*path))
                    .map(|(path, file)| (path, file.sha256))
                    .collect(),
            })
            .collect();
        let rules = NameRules::of_platform(self.destination.layout.platform);
        let mut verdict = clash::settle(&claims, rules).map_err(|(index, kind)| self.failed(index, kind))?;
        for (index, paths) in kept.iter().enumerate() {
            verdict.not_made[index].extend(paths.iter().cloned());
            verdict.not_owned[index].extend(paths.iter().cloned());
        }
        Ok(verdict)
    }

    fn remove_former(
        &self,
        names: &[DistributionName],
        formers: &[FormerDistribution],
    ) -> Result<Vec<DistributionName>, InstallError> {
        let mut removed = Vec::new();
        for former in formers {
            let Some(index) = names.iter().position(|name| *name == former.name) else { continue };
            let InstallDestination { prefix, layout, .. } = *self.destination;
            former::remove(prefix, layout, former).map_err(|kind| self.failed(index, kind))?;
            removed.push(former.name.clone());
        }
        Ok(removed)
    }

    fn make_folders_and_probe(&self, planned: &[PlannedFiles]) -> Result<LinkMethod, InstallError> {
        disk::make_folders(self.destination.prefix)
            .map_err(|error| self.failed(0, io_error("create", self.destination.prefix, error)))?;
        let mut folders: BTreeSet<TreePath> = BTreeSet::new();
        for path in planned.iter().flat_map(BTreeMap::keys) {
            let mut parent = path.parent();
            while let Some(folder) = parent.filter(|folder| !folder.is_root()) {
                parent = folder.parent();
                if !folders.insert(folder) {
                    break;
                }
            }
        }
        // Sorted, so every folder comes after its parent.
        for folder in &folders {
            let path = folder.below(self.destination.prefix);
            match disk::make_folder(&path) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists || !path.is_dir() => {
                    return Err(self.failed(0, io_error("create", &path, error)));
                }
                _ => {}
            }
        }
        let sample =
            self.wheels.iter().find_map(|wheel| Some(wheel.wheel.path_of(wheel.wheel.contents.entries.first()?)));
        match sample {
            Some(sample) => LinkMethod::probe(&sample, self.destination.prefix)
                .map_err(|error| self.failed(0, InstallErrorKind::Store(error))),
            None => Ok(LinkMethod::Copy),
        }
    }

    /// Writes everything but the RECORDs. Returns the paths where something existed before.
    fn write(
        &self,
        planned: &[PlannedFiles],
        verdict: &ClashVerdict,
        method: LinkMethod,
    ) -> Result<Vec<TreePath>, InstallError> {
        let mut tasks: Vec<(usize, &TreePath, &PlannedFile)> = Vec::new();
        for (index, files) in planned.iter().enumerate() {
            let made = files.iter().filter(|(path, _)| !verdict.not_made[index].contains(*path));
            tasks.extend(made.map(|(path, file)| (index, path, file)));
        }
        // Neighbours share a folder, and a folder is best filled by one thread: hence pieces of some length.
        let results: Vec<Result<bool, InstallError>> = tasks
            .par_iter()
            .with_min_len(32)
            .map(|(index, path, file)| {
                if self.context.is_cancelled() {
                    return Err(self.failed(*index, InstallErrorKind::Cancelled));
                }
                self.write_one(*index, path, file, method).map_err(|kind| self.failed(*index, kind))
            })
            .collect();
        let mut replaced = Vec::new();
        for (result, (_, path, _)) in results.into_iter().zip(&tasks) {
            if result? {
                replaced.push((*path).clone());
            }
        }
        replaced.sort();
        Ok(replaced)
    }

    /// True if another file existed there.
    fn write_one(
        &self,
        index: usize,
        path: &TreePath,
        file: &PlannedFile,
        method: LinkMethod,
    ) -> Result<bool, InstallErrorKind> {
        let target = path.below(self.destination.prefix);
        let tree = &self.wheels[index].wheel.tree;
        let place = || match &file.content {
            PlannedContent::Linked(source) => link::place(method, &source.below(tree), &target, file.executable),
            PlannedContent::Copied(source) if method == LinkMethod::HardLink => {
                link::copy(&source.below(tree), &target, file.executable)
            }
            PlannedContent::Copied(source) => link::place(method, &source.below(tree), &target, file.executable),
            PlannedContent::Made(bytes) => create(&target, bytes, file.executable),
        };
        let failed = |error| io_error("write", &target, error);
        match place() {
            Ok(()) => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                fs::remove_file(&target).map_err(failed)?;
                place().map_err(failed)?;
                Ok(true)
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// Writes the RECORDs and summarises.
    fn finish(
        &self,
        names: &[DistributionName],
        planned: Vec<PlannedFiles>,
        verdict: &ClashVerdict,
    ) -> Result<Vec<InstalledDistribution>, InstallError> {
        let results: Vec<Result<InstalledDistribution, InstallError>> = planned
            .into_par_iter()
            .enumerate()
            .with_max_len(1)
            .map(|(index, files)| {
                let finished = self.finish_one(index, &names[index], files, &verdict.not_owned[index]);
                finished.map_err(|kind| self.failed(index, kind))
            })
            .collect();
        results.into_iter().collect()
    }

    fn finish_one(
        &self,
        index: usize,
        name: &DistributionName,
        files: PlannedFiles,
        not_owned: &HashSet<TreePath>,
    ) -> Result<InstalledDistribution, InstallErrorKind> {
        let contents = &self.wheels[index].wheel.contents;
        let site = self.destination.layout.site_packages();
        let dist_info = placement::dist_info(self.wheels[index].wheel, self.destination.layout)?;
        let record = dist_info.join(&"RECORD".parse().expect("a literal path inside the tree"));
        let mut rows = vec![RecordRow { path: record_format::relative_to(&record, &site), content: None }];
        let mut installed = Vec::with_capacity(files.len() + 1);
        let mut scripts = Vec::new();
        for (path, file) in files {
            if not_owned.contains(&path) {
                continue;
            }
            if !file.stand_in {
                rows.push(RecordRow {
                    path: record_format::relative_to(&path, &site),
                    content: Some((file.sha256, file.size)),
                });
            }
            if file.script {
                scripts.push(path.clone());
            }
            let PlannedFile { content, sha256, size, executable, .. } = file;
            let source = match content {
                PlannedContent::Linked(source) | PlannedContent::Copied(source) => Some(source),
                PlannedContent::Made(_) => None,
            };
            installed.push(InstalledFile { path, sha256, size, executable, source });
        }
        let text = record_format::write_record(rows);
        let target = record.below(self.destination.prefix);
        create(&target, &text, false).map_err(|error| io_error("write", &target, error))?;
        let (sha256, size) = (Digest::of(&text), text.len() as u64);
        installed.push(InstalledFile { path: record, sha256, size, executable: false, source: None });
        installed.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(InstalledDistribution {
            name: name.clone(),
            version: contents.metadata.version.clone(),
            licence: contents.metadata.licence.clone(),
            dist_info,
            files: installed,
            scripts,
        })
    }
}

fn create(path: &Path, bytes: &[u8], executable: bool) -> io::Result<()> {
    io::Write::write_all(&mut fs::File::create_new(path)?, bytes)?;
    link::make_own(path, executable)
}

fn io_error(action: &'static str, path: &Path, source: io::Error) -> InstallErrorKind {
    InstallErrorKind::Io { action, path: path.to_owned(), source }
}
