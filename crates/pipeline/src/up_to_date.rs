//! What "up to date" means: made of the same inputs, and still as it was left. The tree and the artifacts are compared
//! with the [`BuildRecord`]; `docs/checks.md` describes it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;

use store::Scrutiny;
use tree_table::{CompareDepth, FileStamp, TreeDamage, TreeTable, first_few};
use vocab::{
    ArtifactName, ContentDigests, Digest, DigestKinds, INNER_MANIFEST, Manifest, RuleOutcome, RuleRecord, TreePath,
};

use crate::artifacts::{Packing, level_of};
use crate::build_product::BuildProduct;
use crate::build_record::{ArtifactRow, BuildRecord};
use crate::options::BuildOptions;
use crate::prefix_folder::PrefixFolder;
use crate::prepare::PreparedPlatform;
use resolve::MissingRule;

/// What stands where the build would put its own.
pub(crate) enum FormerProduct {
    UpToDate(Box<BuildProduct>),
    /// It has the same inputs, and since then something happened to it: a sentence.
    Changed(String),
    /// Nothing, or something that other inputs gave.
    Other,
}

/// Looks at the former product.
pub(crate) fn look(
    prefix: &PrefixFolder,
    prepared: &PreparedPlatform,
    packing: &Packing,
    key: Digest,
    options: &BuildOptions,
) -> FormerProduct {
    let folder = prefix.target();
    let inner = fs::read(folder.join(INNER_MANIFEST)).ok().and_then(|bytes| archive::read_manifest(&bytes).ok());
    if !folder.is_dir() || inner.as_ref().is_some_and(|inner| inner.build_key != key) {
        return FormerProduct::Other;
    }
    let Some(mut record) = BuildRecord::read(&prefix.record()).filter(|record| record.build_key == key) else {
        let unknown =
            || FormerProduct::Changed(format!("nothing is recorded of what was put into `{}`", folder.display()));
        return inner.map_or(FormerProduct::Other, |_| unknown());
    };
    let look = match options.scrutiny {
        Scrutiny::Glance => CompareDepth::Quick,
        Scrutiny::Digests => CompareDepth::Digests,
    };
    let (mut artifacts, mut manifests, mut changed, mut touched) = (Vec::new(), Vec::new(), Vec::new(), false);
    for format in &packing.formats {
        let name = ArtifactName::new(&prepared.config.version, prepared.base.actual, packing.platform, *format);
        match artifact(packing, &name, &record, look) {
            StandingArtifact::Other => return FormerProduct::Other,
            StandingArtifact::Changed(what) => changed.push(what),
            StandingArtifact::Same(manifest, stamp) => {
                if let Some(row) = record.artifacts.get_mut(&name.to_string()).filter(|row| row.stamp != stamp) {
                    row.stamp = stamp;
                    touched = true;
                }
                manifests.push(*manifest);
            }
        }
        artifacts.push(packing.out.join(name.to_string()));
    }
    if !manifests.iter().all(|manifest| stands(manifest, prepared, options)) {
        return FormerProduct::Other;
    }
    let compared = record.tree.compare(folder, look);
    let mut damage = compared.damage;
    damage.extend(record.tree.added(folder));
    if !damage.is_empty() {
        changed.push(of_tree(folder, &damage));
    }
    let manifest = manifests.into_iter().next().filter(|_| changed.is_empty());
    let Some(manifest) = manifest else { return FormerProduct::Changed(changed.join("; ")) };
    if touched || compared.touched > 0 {
        // Else it is read again the next time.
        let _ = refresh(&mut record, folder, &prefix.record());
    }
    FormerProduct::UpToDate(Box::new(BuildProduct { prefix: folder.to_owned(), artifacts, manifest }))
}

fn of_tree(folder: &Path, damage: &[TreeDamage]) -> String {
    format!("`{}` is not as it was built: {}", folder.display(), first_few(damage))
}

/// What was read once because of its time need not be read again.
fn refresh(record: &mut BuildRecord, folder: &Path, path: &Path) -> std::io::Result<()> {
    let known: BTreeMap<&TreePath, ContentDigests> = record.tree.digests().collect();
    let tree = TreeTable::with_digests(folder, DigestKinds::Sha256, &|path| known.get(path).copied())?;
    record.tree = tree;
    record.write(path)
}

/// Whether what the former build left out would be left out again.
fn stands(manifest: &Manifest, prepared: &PreparedPlatform, options: &BuildOptions) -> bool {
    // With `strict` none is ever finished that has any; one of another making is judged anew.
    let warned = !(manifest.warnings.is_empty() && manifest.native.warnings.is_empty() && manifest.clashes.is_empty());
    if options.strict && warned {
        return false;
    }
    let is_tried_again = |row: &RuleRecord| {
        // A source that did not build is tried again.
        let unbuilt = row.outcome == RuleOutcome::LeftOut && !prepared.rows.left_out.contains(row);
        // What goes with something skipped is not skipped itself.
        let gone = row.outcome == RuleOutcome::Skipped && !prepared.request.excluded.contains_key(&row.name);
        unbuilt || (gone && options.missing == MissingRule::Refuse)
    };
    !manifest.rules.iter().any(is_tried_again)
}

enum StandingArtifact {
    Same(Box<Manifest>, FileStamp),
    Changed(String),
    Other,
}

/// An artifact and the manifest beside it. Those of other inputs or another level are not looked at any further.
fn artifact(packing: &Packing, name: &ArtifactName, record: &BuildRecord, look: CompareDepth) -> StandingArtifact {
    let (path, beside) = (packing.out.join(name.to_string()), packing.out.join(name.manifest_name()));
    let Some(ArtifactRow { manifest_sha256, stamp }) = record.artifacts.get(&name.to_string()) else {
        return StandingArtifact::Other;
    };
    let changed = |path: &Path, what: &str| StandingArtifact::Changed(format!("`{}` {what}", path.display()));
    let (manifest, metadata) = match (fs::read(&beside), fs::metadata(&path)) {
        (Ok(manifest), Ok(metadata)) => (manifest, metadata),
        (Err(_), Err(_)) => return StandingArtifact::Other,
        (Err(_), Ok(_)) => return changed(&beside, "is missing"),
        (Ok(_), Err(_)) => return changed(&path, "is missing"),
    };
    let same = Digest::of(&manifest) == *manifest_sha256;
    let Ok(manifest) = archive::read_manifest(&manifest) else { return changed(&beside, "was changed") };
    let packed = manifest.artifact.as_ref();
    if manifest.build_key != record.build_key
        || packed.is_some_and(|packed| packed.level != Some(level_of(name.format, packing.level)))
    {
        return StandingArtifact::Other;
    }
    let Some(packed) = packed.filter(|_| same) else { return changed(&beside, "was changed") };
    let now = FileStamp::of(&metadata);
    if !metadata.is_file() || now.size != packed.size {
        return changed(&path, "has another size");
    }
    if now != *stamp || look == CompareDepth::Digests {
        match File::open(&path).and_then(Digest::of_reader) {
            Ok((digest, _)) if digest == packed.sha256 => {}
            Ok(_) => return changed(&path, "was changed"),
            Err(_) => return changed(&path, "cannot be read"),
        }
    }
    StandingArtifact::Same(Box::new(manifest), now)
}
