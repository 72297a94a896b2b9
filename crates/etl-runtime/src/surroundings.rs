//! What the process was started with, and what commands make of it.

use std::cell::OnceCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use cli::{Printer, Process};
use etl_runtime::patience;
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
    of_pod: OnceCell<Context>,
    warm_store: OnceCell<Store>,
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
            of_pod: OnceCell::new(),
            warm_store: OnceCell::new(),
        }
    }

    pub fn work(&self) -> Work {
        let printer = Arc::clone(&self.printer);
        Work {
            environment: self.environment.clone(),
            jobs: std::thread::available_parallelism().map_or(2, usize::from),
            offline: false,
            cancelled: Arc::clone(&self.cancelled),
            listener: Arc::new(move |event| printer.tell(event)),
            ..Work::quiet()
        }
    }

    /// For what is made before any pod starts.
    pub fn context(&self, work: &Work, folder: &Path) -> Result<Context, NoStore> {
        self.context_with(work, folder, DownloadSettings::of)
    }

    /// For a pod, which does not wait long for servers. Made once; `folder` is the pod's.
    pub fn pod_context(&self, folder: &Path) -> Result<&Context, NoStore> {
        if let Some(context) = self.of_pod.get() {
            return Ok(context);
        }
        let work = Work { environment: patience::in_a_hurry(&self.environment), ..self.work() };
        let context = self.context_with(&work, folder, patience::downloads)?;
        Ok(self.of_pod.get_or_init(|| context))
    }

    /// The user's store, if it can be read and not written. Known once there is a [`Self::pod_context`].
    pub fn warm_store(&self) -> Option<&Store> {
        self.warm_store.get()
    }

    /// The store holds the installer, if that has to be set up, and wheels. Where the user's own cannot be written, as in a
    /// container, it is below `folder`.
    fn context_with(
        &self,
        work: &Work,
        folder: &Path,
        settings: impl Fn(&Environment) -> DownloadSettings,
    ) -> Result<Context, NoStore> {
        let own = folder.join("store");
        let users = store::choose_root(None, &self.environment, Os::Linux);
        let mut work = work.clone();
        let opened = users.clone().map(|root| Store::open_or_read(root, folder.to_owned()));
        let store = match opened {
            Some(Ok(store)) if store.is_read_only() => {
                let root = store.root().display();
                work.note(format!("the store `{root}` can only be read; what it lacks comes into `{}`", own.display()));
                let named = store.root().to_owned();
                let _ = self.warm_store.set(store);
                Store::open(own.clone()).map_err(|source| NoStore { named, own, source })?
            }
            Some(Ok(store)) => store,
            refused => {
                if let (Some(Err(error)), Some(root)) = (&refused, &users) {
                    let (root, own) = (root.display(), own.display());
                    work.note(format!("the store `{root}` cannot be used ({error}), so it is `{own}`"));
                }
                let named = users.unwrap_or_else(|| own.clone());
                Store::open(own.clone()).map_err(|source| NoStore { named, own, source })?
            }
        };
        work.environment = with_uv_cache(&work.environment, &folder.join("uv-cache"));
        let downloader = Downloader::new(settings(&work.environment));
        Ok(Context { store, downloader, remote: None, default_index: None, work })
    }
}

/// No folder for wheels can be written.
#[derive(Debug, thiserror::Error, Fault)]
#[error("neither `{}` nor `{}` can be a store", named.display(), own.display())]
#[fault(
    "E_ETL_WORK",
    Build,
    hint("name a folder that this user may write with ETL_WORK, and PYDIST_STORE for the store alone")
)]
pub struct NoStore {
    named: PathBuf,
    own: PathBuf,
    source: StoreError,
}

/// uv's cache is in `folder` where the user has no folder for caches, as in a container.
fn with_uv_cache(environment: &Environment, folder: &Path) -> Environment {
    let name = "UV_CACHE_DIR";
    let users = store::default_root(environment, Os::Linux);
    let is_writable = |folder: &Path| fs::create_dir_all(folder).is_ok() && tempfile::tempfile_in(folder).is_ok();
    if environment.text(name).is_some() || users.as_deref().and_then(Path::parent).is_some_and(is_writable) {
        return environment.clone();
    }
    let variables = environment.iter().map(|(name, value)| (name.clone(), value.clone()));
    Environment::new(variables.chain([(name.into(), folder.as_os_str().to_owned())]))
}
