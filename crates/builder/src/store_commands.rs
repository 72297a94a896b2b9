//! `builder store …`: inspects, verifies and prunes the store, independent of any repository.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime};

use cli::{Printer, Table};
use store::Context;
use store::Store;
use store::download::{DownloadSettings, Downloader};
use store_upkeep::{PruneOutcome, PruneRules, StoreSummary, VerifiedStore};
use vocab::{Environment, Work};
use vocab::{Exit, Fault};

use crate::arguments::{GlobalArguments, StoreCommand};
use crate::remote_store_commands::{self, Hosts, Output};

/// The store may be missing, and counts as empty then.
pub fn run(
    root: PathBuf,
    command: &StoreCommand,
    global: &GlobalArguments,
    environment: &Environment,
    printer: &Arc<Printer>,
    cancelled: &Arc<AtomicBool>,
) -> Result<Exit, Box<dyn Fault>> {
    let listener = Arc::clone(printer);
    let processors = std::thread::available_parallelism().map_or(2, usize::from);
    let context = Context {
        store: Store::existing(root)?,
        downloader: Downloader::new(DownloadSettings {
            programs_cancelled: Arc::clone(cancelled),
            ..DownloadSettings::of(environment)
        }),
        remote: None,
        default_index: None,
        work: Work {
            environment: environment.clone(),
            jobs: global.jobs.map_or(processors, usize::from),
            offline: true,
            timeout: None,
            cancelled: Arc::clone(cancelled),
            listener: Arc::new(move |event| listener.tell(event)),
        },
    };
    let json = global.show.json;
    match command {
        StoreCommand::Info => {
            let info = store_upkeep::info(&context.store, SystemTime::now())?;
            if json {
                printer.json("store", &info);
            } else {
                printer.data(&info_text(&info, printer.settings().width));
            }
            Ok(Exit::Done)
        }
        StoreCommand::Push { remote_store, for_host, offline } => {
            let context = Context { work: Work { offline: *offline, ..context.work.clone() }, ..context };
            let hosts = Hosts::parse(for_host)?;
            remote_store_commands::push(&context, remote_store.as_deref(), &hosts, &Output { printer, json })
        }
        StoreCommand::Verify { remote_store: Some(address), repair, .. } => {
            remote_store_commands::verify(&context, address, *repair, &Output { printer, json })
        }
        StoreCommand::Prune { remote_store: Some(address), older_than: Some(older_than), dry_run, .. } => {
            remote_store_commands::prune(&context, address, *older_than, *dry_run, &Output { printer, json })
        }
        StoreCommand::Verify { keep, .. } => {
            let verified = store_upkeep::verify(&context, *keep)?;
            if json {
                printer.json("verified", &verified);
            } else {
                printer.data(&verified_text(&verified));
            }
            Ok(match (verified.damaged.is_empty(), verified.interrupted) {
                (false, _) => Exit::Check,
                (true, true) => Exit::Build,
                (true, false) => Exit::Done,
            })
        }
        StoreCommand::Prune { max_size, older_than, dry_run, .. } => {
            let rules = PruneRules { max_size: *max_size, older_than: *older_than, dry_run: *dry_run };
            let pruned = store_upkeep::prune(&context.store, &rules, SystemTime::now())?;
            if json {
                printer.json("pruned", &pruned);
            } else {
                printer.data(&pruned_text(&pruned, *dry_run));
            }
            Ok(Exit::Done)
        }
    }
}

fn info_text(info: &StoreSummary, width: Option<usize>) -> String {
    let mut table = Table::new(["kind", "entries", "size", "prune could free", "longest unused"])
        .right(1)
        .right(2)
        .right(3)
        .right(4);
    for kind in &info.kinds {
        table.row([
            kind.kind.to_owned(),
            kind.count.to_string(),
            cli::bytes(kind.bytes),
            cli::bytes(kind.freeable),
            kind.oldest_use_seconds.map(age).unwrap_or_default(),
        ]);
    }
    table.row(["all".to_owned(), String::new(), cli::bytes(info.bytes), cli::bytes(info.freeable), String::new()]);
    format!("{}\n{}", info.location.display(), table.render(width))
}

fn verified_text(verified: &VerifiedStore) -> String {
    let mut lines: Vec<String> = verified
        .damaged
        .iter()
        .map(|it| {
            let end = if it.removed { "removed" } else { "kept" };
            format!("damaged: {} {}: {} ({end})", it.kind, it.name, it.reason)
        })
        .collect();
    let closing = match verified.damaged.len() {
        0 => "all of them sound".to_owned(),
        damaged => format!("{damaged} damaged"),
    };
    let checked = format!("{} entries read, {}, {closing}", verified.checked, cli::bytes(verified.read));
    lines.push(match verified.unrecorded {
        0 => checked,
        count => format!("{checked}; {count} without a record to compare with"),
    });
    if verified.interrupted {
        lines.push("interrupted before the end".to_owned());
    }
    lines.join("\n")
}

fn pruned_text(pruned: &PruneOutcome, dry_run: bool) -> String {
    let mut lines: Vec<String> = pruned
        .removed
        .iter()
        .map(|it| format!("{} {} ({}, unused for {})", it.kind, it.name, cli::bytes(it.bytes), age(it.unused_seconds)))
        .collect();
    let verb = if dry_run { "would free" } else { "freed" };
    lines.push(format!(
        "{verb} {}: {} entries, {} partial downloads, {} facts; {} stay",
        cli::bytes(pruned.freed),
        pruned.removed.len(),
        pruned.partial_downloads,
        pruned.facts,
        cli::bytes(pruned.remaining),
    ));
    if pruned.spared > 0 {
        lines.push(format!("{} entries are kept because builders are running", pruned.spared));
    }
    lines.join("\n")
}

/// `5 h`, `12 d`.
fn age(seconds: u64) -> String {
    let hours = Duration::from_secs(seconds).as_secs() / 3600;
    if hours < 48 { format!("{hours} h") } else { format!("{} d", hours / 24) }
}
