//! The static check: every native file of a finished prefix, for any platform, without running anything.
//!
//! Each binary must be for the platform's architecture; each library that an ELF file needs must be in the prefix
//! or be the system's to provide; and what is needed of the system must not be newer than the ceiling. Mach-O and
//! PE files are checked for their architecture.

mod binary;
mod elf;
mod report;
mod search;
mod symbol_version;
mod system_libraries;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use vocab::{DistributionName, Exit, Fault, TreePath};

use binary::{Binary, Damage};
pub use report::{NativeFault, NativeFaultKind, NativeFaults, NativeReport, Needs};
use search::{Found, SearchFolder, SearchSpace};
pub use symbol_version::{SymbolVersion, SymbolVersionError};
use vocab::TreeLayout;

/// The newest system that may be needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ceilings {
    pub glibc: SymbolVersion,
    /// Of the system's `libstdc++`.
    pub glibcxx: SymbolVersion,
}

impl Ceilings {
    /// With the `libstdc++` that the manylinux policy of the same glibc promises.
    pub fn for_glibc(glibc: SymbolVersion) -> Self {
        // (glibc, GLIBCXX) of manylinux_2_17, _2_24, _2_28, _2_31, _2_34, _2_35 and _2_39.
        const PROMISED: [(&str, &str); 7] = [
            ("2.17", "3.4.19"),
            ("2.24", "3.4.22"),
            ("2.28", "3.4.24"),
            ("2.31", "3.4.28"),
            ("2.34", "3.4.29"),
            ("2.35", "3.4.30"),
            ("2.39", "3.4.33"),
        ];
        let literal = |text: &str| text.parse::<SymbolVersion>().expect("a literal version");
        let promised = PROMISED.into_iter().rev().find(|(floor, _)| literal(floor) <= glibc);
        Self { glibcxx: literal(promised.map_or("3.4.19", |(_, glibcxx)| glibcxx)), glibc }
    }
}

impl Default for Ceilings {
    /// glibc 2.28, the oldest that is still maintained somewhere.
    fn default() -> Self {
        Self::for_glibc("2.28".parse().expect("a literal version"))
    }
}

/// Decides whose file a path is; `None` for the base interpreter and copied files.
pub type Owner<'a> = &'a (dyn Fn(&TreePath) -> Option<DistributionName> + Sync);

pub struct NativePolicy<'a> {
    pub ceilings: Ceilings,
    /// Whose files may be above the ceilings with a warning. A base interpreter that was found on this machine
    /// cannot be made for an older one.
    pub excused: &'a (dyn Fn(&TreePath, Option<&DistributionName>) -> bool + Sync),
}

impl Default for NativePolicy<'_> {
    fn default() -> Self {
        Self { ceilings: Ceilings::default(), excused: &|_, _| false }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("cannot check `{}`", path.display())]
pub struct NativeCheckError {
    pub path: PathBuf,
    #[source]
    pub source: io::Error,
}

impl Fault for NativeCheckError {
    fn code(&self) -> &'static str {
        "E_CHECK_DISK"
    }

    fn exit(&self) -> Exit {
        Exit::Build
    }
}

/// Looks at every file of the prefix, in parallel. What is wrong is in the report, not an error:
/// see [`NativeReport::verdict`].
///
/// # Errors
/// When the prefix cannot be read.
pub fn check_native_files(
    prefix: &Path,
    layout: TreeLayout,
    policy: &NativePolicy<'_>,
    owner: Owner<'_>,
) -> Result<NativeReport, NativeCheckError> {
    let listing = list(prefix)?;
    let mut files: Vec<(TreePath, Result<Binary, Damage>)> = listing
        .candidates
        .into_par_iter()
        .filter_map(|path| {
            let place = path.below(prefix);
            match binary::read(&place) {
                Ok(found) => found.map(|binary| Ok((path, binary))),
                Err(source) => Some(Err(NativeCheckError { path: place, source })),
            }
        })
        .collect::<Result<_, _>>()?;
    files.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut space = SearchSpace::new(prefix, listing.paths);
    for (path, binary) in &files {
        let Some(facts) = binary.as_ref().ok().and_then(|binary| binary.elf.as_ref()) else { continue };
        if let Some(soname) = &facts.soname {
            space.add_soname(soname, path);
        }
        if *path == layout.interpreter() {
            space.set_interpreter(path, facts);
        }
    }
    let check = FileCheck { layout, policy, owner, space: &space };
    let rows: Vec<FileRow> = files.par_iter().map(|(path, binary)| check.look_at(path, binary)).collect();
    Ok(gather(rows))
}

