//! A wheel file inflated into the store, each file held to its row in RECORD.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{self, File};
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use vocab::{Digest, TreePath};
use zip::ZipArchive;
use zip::read::ZipReadOptions;

use super::entry_points::EntryPoints;
use super::record::{self, Algorithm, Expected};
use super::unpack_error::{UnpackError, UnpackErrorKind};
use super::unpacked::{self, Contents, Entry, UnpackedWheel};
use super::zip_table::{self, Member, SharedFile};
use super::{WheelFileName, WheelMetadata, entry_points, metadata, thread_pool};
use crate::Context;
use crate::store::{BlobState, EntryKind, LockOutcome};

/// Each lock is an open file, of which a process may have only 256 on some systems.
const LOCKED_AT_ONCE: usize = 64;

/// A wheel file in the store or elsewhere on this machine.
#[derive(Clone, Debug)]
pub struct WheelBlob {
    pub path: PathBuf,
    pub sha256: Digest,
    pub file_name: WheelFileName,
}

/// Unpacks a wheel, unless the store has it unpacked already. The file's own digest was checked when it arrived; it
/// is read again only when something is wrong with it.
pub fn unpack(context: &Context, blob: &WheelBlob) -> Result<UnpackedWheel, UnpackError> {
    let mut wheels = unpack_all(context, std::slice::from_ref(blob))?;
    Ok(wheels.pop().expect("one wheel goes in and one comes out"))
}

/// Several wheels, in parallel over wheels and their files. The order is kept. With several faults the first in
/// this order is told.
pub fn unpack_all(context: &Context, blobs: &[WheelBlob]) -> Result<Vec<UnpackedWheel>, UnpackError> {
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
    let mut wheels = each(&|blob| sound(context, blob), &all)?;

    let mut missing: BTreeMap<Digest, &WheelBlob> = BTreeMap::new();
    for (blob, _) in blobs.iter().zip(&wheels).filter(|(_, wheel)| wheel.is_none()) {
        missing.entry(blob.sha256).or_insert(blob);
    }
    let mut made: HashMap<Digest, UnpackedWheel> = HashMap::new();
    let missing: Vec<&WheelBlob> = missing.into_values().collect();
    for group in missing.chunks(LOCKED_AT_ONCE) {
        // All locks of a group before any work, in the order of their digests, and none left from the group before: so
        // builders that want the same wheels wait for each other and never in a circle. A pool's thread must not wait
        // for one, because the thread that holds it may have picked up that very work while it waits.
        let mut locks = Vec::new();
        for blob in group {
            match context.store.lock("wheel", &blob.sha256, || context.is_cancelled()) {
                Ok(LockOutcome::Held(lock)) => locks.push(lock),
                Ok(LockOutcome::GivenUp) => return Err(failed(blob, UnpackErrorKind::Cancelled)),
                Err(error) => return Err(failed(blob, error.into())),
            }
        }
        let group = each(&|blob| unpack_missing(context, blob).map(Some), group)?;
        made.extend(group.into_iter().flatten().map(|wheel| (wheel.contents.sha256, wheel)));
    }
    for (wheel, blob) in wheels.iter_mut().zip(blobs).filter(|(wheel, _)| wheel.is_none()) {
        *wheel = made.get(&blob.sha256).map(|made| made.clone().named(&blob.file_name));
    }
    Ok(wheels.into_iter().flatten().collect())
}

fn unpack_missing(context: &Context, blob: &WheelBlob) -> Result<UnpackedWheel, UnpackErrorKind> {
    // Whoever held the lock before may have done it.
    if let Some(wheel) = sound(context, blob)? {
        return Ok(wheel);
    }
    let folder = context.store.wheel(&blob.sha256);
    let staged = context.store.stage_dir()?;
    let contents = match inflate(context, blob, staged.path()) {
        Ok(contents) => contents,
        Err(kind) => return Err(blame(context, blob, kind)),
    };
    context.store.publish_dir(staged, &folder)?;
    Ok(UnpackedWheel { tree: folder.join(unpacked::TREE), contents })
}

