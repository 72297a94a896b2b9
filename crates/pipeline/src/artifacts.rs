//! The artifacts of a build: one for each format asked for, each with its manifest beside it.
//!
//! What a build key gave before it gives again, so the archives of remembered parts are begun while the prefix is
//! still being laid out. They are taken only if the finished tree has those very parts.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use archive::{ManifestError, PackOptions, PackedArchive, PackedFile, PartCache, PartSource};
use serde::{Deserialize, Serialize};
use vocab::{Artifact, ArtifactFormat, ArtifactName, Digest, Fault, Manifest, PlatformKey};

use store::Context;
use store::PartStore;
use store::{EntryKind, Store};

/// How and where artifacts are written.
#[derive(Clone, Debug)]
pub(crate) struct Packing {
    pub out: PathBuf,
    /// Never empty.
    pub formats: Vec<ArtifactFormat>,
    /// The level asked for; see [`level_of`].
    pub level: Option<i32>,
    /// Seconds since 1970.
    pub mtime: u64,
    pub platform: PlatformKey,
    /// Threads.
    pub jobs: usize,
}

/// The compressor's level: what was asked for, as far as it goes, else the format's own. `scripts/bench/levels` tells
/// what each costs and saves.
pub(crate) fn level_of(format: ArtifactFormat, asked: Option<i32>) -> i32 {
    match format {
        ArtifactFormat::TarZst => asked.unwrap_or(3),
        ArtifactFormat::TarGz | ArtifactFormat::Zip => asked.map_or(6, |level| level.min(9)),
        ArtifactFormat::Tar => 0,
    }
}

impl Packing {
    fn options(&self, format: ArtifactFormat) -> PackOptions<'static> {
        PackOptions {
            format,
            level: level_of(format, self.level),
            mtime: self.mtime,
            threads: self.jobs,
            names: archive::NameRules::of_platform(self.platform),
            ..PackOptions::default()
        }
    }
}

/// A part by what it is called and what is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PartRow {
    pub content: String,
    pub identity: Digest,
}

impl PartRow {
    /// `None` for a part without an identity.
    pub(crate) fn of(part: &PartSource) -> Option<Self> {
        Some(Self { content: part.name.clone(), identity: part.identity? })
    }
}

const FACT: &str = "artifact-parts";
const REMEMBERED: Duration = Duration::from_secs(90 * 24 * 3600);

/// Archives that are being put together from cached parts on a thread of their own.
pub(crate) struct PackedAhead {
    rows: Vec<PartRow>,
    archives: Option<JoinHandle<Vec<Option<PackedFile>>>>,
}

/// The store of this machine, for reading.
struct LocalParts(Store);

impl PartCache for LocalParts {
    fn get(&self, key: &Digest) -> Option<PathBuf> {
        Some(self.0.part(key)).filter(|path| path.is_file())
    }

    fn put(&self, _: &Digest, _: &mut dyn Read) {}
}

impl PackedAhead {
    /// `None` if nothing is known about this build key.
    pub(crate) fn begin(context: &Context, build_key: Digest, packing: &Packing) -> Option<Self> {
        let known = context.store.recall(FACT, &build_key.to_string(), REMEMBERED, SystemTime::now())?;
        let rows: Vec<PartRow> = serde_json::from_value(known).ok()?;
        let (store, packing) = (context.store.clone(), packing.clone());
        let parts: Vec<(String, Digest)> = rows.iter().map(|row| (row.content.clone(), row.identity)).collect();
        let work = move || {
            let cache = LocalParts(store);
            let join = |format: &ArtifactFormat| {
                // A failure here is reported when it happens again later.
                archive::join_cached(&packing.out, &parts, &packing.options(*format), &cache).ok().flatten()
            };
            packing.formats.iter().map(join).collect()
        };
        Some(Self { rows, archives: Some(std::thread::spawn(work)) })
    }

    /// For each format its archive, where there is one and it is made of `rows`.
    fn finish(mut self, rows: &[PartRow]) -> Vec<Option<PackedFile>> {
        let archives = self.archives.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
        if self.rows == rows { archives } else { Vec::new() }
    }
}

impl Drop for PackedAhead {
    /// Leaves nothing in the folder of artifacts if the build ends early.
    fn drop(&mut self) {
        if let Some(thread) = self.archives.take() {
            drop(thread.join());
        }
    }
}

/// Packs into the store what it lacks of these parts, while the checks are still running: imports leave processors
/// idle. Whether they become an artifact is decided after the checks.
pub(crate) fn pack_beside(context: &Context, parts: &[PartSource], packing: &Packing) {
    let cache = PartStore::new(context);
    for format in &packing.formats {
        let options = packing.options(*format);
        let keys = parts.iter().filter_map(|part| Some(archive::part_key(&part.identity?, &options)));
        cache.bring(keys);
        // A failure here is reported when it happens again later.
        let _ = archive::cache_parts(&packing.out, parts, &options, &cache);
    }
    cache.share();
}

/// What goes into the artifacts.
pub(crate) struct ArtifactParts<'a> {
    pub parts: Vec<PartSource>,
    /// The same, with files taken from wheels as they are compressed there. Asked for by formats that can keep them so.
    pub from_wheels: &'a dyn Fn(&[PartSource]) -> Vec<PartSource>,
}

/// What is in the folder of artifacts now.
pub(crate) struct PackedArtifacts {
    /// In the order of the formats.
    pub paths: Vec<PathBuf>,
    /// Manifest of the first.
    pub manifest: Manifest,
}

