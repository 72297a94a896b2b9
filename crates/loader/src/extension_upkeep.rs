//! `pydist extension verify`, `clean` and `bundle`.

use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use extension::{DistributionId, DistributionMode, Probe, VerifyDepth};
use loader::distribution::{DistributionError, FolderVerdict, NoEngine, examine};
use loader::{AskedDistribution, BundleRequest, ExtensionHost, Needless, bundle, needless};
use serde_json::json;
use vocab::{Exit, Fault, Work};

use crate::surroundings::Surroundings;
use crate::verbs_commands::counted;

/// Paths of one distribution that are printed before the rest is counted.
const SHOWN: usize = 20;

/// The first folder that `clean` left where it is.
#[derive(Debug, thiserror::Error, Fault)]
#[error("cannot remove `{}`: {source}", path.display())]
#[fault("E_CLEAN", Build, hint("close programs that use it, or make its folder writable; then run it again"))]
struct StaysInCache {
    path: PathBuf,
    source: io::Error,
}

/// What is compared with its record, and whether it is installed again where it has changed.
pub struct Verify<'a> {
    pub ids: &'a [String],
    pub repair: bool,
    pub json: bool,
}

/// `pydist extension verify`.
pub fn verify(
    mut host: ExtensionHost,
    verify: &Verify<'_>,
    around: &Surroundings,
    work: &Work,
) -> Result<Exit, Box<dyn Fault>> {
    // Whatever the settings say, every file is read.
    host.settings.verify.value = VerifyDepth::Full;
    let (mut damaged, mut absent) = (0, 0);
    let all = asked_for(&host, verify.ids)?;
    if all.is_empty() {
        around.say_no_extensions(&host);
    }
    for asked in all {
        let resolved = host.resolve(&asked, &NoEngine)?;
        let folder = match (resolved.1.outcome, &resolved.0) {
            (Ok(DistributionMode::Archive), probe) => probe.target.clone(),
            (Ok(DistributionMode::Local), Probe { folder: Some(folder), .. }) => folder.clone(),
            (outcome, probe) => {
                let fault: Box<dyn Fault> = match outcome {
                    Err(lack) => DistributionError::of_lack(probe, lack).into(),
                    Ok(_) => NothingHere { id: asked.id.clone() }.into(),
                };
                around.printer.fault(&*fault);
                absent += 1;
                continue;
            }
        };
        let verdict = examine(&folder);
        let is_damaged = matches!(&verdict, FolderVerdict::Installed { damage, .. } if !damage.is_empty());
        let is_absent = matches!(verdict, FolderVerdict::Missing | FolderVerdict::Incomplete);
        show(&asked, &folder, &verdict, verify.json, around);
        if verify.repair && (is_damaged || is_absent) {
            let ready = host.prepare(&asked, &resolved, &NoEngine, work)?;
            around.printer.say(&format!("{} is installed again in {}", ready.id, ready.folder.display()));
            continue;
        }
        damaged += usize::from(is_damaged);
        absent += usize::from(is_absent);
    }
    Ok(match (damaged, absent) {
        (0, 0) => Exit::Done,
        (0, _) => Exit::Partial,
        _ => Exit::Trust,
    })
}

/// An environment, or no distribution at all.
#[derive(Debug, thiserror::Error, Fault)]
#[error("{id} is not a distribution that this program installs with these settings")]
#[fault("E_ENV_ENGINE", Usage, hint("`pydist extension resolve {id} --explain` says why"))]
struct NothingHere {
    id: DistributionId,
}

fn asked_for(host: &ExtensionHost, ids: &[String]) -> Result<Vec<AskedDistribution>, Box<dyn Fault>> {
    match ids {
        [] => Ok(host.needs()),
        ids => Ok(ids.iter().map(|id| host.find(id)).collect::<Result<_, _>>()?),
    }
}

