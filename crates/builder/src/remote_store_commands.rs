//! `builder store push`, and `verify` and `prune` with `--remote-store`.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use cli::Printer;
use store::Context;
use store::remote::{RemoteSettings, RemoteStore};
use store_upkeep::{Pushed, Repair, SharedPruned, SharedVerified, Upkeep};
use vocab::{Exit, Fault, PlatformKey};

use crate::asked_platforms::AskedPlatforms;
use crate::remote_store;

/// Why a command cannot work on a remote store.
#[derive(Debug, thiserror::Error, Fault)]
#[fault(Usage)]
enum RemoteStoreError {
    #[error("no remote store is named")]
    #[fault("E_STORE_ADDRESS", hint("name it with --remote-store or PYDIST_REMOTE_STORE"))]
    NoAddress,
    #[error("PYDIST_REMOTE_STORE_READ_ONLY forbids changing the remote store")]
    #[fault("E_ENVIRONMENT", hint("unset it for this command"))]
    ReadOnly,
}

/// How a command shows what it did.
pub struct Output<'a> {
    pub printer: &'a Arc<Printer>,
    pub json: bool,
}

impl Output<'_> {
    /// Shows the report, and then the fault that ended the work early, if one did.
    fn show<R: serde::Serialize>(
        &self,
        kind: &str,
        ended: Upkeep<R>,
        text: &str,
        exit: Exit,
        interrupted: bool,
    ) -> Result<Exit, Box<dyn Fault>> {
        if self.json {
            self.printer.json(kind, &ended.report);
        } else {
            self.printer.data(text);
        }
        match ended.fault {
            Some(fault) => Err(fault),
            None if interrupted => Ok(Exit::Interrupted),
            None => Ok(exit),
        }
    }
}

/// The machines that a remote store is to serve.
pub struct Hosts {
    platforms: Vec<PlatformKey>,
    /// Named by the user rather than this machine.
    named: bool,
}

impl Hosts {
    /// # Errors
    /// A word is not a platform key.
    pub fn parse(words: &[String]) -> Result<Self, Box<dyn Fault>> {
        Ok(Self { platforms: AskedPlatforms::parse(words)?.of(&PlatformKey::ALL), named: !words.is_empty() })
    }
}

/// `builder store push`
pub fn push(
    context: &Context,
    address: Option<&str>,
    hosts: &Hosts,
    output: &Output<'_>,
) -> Result<Exit, Box<dyn Fault>> {
    let remote = open(context, address, true)?;
    let ended = store_upkeep::push(context, &remote, &hosts.platforms)?;
    let text = pushed_text(&ended.report);
    let all_sound = ended.report.damaged.is_empty() && ended.report.taken.is_empty();
    let exit = match (all_sound, ended.report.absent.is_empty() || !hosts.named) {
        (true, true) => Exit::Done,
        (true, false) => Exit::Partial,
        (false, _) => Exit::Check,
    };
    let interrupted = ended.report.interrupted;
    output.show("pushed", ended, &text, exit, interrupted)
}

/// `builder store verify --remote-store`
pub fn verify(context: &Context, address: &str, repair: bool, output: &Output<'_>) -> Result<Exit, Box<dyn Fault>> {
    let remote = open(context, Some(address), repair)?;
    let ended = store_upkeep::verify_shared(context, &remote, repair, SystemTime::now())?;
    let text = verified_text(&ended.report);
    let exit = if ended.report.damaged.is_empty() { Exit::Done } else { Exit::Check };
    let interrupted = ended.report.interrupted;
    output.show("verified", ended, &text, exit, interrupted)
}

/// `builder store prune --remote-store`
pub fn prune(
    context: &Context,
    address: &str,
    older_than: Duration,
    dry_run: bool,
    output: &Output<'_>,
) -> Result<Exit, Box<dyn Fault>> {
    let remote = open(context, Some(address), !dry_run)?;
    let ended = store_upkeep::prune_shared(context, &remote, older_than, dry_run, SystemTime::now())?;
    let mut text = pruned_text(&ended.report, dry_run);
    if older_than < store_upkeep::GRACE {
        text += "\nwhat is younger than an hour stays: builders may be at work on it";
    }
    let interrupted = ended.report.interrupted;
    output.show("pruned", ended, &text, Exit::Done, interrupted)
}

