//! What nothing needs any more in the cache of extensions.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use operator_server::BYTE_CODE_FOLDER;
use vocab::Digest;

use crate::extension_host::ExtensionHost;
use crate::operator_host::{RUNS, UNPACKED};

/// Whatever is younger may belong to a server that still runs.
const YOUNG: Duration = Duration::from_secs(24 * 60 * 60);

/// Something that may go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needless {
    pub path: PathBuf,
    /// Completes a sentence that begins with the path.
    pub why: &'static str,
}

/// What may go from the cache: unpacked extensions whose zips are gone, with their byte code, and folders of runs that ended. Nothing
/// that was made within a day.
pub fn needless(host: &ExtensionHost, now: SystemTime) -> Vec<Needless> {
    let Some(cache) = &host.settings.server.cache.value else { return Vec::new() };
    let is_old = |path: &Path| {
        let modified = fs::metadata(path).and_then(|metadata| metadata.modified());
        modified.is_ok_and(|modified| now.duration_since(modified).is_ok_and(|age| age >= YOUNG))
    };
    let mut found = Vec::new();
    // Where not every zip can be read, none is known to be gone.
    let unpacked = digests(host).map(|zips| (zips, folders(&cache.join(UNPACKED))));
    let (zips, unpacked) = unpacked.unwrap_or_default();
    for folder in unpacked {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // Whatever has another name is not ours.
        let Ok(digest) = name.parse::<Digest>() else { continue };
        if zips.contains(&digest) || !is_old(&folder) {
            continue;
        }
        let byte_code =
            below_root(&folder).map(|below| cache.join(BYTE_CODE_FOLDER).join(below)).filter(|it| it.is_dir());
        found.push(Needless { path: folder, why: "was unpacked from a zip that is gone" });
        found.extend(byte_code.map(|path| Needless { path, why: "is byte code of an extension that is gone" }));
    }
    let runs = folders(&cache.join(RUNS)).into_iter().filter(|folder| is_old(folder));
    found.extend(runs.map(|path| Needless { path, why: "belongs to a run that has ended" }));
    found
}

/// Of every zip that was found, available or not. `None` if a folder or a zip cannot be read.
fn digests(host: &ExtensionHost) -> Option<BTreeSet<Digest>> {
    let set = &host.set;
    if !set.unread.is_empty() {
        return None;
    }
    let active = set.active.values().map(|active| &active.extension.path);
    let shadowed = set.shadowed.iter().map(|(extension, _)| &extension.path);
    let unavailable = set.unavailable.iter().map(|error| &error.path);
    let digest = |path: &PathBuf| Some(Digest::of_reader(File::open(path).ok()?).ok()?.0);
    active.chain(shadowed).chain(unavailable).map(digest).collect()
}

fn folders(folder: &Path) -> Vec<PathBuf> {
    let items = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> =
        items.filter(|item| item.file_type().is_ok_and(|kind| kind.is_dir())).map(|item| item.path()).collect();
    found.sort();
    found
}

/// Where Python puts the byte code of a folder, below its folder for that.
fn below_root(folder: &Path) -> Option<PathBuf> {
    let absolute = std::path::absolute(folder).ok()?;
    let parts = absolute.components().filter(|part| matches!(part, std::path::Component::Normal(_)));
    Some(parts.collect())
}
