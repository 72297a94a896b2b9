//! What each subcommand does, over the library.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::{Duration, SystemTime};

use catalogue::{Catalogue, Channel, EntryId, IndexSettings, Moment, object_keys};
use cli::{Printer, Table};
use publisher::{
    Builder, Candidate, CommittedLock, Concern, Destination, Existing, FolderDestination, Held, IndexSigning, Options,
    Outcome, Password, Placed, PublishError, S3Destination, S3Settings, Selection, Signer, Work, Written,
};
use serde_json::json;
use vocab::{Event, Exit, Fault, Manifest, PlatformKey, StoreAddress};

use crate::arguments::{Arguments, Command, PublishArguments, SigningArguments, WhichArguments};
use crate::signing_key::{last_line, public_key, signer};

const TO: &str = "PYDIST_PUBLISH_TO";
const DEFAULT_TO: &str = "published";
const DIST: &str = "dist";

#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    #[error("there is no artifact in `{DIST}/`")]
    NothingBuilt,
    #[error("cannot read the key file `{}`: {source}", path.display())]
    KeyFile { path: PathBuf, source: std::io::Error },
    /// Its content is not told: it may be a secret key.
    #[error("`{}` does not hold a minisign public key", path.display())]
    NoPublicKey { path: PathBuf },
    #[error("cannot write `{}`: {source}", path.display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error("--public-url: `{text}` is no http, https or file URL without user and query")]
    PublicUrl { text: String },
    #[error("SOURCE_DATE_EPOCH is `{text}`, which is no number of seconds since 1970")]
    Epoch { text: String },
}

impl Fault for CommandError {
    fn code(&self) -> &'static str {
        match self {
            Self::NothingBuilt => "E_NOTHING_TO_PUBLISH",
            Self::KeyFile { .. } | Self::NoPublicKey { .. } => "E_KEY_FILE",
            Self::Write { .. } => "E_WRITE",
            Self::PublicUrl { .. } => "E_PUBLIC_URL",
            Self::Epoch { .. } => "E_SOURCE_DATE_EPOCH",
        }
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Write { .. } => Exit::Build,
            _ => Exit::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NothingBuilt => Some("run `builder VERSION` first, or name an artifact".to_owned()),
            Self::Write { source, .. } if source.kind() == std::io::ErrorKind::AlreadyExists => {
                Some("a key is never replaced; choose another folder".to_owned())
            }
            Self::NoPublicKey { .. } => {
                Some("name the `.pub` file that `publisher keygen` wrote, or give its second line".to_owned())
            }
            _ => None,
        }
    }
}

type Outcomes = Result<Exit, Box<dyn Fault>>;
type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

struct Session<'a> {
    printer: &'a Printer,
    environment: Environment<'a>,
    cancelled: &'a AtomicBool,
    interactive: bool,
    json: bool,
    to: Option<&'a str>,
}

pub fn run(
    arguments: &Arguments,
    environment: Environment<'_>,
    printer: &Printer,
    cancelled: &AtomicBool,
    interactive: bool,
) -> Outcomes {
    let json = arguments.global.show.json;
    let session = Session { printer, environment, cancelled, interactive, json, to: arguments.global.to.as_deref() };
    match &arguments.command {
        Command::Publish(publish) => session.publish(publish),
        Command::Reindex { signing, change_key, valid_days, public_url, title } => {
            let change = |settings: &mut IndexSettings| -> Result<(), CommandError> {
                if let Some(text) = public_url {
                    settings.public_url = Some(usable_url(text)?);
                }
                settings.title = title.clone().or(settings.title.take());
                settings.valid_days = valid_days.or(settings.valid_days);
                Ok(())
            };
            session.reindex(signing, *change_key, &change)
        }
        Command::List { all } => session.list(*all),
        Command::Show { which } => session.show(which),
        Command::Verify { wanted, platform, public_key } => {
            session.verify(wanted.clone(), *platform, public_key.as_deref())
        }
        Command::Retract { which, reason, signing } => session.retract(which, reason, signing),
        Command::Restore { which, signing } => session.restore(which, signing),
        Command::Promote { which, channel, signing } => session.promote(which, *channel, signing),
        Command::Gc { dry_run, older_than_days } => session.gc(*dry_run, *older_than_days),
        Command::Keygen { folder, password } => session.keygen(folder, *password),
    }
}

