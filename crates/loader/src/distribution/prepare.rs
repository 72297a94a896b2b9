//! What a decision says, done.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use extension::{
    Decision, DistributionId, DistributionLack, DistributionMode, FoundArchive, LoaderSettings, Machine, Probe,
    VerifyDepth,
};
use serde::Serialize;
use tree_table::TreeDamage;
use vocab::Work;

use super::distribution_error::{DistributionError, DistributionErrorKind, is_refused, write_error};
use super::engine::EnvironmentEngine;
use super::in_use;
use super::install::{FolderManifest, Installation};
use super::installed::{DistributionRecord, FoundFolder, look_at};
use super::interpreter::{self, PythonFacts};
use super::start_check::{ArchiveNow, InstalledState, StartAction, start_check};

/// Changed paths that a warning names.
const NAMED: usize = 20;
const LOCKS: &str = ".locks";

/// With what a distribution is made ready.
pub struct PrepareContext<'a> {
    pub settings: &'a LoaderSettings,
    pub machine: &'a Machine,
    pub work: &'a Work,
    pub engine: &'a dyn EnvironmentEngine,
    /// The zip whose `env.yml` counts.
    pub env_yml: Option<&'a Path>,
}

/// A distribution whose Python was started: now, or when it was installed, if nothing of it has changed since.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReadyDistribution {
    pub id: DistributionId,
    pub mode: DistributionMode,
    /// The archive or the zip that it came from, or the folder itself.
    pub source: PathBuf,
    pub folder: PathBuf,
    pub python: PathBuf,
    pub facts: PythonFacts,
    /// Differs between two builds in the same folder: the archive's digest, or of a folder that something else made the
    /// interpreter's size and time.
    pub build: String,
    /// Whether its files were written now.
    pub installed: bool,
}

/// Makes the distribution ready that `probe` is about. The table has decided; what failed is not tried in another way.
pub fn prepare(
    probe: &Probe,
    decision: Decision,
    context: &PrepareContext<'_>,
) -> Result<ReadyDistribution, DistributionError> {
    Preparation { probe, context }
        .run(decision)
        .map_err(|kind| DistributionError { id: probe.asked.clone(), kind: Box::new(kind) })
}

fn build_of(python: &Path, record: Option<&DistributionRecord>) -> String {
    if let Some(record) = record {
        return record.sha256.to_string();
    }
    let Ok(metadata) = fs::metadata(python) else { return String::new() };
    let since = metadata.modified().ok().and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
    format!("{}-{}", metadata.len(), since.map_or(0, |since| since.as_nanos()))
}

fn archive_now(
    record: &DistributionRecord,
    archive: &FoundArchive,
    id: &DistributionId,
    depth: VerifyDepth,
) -> Prepared<ArchiveNow> {
    let path = &archive.path;
    let same = record.is_of(path, depth == VerifyDepth::Full);
    let same = same.map_err(|source| DistributionErrorKind::Read { path: path.clone(), source })?;
    // What another id installed into this folder is another content.
    Ok(if same && record.is_for(id) { ArchiveNow::Same } else { ArchiveNow::Different })
}

struct Preparation<'a> {
    probe: &'a Probe,
    context: &'a PrepareContext<'a>,
}

type Prepared<T> = Result<T, DistributionErrorKind>;

/// Where a distribution stands.
struct Settled {
    folder: PathBuf,
    source: PathBuf,
    installed: bool,
    record: Option<DistributionRecord>,
}

impl Settled {
    /// A folder that nobody has a record of.
    fn foreign(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), source: folder.to_owned(), installed: false, record: None }
    }
}

/// A folder for a distribution, looked at.
struct FolderLook {
    state: InstalledState,
    archive: ArchiveNow,
    damage: Vec<TreeDamage>,
    /// Of what is complete.
    record: Option<DistributionRecord>,
}

