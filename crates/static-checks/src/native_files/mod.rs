//! The static check: every native file of a finished prefix, for any platform, without running anything.
//!
//! Each binary must be for the platform's architecture; each library that it needs must be in the prefix or be one
//! that the system provides; and the versions it needs of the system must not be above the ceiling. What that means
//! for a format is in its `rules.rs`; this file has what all three share.

mod binary;
mod elf;
mod facts;
mod fault;
mod judgement;
mod loader_words;
mod macho;
mod module_files;
mod needs;
mod pe;
mod prefix_files;
mod reach;
mod report;
mod symbol_version;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use vocab::{DistributionName, Fault, Os, TreeLayout, TreePath, is_too_new};

use crate::module_name::{is_test_helper, module_name_of};
use elf::rules::ElfSpace;
use facts::{BinaryDamage, BinaryFacts, NativeBinary};
pub use fault::{NativeFault, NativeFaultKind};
use judgement::{FileJudgement, JudgedFile};
use macho::rules::MachoSpace;
use module_files::ModuleFault;
pub use needs::{SystemCeilings, SystemNeeds, SystemProvider};
use prefix_files::PrefixFiles;
pub use reach::{ImportedFiles, NativeFile, NativeRole, ReachEvidence};
pub use report::{AcceptedFault, FileNeeds, NativeFaults, NativeReport, NeedsSummary};
pub use symbol_version::{SymbolVersion, SymbolVersionError};

/// Maps a path to its distribution; `None` for the base interpreter and copied files.
pub type OwnerOf<'a> = &'a (dyn Fn(&TreePath) -> Option<DistributionName> + Sync);

/// What the check demands.
pub struct NativePolicy<'a> {
    pub ceilings: SystemCeilings,
    /// Files that may be above the ceilings with only a warning. A base interpreter that was found on this machine
    /// cannot be made for an older one.
    pub excused: &'a (dyn Fn(&TreePath, Option<&DistributionName>) -> bool + Sync),
}

impl NativePolicy<'_> {
    /// Excuses nothing.
    pub fn strict(ceilings: SystemCeilings) -> Self {
        Self { ceilings, excused: &|_, _| false }
    }
}

/// A file or folder of the prefix that cannot be read.
#[derive(Debug, thiserror::Error, Fault)]
#[error("cannot check `{}`", path.display())]
#[fault("E_CHECK_DISK", Build)]
pub struct NativeCheckError {
    pub path: PathBuf,
    #[source]
    pub source: io::Error,
}

/// Checks every file of the prefix, in parallel. Faults are in the report, not an error: see [`NativeReport::verdict`].
///
/// # Errors
/// When the prefix cannot be read.
pub fn check_native_files(
    prefix: &Path,
    layout: TreeLayout,
    policy: &NativePolicy<'_>,
    owner: OwnerOf<'_>,
) -> Result<NativeReport, NativeCheckError> {
    let listing = list(prefix)?;
    let mut files: Vec<ReadFile> = listing
        .candidates
        .into_par_iter()
        .filter_map(|path| {
            let place = path.below(prefix);
            match binary::read(&place, initializer_of(&path, layout).as_deref()) {
                Ok(found) => found.map(|binary| Ok((path, binary))),
                Err(source) => Some(Err(NativeCheckError { path: place, source })),
            }
        })
        .collect::<Result<_, _>>()?;
    files.sort_by(|(a, _), (b, _)| a.cmp(b));
    let of_modules = module_files::faults(&listing.paths, &files, layout);
    let names = PrefixFiles::new(prefix, layout.platform.os(), listing.paths);
    let all = with_own_names(names, &files);
    let check = FileCheck { layout, policy, owner, spaces: FormatSpaces::new(layout, &all, &files) };
    let mut rows: Vec<FileRow> = files.par_iter().map(|(path, binary)| check.look_at(path, binary)).collect();
    for fault in of_modules {
        check.add_module_fault(fault, &mut rows);
    }
    Ok(gather(rows, prefix))
}

