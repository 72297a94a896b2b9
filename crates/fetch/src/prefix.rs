//! Which parts of an artifact an installed prefix has already. Its files are digested as they are on disk; a file that
//! was changed after the installation makes its part differ, and so the part is fetched.
//!
//! The owner of a file: the `RECORD` of a distribution for wheels, the manifest for copied files. The rest belongs to
//! the interpreter, except for bytecode that Python wrote on its own.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use vocab::record_format::record_lines;
use vocab::{
    Artifact, ContentDigests, Digest, DigestBuffer, DigestKinds, DistributionName, INNER_MANIFEST, Manifest, PartKind,
    TreeLayout, TreePath, side_by_side,
};

use super::older::OlderPrefix;
use super::share::stamp;
use super::{FetchErrorKind, RecordedDigests};
use archive::pieces::thread_count;
use archive::{EntryIdentity, EntryKind, FileContent, TreeEntry, identity_of, scan};

/// Where the wheels themselves are, in prefixes that contain them.
const WHEELHOUSE: &str = "packages";
/// Distributions that interpreters include.
const BUNDLED: [&str; 2] = ["pip", "setuptools"];
const MAX_RECORD: u64 = 64 << 20;

/// A part that need not be fetched.
pub(super) struct ReusedPart {
    /// Its index in the artifact's list.
    pub index: usize,
    pub kind: PartKind,
    /// Files of an older prefix; sorted by path.
    pub entries: Vec<TreeEntry>,
    /// What they were found to hold.
    pub digests: HashMap<TreePath, DigestedFile>,
}

/// A file as it was when it was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct DigestedFile {
    pub sha256: Digest,
    /// As they are recorded with what it is used for.
    pub digests: ContentDigests,
    /// In bytes.
    pub size: u64,
    pub modified: SystemTime,
}

impl DigestedFile {
    /// An error if it changes meanwhile. A file that has the BLAKE3 of what is `recorded` has its SHA-256 as well.
    fn read(place: &Path, recorded: Option<&ContentDigests>, buffer: &mut DigestBuffer) -> io::Result<Self> {
        let file = File::open(place)?;
        let before = stamp(&file.metadata()?);
        let recorded = recorded.filter(|it| it.sha256.is_some() && it.blake3.is_some());
        let kinds = recorded.map_or(DigestKinds::Both, |_| DigestKinds::Blake3);
        let now = ContentDigests::of_reader(&file, kinds, buffer)?;
        let digests = match recorded {
            None => now,
            Some(recorded) if recorded.agree(&now) => *recorded,
            Some(_) => {
                (&file).rewind()?;
                ContentDigests::of_reader(&file, DigestKinds::Both, buffer)?
            }
        };
        let sha256 = digests.sha256.ok_or_else(|| io::Error::other("its SHA-256 was not computed"))?;
        let after = stamp(&file.metadata()?);
        match before.filter(|before| Some(*before) == after) {
            Some((size, modified)) => Ok(Self { sha256, digests, size, modified }),
            None => Err(io::Error::other("it changed while it was read")),
        }
    }
}

/// The parts that any of the prefixes has, in the artifact's order.
pub(super) fn reusable(
    prefixes: &[OlderPrefix],
    recorded: &HashMap<PathBuf, RecordedDigests>,
    manifest: &Manifest,
    artifact: &Artifact,
) -> Result<Vec<ReusedPart>, FetchErrorKind> {
    let mut found: BTreeMap<usize, ReusedPart> = BTreeMap::new();
    for prefix in prefixes {
        let held = HeldFiles::read(prefix, recorded.get(&prefix.root))?;
        for reused in held.parts(manifest, artifact, |index| found.contains_key(&index)) {
            found.insert(reused.index, reused);
        }
    }
    Ok(found.into_values().collect())
}

/// The content of a prefix, by path.
struct HeldFiles<'a> {
    manifest: &'a Manifest,
    recorded: Option<&'a RecordedDigests>,
    entries: BTreeMap<TreePath, TreeEntry>,
    /// What each distribution's RECORD lists, RECORD itself included, and on Windows the corresponding files in `bin`.
    records: HashMap<DistributionName, BTreeSet<TreePath>>,
}

/// The paths that may form a part; the first choice with the right identity counts.
struct PartCandidate {
    index: usize,
    choices: Vec<BTreeSet<TreePath>>,
}

