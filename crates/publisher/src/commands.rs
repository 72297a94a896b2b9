//! What each subcommand does, over the library.

mod key_pair;
mod platforma;
mod publication;
mod survey;
mod upkeep;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use catalogue::{Catalogue, IndexSettings, Moment, object_keys};
use cli::Printer;
use objects::{FolderPlace, Place, PlaceAddress, PlaceAddressError, PlaceErrorKind};
use objects_aistore::AistorePlace;
use objects_aws::{AwsBucket, S3Settings};
use publisher::{EntrySelection, Signer};
use serde_json::json;
use vocab::{Event, Exit, Fault};

use crate::arguments::{PublisherArguments, PublisherCommand, SigningArguments, WhichArguments};
use crate::command_error::{CommandError, DIST};
use crate::signing_key::signer;

const TO: &str = "PYDIST_PUBLISH_TO";
const DEFAULT_TO: &str = "published";

type PublisherOutcome = Result<Exit, Box<dyn Fault>>;
type VariableLookup<'a> = &'a dyn Fn(&str) -> Option<String>;

struct PublisherSession<'a> {
    printer: &'a Printer,
    environment: VariableLookup<'a>,
    cancelled: &'a AtomicBool,
    interactive: bool,
    json: bool,
    to: Option<&'a str>,
}

/// Runs the chosen subcommand. Gives the exit code; an error is printed by `cli`.
pub fn run(
    arguments: &PublisherArguments,
    environment: VariableLookup<'_>,
    printer: &Printer,
    cancelled: &AtomicBool,
    interactive: bool,
) -> PublisherOutcome {
    let json = arguments.global.show.json;
    let session =
        PublisherSession { printer, environment, cancelled, interactive, json, to: arguments.global.to.as_deref() };
    match &arguments.command {
        PublisherCommand::Publish(publish) => session.publish(publish),
        PublisherCommand::Reindex { signing, change_key, valid_days, public_url, title } => {
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
        PublisherCommand::List { all } => session.list(*all),
        PublisherCommand::Show { which } => session.show(which),
        PublisherCommand::Verify { wanted, platform, public_key } => {
            session.verify(wanted.clone(), *platform, public_key.as_deref())
        }
        PublisherCommand::Retract { which, reason, signing } => session.retract(which, reason, signing),
        PublisherCommand::Restore { which, signing } => session.restore(which, signing),
        PublisherCommand::Promote { which, channel, signing } => session.promote(which, *channel, signing),
        PublisherCommand::Gc { dry_run, older_than_days } => session.gc(*dry_run, *older_than_days),
        PublisherCommand::Keygen { folder, password } => session.keygen(folder, *password),
    }
}

impl PublisherSession<'_> {
    fn destination(&self) -> Result<Box<dyn Place>, Box<dyn Fault>> {
        let (address, given) = self.address()?;
        open(&address, given, self.environment)
    }

    /// And the option or variable that says so.
    fn address(&self) -> Result<(PlaceAddress, &'static str), PlaceAddressError> {
        let variable = (self.environment)(TO);
        let (text, given) = match (self.to, &variable) {
            (Some(text), _) => (text, "--to"),
            (None, Some(text)) => (text.as_str(), TO),
            (None, None) => (DEFAULT_TO, "--to"),
        };
        Ok((PlaceAddress::parse(text, given)?, given))
    }

    /// Before anything is sent there. Addresses hold no credentials.
    fn tell_destination(&self, what: &str, address: &PlaceAddress) {
        if !self.json {
            self.printer.say(&format!("{what}: {address}"));
        }
    }

    /// For what only makes sense where something was published.
    fn published(&self) -> Result<Box<dyn Place>, Box<dyn Fault>> {
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

    fn signer(&self, arguments: &SigningArguments) -> Result<Option<Signer>, Box<dyn Fault>> {
        signer(arguments.key.as_deref(), self.environment, self.interactive)
    }

    fn tell_index(&self, to: &dyn Place, index: &Catalogue) -> Result<(), Box<dyn Fault>> {
        if !to.conditional_puts()? {
            let text = format!(
                "`{}` does not keep conditions on writes (If-None-Match): the index was checked again after it was \
                 written, until nothing was missing. A publisher that is killed in between may leave one that lacks \
                 entries; `publisher reindex` completes it",
                to.place()
            );
            self.printer.tell(Event::Note { text });
        }
        let (offered, retracted) = (index.entries.len(), index.retracted.len());
        if self.json {
            self.printer.json("index", &json!({ "place": to.place(), "entries": offered, "retracted": retracted }));
            return Ok(());
        }
        let retracted = if retracted == 0 { String::new() } else { format!(", {retracted} retracted") };
        let count = counted(offered, "entry", "entries");
        self.printer.say(&format!("{}/{}: {count}{retracted}", to.place(), object_keys::CATALOGUE));
        self.printer.say(&format!("{}/{}index.html shows them", to.place(), object_keys::SITE));
        Ok(())
    }
}

/// `given` says in messages where the address came from.
fn open(
    address: &PlaceAddress,
    given: &'static str,
    environment: VariableLookup<'_>,
) -> Result<Box<dyn Place>, Box<dyn Fault>> {
    Ok(match address {
        PlaceAddress::Folder(folder) => Box::new(FolderPlace::new(folder.clone())),
        PlaceAddress::Bucket(address) => {
            let certificates = environment("AWS_CA_BUNDLE").map(PathBuf::from);
            Box::new(AwsBucket::open(address, S3Settings { certificates, ..S3Settings::default() })?)
        }
        PlaceAddress::Cluster(address) => Box::new(AistorePlace::open(address, given, environment)?),
    })
}

/// Whether the user wants to stop.
fn unless(cancelled: &AtomicBool) -> Result<(), PlaceErrorKind> {
    if cancelled.load(Ordering::Relaxed) { Err(PlaceErrorKind::Cancelled) } else { Ok(()) }
}

fn counted(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

fn usable_url(text: &str) -> Result<String, CommandError> {
    let url = url::Url::parse(text).ok().filter(|url| {
        let plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
        plain && matches!(url.scheme(), "http" | "https" | "file")
    });
    url.map(|url| url.as_str().trim_end_matches('/').to_owned())
        .ok_or_else(|| CommandError::PublicUrl { text: text.to_owned() })
}

fn selection(which: &WhichArguments) -> EntrySelection {
    EntrySelection { wanted: Some(which.wanted.clone()), platform: which.platform, format: None }
}