fn show(asked: &AskedDistribution, folder: &Path, verdict: &FolderVerdict, json: bool, around: &Surroundings) {
    let (state, files, damage) = match verdict {
        FolderVerdict::Missing => ("missing", 0, [].as_slice()),
        FolderVerdict::Foreign => ("foreign", 0, [].as_slice()),
        FolderVerdict::Incomplete => ("incomplete", 0, [].as_slice()),
        FolderVerdict::Installed { files, damage } if damage.is_empty() => ("intact", *files, [].as_slice()),
        FolderVerdict::Installed { files, damage } => ("damaged", *files, damage.as_slice()),
    };
    if json {
        let damage: Vec<_> = damage.iter().map(|it| json!({ "path": it.path, "what": it.what })).collect();
        let row = json!({ "id": asked.id, "folder": folder, "state": state, "files": files, "damage": damage });
        return around.printer.json("verified", &row);
    }
    let words = match verdict {
        FolderVerdict::Missing => "not installed yet; `pydist extension prepare` installs it".to_owned(),
        FolderVerdict::Foreign => "something else made it, so there is nothing to compare it with".to_owned(),
        FolderVerdict::Incomplete => "its installation was interrupted".to_owned(),
        FolderVerdict::Installed { .. } if damage.is_empty() => format!("intact, {}", counted(files, "file")),
        FolderVerdict::Installed { .. } => {
            format!("{} of {} damaged", damage.len(), counted(files, "file"))
        }
    };
    let mut lines = vec![format!("{}: {words} ({})", asked.id, folder.display())];
    lines.extend(damage.iter().take(SHOWN).map(|it| format!("  {it}")));
    if damage.len() > SHOWN {
        lines.push(format!("  and {} more; --json lists all", damage.len() - SHOWN));
    }
    around.printer.data(&lines.join("\n"));
}

/// `pydist extension clean`.
pub fn clean(host: &ExtensionHost, dry_run: bool, json: bool, around: &Surroundings) -> Result<Exit, Box<dyn Fault>> {
    let (mut removed, mut failed) = (0, None);
    for Needless { path, why } in needless(host, SystemTime::now()) {
        if !dry_run && let Err(error) = disk::remove_tree(&path) {
            let stays = StaysInCache { path, source: error };
            around.printer.say(&stays.to_string());
            failed.get_or_insert(stays);
            continue;
        }
        removed += 1;
        if json {
            around.printer.json("removed", &json!({ "path": path, "why": why, "dry_run": dry_run }));
        } else {
            around.printer.data(&format!("{}: it {why}", path.display()));
        }
    }
    around.printer.say(&match (removed, dry_run) {
        (0, _) => "nothing to remove".to_owned(),
        (count, true) => format!("would remove {}", counted(count, "folder")),
        (count, false) => format!("{} removed", counted(count, "folder")),
    });
    failed.map_or(Ok(Exit::Done), |stays| Err(stays.into()))
}

/// `pydist extension bundle`.
pub fn bundle_packages(request: &BundleRequest<'_>, json: bool, around: &Surroundings) -> Result<Exit, Box<dyn Fault>> {
    let bundle = bundle(request)?;
    if json {
        around.printer.json("bundled", &bundle);
        return Ok(Exit::Done);
    }
    let (packages, wheels) = (counted(bundle.packages, "package"), counted(bundle.wheels, "wheel"));
    let size = cli::bytes(bundle.size);
    around.printer.say(&format!("{packages} of {}, {wheels}: {size}", bundle.subdirs.join(", ")));
    around.printer.data(&bundle.path.display().to_string());
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_stays_is_named_with_the_reason() {
        let stays = StaysInCache { path: "cache/ext/a".into(), source: io::Error::other("it is in use") };
        assert_eq!(stays.to_string(), "cannot remove `cache/ext/a`: it is in use");
        assert_eq!((stays.code(), stays.exit()), ("E_CLEAN", Exit::Build));
        let hint = "close programs that use it, or make its folder writable; then run it again";
        assert_eq!(stays.hint().as_deref(), Some(hint));
    }
}