impl<'a> HeldFiles<'a> {
    fn read(prefix: &'a OlderPrefix, recorded: Option<&'a RecordedDigests>) -> Result<Self, FetchErrorKind> {
        let entries: BTreeMap<_, _> =
            scan(&prefix.root)?.into_iter().map(|entry| (entry.path.clone(), entry)).collect();
        let mut records: HashMap<DistributionName, BTreeSet<TreePath>> = HashMap::new();
        let layout = TreeLayout { platform: prefix.manifest.platform, python: prefix.manifest.base.actual };
        for entry in entries.values() {
            if let Some((name, paths)) = record_of(entry) {
                let stand_ins = paths.iter().filter_map(|path| layout.stand_in(path));
                let stand_ins: Vec<_> = stand_ins.filter(|path| entries.contains_key(path)).collect();
                let all = records.entry(name).or_default();
                all.extend(paths);
                all.extend(stand_ins);
            }
        }
        Ok(Self { manifest: &prefix.manifest, recorded, entries, records })
    }

    fn parts(&self, manifest: &Manifest, artifact: &Artifact, known: impl Fn(usize) -> bool) -> Vec<ReusedPart> {
        let candidates = self.candidates(manifest, artifact, known);
        let wanted: BTreeSet<&TreePath> = candidates.iter().flat_map(|it| it.choices.iter().flatten()).collect();
        let digests = self.digests(&wanted.into_iter().collect::<Vec<_>>());
        let part = |candidate: PartCandidate| {
            let identity = artifact.parts[candidate.index].identity;
            let right = |paths: &BTreeSet<TreePath>| self.identity(paths, &digests) == identity;
            let paths = candidate.choices.into_iter().find(right)?;
            let entries = paths.iter().filter_map(|path| self.entries.get(path)).cloned().collect();
            let known = paths.iter().filter_map(|path| Some((path.clone(), *digests.get(path)?)));
            let kind = artifact.parts[candidate.index].kind();
            Some(ReusedPart { index: candidate.index, kind, entries, digests: known.collect() })
        };
        candidates.into_iter().filter_map(part).collect()
    }

    /// Only parts that have an identity, and for wheels only those that were installed here.
    fn candidates(
        &self,
        manifest: &Manifest,
        artifact: &Artifact,
        known: impl Fn(usize) -> bool,
    ) -> Vec<PartCandidate> {
        let copied: BTreeSet<TreePath> = self.manifest.copied_files.iter().map(|file| file.path.clone()).collect();
        let mut taken = copied.clone();
        let mut candidates = Vec::new();
        let mut base = None;
        for (index, part) in artifact.parts.iter().enumerate() {
            let choice: BTreeSet<TreePath> = match part.kind() {
                PartKind::Base => {
                    // Known when all others are.
                    base = Some(index);
                    continue;
                }
                PartKind::CopiedFiles => manifest.copied_files.iter().map(|file| file.path.clone()).collect(),
                PartKind::Metadata => continue,
                PartKind::Distribution => match self.wheel(&part.content) {
                    Some(paths) => {
                        // A file that two wheels install is in the part of the first.
                        let own: BTreeSet<_> = paths.difference(&taken).cloned().collect();
                        taken.extend(own.iter().cloned());
                        own
                    }
                    None => continue,
                },
            };
            if part.identity.is_some() && part.size > 0 && !known(index) {
                candidates.push(PartCandidate { index, choices: vec![choice] });
            }
        }
        if let Some(index) = base.filter(|index| artifact.parts[*index].identity.is_some() && !known(*index)) {
            candidates.push(PartCandidate { index, choices: self.base() });
        }
        candidates
    }

    /// By the wheel's file name.
    fn wheel(&self, file: &str) -> Option<BTreeSet<TreePath>> {
        let distribution = self.manifest.distributions.iter().find(|it| it.file == file)?;
        let mut paths = self.records.get(&distribution.name).cloned().unwrap_or_default();
        paths.extend(wheelhouse_path(file).filter(|path| self.entries.contains_key(path)));
        Some(paths)
    }

    /// The files that no other part has. Distributions that the manifest does not name may be the interpreter's own or
    /// may have been installed later, so there are three guesses: all are its own, only those that interpreters usually
    /// include, none.
    fn base(&self) -> Vec<BTreeSet<TreePath>> {
        let mut others: BTreeSet<TreePath> = self.manifest.copied_files.iter().map(|file| file.path.clone()).collect();
        others.extend(INNER_MANIFEST.parse::<TreePath>());
        others.extend(self.manifest.distributions.iter().filter_map(|it| wheelhouse_path(&it.file)));
        let named: BTreeSet<&DistributionName> = self.manifest.distributions.iter().map(|it| &it.name).collect();
        let recorded = |foreign: &dyn Fn(&DistributionName) -> bool| {
            let foreign = self.records.iter().filter(|(name, _)| named.contains(name) || foreign(name));
            let paths = foreign.flat_map(|(_, paths)| paths).cloned();
            others.iter().cloned().chain(paths).collect::<BTreeSet<_>>()
        };
        let all = recorded(&|_| true);
        let usual = |name: &DistributionName| BUNDLED.contains(&name.to_string().as_str());
        let guesses = [recorded(&|_| false), recorded(&|name| !usual(name)), all.clone()];
        guesses.iter().map(|others| self.without(others, &all)).collect()
    }