impl Session<'_> {
    fn destination(&self) -> Result<Box<dyn Destination>, Box<dyn Fault>> {
        let variable = (self.environment)(TO);
        let (text, given) = match (self.to, &variable) {
            (Some(text), _) => (text, "--to"),
            (None, Some(text)) => (text.as_str(), TO),
            (None, None) => (DEFAULT_TO, "--to"),
        };
        Ok(match StoreAddress::parse(text, given)? {
            StoreAddress::Folder(folder) => Box::new(FolderDestination::new(folder)),
            StoreAddress::Bucket(address) => {
                let certificates = (self.environment)("AWS_CA_BUNDLE").map(PathBuf::from);
                Box::new(S3Destination::open(&address, S3Settings { certificates, ..S3Settings::default() })?)
            }
        })
    }

    /// For what only makes sense where something was published.
    fn published(&self) -> Result<Box<dyn Destination>, Box<dyn Fault>> {
        let from = self.destination()?;
        publisher::expect_published(from.as_ref())?;
        Ok(from)
    }

    fn now(&self) -> Result<Moment, CommandError> {
        let seconds = match (self.environment)("SOURCE_DATE_EPOCH") {
            Some(text) => text.parse().map_err(|_| CommandError::Epoch { text: text.clone() })?,
            None => {
                let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                i64::try_from(since.as_secs()).unwrap_or_default()
            }
        };
        Moment::from_unix_seconds(seconds).ok_or_else(|| CommandError::Epoch { text: seconds.to_string() })
    }

    fn publish(&self, arguments: &PublishArguments) -> Outcomes {
        let to = self.destination()?;
        let artifacts = if arguments.artifacts.is_empty() { built()? } else { arguments.artifacts.clone() };
        let allowed = allowed(arguments);
        let mut candidates = Vec::new();
        for file in &artifacts {
            let lock = |manifest: &Manifest| lock_of(&arguments.repository, manifest);
            candidates.push(Candidate::read(file, &lock, &allowed)?);
        }
        // Before anything is uploaded, or said to be in order: whether the key can be used, what stands against any.
        let signer = self.signer(&arguments.signing)?;
        let created = self.now()?;
        IndexSigning { signer: signer.as_ref(), now: created, change_key: false }.check(to.as_ref())?;
        if arguments.dry_run {
            return self.dry_run(to.as_ref(), &candidates);
        }
        publisher::judge(&candidates)?;
        if signer.is_none() {
            let text = "nothing is signed: `publisher keygen` makes a key, --key uses it".to_owned();
            self.printer.tell(Event::Note { text });
        }
        let existing = match (arguments.force, arguments.fail_existing) {
            (true, _) => Existing::Replace,
            (_, true) => Existing::Fail,
            _ => Existing::Keep,
        };
        let options = Options {
            channel: arguments.channel,
            created,
            allowed,
            existing,
            builder: Builder::of(self.environment, arguments.builder_id.clone()),
            signer,
        };
        let next = AtomicU64::new(0);
        let tell = |event: Event| self.printer.tell(event);
        let work = Work { tell: &tell, cancelled: self.cancelled, next: &next };
        let outcomes = publisher::publish(to.as_ref(), &candidates, &options, &work)?;
        let signing = IndexSigning { signer: options.signer.as_ref(), now: created, change_key: false };
        let index = match existing {
            // An entry that is written again is another one for the same artifact.
            Existing::Replace => publisher::reindex(to.as_ref(), &signing, false)?,
            Existing::Keep | Existing::Fail => {
                let artifacts = candidates.iter().filter_map(|it| Some(it.manifest.artifact.as_ref()?.sha256));
                publisher::index_artifacts(to.as_ref(), &signing, &artifacts.collect::<Vec<_>>())?
            }
        };
        self.tell_outcomes(&outcomes);
        self.tell_index(to.as_ref(), &index);
        Ok(Exit::Done)
    }

    /// Everything that publishing looks at, the digests included, and nothing that it writes.
    fn dry_run(&self, to: &dyn Destination, candidates: &[Candidate]) -> Outcomes {
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
                self.printer.json("would-publish", &json!({ "file": candidate.file, "size": size, "told": told }));
            }
            table.row([candidate.file.display().to_string(), cli::bytes(size), told]);
        }
        if !self.json {
            self.printer.data(&table.render(None));
        }
        publisher::judge(candidates)?;
        Ok(Exit::Done)
    }

    fn signer(&self, arguments: &SigningArguments) -> Result<Option<Signer>, Box<dyn Fault>> {
        signer(arguments.key.as_deref(), self.environment, self.interactive)
    }

    fn tell_outcomes(&self, outcomes: &[Outcome]) {
        for outcome in outcomes {
            let Outcome { id, key, placed, uploaded, size, signed } = outcome;
            if self.json {
                let moved = uploaded.map(|it| json!({ "sent": it.sent, "copied": it.copied, "resumed": it.resumed }));
                let row = json!({
                    "entry": id, "key": key.as_str(), "size": size, "signed": signed,
                    "kept": *placed == Placed::Theirs, "moved": moved,
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

    fn tell_index(&self, to: &dyn Destination, index: &Catalogue) {
        let (offered, retracted) = (index.entries.len(), index.retracted.len());
        if self.json {
            self.printer.json("index", &json!({ "place": to.place(), "entries": offered, "retracted": retracted }));
            return;
        }
        let retracted = if retracted == 0 { String::new() } else { format!(", {retracted} retracted") };
        let count = counted(offered, "entry", "entries");
        self.printer.say(&format!("{}/{}: {count}{retracted}", to.place(), object_keys::CATALOGUE));
        self.printer.say(&format!("{}/{}index.html shows them", to.place(), object_keys::SITE));
    }

    fn reindex(
        &self,
        signing: &SigningArguments,
        change_key: bool,
        change: &dyn Fn(&mut IndexSettings) -> Result<(), CommandError>,
    ) -> Outcomes {
        let to = self.published()?;
        let signer = self.signer(signing)?;
        let signing = IndexSigning { signer: signer.as_ref(), now: self.now()?, change_key };
        signing.check(to.as_ref())?;
        let before = publisher::read_settings(to.as_ref())?;
        let mut settings = before.clone();
        change(&mut settings)?;
        if settings != before {
            publisher::write_settings(&settings, to.as_ref())?;
        }
        let index = publisher::reindex(to.as_ref(), &signing, true)?;
        self.tell_index(to.as_ref(), &index);
        Ok(Exit::Done)
    }

    fn list(&self, all: bool) -> Outcomes {
        let from = self.published()?;
        let index = index_of(from.as_ref())?;
        let mut table = Table::new(["runtime", "platform", "channel", "size", "created", "artifact"]).right(3);
        for (row, retracted) in publisher::rows(&index).filter(|(_, retracted)| all || retracted.is_none()) {
            if self.json {
                let mut value = json!(row);
                value["retracted"] = json!(retracted);
                self.printer.json("entry", &value);
                continue;
            }
            let channel = retracted.map_or_else(|| row.channel.to_string(), |reason| format!("retracted: {reason}"));
            table.row([
                row.runtime.to_string(),
                row.platform.to_string(),
                channel,
                cli::bytes(row.artifact.size),
                row.created.date(),
                format!("{}  {}", row.artifact.sha256.short(), row.artifact.file),
            ]);
        }
        if !self.json {
            self.printer.data(&table.render(None));
        }
        Ok(Exit::Done)
    }

    fn show(&self, which: &WhichArguments) -> Outcomes {
        let from = self.published()?;
        let written = Written::read(from.as_ref())?;
        for entry in selection(which).of(&written, from.as_ref())? {
            if self.json {
                self.printer.json("entry", entry);
            } else {
                self.printer.document(&entry.to_text());
            }
        }
        Ok(Exit::Done)
    }

    fn verify(&self, wanted: Option<String>, platform: Option<PlatformKey>, key: Option<&str>) -> Outcomes {
        let from = self.published()?;
        let key = key.map(public_key).transpose()?;
        let selection = Selection { wanted, platform, format: None };
        let mut progress = |entry: &str| self.printer.say(&format!("reading {entry}"));
        let verified = publisher::verify(from.as_ref(), &selection, key.as_deref(), self.now()?, &mut progress)?;
        for finding in &verified.findings {
            self.printer.tell(Event::Warning {
                code: "W_PUBLISHED_DAMAGED",
                text: finding.fault.clone(),
                place: Some(finding.key.clone()),
                hint: None,
            });
        }
        let (entries, objects) =
            (counted(verified.entries, "entry", "entries"), counted(verified.objects, "object", "objects"));
        let told = format!(
            "{entries}, {objects}, {} read; {} held; {} found",
            cli::bytes(verified.read),
            counted(verified.held.sum(), "signature", "signatures"),
            counted(verified.findings.len(), "fault", "faults")
        );
        if self.json {
            let Held { artifacts, manifests, statements, catalogues } = verified.held;
            self.printer.json(
                "verified",
                &json!({
                    "entries": verified.entries, "objects": verified.objects, "read": verified.read,
                    "signatures": {
                        "artifacts": artifacts, "manifests": manifests, "provenance": statements,
                        "catalogues": catalogues,
                    },
                    "faults": verified.findings.len(),
                }),
            );
        } else {
            self.printer.data(&told);
        }
        Ok(if verified.findings.is_empty() { Exit::Done } else { Exit::Trust })
    }

    fn retract(&self, which: &WhichArguments, reason: &str, signing: &SigningArguments) -> Outcomes {
        let at = self.now()?;
        self.each(which, signing, |to, id| {
            let new = publisher::retract(to, id, at, reason)?;
            Ok(if new { format!("{id} is retracted") } else { format!("{id} was retracted before") })
        })
    }

    fn restore(&self, which: &WhichArguments, signing: &SigningArguments) -> Outcomes {
        let at = self.now()?;
        self.each(which, signing, |to, id| {
            let new = publisher::restore(to, id, at)?;
            Ok(if new { format!("{id} is offered again") } else { format!("{id} is not retracted") })
        })
    }

    fn promote(&self, which: &WhichArguments, channel: Channel, signing: &SigningArguments) -> Outcomes {
        let at = self.now()?;
        self.each(which, signing, |to, id| {
            publisher::promote(to, id, at, channel)?;
            Ok(format!("{id} is in {channel}"))
        })
    }

    fn each(
        &self,
        which: &WhichArguments,
        signing: &SigningArguments,
        act: impl Fn(&dyn Destination, &EntryId) -> Result<String, PublishError>,
    ) -> Outcomes {
        let to = self.published()?;
        let signer = self.signer(signing)?;
        let signing = IndexSigning { signer: signer.as_ref(), now: self.now()?, change_key: false };
        signing.check(to.as_ref())?;
        let written = Written::read(to.as_ref())?;
        for entry in selection(which).of(&written, to.as_ref())? {
            let told = act(to.as_ref(), &entry.id())?;
            if self.json {
                self.printer.json("changed", &json!({ "entry": entry.id(), "told": told }));
            } else {
                self.printer.data(&told);
            }
        }
        let index = publisher::reindex(to.as_ref(), &signing, false)?;
        self.tell_index(to.as_ref(), &index);
        Ok(Exit::Done)
    }

    fn gc(&self, dry_run: bool, days: u32) -> Outcomes {
        let from = self.published()?;
        let age = Duration::from_secs(u64::from(days) * 24 * 60 * 60);
        let before = SystemTime::now().checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH);
        let garbage = publisher::collect_garbage(from.as_ref(), before, dry_run)?;
        let mut table = Table::new(["size", "what"]).right(0);
        let objects = garbage.objects.iter().map(|row| (Some(row.size), row.key.to_string()));
        let leftovers = garbage.leftovers.iter().map(|row| (row.size, format!("{} (unfinished)", row.what)));
        let mut bytes = 0;
        let mut count = 0;
        for (size, what) in objects.chain(leftovers) {
            bytes += size.unwrap_or_default();
            count += 1;
            if self.json {
                self.printer.json("garbage", &json!({ "what": what, "size": size, "removed": !dry_run }));
            }
            table.row([size.map_or_else(|| "?".to_owned(), cli::bytes), what]);
        }
        if !self.json && count > 0 {
            self.printer.data(&table.render(None));
        }
        let (verb, count) = (if dry_run { "would go" } else { "removed" }, counted(count, "object", "objects"));
        self.printer.say(&format!("{count}, {} {verb}", cli::bytes(bytes)));
        Ok(Exit::Done)
    }

    fn keygen(&self, folder: &Path, ask: bool) -> Outcomes {
        let password = match (self.environment)("PYDIST_SIGNING_PASSWORD") {
            Some(password) => Password::Text(password),
            None if ask => Password::Ask,
            None => Password::None,
        };
        let (secret, public) = publisher::new_key_pair(password)?;
        let file = |extension: &str| folder.join("pydist").with_extension(extension);
        let (key, public_file, pem_file) = (file("key"), file("pub"), file("pem"));
        let pem = publisher::public_key_pem(last_line(&public))?;
        write_new(&key, &secret, true)?;
        write_new(&public_file, &public, false)?;
        write_new(&pem_file, &pem, false)?;
        if self.json {
            self.printer.json("keys", &json!({ "secret": key, "public": public_file, "pem": pem_file }));
        } else {
            self.printer.say(&format!("the secret key is `{}`: keep it, and never commit it", key.display()));
            self.printer.data(&public_file.display().to_string());
        }
        Ok(Exit::Done)
    }
}

fn counted(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

fn allowed(arguments: &PublishArguments) -> BTreeSet<Concern> {
    let switches = [
        (arguments.allow_stand_in, Concern::StandIn),
        (arguments.allow_missing, Concern::Missing),
        (arguments.allow_left_out, Concern::LeftOut),
        (arguments.allow_degraded, Concern::Degraded),
        (arguments.allow_unchecked, Concern::Unchecked),
        (arguments.allow_other_lock, Concern::OtherLock),
    ];
    switches.into_iter().filter(|(on, _)| *on).map(|(_, concern)| concern).collect()
}

fn usable_url(text: &str) -> Result<String, CommandError> {
    let url = url::Url::parse(text).ok().filter(|url| {
        let plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
        plain && matches!(url.scheme(), "http" | "https" | "file")
    });
    url.map(|url| url.as_str().trim_end_matches('/').to_owned())
        .ok_or_else(|| CommandError::PublicUrl { text: text.to_owned() })
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

/// What the repository's `python-<version string>/lock.json` says. A lock that cannot be read has no rows: the digest
/// of a runtime is then not the committed one.
fn lock_of(repository: &Path, manifest: &Manifest) -> CommittedLock {
    let folder = repository.join(format!("python-{}", manifest.runtime));
    if !folder.join("config.json").is_file() {
        return CommittedLock::Unknown;
    }
    let Ok(text) = fs::read(folder.join("lock.json")) else { return CommittedLock::NoRows };
    publisher::lock_rows(&text, &manifest.runtime, manifest.platform).unwrap_or(CommittedLock::NoRows)
}

fn selection(which: &WhichArguments) -> Selection {
    Selection { wanted: Some(which.wanted.clone()), platform: which.platform, format: None }
}

fn index_of(from: &dyn Destination) -> Result<Catalogue, Box<dyn Fault>> {
    // Without an index there may be entries, of a publisher that was interrupted.
    Ok(Written::read(from)?.catalogue())
}

fn write_new(path: &Path, text: &str, secret: bool) -> Result<(), CommandError> {
    let write = || {
        if let Some(folder) = path.parent().filter(|folder| *folder != Path::new("")) {
            fs::create_dir_all(folder)?;
        }
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        if secret {
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        }
        // Elsewhere a folder of the user's own protects what is in it.
        #[cfg(not(unix))]
        let _ = secret;
        options.open(path)?.write_all(text.as_bytes())
    };
    write().map_err(|source| CommandError::Write { path: path.to_owned(), source })
}
