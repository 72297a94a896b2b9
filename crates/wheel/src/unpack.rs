//! Inflates a wheel file into the store, and compares it with its digest, and each of its files with its row in RECORD.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use sha2::{Digest as _, Sha256};
use vocab::record_format::{DigestAlgorithm, DigestCheck, ListedDigest};
use vocab::{Digest, TreePath};
use zip::ZipArchive;
use zip::read::ZipReadOptions;

use super::entry_points::EntryPoints;
use super::record_check::RecordDoubts;
use super::texts::{self, WheelTexts};
use super::unpack_error::{UnpackError, UnpackErrorKind};
use super::unpacked::{self, UnpackedWheel, WheelContents, WheelEntry};
use super::zip_table::{self, SharedFile, WheelMember};
use super::{WheelFileName, thread_pool};
use store::Context;
use store::{EntryKind, LockOutcome, Scrutiny};

/// Each lock is an open file, and some systems allow a process only 256 of these.
const LOCKED_AT_ONCE: usize = 64;

/// A wheel file in the store or elsewhere on this machine.
#[derive(Clone, Debug)]
pub struct WheelBlob {
    pub path: PathBuf,
    /// The expected digest; another file is refused.
    pub sha256: Digest,
    /// Its tags and version; the name on disk may differ.
    pub file_name: WheelFileName,
}

/// Unpacks a wheel, unless the store has it unpacked already. The file's digest is checked while it is unpacked.
pub fn unpack(context: &Context, blob: &WheelBlob, scrutiny: Scrutiny) -> Result<UnpackedWheel, UnpackError> {
    let mut wheels = unpack_all(context, std::slice::from_ref(blob), scrutiny)?;
    Ok(wheels.pop().expect("one wheel goes in and one comes out"))
}

/// Unpacks several wheels, in parallel over wheels and their files. Results are in the order of `blobs`; of several
/// faults the first in this order is returned.
pub fn unpack_all(
    context: &Context,
    blobs: &[WheelBlob],
    scrutiny: Scrutiny,
) -> Result<Vec<UnpackedWheel>, UnpackError> {
    let failed = |blob: &WheelBlob, kind| UnpackError { wheel: blob.file_name.to_string(), kind };
    let Some(first) = blobs.first() else {
        return Ok(Vec::new());
    };
    let pool = thread_pool(context).map_err(|error| failed(first, UnpackErrorKind::Threads(error)))?;
    let each = |work: &(dyn Fn(&WheelBlob) -> Result<Option<UnpackedWheel>, UnpackErrorKind> + Sync),
                blobs: &[&WheelBlob]| {
        let results: Vec<Result<Option<UnpackedWheel>, UnpackError>> = pool.install(|| {
            blobs.par_iter().with_max_len(1).map(|blob| work(blob).map_err(|kind| failed(blob, kind))).collect()
        });
        results.into_iter().collect::<Result<Vec<Option<UnpackedWheel>>, UnpackError>>()
    };
    for blob in blobs {
        context.store.mark_used(EntryKind::Wheels, &blob.sha256.to_string());
    }
    let all: Vec<&WheelBlob> = blobs.iter().collect();
    let mut wheels = each(&|blob| sound(context, blob, scrutiny), &all)?;

    let mut missing: BTreeMap<Digest, &WheelBlob> = BTreeMap::new();
    for (blob, _) in blobs.iter().zip(&wheels).filter(|(_, wheel)| wheel.is_none()) {
        missing.entry(blob.sha256).or_insert(blob);
    }
    let mut made: HashMap<Digest, UnpackedWheel> = HashMap::new();
    let missing: Vec<&WheelBlob> = missing.into_values().collect();
    for group in missing.chunks(LOCKED_AT_ONCE) {
        // All locks of a group before any work, in the order of their digests, and none left from the previous group:
        // so builders that want the same wheels wait for each other, but never in a circle. A thread of a pool must not
        // wait for a lock, because the thread that holds it may have picked up that very work while waiting.
        let mut locks = Vec::new();
        for blob in group {
            match context.store.lock("wheel", &blob.sha256, || context.is_cancelled()) {
                Ok(LockOutcome::Held(lock)) => locks.push(lock),
                Ok(LockOutcome::GivenUp) => return Err(failed(blob, UnpackErrorKind::Cancelled)),
                Err(error) => return Err(failed(blob, error.into())),
            }
        }
        let group = each(&|blob| unpack_missing(context, blob, scrutiny).map(Some), group)?;
        made.extend(group.into_iter().flatten().map(|wheel| (wheel.contents.sha256, wheel)));
    }
    for (wheel, blob) in wheels.iter_mut().zip(blobs).filter(|(wheel, _)| wheel.is_none()) {
        *wheel = made.get(&blob.sha256).map(|made| made.clone().named(&blob.file_name));
    }
    Ok(wheels.into_iter().flatten().collect())
}