/// What the store has, if it can be used. A damaged one is removed.
fn sound(context: &Context, blob: &WheelBlob) -> Result<Option<UnpackedWheel>, UnpackErrorKind> {
    let folder = context.store.wheel(&blob.sha256);
    match UnpackedWheel::open(&folder) {
        Ok(wheel) => Ok(wheel.map(|wheel| wheel.named(&blob.file_name))),
        Err(reason) => {
            context.note(format!("the store's copy of `{}` is unpacked again: {reason}", blob.file_name));
            context.store.discard(&folder)?;
            Ok(None)
        }
    }
}

/// A wheel that does not fit its own RECORD was built badly, or the store's file is damaged.
fn blame(context: &Context, blob: &WheelBlob, kind: UnpackErrorKind) -> UnpackErrorKind {
    if matches!(kind, UnpackErrorKind::Cancelled | UnpackErrorKind::Store(_)) {
        return kind;
    }
    if blob.path != context.store.blob(&blob.sha256) {
        return kind;
    }
    match context.store.verify_blob(&blob.sha256) {
        Ok(BlobState::Removed { actual, .. }) => {
            context.note(format!("`{}` was damaged in the store and has been removed from it", blob.file_name));
            UnpackErrorKind::Damaged { expected: blob.sha256, actual }
        }
        _ => kind,
    }
}

fn inflate(context: &Context, blob: &WheelBlob, staged: &Path) -> Result<Contents, UnpackErrorKind> {
    let (archive, mut members) = zip_table::open(&blob.path)?;
    let stem = stem(&members, &blob.file_name)?;
    let texts = Texts { archive: &archive, members: &members, folder: format!("{stem}.dist-info") };
    texts.check_format()?;
    let metadata = texts.metadata(&blob.file_name)?;
    let EntryPoints { scripts: entry_points, remarks } = texts.entry_points()?;
    let mut rows = texts.record()?;
    let own = ["RECORD", "RECORD.jws", "RECORD.p7s"].map(|name| format!("{stem}.dist-info/{name}"));
    members.retain(|member| !own.iter().any(|path| path == member.path.as_str()));
    rows.retain(|path, _| !own.iter().any(|own| own == path.as_str()));
    cross_check(&members, &rows)?;

    let tree = staged.join(unpacked::TREE);
    make_folders(&tree, &members)?;
    // The largest first: one of them begun last would keep a single thread busy at the end.
    members.sort_by(|one, other| other.size.cmp(&one.size).then_with(|| one.path.cmp(&other.path)));
    let entries: Vec<Result<Entry, UnpackErrorKind>> = members
        .par_iter()
        .with_max_len(64)
        .map_init(
            || (archive.clone(), vec![0; 1 << 17]),
            |(archive, buffer), member| {
                let expected = rows.get(&member.path).ok_or_else(|| not_listed(member))?;
                write_member(context, archive, member, expected, &tree, buffer)
            },
        )
        .collect();
    let mut entries = entries.into_iter().collect::<Result<Vec<Entry>, _>>()?;
    entries.sort_by(|one, other| one.path.cmp(&other.path));

    let size = fs::metadata(&blob.path).map(|metadata| metadata.len());
    let size = size.map_err(|source| UnpackErrorKind::Read { path: blob.path.clone(), source })?;
    let (format, sha256, file_name) = (unpacked::FORMAT, blob.sha256, blob.file_name.clone());
    let contents = Contents { format, sha256, size, file_name, stem, metadata, entry_points, remarks, entries };
    let table = staged.join(unpacked::TABLE);
    let text = serde_json::to_vec(&contents).expect("the table is plain JSON");
    fs::write(&table, text).map_err(|error| UnpackErrorKind::write(&table, error))?;
    Ok(contents)
}

