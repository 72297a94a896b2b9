//! What each subcommand does, over the library.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use archive::{ExtractOptions, LinkHandling, ListedEntry, ListedKind, ListingDepth, TopFolder};
use cli::{Printer, Table, TransferOptions};
use fetch::{Deadline, FetchRequest, FetchSettings, FetchTarget, FetchWatch, Pace, ReuseMode};
use serde_json::json;
use vocab::{Event, Exit, Fault, Manifest, manifest_beside};

use crate::arguments::{ArchiveArguments, ArchiveCommand};

#[derive(Debug, thiserror::Error, Fault)]
enum CommandError {
    #[error("cannot read the manifest `{}`: {source}", path.display())]
    #[fault("E_MANIFEST_READ", Build, hint_with = Self::hint_of_read)]
    Manifest { path: PathBuf, source: io::Error },
    #[error("the manifest `{}` describes no artifact: the runtime was not packed", path.display())]
    #[fault("E_MANIFEST_MALFORMED", Trust)]
    NotPacked { path: PathBuf },
}

type ArchiveOutcome = Result<Exit, Box<dyn Fault>>;

/// What every command here works with.
struct ArchiveSession<'a> {
    printer: &'a Printer,
    environment: &'a dyn Fn(&str) -> Option<String>,
    cancelled: &'a AtomicBool,
    json: bool,
    threads: usize,
}

/// Runs one command. `environment` returns a variable's value; long work checks `cancelled`.
pub fn run(
    arguments: &ArchiveArguments,
    environment: &dyn Fn(&str) -> Option<String>,
    printer: &Printer,
    cancelled: &AtomicBool,
) -> ArchiveOutcome {
    let threads = arguments.global.jobs.map_or(0, usize::from);
    let session = ArchiveSession { printer, environment, cancelled, json: arguments.global.show.json, threads };
    match &arguments.command {
        ArchiveCommand::List { file, parts: false } => session.list(file),
        ArchiveCommand::List { file, parts: true } => session.list_parts(file),
        ArchiveCommand::Verify { file, manifest } => session.verify(file, manifest.as_deref()),
        ArchiveCommand::Extract { file, to, strip_top, sha256, copy_links } => {
            let mut options = session.options();
            options.expected = *sha256;
            if *strip_top {
                options.top_folder = TopFolder::StripSingle;
            }
            if *copy_links {
                options.links = LinkHandling::Copy;
            }
            session.extract(file, to, &options)
        }
        ArchiveCommand::Diff { a, b, files } => session.diff(a, b, *files),
        ArchiveCommand::Fetch { place, from, out, to, sha256, manifest_sha256, transfer } => {
            let target = match (out, to) {
                (_, Some(folder)) => FetchTarget::Folder(folder.clone()),
                (Some(file), None) => FetchTarget::File(file.clone()),
                (None, None) => FetchTarget::FileIn(PathBuf::new()),
            };
            let request = FetchRequest {
                place: place.clone(),
                older: from.clone(),
                target,
                expected: *sha256,
                expected_manifest: *manifest_sha256,
                keep: None,
                reuse: ReuseMode::Own,
                recorded: std::collections::HashMap::new(),
                digests: false,
            };
            session.fetch(&request, transfer)
        }
    }
}