impl Preparation<'_> {
    fn run(&self, decision: Decision) -> Prepared<ReadyDistribution> {
        for warning in &self.probe.warnings {
            self.context.work.warn(warning.code, &*warning.text, Some(warning.place.display().to_string()), None);
        }
        let lacks = |lack| DistributionErrorKind::of_lack(self.probe, lack);
        let mode = decision.outcome.map_err(lacks)?;
        let Settled { folder, source, installed, record } = match mode {
            DistributionMode::Skipped => return Err(DistributionErrorKind::Skipped),
            DistributionMode::CondaOnline => self.environment(false)?,
            DistributionMode::CondaOffline => self.environment(true)?,
            DistributionMode::Archive => match &self.probe.archive {
                Some(archive) => self.archived(archive)?,
                None => return Err(lacks(DistributionLack::Disabled)),
            },
            DistributionMode::Local => match &self.probe.folder {
                Some(folder) => self.local(folder)?,
                None => return Err(lacks(DistributionLack::Disabled)),
            },
        };
        let named = FolderManifest::read(&folder).python;
        let python = interpreter::find(&folder, self.context.machine, named.as_deref())?;
        let known = record.as_ref().and_then(|record| record.python.as_ref()?.facts(&python, &folder, &record.tree));
        let facts = known.map_or_else(|| interpreter::ask(&python, self.context.work), Ok)?;
        let id = self.probe.asked.clone();
        let build = build_of(&python, record.as_ref());
        Ok(ReadyDistribution { id, mode, source, folder, python, facts, build, installed })
    }

    fn environment(&self, offline: bool) -> Prepared<Settled> {
        let engine = self.context.engine;
        let Some(zip) = self.context.env_yml else {
            return Err(DistributionErrorKind::of_lack(self.probe, DistributionLack::NoEnvYml));
        };
        let existed = engine.existing(&self.probe.id).is_some();
        let failed = |fault| {
            let archive = self.probe.archive.iter().map(|archive| archive.path.clone());
            DistributionErrorKind::Engine { fault, others: archive.chain(self.probe.folder.clone()).collect() }
        };
        let folder = engine.create(&self.probe.id, zip, offline).map_err(failed)?;
        Ok(Settled { folder, source: zip.to_owned(), installed: !existed, record: None })
    }

    /// Used as it is, unless this program made it: then it must be as it was made.
    fn local(&self, folder: &Path) -> Prepared<Settled> {
        let FolderLook { state, damage, record, .. } = self.look(folder, None)?;
        if matches!(state, InstalledState::Complete { .. })
            && let Some(newer) = self.waiting(folder)?
        {
            return Ok(newer);
        }
        match start_check(state, ArchiveNow::Gone, false) {
            StartAction::Damaged => Err(DistributionErrorKind::Damaged { folder: folder.to_owned(), damage }),
            StartAction::Incomplete => Err(DistributionErrorKind::Incomplete { folder: folder.to_owned() }),
            _ => Ok(Settled { record, ..Settled::foreign(folder) }),
        }
    }

    fn archived(&self, archive: &FoundArchive) -> Prepared<Settled> {
        let target = &self.probe.target;
        let FolderLook { state, archive: now, record, .. } = self.look(target, Some(archive))?;
        let source = archive.path.clone();
        let at_target = |record| Settled { folder: target.clone(), source: source.clone(), installed: false, record };
        let warn = |code, text: String| {
            self.context.work.warn(code, text, Some(target.display().to_string()), None);
        };
        match start_check(state, now, true) {
            StartAction::Use => return Ok(at_target(record)),
            StartAction::UseForeign => {
                let text = format!("it is used instead of `{}`, since something else made it", source.display());
                warn("W_DIST_FOREIGN", text);
                return Ok(Settled::foreign(target));
            }
            _ => {}
        }
        if !in_use::waiting(target).is_empty() {
            let lock = self.lock(&archive.stem)?;
            if let Some(ready) = self.beside(archive, lock.is_ok())? {
                return Ok(ready);
            }
        }
        // Anything else has to be written, if it can be.
        let lock = match self.lock(&archive.stem)? {
            Ok(lock) => Some(lock),
            Err(refused) => match start_check(state, now, false) {
                StartAction::ReadOnly => {
                    let path = target.parent().unwrap_or(target).to_owned();
                    return Err(DistributionErrorKind::ReadOnly { path, source: refused });
                }
                _ => None,
            },
        };
        // While this process waited, another one may have installed it.
        if lock.is_some()
            && let Some(ready) = self.beside(archive, true)?
        {
            return Ok(ready);
        }
        let FolderLook { state, archive: now, damage, record } = self.look(target, Some(archive))?;
        match start_check(state, now, lock.is_some()) {
            StartAction::Repair => {
                let named: Vec<_> = damage.iter().take(NAMED).map(ToString::to_string).collect();
                warn("W_DIST_REPAIRED", format!("it is installed again, since it has changed: {}", named.join(", ")));
            }
            StartAction::Update => {
                self.context.work.note(format!("{} is installed again: its archive is another one", self.probe.asked));
            }
            StartAction::Install => {
                self.context.work.note(format!("installing {} from `{}`", self.probe.asked, source.display()));
            }
            StartAction::UseFormer => {
                let text = format!("`{}` has changed, and nothing can be written here", source.display());
                warn("W_DIST_STALE", text);
                return Ok(at_target(record));
            }
            StartAction::Damaged => {
                return Err(DistributionErrorKind::Damaged { folder: target.clone(), damage });
            }
            StartAction::Incomplete | StartAction::ReadOnly => {
                return Err(DistributionErrorKind::Incomplete { folder: target.clone() });
            }
            StartAction::Use | StartAction::UseForeign => return Ok(at_target(record)),
        }
        let PrepareContext { settings, machine, work, .. } = *self.context;
        let installation = Installation { id: &self.probe.id, archive, target, machine, settings, work };
        let (folder, record) = installation.run()?;
        in_use::remove_waiting(target, &folder);
        if folder != *target {
            let text = format!(
                "servers run on `{}`; the new one is in `{}` until they end",
                target.display(),
                folder.display()
            );
            work.note(text);
        }
        Ok(Settled { folder, source, installed: true, record: Some(record) })
    }

    /// What this archive holds, installed beside its place because servers ran on what stands there. It moves there once
    /// nobody uses either.
    fn beside(&self, archive: &FoundArchive, may_move: bool) -> Prepared<Option<Settled>> {
        let target = &self.probe.target;
        for waiting in in_use::waiting(target) {
            let FolderLook { state, archive: now, record, .. } = self.look(&waiting, Some(archive))?;
            if start_check(state, now, false) != StartAction::Use {
                continue;
            }
            let moved = may_move && in_use::promote(&waiting, target).unwrap_or(false);
            let folder = if moved { target.clone() } else { waiting };
            return Ok(Some(Settled { folder, source: archive.path.clone(), installed: false, record }));
        }
        Ok(None)
    }

    /// What was installed beside the folder because servers ran on it is newer than what stands there, also when its archive
    /// is gone.
    fn waiting(&self, folder: &Path) -> Prepared<Option<Settled>> {
        for waiting in in_use::waiting(folder) {
            let FolderLook { state, record, .. } = self.look(&waiting, None)?;
            if state == (InstalledState::Complete { is_clean: true }) {
                let moved = in_use::promote(&waiting, folder).unwrap_or(false);
                return Ok(Some(Settled { record, ..Settled::foreign(if moved { folder } else { &waiting }) }));
            }
        }
        Ok(None)
    }

    fn look(&self, folder: &Path, archive: Option<&FoundArchive>) -> Prepared<FolderLook> {
        let depth = self.context.settings.verify.value;
        let there = if archive.is_some() { ArchiveNow::Different } else { ArchiveNow::Gone };
        let without = |state| Ok(FolderLook { state, archive: there, damage: Vec::new(), record: None });
        let record = match look_at(folder) {
            FoundFolder::None => return without(InstalledState::None),
            FoundFolder::Partial => return without(InstalledState::Partial),
            FoundFolder::Foreign => return without(InstalledState::Foreign),
            FoundFolder::Ours(record) => *record,
        };
        // The archive may be as long to read as the tree is, and only one thread can digest it.
        let (read, id) = (&record, &self.probe.id);
        let (damage, now) = std::thread::scope(|scope| {
            let now = archive.map(|archive| scope.spawn(move || archive_now(read, archive, id, depth)));
            let damage = record.damage(folder, depth);
            (damage, now.map(|now| now.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))))
        });
        let archive = now.transpose()?.unwrap_or(ArchiveNow::Gone);
        let state = InstalledState::Complete { is_clean: damage.is_empty() };
        Ok(FolderLook { state, archive, damage, record: Some(record) })
    }

    /// The inner error: nothing can be written there.
    fn lock(&self, stem: &str) -> Prepared<Result<DistributionLock, io::Error>> {
        let folder = self.probe.target.parent().unwrap_or(Path::new(".")).join(LOCKS);
        let path = folder.join(format!("{stem}.lock"));
        let opened = fs::create_dir_all(&folder)
            .and_then(|()| File::options().create(true).read(true).write(true).truncate(false).open(&path));
        let mut file = match opened {
            Ok(file) => file,
            Err(error) if is_refused(&error) => return Ok(Err(error)),
            Err(error) => return Err(write_error(path, error)),
        };
        let (limit, started) = (self.context.settings.lock_timeout.value, Instant::now());
        let mut told = false;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(write_error(path, error)),
            }
            if self.context.work.is_cancelled() {
                return Err(DistributionErrorKind::Cancelled);
            }
            if started.elapsed() >= limit {
                return Err(DistributionErrorKind::Locked { waited: limit.as_secs() });
            }
            if !told {
                let mut holder = String::new();
                // Windows does not let anybody read what is locked.
                let _ = (&file).take(20).read_to_string(&mut holder);
                let holder = if holder.is_empty() { String::new() } else { format!(" (process {holder})") };
                self.context
                    .work
                    .note(format!("waiting for another process{holder} that installs {}", self.probe.asked));
                told = true;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        // Who holds it; for people alone.
        let _ = file
            .set_len(0)
            .and_then(|()| io::Seek::rewind(&mut file))
            .and_then(|()| write!(file, "{}", std::process::id()));
        Ok(Ok(DistributionLock { _file: file }))
    }
}

/// While it is held, no other process installs the distribution. The system releases it when the process ends.
struct DistributionLock {
    _file: File,
}