/// The function that an extension module of the file's name defines, which distinguishes it from a library.
fn initializer_of(path: &TreePath, layout: TreeLayout) -> Option<String> {
    let module = module_name_of(path, layout)?;
    let name = module.rsplit('.').next()?;
    // The names of others are written in Punycode.
    name.is_ascii().then(|| format!("PyInit_{name}"))
}

/// The soname of a Linux library, and the names that it is linked with. `None` if it is not an ELF file or cannot be
/// read.
pub fn linked_libraries(path: &Path) -> Option<(Option<String>, Vec<String>)> {
    match binary::read(path, None).ok()??.ok()?.facts {
        BinaryFacts::Elf(facts) => Some((facts.soname, facts.needed)),
        _ => None,
    }
}

type ReadFile = (TreePath, Result<NativeBinary, BinaryDamage>);

/// Loaders also know libraries by the name inside them.
fn with_own_names<'a>(mut all: PrefixFiles<'a>, files: &[ReadFile]) -> PrefixFiles<'a> {
    for (path, binary) in files {
        match binary.as_ref().map(|binary| &binary.facts) {
            Ok(BinaryFacts::Elf(facts)) => facts.soname.iter().for_each(|soname| all.add_name(soname, path)),
            Ok(BinaryFacts::Macho(slices)) => {
                let names = slices.iter().filter_map(|slice| slice.install_name.as_ref()?.rsplit('/').next());
                names.for_each(|name| all.add_name(name, path));
            }
            _ => {}
        }
    }
    all
}

/// What the rules of each format know about the whole prefix.
struct FormatSpaces<'a> {
    files: &'a PrefixFiles<'a>,
    elf: ElfSpace<'a>,
    macho: MachoSpace<'a>,
}

impl<'a> FormatSpaces<'a> {
    fn new(layout: TreeLayout, all: &'a PrefixFiles<'a>, files: &[ReadFile]) -> Self {
        let interpreter = layout.interpreter();
        let (mut elf, mut macho) = (ElfSpace::new(all), MachoSpace::new(all, &interpreter));
        if let Ok(row) = files.binary_search_by(|(path, _)| path.cmp(&interpreter)) {
            match files[row].1.as_ref().map(|binary| &binary.facts) {
                Ok(BinaryFacts::Elf(facts)) => elf.set_interpreter(&interpreter, facts),
                Ok(BinaryFacts::Macho(slices)) => {
                    let slice = slices.iter().find(|slice| slice.arch == layout.platform.arch());
                    slice.into_iter().for_each(|slice| macho.set_interpreter(&interpreter, slice));
                }
                _ => {}
            }
        }
        Self { files: all, elf, macho }
    }
}

struct PrefixListing {
    /// Every file and link.
    paths: BTreeSet<TreePath>,
    /// Regular files that may be binaries.
    candidates: Vec<TreePath>,
}

/// Endings of files that are never loaded as code by the system; the bulk of a prefix. Everything else is opened.
const TEXT_ENDINGS: [&str; 24] = [
    ".py", ".pyi", ".pyc", ".pyx", ".pxd", ".pxi", ".c", ".cpp", ".h", ".hpp", ".cuh", ".txt", ".md", ".rst", ".json",
    ".csv", ".html", ".js", ".css", ".png", ".svg", ".toml", ".f90", ".mo",
];

fn list(prefix: &Path) -> Result<PrefixListing, NativeCheckError> {
    let mut listing = PrefixListing { paths: BTreeSet::new(), candidates: Vec::new() };
    for entry in walkdir::WalkDir::new(prefix).min_depth(1) {
        let entry = entry.map_err(|error| NativeCheckError {
            path: error.path().unwrap_or(prefix).to_owned(),
            source: error.into(),
        })?;
        if entry.file_type().is_dir() {
            continue;
        }
        // A name that is not UTF-8 cannot be packed, which packing reports.
        let Some(path) = TreePath::relative(entry.path(), prefix) else { continue };
        if entry.file_type().is_file() && !TEXT_ENDINGS.iter().any(|ending| path.file_name().ends_with(ending)) {
            listing.candidates.push(path.clone());
        }
        listing.paths.insert(path);
    }
    Ok(listing)
}

struct FileCheck<'a> {
    layout: TreeLayout,
    policy: &'a NativePolicy<'a>,
    owner: OwnerOf<'a>,
    spaces: FormatSpaces<'a>,
}