impl ArchiveSession<'_> {
    fn options(&self) -> ExtractOptions<'static> {
        ExtractOptions { threads: self.threads, ..ExtractOptions::default() }
    }

    fn list(&self, file: &Path) -> ArchiveOutcome {
        let entries = archive::list(file, ListingDepth::Names, &self.options())?;
        if self.json {
            for entry in &entries {
                let mut row = json!(entry);
                row["mode"] = json!(mode(entry));
                self.printer.json("entry", &row);
            }
            return Ok(Exit::Done);
        }
        let mut table = Table::new(["kind", "mode", "size", "path"]).right(2);
        for entry in &entries {
            let kind = match entry.kind {
                ListedKind::Directory => "directory",
                ListedKind::File => "file",
                ListedKind::Symlink => "link",
                ListedKind::HardLink => "hard link",
                ListedKind::Special => "special",
            };
            let target = entry.target.as_ref().map_or(String::new(), |target| format!(" -> {target}"));
            table.row([kind.to_owned(), mode(entry).to_owned(), entry.size.to_string(), entry.path.clone() + &target]);
        }
        self.printer.data(&table.render(None));
        let bytes: u64 = entries.iter().map(|entry| entry.size).sum();
        let count = counted(entries.len() as u64, "entry", "entries");
        self.printer.say(&format!("{count}, {} of files", cli::bytes(bytes)));
        Ok(Exit::Done)
    }

    fn list_parts(&self, file: &Path) -> ArchiveOutcome {
        let path = manifest_beside(file);
        let artifact = manifest(&path)?.artifact.ok_or(CommandError::NotPacked { path })?;
        if self.json {
            for part in &artifact.parts {
                self.printer.json("part", part);
            }
            return Ok(Exit::Done);
        }
        let mut table = Table::new(["offset", "size", "unpacked", "sha256", "identity", "part"]);
        for column in 0..3 {
            table = table.right(column);
        }
        for part in &artifact.parts {
            let numbers = [part.offset, part.size, part.uncompressed_size].map(|number| number.to_string());
            let identity = part.identity.map_or_else(|| "-".to_owned(), |identity| identity.short());
            table.row(numbers.into_iter().chain([part.sha256.short(), identity, part.content.clone()]));
        }
        self.printer.data(&table.render(None));
        let count = counted(artifact.parts.len() as u64, "part", "parts");
        self.printer.say(&format!("{count}, {}", cli::bytes(artifact.size)));
        Ok(Exit::Done)
    }

    fn verify(&self, file: &Path, given: Option<&Path>) -> ArchiveOutcome {
        let path = given.map_or_else(|| manifest_beside(file), Path::to_owned);
        // A manifest that was named must be there; one that is usually beside may be missing.
        if given.is_some() || path.exists() {
            let manifest = manifest(&path)?;
            archive::verify(file, &manifest)?;
            let parts = manifest.artifact.map_or(0, |artifact| artifact.parts.len());
            let text = format!("`{}` matches `{}` in each of {parts} parts", file.display(), path.display());
            self.done("verified", &text, &json!({ "by": "manifest", "manifest": path, "parts": parts }));
            return Ok(Exit::Done);
        }
        let extracted = archive::check(file, &self.options())?;
        let text = format!(
            "`{}` can be extracted: {}, {}, all decoded and checked; there is no manifest to compare it with",
            file.display(),
            counted(extracted.files, "file", "files"),
            cli::bytes(extracted.bytes)
        );
        let counts = json!({ "by": "rules", "files": extracted.files, "bytes": extracted.bytes });
        self.done("verified", &text, &counts);
        Ok(Exit::Done)
    }

    /// A result that is one sentence for people.
    fn done(&self, kind: &str, text: &str, fields: &serde_json::Value) {
        if self.json {
            self.printer.json(kind, fields);
        } else {
            self.printer.data(text);
        }
    }

    fn extract(&self, file: &Path, to: &Path, options: &ExtractOptions<'_>) -> ArchiveOutcome {
        let extracted = self.step("extract", || archive::extract(file, to, options))?;
        let archive::ExtractedTree { files, directories, links, bytes, top_folder, .. } = extracted;
        if self.json {
            let counts = json!({
                "path": to, "files": files, "directories": directories, "links": links, "bytes": bytes,
                "top_folder": top_folder,
            });
            self.printer.json("extracted", &counts);
        } else {
            let (files, links) = (counted(files, "file", "files"), counted(links, "link", "links"));
            self.printer.say(&format!("{files}, {links}, {}", cli::bytes(bytes)));
            self.printer.data(&to.display().to_string());
        }
        Ok(Exit::Done)
    }

    fn diff(&self, a: &Path, b: &Path, files: bool) -> ArchiveOutcome {
        let (older, newer) = (manifest_of(a)?, manifest_of(b)?);
        let compared = fetch::diff(&older, &newer);
        let missing = if older.artifact.is_none() { a } else { b };
        let compared = compared.ok_or_else(|| CommandError::NotPacked { path: missing.to_owned() })?;
        let files = if files { Some(self.diff_files(a, b)?) } else { None };
        if self.json {
            self.printer.json("diff", &compared);
            for change in files.iter().flatten() {
                self.printer.json("file", change);
            }
            return Ok(Exit::Done);
        }
        self.printer.data(&diff_text(&compared, files.as_deref()));
        Ok(Exit::Done)
    }

    fn diff_files(&self, a: &Path, b: &Path) -> Result<Vec<fetch::FileChange>, Box<dyn Fault>> {
        let list = |path: &Path| archive::list(&artifact_of(path), ListingDepth::Digests, &self.options());
        Ok(fetch::diff_files(&list(a)?, &list(b)?))
    }

    fn fetch(&self, request: &FetchRequest, transfer: &TransferOptions) -> ArchiveOutcome {
        let settings = FetchSettings {
            pace: Pace { lowest: transfer.min_rate, ..Pace::default() },
            deadline: transfer.max_time.and_then(Deadline::after),
            ..FetchSettings::of(self.environment)
        };
        let tell = |event: Event| self.printer.tell(event);
        let watch = FetchWatch { tell: &tell, cancelled: self.cancelled };
        let fetched = self.step("fetch", || fetch::fetch(request, &settings, watch))?;
        if self.json {
            self.printer.json(
                "fetched",
                &json!({
                    "path": fetched.path, "sha256": fetched.sha256, "size": fetched.size, "parts": fetched.parts,
                    "reused": fetched.reused, "fetched": fetched.fetched, "requests": fetched.requests,
                    "whole": fetched.whole,
                }),
            );
        } else {
            self.printer.say(&format!(
                "{} of {} fetched ({}), {} of {} parts were already here",
                cli::bytes(fetched.fetched),
                cli::bytes(fetched.size),
                percent(fetched.fetched, fetched.size),
                fetched.reused,
                fetched.parts
            ));
            self.printer.data(&fetched.path.display().to_string());
        }
        Ok(Exit::Done)
    }

    /// Prints its time if it succeeds.
    fn step<T, E>(&self, step: &'static str, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let begun = Instant::now();
        self.printer.tell(Event::StepStarted { step });
        let result = work()?;
        let elapsed_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.printer.tell(Event::StepFinished { step, elapsed_ms });
        Ok(result)
    }
}

fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

fn mode(entry: &ListedEntry) -> &'static str {
    match entry.kind {
        ListedKind::Directory => "0755",
        ListedKind::Symlink => "0777",
        _ if entry.executable => "0755",
        _ => "0644",
    }
}

fn is_manifest(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "json")
}

fn artifact_of(path: &Path) -> PathBuf {
    if is_manifest(path) { path.with_extension("") } else { path.to_owned() }
}

/// The manifest of an artifact, given directly or beside it.
fn manifest_of(path: &Path) -> Result<Manifest, Box<dyn Fault>> {
    if is_manifest(path) { manifest(path) } else { manifest(&manifest_beside(path)) }
}

fn manifest(path: &Path) -> Result<Manifest, Box<dyn Fault>> {
    let text = std::fs::read(path).map_err(|source| CommandError::Manifest { path: path.to_owned(), source })?;
    Ok(archive::read_manifest(&text)?)
}

fn percent(part: u64, whole: u64) -> String {
    format!("{:.1} %", part as f64 * 100.0 / (whole.max(1)) as f64)
}

fn diff_text(diff: &fetch::ManifestDiff, files: Option<&[fetch::FileChange]>) -> String {
    let mut text = String::new();
    let mut section = |title: &str, table: &Table| {
        if !table.is_empty() {
            text.push_str(&format!("{title}\n"));
            let lines = table.render(None);
            // Without the headings, which the title replaces.
            text.extend(lines.lines().skip(1).map(|line| format!("  {line}\n")));
        }
    };
    let mut base = Table::new(["", ""]);
    if let Some(change) = &diff.base {
        base.row(["before", &change.before]).row(["after", &change.after]);
    }
    section("base", &base);
    let mut packages = Table::new(["", "", ""]);
    for change in &diff.packages {
        let versions = match (change.before.as_deref(), change.after.as_deref()) {
            (Some(before), Some(after)) if before == after => format!("{before}, another file"),
            (Some(before), Some(after)) => format!("{before} -> {after}"),
            (before, after) => before.or(after).unwrap_or_default().to_owned(),
        };
        packages.row([sign(change.before.is_some(), change.after.is_some()).to_owned(), change.name.clone(), versions]);
    }
    section("packages", &packages);
    let mut parts = Table::new(["", "", ""]);
    for change in &diff.parts {
        let sign = sign(change.before.is_some(), change.after.is_some()).to_owned();
        parts.row([sign, change.content.clone(), sizes(change.before, change.after)]);
    }
    section("parts", &parts);
    let mut changed = Table::new(["", "", ""]);
    for change in files.unwrap_or_default() {
        let sign = sign(change.before.is_some(), change.after.is_some()).to_owned();
        changed.row([sign, change.path.to_string(), sizes(change.before, change.after)]);
    }
    section("files", &changed);
    let share = percent(diff.fetched, diff.size);
    text.push_str(&format!("update: {} of {} ({share})\n", cli::bytes(diff.fetched), cli::bytes(diff.size)));
    text
}

fn sign(before: bool, after: bool) -> &'static str {
    match (before, after) {
        (false, _) => "+",
        (true, false) => "-",
        (true, true) => "~",
    }
}

fn sizes(before: Option<u64>, after: Option<u64>) -> String {
    match (before, after) {
        (Some(before), Some(after)) => format!("{} -> {}", cli::bytes(before), cli::bytes(after)),
        (before, after) => cli::bytes(before.or(after).unwrap_or_default()),
    }
}

impl CommandError {
    fn hint_of_read(&self) -> Option<String> {
        let Self::Manifest { source, .. } = self else { return None };
        (source.kind() == io::ErrorKind::NotFound)
            .then(|| "the manifest lies beside its artifact, under the artifact's name and `.json`".to_owned())
    }
}
