//! What the tests of store, download and wheel share: a context on a throw-away store, and its events.
#![allow(dead_code, reason = "every test file uses its own part of this")]
#![allow(clippy::unwrap_used, reason = "a helper that cannot do its work is a failed test")]

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use store::Context;
use store::download::{DownloadSettings, Downloader, FetchRequest};
use store::{Scrutiny, Store};
use testkit::FixtureFile;
use vocab::TreeLayout;
use vocab::Work;
use vocab::{Digest, Event, PlatformKey};
use wheel::windows_launcher::WindowsLaunchers;
use wheel::{Destination, InstallRequest, InstalledAll, UnpackError, UnpackedWheel, WheelBlob, WheelToInstall};

pub const LINUX: TreeLayout = layout(PlatformKey::LinuxX64);
pub const WINDOWS: TreeLayout = layout(PlatformKey::WindowsX64);

const fn layout(platform: PlatformKey) -> TreeLayout {
    TreeLayout { platform, python: vocab::PythonVersion { major: 3, minor: 12, patch: 10 } }
}

/// A context whose store lies in a folder of its own, with short pauses.
pub struct Bench {
    pub folder: tempfile::TempDir,
    pub context: Context,
    events: Arc<Mutex<Vec<Event>>>,
}

impl Bench {
    pub fn new() -> Self {
        Self::with(settings())
    }

    pub fn with(settings: DownloadSettings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let events: Arc<Mutex<Vec<Event>>> = Arc::default();
        let context = context(&folder.path().join("store"), settings, &events);
        Self { folder, context, events }
    }

    /// Another builder on the same store, as a second process would be.
    pub fn neighbour(&self) -> Context {
        context(self.context.store.root(), settings(), &Arc::default())
    }

    pub fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap().clone()
    }

    pub fn retries(&self) -> Vec<String> {
        let reason = |event| match event {
            Event::Retry { reason, .. } => Some(reason),
            _ => None,
        };
        self.events().into_iter().filter_map(reason).collect()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes the wheel beside the store and unpacks it.
    pub fn unpack(&self, wheel: &FixtureFile) -> Result<UnpackedWheel, UnpackError> {
        wheel::unpack(&self.context, &self.blob(wheel), Scrutiny::Glance)
    }

    pub fn blob(&self, wheel: &FixtureFile) -> WheelBlob {
        let path = self.path(&wheel.file_name);
        std::fs::write(&path, &wheel.bytes).unwrap();
        WheelBlob { path, sha256: Digest::of(&wheel.bytes), file_name: wheel.file_name.parse().unwrap() }
    }

    /// All of them as requested ones.
    pub fn install(&self, wheels: &[FixtureFile], prefix: &Path, layout: TreeLayout) -> InstalledAll {
        let unpacked: Vec<_> = wheels.iter().map(|wheel| self.unpack(wheel).unwrap()).collect();
        let wheels: Vec<_> =
            unpacked.iter().map(|wheel| WheelToInstall { wheel, request: InstallRequest::new(true) }).collect();
        let launchers = launchers();
        let destination = Destination { launchers: Some(&launchers), ..destination(prefix, layout) };
        wheel::install_all(&self.context, &wheels, &destination).unwrap()
    }
}

/// A prefix without an interpreter of its own, and without launchers.
pub fn destination(prefix: &Path, layout: TreeLayout) -> Destination<'_> {
    static NOTHING: std::collections::BTreeSet<vocab::TreePath> = std::collections::BTreeSet::new();
    Destination { prefix, layout, base: &NOTHING, launchers: None }
}

/// Not the real ones, whose bytes play no part where nothing is started.
pub fn launchers() -> WindowsLaunchers {
    WindowsLaunchers { console: b"MZ console\n".to_vec(), gui: b"MZ gui\n".to_vec() }
}

pub fn settings() -> DownloadSettings {
    DownloadSettings { first_pause: Duration::from_millis(1), ..DownloadSettings::default() }
}

fn context(store: &Path, settings: DownloadSettings, events: &Arc<Mutex<Vec<Event>>>) -> Context {
    let events = Arc::clone(events);
    Context {
        store: Store::open(store.to_owned()).unwrap(),
        downloader: Downloader::new(settings),
        work: Work {
            jobs: 4,
            offline: false,
            listener: Arc::new(move |event| events.lock().unwrap().push(event)),
            ..Work::quiet()
        },
    }
}

pub fn request(url: &str, content: &[u8]) -> FetchRequest {
    FetchRequest {
        url: url.to_owned(),
        file_name: "demo.whl".into(),
        sha256: Digest::of(content),
        size: Some(content.len() as u64),
    }
}

/// The message with all of its causes, as the command line shows it.
pub fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}

/// Paths of all files below `folder`, sorted, `/`-separated.
pub fn files_below(folder: &Path) -> Vec<String> {
    let mut files: Vec<String> = walkdir::WalkDir::new(folder)
        .into_iter()
        .map(Result::unwrap)
        .filter(|entry| !entry.file_type().is_dir())
        .map(|entry| vocab::TreePath::relative(entry.path(), folder).unwrap().to_string())
        .collect();
    files.sort();
    files
}