struct FileRow {
    path: TreePath,
    distribution: Option<DistributionName>,
    needs: SystemNeeds,
    /// `None` for what no loader of this platform is given.
    role: Option<NativeRole>,
    links: Vec<TreePath>,
    is_foreign: bool,
    is_binary: bool,
    faults: Vec<NativeFault>,
    warnings: Vec<NativeFault>,
}

impl FileRow {
    /// The row of a file that is not a binary of this system.
    fn of_none(path: TreePath, distribution: Option<DistributionName>) -> Self {
        let (needs, links) = (SystemNeeds::default(), Vec::new());
        let (faults, warnings) = (Vec::new(), Vec::new());
        Self { path, distribution, needs, role: None, links, is_foreign: false, is_binary: false, faults, warnings }
    }
}

impl FileCheck<'_> {
    fn look_at(&self, path: &TreePath, binary: &Result<NativeBinary, BinaryDamage>) -> FileRow {
        let distribution = (self.owner)(path);
        let platform = self.layout.platform;
        let (mut is_foreign, mut judgement) = (false, FileJudgement::default());
        match binary {
            Ok(binary) if binary.os != platform.os() || self.is_launcher(path, binary) => is_foreign = true,
            Ok(binary) if !binary.archs.contains(&platform.arch()) => {
                self.judge_architecture(path, binary, &mut judgement);
            }
            Ok(binary) if binary.is_object => {}
            Ok(binary) => {
                judgement = self.judge(path, binary);
                self.hold_under_ceilings(path, distribution.as_ref(), &mut judgement);
            }
            Err(damage) => judgement.faults.push(NativeFaultKind::Damaged { reason: damage.to_string() }),
        }
        let fault = |kind| NativeFault { file: path.clone(), distribution: distribution.clone(), kind };
        FileRow {
            role: (!is_foreign).then(|| self.role_of(path, binary)).flatten(),
            links: judgement.links,
            needs: judgement.needs,
            is_foreign,
            is_binary: true,
            faults: judgement.faults.into_iter().map(fault).collect(),
            warnings: judgement.warnings.into_iter().map(fault).collect(),
            path: path.clone(),
            distribution,
        }
    }

    /// Adds the fault to the row of its file, or to a new row in order. Ignores copied files: the user chose them.
    fn add_module_fault(&self, fault: ModuleFault, rows: &mut Vec<FileRow>) {
        let ModuleFault { path, kind, is_taken } = fault;
        let Some(distribution) = (self.owner)(&path) else { return };
        let index = rows.binary_search_by(|row| row.path.cmp(&path)).unwrap_or_else(|index| {
            rows.insert(index, FileRow::of_none(path.clone(), Some(distribution.clone())));
            index
        });
        let row = &mut rows[index];
        let fault = NativeFault { file: path, distribution: Some(distribution), kind };
        if is_taken {
            row.role = Some(NativeRole::Module);
            row.faults.push(fault);
        } else {
            row.warnings.push(fault);
        }
    }

    fn role_of(&self, path: &TreePath, binary: &Result<NativeBinary, BinaryDamage>) -> Option<NativeRole> {
        if binary.as_ref().is_ok_and(|binary| binary.is_object) {
            return None;
        }
        let is_script = self.layout.is_among_programs(path);
        // What the file alone shows about a module; `None` for formats that recognise modules by name.
        let defines = match binary.as_ref().map(|binary| &binary.facts) {
            Ok(BinaryFacts::Elf(facts)) => facts.defines,
            _ => None,
        };
        let is_program = binary.as_ref().map_or(is_script, |binary| binary.is_program) && defines != Some(true);
        let is_named = || module_name_of(path, self.layout).is_some_and(|module| !is_test_helper(&module));
        Some(match is_program {
            true if is_script => NativeRole::Script,
            true => NativeRole::Program,
            false if defines.unwrap_or(true) && is_named() => NativeRole::Module,
            false => NativeRole::Library,
        })
    }

    /// Installers for Windows carry launchers for every kind of machine, which they copy to where they are needed.
    fn is_launcher(&self, path: &TreePath, binary: &NativeBinary) -> bool {
        let fits = binary.archs.contains(&self.layout.platform.arch());
        binary.os == Os::Windows && !fits && binary.is_program && !self.layout.is_among_programs(path)
    }

    /// Distributions carry programs and objects of other machines as data, device code for one. Only what this
    /// interpreter would load, or what is in the scripts folder, must fit.
    fn judge_architecture(&self, path: &TreePath, binary: &NativeBinary, judgement: &mut FileJudgement) {
        let names = binary.archs.iter().map(|arch| format!("{arch:?}").to_lowercase()).collect::<Vec<_>>();
        let kind = NativeFaultKind::Architecture {
            expected: self.layout.platform.as_str().to_owned(),
            found: names.join(" and "),
        };
        let is_data = binary.is_object || (binary.is_program && !self.layout.is_among_programs(path));
        if is_data { &mut judgement.warnings } else { &mut judgement.faults }.push(kind);
    }

    fn judge(&self, path: &TreePath, binary: &NativeBinary) -> FileJudgement {
        let subject = JudgedFile { path, layout: self.layout };
        match &binary.facts {
            BinaryFacts::Elf(facts) => elf::rules::judge(facts, binary.is_program, &subject, &self.spaces.elf),
            BinaryFacts::Macho(slices) => {
                let slice = slices.iter().find(|slice| slice.arch == self.layout.platform.arch());
                slice.map(|slice| macho::rules::judge(slice, &subject, &self.spaces.macho)).unwrap_or_default()
            }
            BinaryFacts::Pe(facts) => pe::rules::judge(facts, &subject, self.spaces.files),
            BinaryFacts::Unread => FileJudgement::default(),
        }
    }

    fn hold_under_ceilings(&self, path: &TreePath, owner: Option<&DistributionName>, judgement: &mut FileJudgement) {
        let FileJudgement { needs, faults, warnings, .. } = judgement;
        let weight = if (self.policy.excused)(path, owner) { warnings } else { faults };
        for (provider, needed) in needs.iter() {
            let ceiling = self.policy.ceilings.get(provider).filter(|ceiling| is_too_new(needed, ceiling));
            let Some(ceiling) = ceiling else { continue };
            weight.push(NativeFaultKind::AboveCeiling {
                symbols: provider.to_string(),
                needed: needed.clone(),
                ceiling: ceiling.clone(),
            });
        }
    }
}