/// `NAME-VERSION` of the one `.dist-info` folder, which must be the wheel's own.
fn stem(members: &[Member], file_name: &WheelFileName) -> Result<String, UnpackErrorKind> {
    let mut stems: Vec<&str> = members
        .iter()
        .filter_map(|member| member.path.as_str().split_once('/')?.0.strip_suffix(".dist-info"))
        .collect();
    stems.sort_unstable();
    stems.dedup();
    let malformed = |reason: String| UnpackErrorKind::Malformed { path: ".dist-info".into(), reason };
    let [stem] = stems[..] else {
        return Err(malformed(format!("there must be one such folder, there are {}", stems.len())));
    };
    let fits = stem.split_once('-').is_some_and(|(name, version)| {
        name.parse().is_ok_and(|name: vocab::DistributionName| name == file_name.name)
            && same_version(version, &file_name.version)
    });
    if fits { Ok(stem.to_owned()) } else { Err(malformed(format!("`{stem}.dist-info` belongs to another wheel"))) }
}

/// In file names `-` is written `_`, also in versions (`1.0+local_1`).
fn same_version(one: &str, other: &str) -> bool {
    let parse = |text: &str| text.replace('_', "-").parse::<pep440_rs::Version>().ok();
    one == other || parse(one).is_some_and(|version| Some(version) == parse(other))
}

/// The small files that say what the wheel is.
struct Texts<'a> {
    archive: &'a ZipArchive<SharedFile>,
    members: &'a [Member],
    /// `NAME-VERSION.dist-info`
    folder: String,
}

impl Texts<'_> {
    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, UnpackErrorKind> {
        let path = format!("{}/{name}", self.folder);
        let Some(member) = self.members.iter().find(|member| member.path.as_str() == path) else {
            return Ok(None);
        };
        const LARGEST: u64 = 64 << 20;
        if member.size > LARGEST {
            return Err(UnpackErrorKind::TooLarge { reason: format!("its `{path}` has more than {LARGEST} bytes") });
        }
        let mut archive = self.archive.clone();
        let mut bytes = Vec::new();
        let zip = |reason: String| UnpackErrorKind::Zip { reason };
        let entry = archive.by_index(member.index).map_err(|error| zip(error.to_string()))?;
        entry.take(LARGEST).read_to_end(&mut bytes).map_err(|error| zip(error.to_string()))?;
        Ok(Some(bytes))
    }

    fn needed(&self, name: &str) -> Result<Vec<u8>, UnpackErrorKind> {
        self.read(name)?.ok_or_else(|| self.malformed(name, "there is none".into()))
    }

    fn malformed(&self, name: &str, reason: String) -> UnpackErrorKind {
        UnpackErrorKind::Malformed { path: format!("{}/{name}", self.folder), reason }
    }

    fn check_format(&self) -> Result<(), UnpackErrorKind> {
        match metadata::wheel_format(&self.needed("WHEEL")?) {
            Some(1) => Ok(()),
            Some(other) => Err(self.malformed("WHEEL", format!("Wheel-Version {other} is newer than this builder"))),
            None => Err(self.malformed("WHEEL", "it has no Wheel-Version".into())),
        }
    }

    fn metadata(&self, file_name: &WheelFileName) -> Result<WheelMetadata, UnpackErrorKind> {
        let metadata = WheelMetadata::parse(&self.needed("METADATA")?)
            .ok_or_else(|| self.malformed("METADATA", "it has no Name and Version".into()))?;
        let same_name = metadata.name.parse().is_ok_and(|name: vocab::DistributionName| name == file_name.name);
        if same_name && same_version(&metadata.version, &file_name.version) {
            return Ok(metadata);
        }
        let reason = format!("it says {} {}, the file name says otherwise", metadata.name, metadata.version);
        Err(self.malformed("METADATA", reason))
    }

    fn entry_points(&self) -> Result<EntryPoints, UnpackErrorKind> {
        let Some(bytes) = self.read("entry_points.txt")? else {
            return Ok(EntryPoints::default());
        };
        let malformed = |reason| self.malformed("entry_points.txt", reason);
        let text = String::from_utf8(bytes).map_err(|_| malformed("it is not UTF-8".into()))?;
        entry_points::parse(&text).map_err(|line| malformed(format!("`{line}` makes no script")))
    }

    fn record(&self) -> Result<HashMap<TreePath, Expected>, UnpackErrorKind> {
        record::parse(&self.needed("RECORD")?).map_err(|reason| UnpackErrorKind::Record { reason })
    }
}

fn not_listed(member: &Member) -> UnpackErrorKind {
    UnpackErrorKind::NotInRecord { path: member.path.to_string() }
}

