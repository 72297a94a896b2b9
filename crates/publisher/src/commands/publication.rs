//! Publishing artifacts, or saying what that would do.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;

use catalogue::{Channel, NpmPackage};
use cli::Table;
use config_merger::{LoadOptions, Repository};
use npm_packages::{PackageFaults, read_version_package};
use objects::{Place, PutOutcome, TransferWork};
use publisher::{
    CommittedConfig, CommittedLock, CommittedRuntime, ExistingEntryPolicy, IndexSigning, ProvenanceBuilder,
    PublishCandidate, PublishConcern, PublishError, PublishOptions, PublishOutcome,
};
use serde_json::json;
use vocab::{Event, Exit, Manifest, VersionString};

use super::{CommandError, DIST, PublisherOutcome, PublisherSession, open, unless};
use crate::arguments::{PublishArguments, PublishLayout};

impl PublisherSession<'_> {
    pub(super) fn publish(&self, arguments: &PublishArguments) -> PublisherOutcome {
        without_effect(arguments)?;
        let artifacts = if arguments.artifacts.is_empty() { built()? } else { arguments.artifacts.clone() };
        let allowed = allowed(arguments);
        let mut candidates = Vec::new();
        for file in &artifacts {
            let committed = |manifest: &Manifest| committed(&arguments.repository, manifest);
            candidates.push(PublishCandidate::read(file, &committed, &allowed)?);
        }
        match arguments.layout {
            PublishLayout::Pydist => self.publish_entries(arguments, allowed, &candidates),
            PublishLayout::Platforma => self.publish_for_platforma(arguments, &arguments.repository, candidates),
        }
    }

    fn publish_entries(
        &self,
        arguments: &PublishArguments,
        allowed: BTreeSet<PublishConcern>,
        candidates: &[PublishCandidate],
    ) -> PublisherOutcome {
        let (address, given) = self.address()?;
        let to = open(&address, given, self.environment)?;
        self.tell_destination("destination", &address);
        // Before anything is uploaded, or said to be in order: whether the key can be used, and every reason against one of them.
        let signer = self.signer(&arguments.signing)?;
        let created = self.now()?;
        IndexSigning { signer: signer.as_ref(), now: created, change_key: false }.check(to.as_ref())?;
        if arguments.dry_run {
            return self.dry_run(to.as_ref(), candidates);
        }
        publisher::judge(candidates)?;
        if signer.is_none() {
            let text = "nothing is signed: `publisher keygen` makes a key, --key uses it".to_owned();
            self.printer.tell(Event::Note { text });
        }
        let existing = existing(arguments);
        let options = PublishOptions {
            channel: arguments.channel.unwrap_or(Channel::Candidate),
            created,
            allowed,
            existing,
            builder: ProvenanceBuilder::of(self.environment, arguments.builder_id.clone()),
            signer,
            npm: npm_packages(&arguments.repository, candidates)?,
        };
        let next = AtomicU64::new(0);
        let tell = |event: Event| self.printer.tell(event);
        let cancelled = self.cancelled;
        let watch = || unless(cancelled);
        let work = TransferWork { tell: &tell, watch: &watch, next: &next };
        let outcomes = publisher::publish(to.as_ref(), candidates, &options, &work)?;
        let signing = IndexSigning { signer: options.signer.as_ref(), now: created, change_key: false };
        let index = match existing {
            // An entry that is written again is another one for the same artifact.
            ExistingEntryPolicy::Replace => publisher::reindex(to.as_ref(), &signing, false)?,
            ExistingEntryPolicy::Keep | ExistingEntryPolicy::Fail => {
                let artifacts = candidates.iter().filter_map(|it| Some(it.manifest.artifact.as_ref()?.sha256));
                publisher::index_artifacts(to.as_ref(), &signing, &artifacts.collect::<Vec<_>>())?
            }
        };
        self.tell_outcomes(to.place(), &outcomes);
        self.tell_index(to.as_ref(), &index)?;
        Ok(Exit::Done)
    }

    /// Everything that publishing looks at, the digests included, and nothing that it writes.
    fn dry_run(&self, to: &dyn Place, candidates: &[PublishCandidate]) -> PublisherOutcome {
        let standing = publisher::standing(to, candidates)?;
        let mut table = Table::new(["artifact", "size", "what would happen"]).right(1);
        for (candidate, standing) in candidates.iter().zip(&standing) {
            archive::verify(&candidate.file, &candidate.manifest)?;
            let size = candidate.manifest.artifact.as_ref().map_or(0, |artifact| artifact.size);
            let refused: Vec<&str> = candidate.refusals.iter().map(|it| it.reason.as_str()).collect();
            let told = match (refused.is_empty(), standing) {
                (false, _) => format!("refused: {}", refused.join("; ")),
                (true, Some(_)) => "kept as it is".to_owned(),
                (true, None) => "published".to_owned(),
            };
            if self.json {
                self.printer.json(
                    "would-publish",
                    &json!({ "file": candidate.file, "place": to.place(), "size": size, "told": told }),
                );
            }
            table.row([candidate.file.display().to_string(), cli::bytes(size), told]);
        }
        if !self.json {
            self.printer.data(&table.render(None));
        }
        publisher::judge(candidates)?;
        Ok(Exit::Done)
    }

    fn tell_outcomes(&self, place: &str, outcomes: &[PublishOutcome]) {
        for outcome in outcomes {
            let PublishOutcome { id, key, placed, uploaded, size, signed } = outcome;
            if self.json {
                let moved = uploaded.map(|it| json!({ "sent": it.sent, "copied": it.copied, "resumed": it.resumed }));
                let row = json!({
                    "entry": id, "key": key.as_str(), "size": size, "signed": signed,
                    "place": place, "kept": *placed == PutOutcome::Theirs, "moved": moved,
                });
                self.printer.json("published", &row);
                continue;
            }
            let Some(moved) = uploaded else { continue };
            let mut told = format!("{id}: {} sent", cli::bytes(moved.sent));
            for (bytes, what) in [(moved.copied, "copied by the server"), (moved.resumed, "had arrived before")] {
                if bytes > 0 {
                    told.push_str(&format!(", {} {what}", cli::bytes(bytes)));
                }
            }
            self.printer.say(&told);
        }
        if !self.json {
            let keys: Vec<String> = outcomes.iter().map(|it| it.key.to_string()).collect();
            self.printer.data(&keys.join("\n"));
        }
    }
}