fn open(context: &Context, option: Option<&str>, changes: bool) -> Result<RemoteStore, Box<dyn Fault>> {
    let asked = remote_store::asked(option, &context.environment);
    let (address, given) = asked.ok_or(RemoteStoreError::NoAddress)?;
    let read_only = remote_store::is_read_only(&context.environment)?;
    if changes && read_only {
        return Err(RemoteStoreError::ReadOnly.into());
    }
    let settings = RemoteSettings { address: address.to_owned(), given, read_only, strict: true };
    store::export::refuse_as_remote_store(&settings)?;
    let remote = store::remote::open(&settings, &context.environment, &context.downloader, false)?;
    Ok(remote.ok_or(RemoteStoreError::NoAddress)?)
}

fn pushed_text(pushed: &Pushed) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut list = |what: &str, rows: &[String]| lines.extend(rows.iter().map(|row| format!("{what}: {row}")));
    list("damaged here, not given", &pushed.damaged);
    list("another object has its name", &pushed.taken);
    list("too large", &pushed.too_large);
    list("not given", &pushed.absent);
    lines.push(format!(
        "{} objects given, {}; {} already there, {}",
        pushed.given.objects,
        cli::bytes(pushed.given.bytes),
        pushed.there.objects,
        cli::bytes(pushed.there.bytes),
    ));
    if !pushed.taken.is_empty() {
        lines.push(
            "`builder store verify --remote-store … --repair` replaces what has another object's name".to_owned(),
        );
    }
    lines.extend(unfinished(pushed.left, "entries of the store were not reached", pushed.interrupted));
    lines.join("\n")
}

fn verified_text(verified: &SharedVerified) -> String {
    let mut lines: Vec<String> = Vec::new();
    for damage in &verified.damaged {
        let end = match damage.repair {
            Repair::Kept => "kept",
            Repair::Replaced => "replaced",
            Repair::Removed => "removed",
        };
        lines.push(format!("damaged: {}: {} ({end})", damage.object, damage.reason));
    }
    let closing = match verified.damaged.len() {
        0 => "all of them sound".to_owned(),
        damaged => format!("{damaged} damaged"),
    };
    lines.push(format!("{} objects read, {}, {closing}", verified.checked, cli::bytes(verified.read)));
    if verified.others > 0 {
        lines.push(format!("{} with names that pydist does not give, not read", verified.others));
    }
    lines.extend(unfinished(verified.left, "objects were not read", verified.interrupted));
    lines.join("\n")
}

fn pruned_text(pruned: &SharedPruned, dry_run: bool) -> String {
    let days = |seconds: u64| seconds / (24 * 3600);
    let mut lines: Vec<String> = Vec::new();
    for it in &pruned.removed {
        lines.push(format!("{} ({}, written {} d ago)", it.object, cli::bytes(it.bytes), days(it.age_seconds)));
    }
    lines.push(format!(
        "{} {}: {} objects, {} unfinished files; {} objects stay, {}",
        if dry_run { "would free" } else { "freed" },
        cli::bytes(pruned.freed),
        pruned.removed.len(),
        pruned.leftovers,
        pruned.kept.objects,
        cli::bytes(pruned.kept.bytes),
    ));
    lines.extend(unfinished(pruned.left, "old objects were not removed", pruned.interrupted));
    lines.join("\n")
}

fn unfinished(left: usize, what: &str, interrupted: bool) -> Option<String> {
    match (left, interrupted) {
        (0, false) => None,
        (_, true) => Some(format!("interrupted: {left} {what}; run it again")),
        (_, false) => Some(format!("not finished: {left} {what}; run it again")),
    }
}
