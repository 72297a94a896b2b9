//! Build requirements as files: resolved by uv, fetched by digest, kept in the store with a record of what they are for;
//! and found again by that record, without an index and a resolver.

use std::fs;
use std::path::{Path, PathBuf};

use resolve::{AnswerSource, BuildRequirementSource, IndexFile, resolve_build_requirements};
use store::download::{self, FetchRequest};
use store::remote::ObjectKind;
use store::{BlobState, Context, EntryKind};
use vocab::{Digest, FileName};

use super::requirement_set::{RequiredWheel, RequirementQuestion, RequirementSet};
use super::{BuildTools, SourceBuild, SourceBuildErrorKind, SourceInput};

/// Wheels that are fetched at once.
const AT_ONCE: usize = 6;

/// A set whose wheels are in the store, sound.
pub(super) struct Supplied {
    pub(super) key: Digest,
    set: RequirementSet,
}

impl Supplied {
    /// A folder that uv installs from, below `work`.
    pub(super) fn lay_out(&self, context: &Context, work: &Path) -> Result<PathBuf, SourceBuildErrorKind> {
        let folder = work.join(format!("requires-{}", self.key.short()));
        fs::create_dir_all(&folder).map_err(|error| SourceBuildErrorKind::disk("create", &folder, error))?;
        for wheel in &self.set.wheels {
            let target = folder.join(wheel.file.as_str());
            if !target.exists() {
                // Copied: uv runs foreign code, and must not have files of the store in its hands.
                let copied = fs::copy(context.store.blob(&wheel.sha256), &target);
                copied.map_err(|error| SourceBuildErrorKind::disk("write", &target, error))?;
            }
        }
        Ok(folder)
    }

    /// `name==version` of each distribution.
    pub(super) fn pins(&self) -> Vec<String> {
        self.set.pins()
    }
}

/// Whether an answer that the store or the remote store has counts while there is a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SupplyRule {
    Anew,
    /// If all of its wheels are here.
    AsBefore,
}

/// Resolves and fetches the set. Offline, the store or the remote store has it, or it is an error that names all that is
/// missing.
pub(super) fn supply(
    context: &Context,
    build: &SourceBuild<'_>,
    tools: &BuildTools<'_>,
    requirements: &[String],
    rule: SupplyRule,
) -> Result<Supplied, SourceBuildErrorKind> {
    let question = RequirementQuestion::new(build, context.default_index.as_deref(), requirements);
    let key = question.key();
    if rule == SupplyRule::AsBefore
        && let Some(set) = known(context, &key)
        && bring(context, &set).is_empty()
    {
        return Ok(Supplied { key, set });
    }
    let set = if context.offline {
        let known = known(context, &key);
        known.ok_or_else(|| SourceBuildErrorKind::Lacking { missing: requirements.to_vec() })?
    } else {
        let set = RequirementSet::new(question, resolved(context, build, tools, requirements)?);
        keep(context, &key, &set)?;
        set
    };
    let missing = bring(context, &set);
    if !missing.is_empty() {
        return Err(SourceBuildErrorKind::Lacking { missing });
    }
    give(context, &key, &set);
    Ok(Supplied { key, set })
}

/// Whether the sets of a built wheel are at hand: their records and every wheel, read and compared. What the remote store
/// has is brought.
pub(super) fn are_at_hand(context: &Context, keys: &[Digest]) -> bool {
    keys.iter().all(|key| known(context, key).is_some_and(|set| bring(context, &set).is_empty()))
}

/// The digests of what these sets consist of, the records among them.
pub(super) fn objects(context: &Context, keys: &[Digest]) -> Vec<Digest> {
    let sets = keys.iter().filter_map(|key| Some((key, in_store(context, key)?)));
    sets.flat_map(|(key, set)| set.wheels.into_iter().map(|wheel| wheel.sha256).chain([*key])).collect()
}

/// Gives the remote store, if there is one, the sets that a built wheel was built with, as far as they are here; and marks
/// them as used, so that they stay as long as the wheel does.
pub(super) fn give_all(context: &Context, keys: &[Digest]) {
    for key in keys {
        if let Some(set) = in_store(context, key) {
            set.wheels.iter().for_each(|wheel| mark(context, &wheel.sha256));
            give(context, key, &set);
        }
    }
}

fn mark(context: &Context, sha256: &Digest) {
    context.store.mark_used(EntryKind::Blobs, &sha256.to_string());
}

/// The wheels go before the record, so that every record has its wheels.
fn give(context: &Context, key: &Digest, set: &RequirementSet) {
    let Some(remote) = context.remote.as_deref().filter(|remote| remote.takes_more()) else { return };
    let near = context.near();
    for wheel in &set.wheels {
        remote.give_blob(&near, &context.store.blob(&wheel.sha256), &wheel.sha256);
    }
    remote.offer_record(&near, ObjectKind::Requirements, key, set.text().as_bytes());
}

