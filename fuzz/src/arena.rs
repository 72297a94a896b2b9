//! A place to extract to, with something beside it that no archive may touch.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use archive::{ExtractOptions, ExtractedTree, ExtractLimits, LinkHandling, NameRules, TopFolder};
use vocab::{ContentDigests, DigestKinds, TreePath};

/// Small, so that a bomb is found by the limit rather than by the clock.
const LIMITS: ExtractLimits = ExtractLimits { bytes: 1 << 20, entries: 200, ratio: 1000 };
const SENTINEL: &[u8] = b"not to be touched";

/// `archive`, `sentinel` and `place/target`; deleted with this. One serves all inputs of a process.
pub struct Arena {
    folder: tempfile::TempDir,
}

impl Default for Arena {
    fn default() -> Self {
        let folder = tempfile::tempdir().expect("there is a folder for temporary files");
        fs::write(folder.path().join("sentinel"), SENTINEL).expect("a file can be written there");
        fs::create_dir(folder.path().join("place")).expect("a folder can be made there");
        Self { folder }
    }
}

impl Arena {
    /// Extracts `bytes` under rules that the bits of `choice` select, and panics if anything is elsewhere, or there
    /// in spite of an error, or more than the limits allow.
    pub fn extract(&self, bytes: &[u8], choice: u8) {
        let archive = self.folder.path().join("archive");
        fs::write(&archive, bytes).expect("a file can be written there");
        let target = self.place().join("target");
        let options = ExtractOptions {
            top_folder: if choice & 1 == 0 { TopFolder::Keep } else { TopFolder::StripSingle },
            links: if choice & 2 == 0 { LinkHandling::Keep } else { LinkHandling::Copy },
            names: match choice >> 2 & 3 {
                0 | 1 => NameRules::CaseSensitive,
                2 => NameRules::CaseInsensitive,
                _ => NameRules::Windows,
            },
            threads: if choice & 16 == 0 { 1 } else { 3 },
            digests: (choice & 32 != 0).then_some(DigestKinds::Both),
            archive_digest: choice & 32 != 0,
            limits: LIMITS,
            ..ExtractOptions::default()
        };
        match archive::extract(&archive, &target, &options) {
            Ok(extracted) => {
                check_tree(&target, &extracted, &options);
                assert_eq!(extracted.archive_digest, options.archive_digest.then(|| ContentDigests::of(bytes, DigestKinds::Both)));
                fs::remove_dir_all(&target).expect("what was extracted can be deleted");
            }
            Err(error) => drop(error.to_string()),
        }
        self.check_surroundings();
    }

    fn place(&self) -> PathBuf {
        self.folder.path().join("place")
    }

    fn check_surroundings(&self) {
        let left = names_in(&self.place());
        assert!(left.is_empty(), "left behind beside the target: {left:?}");
        let around = names_in(self.folder.path());
        assert_eq!(around, ["archive", "place", "sentinel"], "something appeared or disappeared");
        let sentinel = self.folder.path().join("sentinel");
        assert!(fs::read(&sentinel).is_ok_and(|content| content == SENTINEL), "the sentinel was changed");
    }
}

/// Nothing in it leads out of it, and it is what the extraction says it is.
fn check_tree(target: &Path, extracted: &ExtractedTree, options: &ExtractOptions<'_>) {
    let links = options.links;
    let root = target.canonicalize().expect("the target exists");
    let (mut files, mut links_found, mut bytes, mut inodes) = (0, 0, 0, BTreeSet::new());
    for item in walkdir::WalkDir::new(&root).min_depth(1) {
        let item = item.expect("what was extracted can be listed");
        if item.path_is_symlink() {
            links_found += 1;
            if let Ok(end) = item.path().canonicalize() {
                assert!(end.starts_with(&root), "`{}` leads to `{}`", item.path().display(), end.display());
            }
            let target = fs::read_link(item.path()).expect("it is a link");
            assert!(target.is_relative(), "`{}` leads to `{}`", item.path().display(), target.display());
        } else if item.file_type().is_file() {
            files += 1;
            let metadata = item.metadata().expect("it is there");
            // Hard links share their bytes.
            bytes += if inodes.insert(metadata.ino()) { metadata.len() } else { 0 };
            check_digest(item.path(), &root, extracted, options);
        } else {
            assert!(item.file_type().is_dir(), "`{}` is of no allowed kind", item.path().display());
        }
    }
    assert!(options.digests.is_some() || extracted.digests.is_empty(), "digests that nobody asked for");
    assert!(extracted.digests.len() as u64 <= files, "digests of files that are not there");
    assert!(bytes <= LIMITS.bytes, "{bytes} bytes in spite of the limit");
    assert!(files <= LIMITS.entries, "{files} files in spite of the limit");
    if links == LinkHandling::Keep {
        assert_eq!((files, links_found), (extracted.files, extracted.links), "other counts than it says");
        assert_eq!(bytes, extracted.bytes, "another size than it says");
    } else {
        assert_eq!(links_found, 0, "links were to be copied");
    }
}

/// Every file of the archive has its digest, if digests are asked for; copies of links have none.
fn check_digest(path: &Path, root: &Path, extracted: &ExtractedTree, options: &ExtractOptions<'_>) {
    let told = TreePath::relative(path, root).and_then(|path| extracted.digests.get(&path).copied());
    if let Some(kinds) = options.digests
        && (told.is_some() || options.links == LinkHandling::Keep)
    {
        let actual = ContentDigests::of(&fs::read(path).expect("it can be read"), kinds);
        assert_eq!(told, Some(actual), "`{}`", path.display());
    }
}

fn names_in(folder: &Path) -> Vec<String> {
    let items = fs::read_dir(folder).expect("the folder is there");
    let name = |item: std::io::Result<fs::DirEntry>| item.expect("it can be listed").file_name();
    let mut names: Vec<String> = items.map(|item| name(item).to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