fn unpack_missing(context: &Context, blob: &WheelBlob, scrutiny: Scrutiny) -> Result<UnpackedWheel, UnpackErrorKind> {
    // The previous holder of the lock may have done it.
    if let Some(wheel) = sound(context, blob, scrutiny)? {
        return Ok(wheel);
    }
    let folder = context.store.wheel(&blob.sha256);
    let staged = context.store.stage_dir()?;
    let file = SharedFile::open(&blob.path).map_err(|source| unreadable(blob, source))?;
    let (actual, contents) =
        rayon::join(|| Digest::of_reader(file.buffered()), || inflate(context, blob, &file, staged.path()));
    let contents = match contents {
        Err(kind @ (UnpackErrorKind::Cancelled | UnpackErrorKind::Store(_))) => return Err(kind),
        // If it is not the expected file, what is wrong inside does not matter.
        contents => check_digest(context, blob, actual).and(contents)?,
    };
    context.store.publish_dir(staged, &folder)?;
    Ok(UnpackedWheel { tree: folder.join(unpacked::TREE), contents })
}

fn unreadable(blob: &WheelBlob, source: io::Error) -> UnpackErrorKind {
    UnpackErrorKind::Read { path: blob.path.clone(), source }
}

/// Removes the store's file if it is not what its name says.
fn check_digest(context: &Context, blob: &WheelBlob, actual: io::Result<(Digest, u64)>) -> Result<(), UnpackErrorKind> {
    let (actual, _) = actual.map_err(|source| unreadable(blob, source))?;
    if actual == blob.sha256 {
        return Ok(());
    }
    if blob.path == context.store.blob(&blob.sha256) {
        context.store.discard(&blob.path)?;
        context.note(format!("`{}` was damaged in the store and has been removed from it", blob.file_name));
    }
    Err(UnpackErrorKind::Damaged { expected: blob.sha256, actual })
}

/// What the store has, if it can be used. A damaged one is removed.
fn sound(context: &Context, blob: &WheelBlob, scrutiny: Scrutiny) -> Result<Option<UnpackedWheel>, UnpackErrorKind> {
    let folder = context.store.wheel(&blob.sha256);
    let reason = match UnpackedWheel::open(&folder) {
        Ok(None) => return Ok(None),
        Ok(Some(wheel)) => match scrutiny {
            Scrutiny::Glance => Ok(wheel),
            Scrutiny::Digests => compare(context, blob, &wheel)?.map(|()| wheel),
        },
        Err(reason) => Err(reason),
    };
    match reason {
        Ok(wheel) => Ok(Some(wheel.named(&blob.file_name))),
        Err(reason) => {
            context.note(format!("the store's copy of `{}` is unpacked again: {reason}", blob.file_name));
            context.store.discard(&folder)?;
            Ok(None)
        }
    }
}

/// Compares the wheel file with its digest, the table of the unpacked copy with the wheel file, and every file of the
/// copy with the table. The inner error is the reason why the copy must not be used.
fn compare(context: &Context, blob: &WheelBlob, wheel: &UnpackedWheel) -> Result<Result<(), String>, UnpackErrorKind> {
    let file = SharedFile::open(&blob.path).map_err(|source| unreadable(blob, source))?;
    let (actual, (told, found)) = rayon::join(
        || Digest::of_reader(file.buffered()),
        || rayon::join(|| told_by(&file, blob, wheel), || wheel.verify()),
    );
    check_digest(context, blob, actual)?;
    Ok(told?.and(found))
}