struct Listing {
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

fn list(prefix: &Path) -> Result<Listing, NativeCheckError> {
    let mut listing = Listing { paths: BTreeSet::new(), candidates: Vec::new() };
    for entry in walkdir::WalkDir::new(prefix).min_depth(1) {
        let entry = entry.map_err(|error| NativeCheckError {
            path: error.path().unwrap_or(prefix).to_owned(),
            source: error.into(),
        })?;
        if entry.file_type().is_dir() {
            continue;
        }
        // A name that is not UTF-8 cannot be packed; that is told where it is packed.
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
    owner: Owner<'a>,
    space: &'a SearchSpace<'a>,
}

struct FileRow {
    distribution: Option<DistributionName>,
    needs: Needs,
    is_foreign: bool,
    faults: Vec<NativeFault>,
    warnings: Vec<NativeFault>,
}

impl FileCheck<'_> {
    fn look_at(&self, path: &TreePath, binary: &Result<Binary, Damage>) -> FileRow {
        let distribution = (self.owner)(path);
        let mut row = FileRow {
            distribution: distribution.clone(),
            needs: Needs::default(),
            is_foreign: false,
            faults: Vec::new(),
            warnings: Vec::new(),
        };
        let fault = |kind| NativeFault { file: path.clone(), distribution: distribution.clone(), kind };
        let binary = match binary {
            Ok(binary) if binary.os != self.layout.platform.os() => {
                row.is_foreign = true;
                return row;
            }
            Ok(binary) => binary,
            Err(damage) => {
                row.faults.push(fault(NativeFaultKind::Damaged { reason: damage.to_string() }));
                return row;
            }
        };
        if !binary.archs.contains(&self.layout.platform.arch()) {
            self.judge_architecture(path, binary, &mut row, fault);
        } else if !binary.is_object {
            self.judge_libraries(path, binary, &mut row, &fault);
        }
        row
    }

    /// Distributions carry programs and objects of other machines as data: launchers, device code. Only what this
    /// interpreter would load, or what stands among the scripts, must fit.
    fn judge_architecture(
        &self,
        path: &TreePath,
        binary: &Binary,
        row: &mut FileRow,
        fault: impl Fn(NativeFaultKind) -> NativeFault,
    ) {
        let names = binary.archs.iter().map(|arch| format!("{arch:?}").to_lowercase()).collect::<Vec<_>>();
        let kind = NativeFaultKind::Architecture {
            expected: self.layout.platform.as_str().to_owned(),
            found: names.join(" and "),
        };
        let is_data = binary.is_object || (binary.is_program && !path.starts_with(&self.layout.scripts()));
        if is_data { &mut row.warnings } else { &mut row.faults }.push(fault(kind));
    }

    fn judge_libraries(
        &self,
        path: &TreePath,
        binary: &Binary,
        row: &mut FileRow,
        fault: &dyn Fn(NativeFaultKind) -> NativeFault,
    ) {
        let Some(facts) = &binary.elf else { return };
        for entry in facts.rpath.iter().chain(&facts.runpath) {
            let entry = entry.clone();
            match self.space.folder(path, &entry) {
                SearchFolder::Inside(_) => {}
                SearchFolder::BuildMachine => row.faults.push(fault(NativeFaultKind::BuildMachinePath { entry })),
                SearchFolder::Outside => row.warnings.push(fault(NativeFaultKind::SearchesOutside { entry })),
            }
        }
        let mut of_system = BTreeSet::new();
        for library in &facts.needed {
            match self.space.find(path, binary.is_program, facts, library) {
                Found::InPrefix | Found::Elsewhere => {}
                Found::OnSystem => {
                    of_system.insert(library.as_str());
                }
                Found::Nowhere => {
                    row.faults.push(fault(NativeFaultKind::MissingLibrary { library: library.clone() }));
                }
            }
        }
        // A library that the prefix brings along has all its own symbols.
        for needed in facts.versions.iter().filter(|needed| of_system.contains(needed.library.as_str())) {
            row.needs.raise_to(&needs_of(&needed.version));
        }
        let ceilings = &self.policy.ceilings;
        let excused = (self.policy.excused)(path, row.distribution.as_ref());
        for (symbols, needed, ceiling) in
            [("GLIBC", &row.needs.glibc, &ceilings.glibc), ("GLIBCXX", &row.needs.glibcxx, &ceilings.glibcxx)]
        {
            let Some(needed) = needed.as_ref().filter(|needed| *needed > ceiling) else { continue };
            let kind = NativeFaultKind::AboveCeiling {
                symbols: symbols.to_owned(),
                needed: needed.clone(),
                ceiling: ceiling.clone(),
            };
            if excused { &mut row.warnings } else { &mut row.faults }.push(fault(kind));
        }
    }
}

/// What one symbol version stands for.
fn needs_of(version: &str) -> Needs {
    if version == "GLIBC_ABI_DT_RELR" {
        // Not a number: the loader's support for compact relocations, new in glibc 2.36.
        return Needs { glibc: "2.36".parse().ok(), glibcxx: None };
    }
    let number = |prefix: &str| version.strip_prefix(prefix).and_then(|number| number.parse().ok());
    Needs { glibc: number("GLIBC_"), glibcxx: number("GLIBCXX_") }
}

fn gather(rows: Vec<FileRow>) -> NativeReport {
    let mut report = NativeReport::default();
    for row in rows {
        report.faults.extend(row.faults);
        report.warnings.extend(row.warnings);
        if row.is_foreign {
            report.foreign += 1;
            continue;
        }
        report.files += 1;
        report.needs.raise_to(&row.needs);
        if row.needs.is_empty() {
            continue;
        }
        match row.distribution {
            Some(name) => report.distributions.entry(name).or_default().raise_to(&row.needs),
            None => report.base.raise_to(&row.needs),
        }
    }
    report
}