/// A damaged record is removed.
fn in_store(context: &Context, key: &Digest) -> Option<RequirementSet> {
    context.store.mark_used(EntryKind::Requirements, &key.to_string());
    let path = context.store.requirements(key);
    let text = fs::read(&path).ok()?;
    match RequirementSet::parse(&text, key) {
        Ok(set) => Some(set),
        Err(reason) => {
            context.note(format!("the store's build requirements {} are resolved again: {reason}", key.short()));
            let _ = context.store.discard(&path);
            None
        }
    }
}

fn known(context: &Context, key: &Digest) -> Option<RequirementSet> {
    in_store(context, key).or_else(|| {
        let judge = |text: &[u8]| RequirementSet::parse(text, key);
        let set = context.remote.as_deref()?.bring_record(&context.near(), ObjectKind::Requirements, key, judge)?;
        // One that cannot be kept, in a store that is only read, is brought again the next time.
        let _ = keep(context, key, &set);
        Some(set)
    })
}

/// In place of an earlier answer, which builds without a network would otherwise get.
fn keep(context: &Context, key: &Digest, set: &RequirementSet) -> Result<(), SourceBuildErrorKind> {
    context.store.mark_used(EntryKind::Requirements, &key.to_string());
    let (path, text) = (context.store.requirements(key), set.text());
    if fs::read(&path).is_ok_and(|former| former == text.as_bytes()) {
        return Ok(());
    }
    let staged = context.store.stage_file()?;
    fs::write(staged.path(), text).map_err(|error| SourceBuildErrorKind::disk("write", staged.path(), error))?;
    if path.exists() {
        context.store.discard(&path)?;
    }
    context.store.publish_file(staged, &path)?;
    Ok(())
}

/// Compares every wheel with its digest and brings what is missing or damaged from the remote store. The result names what
/// is still missing.
fn bring(context: &Context, set: &RequirementSet) -> Vec<String> {
    let is_here = |wheel: &&RequiredWheel| {
        mark(context, &wheel.sha256);
        matches!(context.store.verify_blob(&wheel.sha256), Ok(BlobState::Sound { .. }))
    };
    let lacking: Vec<&RequiredWheel> = set.wheels.iter().filter(|wheel| !is_here(wheel)).collect();
    let files: Vec<(Digest, &str)> = lacking.iter().map(|wheel| (wheel.sha256, wheel.file.as_str())).collect();
    download::bring_all(context, &files, AT_ONCE);
    let absent = lacking.into_iter().filter(|wheel| !context.store.blob(&wheel.sha256).is_file());
    absent.map(|wheel| format!("{} (SHA-256 {})", wheel.file, wheel.sha256)).collect()
}

fn resolved(
    context: &Context,
    build: &SourceBuild<'_>,
    tools: &BuildTools<'_>,
    requirements: &[String],
) -> Result<Vec<RequiredWheel>, SourceBuildErrorKind> {
    let (layout, constraints) = (build.layout, &build.build_constraints);
    let answers = resolve_build_requirements(context, tools.uv, layout, requirements, constraints, &tools.registries)?;
    let (mut files, mut wheels) = (Vec::new(), Vec::new());
    for answer in answers {
        let source = match answer.source {
            BuildRequirementSource::Wheels(all) => {
                files.extend(all);
                continue;
            }
            BuildRequirementSource::Source(AnswerSource::Wheel(file)) => {
                files.push(file);
                continue;
            }
            BuildRequirementSource::Source(source) => source,
        };
        let required = RequiredSource { name: answer.name, version: answer.version, source };
        wheels.push(required.wheel(context, build, tools, requirements)?);
    }
    wheels.extend(fetched(context, files)?);
    Ok(wheels)
}

/// Those that the store lacks are fetched.
fn fetched(context: &Context, files: Vec<IndexFile>) -> Result<Vec<RequiredWheel>, SourceBuildErrorKind> {
    let mut requests = Vec::with_capacity(files.len());
    for IndexFile { file_name, url, size, sha256 } in &files {
        let sha256 = match sha256 {
            Some(sha256) => *sha256,
            None => without_digest(context, url)?,
        };
        // A damaged one is removed, and so fetched again.
        let _ = context.store.verify_blob(&sha256)?;
        requests.push(FetchRequest {
            url: url.clone(),
            file_name: file_name.to_string(),
            sha256,
            size: *size,
            largest: None,
        });
    }
    let paths = download::fetch_all(context, &requests, AT_ONCE)?;
    let rows = files.into_iter().zip(requests).zip(paths);
    rows.map(|((file, request), path)| {
        let size = fs::metadata(&path).map_err(|error| SourceBuildErrorKind::disk("read", &path, error))?.len();
        Ok(RequiredWheel { file: file.file_name, sha256: request.sha256, size })
    })
    .collect()
}