/// The rows are sorted by path.
fn gather(rows: Vec<FileRow>, prefix: &Path) -> NativeReport {
    let mut report = NativeReport { files: linked(&rows, prefix), ..NativeReport::default() };
    for row in rows {
        report.faults.extend(row.faults);
        report.warnings.extend(row.warnings);
        if row.is_foreign {
            report.foreign += 1;
            continue;
        }
        if !row.is_binary {
            continue;
        }
        report.whole.add(&row.needs);
        if !row.needs.is_empty() {
            let (distribution, needs) = (row.distribution.clone(), row.needs.clone());
            report.asking.push(FileNeeds { file: row.path, distribution, needs });
        }
        match row.distribution {
            Some(name) => report.distributions.entry(name).or_default().add(&row.needs),
            None => report.base.add(&row.needs),
        }
    }
    report
}

/// The files with a role, and which of them are loaded with which.
fn linked(rows: &[FileRow], prefix: &Path) -> Vec<NativeFile> {
    let with_role = || rows.iter().filter_map(|row| Some((row, row.role?)));
    let places: BTreeMap<&TreePath, usize> =
        with_role().enumerate().map(|(index, (row, _))| (&row.path, index)).collect();
    // A link beside the file, or a linked folder on the way.
    let through_links = |path: &TreePath| {
        let place = path.below(prefix).canonicalize().ok()?;
        places.get(&TreePath::relative(&place, &prefix.canonicalize().ok()?)?).copied()
    };
    let place_of = |path: &TreePath| places.get(path).copied().or_else(|| through_links(path));
    with_role()
        .map(|(row, role)| NativeFile {
            path: row.path.clone(),
            distribution: row.distribution.clone(),
            role,
            links: row.links.iter().filter_map(place_of).collect(),
        })
        .collect()
}