    /// Files and links without `others` and without bytecode that is not `recorded`, and the empty folders.
    fn without(&self, others: &BTreeSet<TreePath>, recorded: &BTreeSet<TreePath>) -> BTreeSet<TreePath> {
        let ignored = |path: &TreePath| is_bytecode(path) && !recorded.contains(path);
        let mut filled: BTreeSet<TreePath> = BTreeSet::new();
        for path in self.entries.keys().filter(|path| !ignored(path)) {
            filled.extend(path.parent());
        }
        let is_own = |(path, entry): &(&TreePath, &TreeEntry)| {
            let empty = entry.kind != EntryKind::Directory || !filled.contains(*path);
            empty && !ignored(path) && !others.contains(*path)
        };
        self.entries.iter().filter(is_own).map(|(path, _)| path.clone()).collect()
    }

    /// Identity of files; an unreadable one has none, and its part is fetched.
    fn digests(&self, paths: &[&TreePath]) -> HashMap<TreePath, DigestedFile> {
        let digest = |buffer: &mut DigestBuffer, index: usize| -> Result<_, std::convert::Infallible> {
            let content = self.entries.get(paths[index]).map(|entry| &entry.kind);
            let recorded = self.recorded.and_then(|recorded| recorded.get(paths[index]));
            Ok(match content {
                Some(EntryKind::File { content: FileContent::Disk(place), .. }) => {
                    DigestedFile::read(place, recorded, buffer).ok()
                }
                _ => None,
            })
        };
        let Ok(digests) = side_by_side(thread_count(0), paths.len(), DigestBuffer::default, digest);
        let pairs = paths.iter().zip(digests);
        pairs.filter_map(|(path, digest)| Some(((*path).clone(), digest?))).collect()
    }

    /// `None` if something is missing.
    fn identity(&self, paths: &BTreeSet<TreePath>, digests: &HashMap<TreePath, DigestedFile>) -> Option<Digest> {
        let mut rows = Vec::new();
        for path in paths {
            let identity = match &self.entries.get(path)?.kind {
                EntryKind::Directory => EntryIdentity::Directory,
                EntryKind::File { executable, .. } => {
                    EntryIdentity::File { sha256: digests.get(path)?.sha256, executable: *executable }
                }
                // If extraction copied the links, none of the packed ones is left.
                EntryKind::Symlink { .. } if cfg!(windows) => return None,
                EntryKind::Symlink { target } => EntryIdentity::Symlink { target },
            };
            rows.push((path, identity));
        }
        Some(identity_of(rows))
    }
}

fn wheelhouse_path(file: &str) -> Option<TreePath> {
    format!("{WHEELHOUSE}/{file}").parse().ok()
}

fn is_bytecode(path: &TreePath) -> bool {
    path.as_str().ends_with(".pyc") || path.segments().any(|segment| segment == "__pycache__")
}

/// For `…/<name>-<version>.dist-info/RECORD`: the distribution's name, and the listed paths, below the prefix. Rows
/// that lead out of it are ignored.
fn record_of(entry: &TreeEntry) -> Option<(DistributionName, BTreeSet<TreePath>)> {
    let folder = entry.path.parent().filter(|_| entry.path.file_name() == "RECORD")?;
    let (name, _) = folder.file_name().strip_suffix(".dist-info")?.rsplit_once('-')?;
    let name: DistributionName = name.parse().ok()?;
    let site = folder.parent()?;
    let EntryKind::File { content: FileContent::Disk(place), .. } = &entry.kind else { return None };
    let mut text = Vec::new();
    File::open(place).and_then(|file| file.take(MAX_RECORD).read_to_end(&mut text)).ok()?;
    let listed = record_lines(&text).filter_map(Result::ok).filter_map(|line| line.path_below(&site));
    Some((name, listed.chain([entry.path.clone()]).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytecode_is_known_by_its_name() {
        for (path, expected) in [("a/__pycache__/b.cpython-312.pyc", true), ("a.pyc", true), ("a.py", false)] {
            assert_eq!(is_bytecode(&path.parse().unwrap()), expected, "for {path}");
        }
    }
}