/// An index may tell no digests. Then that of what it sends is recorded.
fn without_digest(context: &Context, url: &str) -> Result<Digest, SourceBuildErrorKind> {
    let bytes = download::fetch_bytes(context, url, context.downloader.settings().largest)?;
    let sha256 = Digest::of(&bytes);
    let staged = context.store.stage_file()?;
    fs::write(staged.path(), bytes).map_err(|error| SourceBuildErrorKind::disk("write", staged.path(), error))?;
    context.store.publish_file(staged, &context.store.blob(&sha256))?;
    Ok(sha256)
}

/// A build requirement that has no wheel.
struct RequiredSource {
    name: vocab::DistributionName,
    version: Option<String>,
    source: AnswerSource,
}

impl RequiredSource {
    /// Its wheel, built like any other source and put among the store's files.
    fn wheel(
        self,
        context: &Context,
        build: &SourceBuild<'_>,
        tools: &BuildTools<'_>,
        requirements: &[String],
    ) -> Result<RequiredWheel, SourceBuildErrorKind> {
        if build.within.contains(&self.name) || build.name == self.name {
            return Err(SourceBuildErrorKind::RequiresItself { name: self.name });
        }
        let (place, file_name);
        let source = match &self.source {
            AnswerSource::Wheel(_) => unreachable!("wheels are fetched"),
            AnswerSource::Sdist(file) => {
                let sha256 = match file.sha256 {
                    Some(sha256) => sha256,
                    None => without_digest(context, &file.url)?,
                };
                file_name = file.file_name.to_string();
                let request = FetchRequest {
                    url: file.url.clone(),
                    file_name: file_name.clone(),
                    sha256,
                    size: file.size,
                    largest: None,
                };
                let _ = context.store.verify_blob(&sha256)?;
                place = download::fetch(context, &request)?;
                SourceInput::Sdist { path: &place, file_name: &file_name, sha256 }
            }
            AnswerSource::Git { repository, commit, subdirectory } => SourceInput::Git {
                url: repository,
                reference: None,
                commit: Some(commit),
                subdirectory: subdirectory.as_deref(),
            },
            AnswerSource::Local => {
                place = self.local_place(requirements)?;
                if place.is_dir() {
                    SourceInput::Folder { path: &place }
                } else {
                    let sha256 = without_digest(context, &place.to_string_lossy())?;
                    file_name = place.file_name().unwrap_or_default().to_string_lossy().into_owned();
                    if file_name.ends_with(".whl") {
                        return in_blobs(context, &context.store.blob(&sha256), &file_name);
                    }
                    SourceInput::Sdist { path: &place, file_name: &file_name, sha256 }
                }
            }
        };
        let within = build.within.iter().chain([&build.name]).cloned().collect();
        let nested = SourceBuild {
            name: self.name.clone(),
            version: self.version.clone(),
            source,
            build_requires: Vec::new(),
            config_settings: Vec::new(),
            within,
            ..build.clone()
        };
        let built = super::build_wheel(context, &nested, tools)
            .map_err(|source| SourceBuildErrorKind::Requirement { source: Box::new(source) })?;
        in_blobs(context, &built.path, &built.file_name)
    }

    fn local_place(&self, requirements: &[String]) -> Result<PathBuf, SourceBuildErrorKind> {
        let is_it = |line: &&String| {
            let name = line.split(['@', '[', ' ']).next().unwrap_or_default();
            name.parse().is_ok_and(|name: vocab::DistributionName| name == self.name)
        };
        let url = requirements.iter().find(is_it).and_then(|line| line.split_once('@')).map(|(_, url)| url);
        let url = url.map(|url| url.split(" ;").next().unwrap_or(url).trim());
        let place = url.and_then(|url| url::Url::parse(url).ok()).and_then(|url| url.to_file_path().ok());
        place.ok_or_else(|| SourceBuildErrorKind::BadProject {
            reason: format!("its build requirement `{}` is a local file that only another one names", self.name),
        })
    }
}

/// Copies a wheel to the files of the store.
fn in_blobs(context: &Context, path: &Path, file_name: &str) -> Result<RequiredWheel, SourceBuildErrorKind> {
    let read = |error| SourceBuildErrorKind::disk("read", path, error);
    let (sha256, size) = Digest::of_reader(fs::File::open(path).map_err(read)?).map_err(read)?;
    if !matches!(context.store.verify_blob(&sha256)?, BlobState::Sound { .. }) {
        let staged = context.store.stage_file()?;
        fs::copy(path, staged.path()).map_err(|error| SourceBuildErrorKind::disk("copy", path, error))?;
        context.store.publish_file(staged, &context.store.blob(&sha256))?;
    }
    let file: FileName = file_name.parse().map_err(|error: vocab::FileNameError| SourceBuildErrorKind::BadWheel {
        path: path.to_owned(),
        reason: error.to_string(),
    })?;
    Ok(RequiredWheel { file, sha256, size })
}
