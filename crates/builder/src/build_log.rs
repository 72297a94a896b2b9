//! Every event of a build as one line of JSON, with `build.enableLogging`.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex};

use store::Context;
use vocab::{Event, PlatformKey};

/// The same context, whose events also go to a file in `logs` of the version's `folder`. If the file cannot be
/// written, they do not: the build does not depend on it.
pub fn logged(context: Context, folder: &Path, platforms: &[PlatformKey]) -> Context {
    let Some(log) = file(folder, platforms) else { return context };
    let listener = Arc::clone(&context.work.listener);
    context.with_listener(Arc::new(move |event| {
        // Every few kilobytes of every download would only fill the disk.
        if !matches!(event, Event::TransferAdvanced { .. }) {
            write_line(&log, &event);
        }
        listener(event);
    }))
}

fn file(folder: &Path, platforms: &[PlatformKey]) -> Option<Mutex<fs::File>> {
    if !folder.is_dir() {
        return None;
    }
    let logs = folder.join("logs");
    fs::create_dir_all(&logs).ok()?;
    let name = match platforms {
        [only] => format!("build-{only}.jsonl"),
        _ => "build.jsonl".to_owned(),
    };
    fs::File::create(logs.join(name)).ok().map(Mutex::new)
}

fn write_line(log: &Mutex<fs::File>, event: &Event) {
    if let (Ok(mut file), Ok(line)) = (log.lock(), serde_json::to_string(event)) {
        // A full disk is reported where it matters.
        let _ = writeln!(file, "{line}");
    }
}