/// Packs, and writes a manifest beside each artifact. All replace former ones as a whole.
pub(crate) fn pack(
    context: &Context,
    parts: &ArtifactParts<'_>,
    manifest: &Manifest,
    packing: &Packing,
    ahead: Option<PackedAhead>,
) -> Result<PackedArtifacts, Box<dyn Fault>> {
    let rows: Option<Vec<PartRow>> = parts.parts.iter().map(PartRow::of).collect();
    let known = ahead.as_ref().map(|ahead| ahead.rows.clone());
    let mut joined = match (ahead, &rows) {
        (Some(ahead), Some(rows)) => ahead.finish(rows),
        _ => Vec::new(),
    };
    joined.resize_with(packing.formats.len(), || None);

    let mut paths = Vec::new();
    let mut first = None;
    for (format, joined) in packing.formats.iter().zip(joined) {
        let name = ArtifactName::new(&manifest.runtime, manifest.base.actual, manifest.platform, *format);
        let target = packing.out.join(name.to_string());
        let options = packing.options(*format);
        let packed = match joined {
            Some(joined) => {
                for row in rows.iter().flatten() {
                    let key = archive::part_key(&row.identity, &options);
                    context.store.mark_used(EntryKind::Parts, &key.to_string());
                }
                joined
            }
            None => {
                let cache = PartStore::new(context);
                let keys = rows.iter().flatten().map(|row| archive::part_key(&row.identity, &options));
                cache.bring(keys);
                let packed = match format {
                    ArtifactFormat::Zip => {
                        archive::pack_beside(&target, &(parts.from_wheels)(&parts.parts), &options, &cache)?
                    }
                    _ => archive::pack_beside(&target, &parts.parts, &options, &cache)?,
                };
                cache.share();
                packed
            }
        };
        let manifest = put_in_place(packed, &name, manifest, packing)?;
        paths.push(target);
        first.get_or_insert(manifest);
    }
    if let Some(rows) = rows.filter(|rows| known.as_ref() != Some(rows)) {
        let value = serde_json::to_value(rows).expect("plain data with text keys");
        // If it is not remembered, the next build packs after assembling.
        let _ = context.store.remember(FACT, &manifest.build_key.to_string(), &value, SystemTime::now());
    }
    Ok(PackedArtifacts { paths, manifest: first.unwrap_or_else(|| manifest.clone()) })
}

/// The artifacts of parts that the store has and of a few more. `None` if the store lacks any of them, or has it damaged.
pub(crate) fn join(
    context: &Context,
    known: &[PartRow],
    added: &[PartSource],
    manifest: &Manifest,
    packing: &Packing,
) -> Result<Option<PackedArtifacts>, Box<dyn Fault>> {
    let Some(rows) = added.iter().map(PartRow::of).collect::<Option<Vec<PartRow>>>() else { return Ok(None) };
    let parts: Vec<(String, Digest)> =
        known.iter().chain(&rows).map(|row| (row.content.clone(), row.identity)).collect();
    let mut made = Vec::new();
    for format in &packing.formats {
        let (options, cache) = (packing.options(*format), PartStore::new(context));
        archive::cache_parts(&packing.out, added, &options, &cache)?;
        let Some(packed) = archive::join_cached(&packing.out, &parts, &options, &cache)? else { return Ok(None) };
        made.push((*format, packed));
    }
    let (mut paths, mut first) = (Vec::new(), None);
    for (format, packed) in made {
        let name = ArtifactName::new(&manifest.runtime, manifest.base.actual, manifest.platform, format);
        let manifest = put_in_place(packed, &name, manifest, packing)?;
        paths.push(packing.out.join(name.to_string()));
        first.get_or_insert(manifest);
    }
    Ok(Some(PackedArtifacts { paths, manifest: first.unwrap_or_else(|| manifest.clone()) }))
}

/// The artifact, and beside it its manifest, which is also the result.
fn put_in_place(
    packed: PackedFile,
    name: &ArtifactName,
    manifest: &Manifest,
    packing: &Packing,
) -> Result<Manifest, Box<dyn Fault>> {
    let level = packing.options(name.format).level;
    let described = artifact(name, packed.packed().clone(), level);
    let manifest = Manifest { artifact: Some(described), ..manifest.clone() };
    let beside = packing.out.join(name.manifest_name());
    replace_pair(packed, &packing.out.join(name.to_string()), &beside, &manifest)?;
    Ok(manifest)
}

/// Two files take their places one after the other, and a kill may come between. So the former manifest goes first:
/// there may be an artifact without its manifest for a moment, and never one beside another's.
fn replace_pair(
    packed: PackedFile,
    artifact_path: &Path,
    manifest_path: &Path,
    manifest: &Manifest,
) -> Result<(), Box<dyn Fault>> {
    let staged = archive::stage_manifest(manifest_path, manifest)?;
    match std::fs::remove_file(manifest_path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            return Err(ManifestError::Write { path: manifest_path.to_owned(), source }.into());
        }
        _ => {}
    }
    packed.persist(artifact_path)?;
    Ok(staged.persist()?)
}

fn artifact(name: &ArtifactName, packed: PackedArchive, level: i32) -> Artifact {
    Artifact {
        file: name.to_string(),
        format: name.format,
        level: Some(level),
        sha256: packed.sha256,
        size: packed.size,
        parts: packed.parts,
    }
}