/// Refuses options that the chosen layout does not look at.
fn without_effect(arguments: &PublishArguments) -> Result<(), CommandError> {
    let given: &[(bool, &'static str)] = match arguments.layout {
        PublishLayout::Pydist => &[(arguments.partial, "--partial"), (arguments.from_roots, "--from-roots")],
        PublishLayout::Platforma => &[
            (arguments.signing.key.is_some(), "--key"),
            (arguments.channel.is_some(), "--channel"),
            (arguments.builder_id.is_some(), "--builder-id"),
        ],
    };
    match given.iter().find(|(is_given, _)| *is_given) {
        Some((_, option)) => Err(CommandError::NotInLayout { option }),
        None => Ok(()),
    }
}

pub(super) fn existing(arguments: &PublishArguments) -> ExistingEntryPolicy {
    match (arguments.force, arguments.fail_existing) {
        (true, _) => ExistingEntryPolicy::Replace,
        (_, true) => ExistingEntryPolicy::Fail,
        _ => ExistingEntryPolicy::Keep,
    }
}

fn allowed(arguments: &PublishArguments) -> BTreeSet<PublishConcern> {
    let switches = [
        (arguments.allow_stand_in, PublishConcern::StandIn),
        (arguments.allow_missing, PublishConcern::Missing),
        (arguments.allow_left_out, PublishConcern::LeftOut),
        (arguments.allow_degraded, PublishConcern::Degraded),
        (arguments.allow_unchecked, PublishConcern::Unchecked),
        (arguments.allow_other_lock, PublishConcern::OtherLock),
        (arguments.allow_other_config, PublishConcern::OtherConfig),
    ];
    switches.into_iter().filter(|(on, _)| *on).map(|(_, concern)| concern).collect()
}

/// The packages that stand for these runtimes in the repository.
fn npm_packages(
    repository: &Path,
    candidates: &[PublishCandidate],
) -> Result<BTreeMap<VersionString, NpmPackage>, PackageFaults> {
    let mut packages = BTreeMap::new();
    for PublishCandidate { manifest, .. } in candidates {
        let package = read_version_package(repository, &manifest.runtime)?;
        if let Some(name) = package.as_ref().and_then(|package| package.name.as_ref()) {
            let version = package.as_ref().and_then(|package| package.version.as_ref());
            let npm = NpmPackage {
                name: name.value.clone(),
                version: version.map(|version| version.value.clone()),
                page: package.as_ref().and_then(npm_packages::PackageJson::web_page),
            };
            packages.insert(manifest.runtime.clone(), npm);
        }
    }
    Ok(packages)
}

/// What has a manifest beside it, by name.
fn built() -> Result<Vec<PathBuf>, CommandError> {
    let Ok(rows) = fs::read_dir(DIST) else { return Err(CommandError::NothingBuilt) };
    let paths = rows.flatten().map(|row| row.path());
    let manifests = paths.filter(|path| path.extension().is_some_and(|it| it == "json"));
    let mut artifacts: Vec<PathBuf> = manifests.map(|path| path.with_extension("")).filter(|it| it.is_file()).collect();
    artifacts.sort();
    if artifacts.is_empty() { Err(CommandError::NothingBuilt) } else { Ok(artifacts) }
}

/// What the repository says now of the runtime, if it has its folder.
fn committed(repository: &Path, manifest: &Manifest) -> Result<CommittedRuntime, PublishError> {
    let name = manifest.runtime.folder_name();
    let folder = repository.join(&name);
    if !folder.join("config.json").is_file() {
        return Ok(CommittedRuntime { lock: CommittedLock::Unknown, config: CommittedConfig::Unknown });
    }
    let path = folder.join("lock.json");
    let lock = match vocab::read_regular(&path) {
        Ok(text) => {
            let name = format!("{name}/lock.json");
            publisher::lock_rows(&name, &text, &manifest.runtime, manifest.platform).map_err(PublishError::Lock)?
        }
        Err(error) if error.kind() == ErrorKind::NotFound => CommittedLock::Absent,
        Err(source) => return Err(PublishError::Read { path, source }),
    };
    Ok(CommittedRuntime { lock, config: config_of(repository, manifest) })
}

fn config_of(repository: &Path, manifest: &Manifest) -> CommittedConfig {
    if manifest.tools.builder != env!("CARGO_PKG_VERSION") {
        return CommittedConfig::Unknown;
    }
    let options = LoadOptions { strict: false, lenient: false };
    match config_merger::load(&Repository::at(repository), &manifest.runtime, &options) {
        Ok(loaded) => CommittedConfig::Digest(loaded.config.runtime_digest()),
        Err(faults) => CommittedConfig::Unreadable(faults.to_string().lines().next().unwrap_or_default().to_owned()),
    }
}
