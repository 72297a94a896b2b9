//! What the process was started with, and what commands make of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use cli::{Printer, Process};
use store::download::{DownloadSettings, Downloader};
use store::{Context, Store, StoreError};
use vocab::{Environment, Exit, Fault, Os, Work};

pub type EtlOutcome = Result<Exit, Box<dyn Fault>>;

/// What the process was started with.
pub struct Surroundings {
    pub printer: Arc<Printer>,
    pub environment: Environment,
    cancelled: Arc<AtomicBool>,
    /// This program's own file.
    pub program: Option<PathBuf>,
    /// The current one.
    pub folder: PathBuf,
}

impl Surroundings {
    /// As the frame of programs found them.
    pub fn of(process: &Process) -> Self {
        Self {
            printer: Arc::clone(&process.printer),
            environment: Environment::new(process.variables.clone()),
            cancelled: Arc::clone(&process.cancelled),
            program: std::env::current_exe().ok(),
            folder: std::env::current_dir().unwrap_or_default(),
        }
    }

    pub fn work(&self) -> Work {
        let printer = Arc::clone(&self.printer);
        Work {
            environment: self.environment.clone(),
            offline: false,
            cancelled: Arc::clone(&self.cancelled),
            listener: Arc::new(move |event| printer.tell(event)),
            ..Work::quiet()
        }
    }

    /// The store holds the installer, if that has to be set up, and wheels. Where the user's own cannot be written, as in a
    /// container, it is below `folder`.
    pub fn context(&self, work: &Work, folder: &Path) -> Result<Context, StoreError> {
        let own = folder.join("store");
        let root = store::choose_root(None, &self.environment, Os::Linux).unwrap_or_else(|| own.clone());
        let store = Store::open(root).or_else(|_| Store::open(own))?;
        let downloader = Downloader::new(DownloadSettings::of(&self.environment));
        Ok(Context { store, downloader, remote: None, default_index: None, work: work.clone() })
    }
}