/// Whether the wheel file and the table agree about the files. Inflates again only the files for which RECORD has no
/// comparable digest.
fn told_by(file: &SharedFile, blob: &WheelBlob, wheel: &UnpackedWheel) -> Result<Result<(), String>, UnpackErrorKind> {
    let (archive, members) = zip_table::open(file, &blob.path)?;
    let stem = texts::stem(&members, &blob.file_name)?;
    let texts = WheelTexts { archive: &archive, members: &members, folder: format!("{stem}.dist-info") };
    let (rows, EntryPoints { scripts, .. }, metadata) =
        (texts.record()?, texts.entry_points()?, texts.metadata(&blob.file_name)?);
    let WheelContents { entries, entry_points, metadata: kept, .. } = &wheel.contents;
    if (&stem, &scripts, &metadata) != (&wheel.contents.stem, entry_points, kept) {
        return Ok(Err("its table is of another wheel".to_owned()));
    }
    let members: HashMap<&TreePath, &WheelMember> =
        members.iter().filter(|member| !is_own(&stem, &member.path)).map(|member| (&member.path, member)).collect();
    if members.len() != entries.len() {
        return Ok(Err("its table lists other files than the wheel has".to_owned()));
    }
    let differs =
        |archive: &mut ZipArchive<SharedFile>, entry: &WheelEntry| -> Result<Option<String>, UnpackErrorKind> {
            let other = || Some(format!("its file `{}` is another one than the wheel's", entry.path));
            let Some(member) = members.get(&entry.path) else { return Ok(other()) };
            let listed = rows.get(&entry.path).map(|row| &row.digest);
            let known = ListedDigest::Known(DigestAlgorithm::Sha256, entry.sha256.as_bytes().to_vec());
            if (member.size, member.executable) == (entry.size, entry.executable) && listed == Some(&known) {
                return Ok(None);
            }
            let from =
                archive.by_index(member.index).map_err(|error| UnpackErrorKind::Zip { reason: error.to_string() })?;
            let actual = Digest::of_reader(from).map_err(|source| unreadable(blob, source))?;
            let same = actual == (entry.sha256, entry.size) && member.executable == entry.executable;
            Ok(if same { None } else { other() })
        };
    let differences: Vec<Option<String>> = entries
        .par_iter()
        .with_min_len(64)
        .map_init(|| archive.clone(), |archive, entry| differs(archive, entry))
        .collect::<Result<_, _>>()?;
    Ok(differences.into_iter().flatten().next().map_or(Ok(()), Err))
}

/// RECORD and its signatures, which installing replaces.
fn is_own(stem: &str, path: &TreePath) -> bool {
    let name = path.as_str().strip_prefix(stem).and_then(|rest| rest.strip_prefix(".dist-info/"));
    matches!(name, Some("RECORD" | "RECORD.jws" | "RECORD.p7s"))
}

fn inflate(
    context: &Context,
    blob: &WheelBlob,
    file: &SharedFile,
    staged: &Path,
) -> Result<WheelContents, UnpackErrorKind> {
    let (archive, mut members) = zip_table::open(file, &blob.path)?;
    let stem = texts::stem(&members, &blob.file_name)?;
    let texts = WheelTexts { archive: &archive, members: &members, folder: format!("{stem}.dist-info") };
    texts.check_format()?;
    let metadata = texts.metadata(&blob.file_name)?;
    let EntryPoints { scripts: entry_points, mut remarks } = texts.entry_points()?;
    let mut rows = texts.record()?;
    members.retain(|member| !is_own(&stem, &member.path));
    rows.retain(|path, _| !is_own(&stem, path));
    let mut doubts = RecordDoubts::new(&stem);
    doubts.cross_check(&members, &rows)?;

    let tree = staged.join(unpacked::TREE);
    make_folders(&tree, &members)?;
    // Largest first: a large one that starts last would keep a single thread busy at the end.
    members.sort_by(|one, other| other.size.cmp(&one.size).then_with(|| one.path.cmp(&other.path)));
    let entries: Vec<Result<(WheelEntry, bool), UnpackErrorKind>> = members
        .par_iter()
        .with_max_len(64)
        .map_init(
            || (archive.clone(), vec![0; 1 << 17]),
            |(archive, buffer), member| {
                let listed = rows.get(&member.path).map_or(&ListedDigest::None, |row| &row.digest);
                write_member(context, archive, member, listed, &tree, buffer)
            },
        )
        .collect();
    let entries = entries.into_iter().collect::<Result<Vec<_>, _>>()?;
    doubts.of_digests(entries.iter().filter(|(_, fits)| !fits).map(|(entry, _)| &entry.path))?;
    remarks.extend(doubts.into_remark());
    let mut entries: Vec<WheelEntry> = entries.into_iter().map(|(entry, _)| entry).collect();
    entries.sort_by(|one, other| one.path.cmp(&other.path));

    let (format, sha256, file_name, size) =
        (unpacked::UNPACKED_FORMAT, blob.sha256, blob.file_name.clone(), file.length());
    let contents = WheelContents { format, sha256, size, file_name, stem, metadata, entry_points, remarks, entries };
    let table = staged.join(unpacked::TABLE);
    let text = serde_json::to_vec(&contents).expect("the table is plain JSON");
    fs::write(&table, text).map_err(|error| UnpackErrorKind::write(&table, error))?;
    Ok(contents)
}