/// PEP 427: installing fails if any file is not both mentioned and correctly hashed in RECORD. Beyond it, a row
/// without a file is refused as well: something was taken out.
fn cross_check(members: &[Member], rows: &HashMap<TreePath, Expected>) -> Result<(), UnpackErrorKind> {
    for member in members {
        let row = rows.get(&member.path).ok_or_else(|| not_listed(member))?;
        if row.size.is_some_and(|size| size != member.size) {
            return Err(UnpackErrorKind::Mismatch { path: member.path.to_string(), what: "size" });
        }
    }
    if rows.len() == members.len() {
        return Ok(());
    }
    let present: HashSet<&TreePath> = members.iter().map(|member| &member.path).collect();
    match rows.keys().filter(|path| !present.contains(path)).min() {
        Some(path) => Err(UnpackErrorKind::Missing { path: path.to_string() }),
        None => Ok(()),
    }
}

fn make_folders(tree: &Path, members: &[Member]) -> Result<(), UnpackErrorKind> {
    let mut folders: Vec<TreePath> = members.iter().filter_map(|member| member.path.parent()).collect();
    folders.sort();
    folders.dedup();
    fs::create_dir_all(tree).map_err(|error| UnpackErrorKind::write(tree, error))?;
    for folder in folders {
        let path = folder.below(tree);
        fs::create_dir_all(&path).map_err(|error| UnpackErrorKind::write(&path, error))?;
    }
    Ok(())
}

fn write_member(
    context: &Context,
    archive: &mut ZipArchive<SharedFile>,
    member: &Member,
    expected: &Expected,
    tree: &Path,
    buffer: &mut [u8],
) -> Result<Entry, UnpackErrorKind> {
    let path = member.path.below(tree);
    let broken = |reason: String| UnpackErrorKind::Entry { path: member.path.to_string(), reason };
    let mismatch = |what| UnpackErrorKind::Mismatch { path: member.path.to_string(), what };
    let unwritable = |error| UnpackErrorKind::write(&path, error);
    // SHA-256 follows below; the archive's own sums would only cost time.
    let options = ZipReadOptions::new().ignore_crc32(true);
    let mut from = archive.by_index_with_options(member.index, options).map_err(|error| broken(error.to_string()))?;
    let mut to = File::create_new(&path).map_err(unwritable)?;
    let mut sha256 = Sha256::new();
    let mut stronger = Stronger::new(expected.algorithm);
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
        stronger.update(&buffer[..count]);
        to.write_all(&buffer[..count]).map_err(unwritable)?;
    }
    if size != member.size {
        return Err(mismatch("size"));
    }
    let sha256: [u8; 32] = sha256.finalize().into();
    if *expected.digest != *stronger.finish().as_deref().unwrap_or(&sha256) {
        return Err(mismatch("digest"));
    }
    seal(&to, member.executable).map_err(unwritable)?;
    Ok(Entry { path: member.path.clone(), sha256: Digest::from_bytes(sha256), size, executable: member.executable })
}

/// Read-only, with the one time stamp. On Windows a read-only file could not be deleted through any of its links, so
/// there the time stamp alone guards it.
pub(crate) fn seal(file: &File, executable: bool) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        file.set_permissions(fs::Permissions::from_mode(if executable { 0o555 } else { 0o444 }))?;
    }
    #[cfg(not(unix))]
    let _ = executable;
    file.set_modified(unpacked::stamp())
}

/// The digest that RECORD names where it is not SHA-256.
enum Stronger {
    No,
    Sha384(Sha384),
    Sha512(Sha512),
}

impl Stronger {
    fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::No,
            Algorithm::Sha384 => Self::Sha384(Sha384::new()),
            Algorithm::Sha512 => Self::Sha512(Sha512::new()),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::No => {}
            Self::Sha384(state) => state.update(bytes),
            Self::Sha512(state) => state.update(bytes),
        }
    }

    fn finish(self) -> Option<Vec<u8>> {
        match self {
            Self::No => None,
            Self::Sha384(state) => Some(state.finalize().to_vec()),
            Self::Sha512(state) => Some(state.finalize().to_vec()),
        }
    }
}