fn make_folders(tree: &Path, members: &[WheelMember]) -> Result<(), UnpackErrorKind> {
    let mut folders: Vec<TreePath> = members.iter().filter_map(|member| member.path.parent()).collect();
    folders.sort();
    folders.dedup();
    disk::make_folders(tree).map_err(|error| UnpackErrorKind::write(tree, error))?;
    for folder in folders {
        let path = folder.below(tree);
        disk::make_folders(&path).map_err(|error| unwritable(&folder, &path, error))?;
    }
    Ok(())
}

/// A name that is too long for the system is the wheel's own fault.
fn unwritable(entry: &TreePath, path: &Path, error: io::Error) -> UnpackErrorKind {
    if error.kind() == io::ErrorKind::InvalidFilename {
        let reason = "its path is longer than this system's may be".to_owned();
        return UnpackErrorKind::Entry { path: entry.to_string(), reason };
    }
    UnpackErrorKind::write(path, error)
}

/// The flag says whether RECORD has that very digest, or none that can be compared.
fn write_member(
    context: &Context,
    archive: &mut ZipArchive<SharedFile>,
    member: &WheelMember,
    listed: &ListedDigest,
    tree: &Path,
    buffer: &mut [u8],
) -> Result<(WheelEntry, bool), UnpackErrorKind> {
    let path = member.path.below(tree);
    let broken = |reason: String| UnpackErrorKind::Entry { path: member.path.to_string(), reason };
    let unwritable = |error| unwritable(&member.path, &path, error);
    // The whole file's SHA-256 is checked; the archive's own sums would only cost time.
    let options = ZipReadOptions::new().ignore_crc32(true);
    let mut from = archive.by_index_with_options(member.index, options).map_err(|error| broken(error.to_string()))?;
    let mut to = File::create_new(&path).map_err(unwritable)?;
    let mut sha256 = Sha256::new();
    let mut check = DigestCheck::new(listed);
    let mut size = 0;
    loop {
        if context.is_cancelled() {
            return Err(UnpackErrorKind::Cancelled);
        }
        let count = from.read(buffer).map_err(|error| broken(error.to_string()))?;
        if count == 0 {
            break;
        }
        size += count as u64;
        if size > member.size {
            return Err(broken(format!("it inflates to more than the {} bytes it claims", member.size)));
        }
        sha256.update(&buffer[..count]);
        check.update(&buffer[..count]);
        to.write_all(&buffer[..count]).map_err(unwritable)?;
    }
    if size != member.size {
        return Err(broken(format!("it inflates to {size} bytes and claims {}", member.size)));
    }
    let sha256 = Digest::from_bytes(sha256.finalize().into());
    let fits = check.fits(&sha256);
    seal(&to, member.executable).map_err(unwritable)?;
    Ok((WheelEntry { path: member.path.clone(), sha256, size, executable: member.executable }, fits))
}

/// Marks as read-only, with the common time stamp. On Windows a read-only file could not be deleted through any of its
/// links, so there the time stamp alone protects it.
pub fn seal(file: &File, executable: bool) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        file.set_permissions(fs::Permissions::from_mode(if executable { 0o555 } else { 0o444 }))?;
    }
    #[cfg(not(unix))]
    let _ = executable;
    file.set_modified(unpacked::stamp())
}
