//! Operators of extensions, run: the distribution is made ready, the extension unpacked, its server started, the call
//! checked and made.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, TryLockError};
use std::time::Duration;

use archive::{ExtractLimits, ExtractOptions, NameRules};
use extension::{Extension, LoaderSettings, Operator, TableForm, check_parameters};
use operator_server::{
    Call, ImportFolder, ImportOutlook, InputValue, LoadRequest, OutputValue, PoolSettings, RunError, RunEvent,
    ServerError, ServerKey, ServerLease, ServerPool, ServerSettings, TableCodec,
};
use serde_json::{Map, Value};
use tree_table::FileStamp;
use vocab::{Digest, Fault, Work};

use crate::distribution::{EnvironmentEngine, ReadyDistribution, mark_used};
use crate::extension_host::{AskedDistribution, ExtensionHost};
use crate::operator_error::OperatorError;

/// How often a call that waits for a distribution looks whether it was cancelled.
const GLANCE: Duration = Duration::from_millis(20);
/// In the cache: unpacked extensions by the digests of their zips, and folders of calls.
pub(crate) const UNPACKED: &str = "ext";
pub(crate) const RUNS: &str = "runs";

/// Runs operators of the extensions of a host. Servers stay for further calls until this is dropped. Any thread may call.
pub struct OperatorHost {
    host: RwLock<Arc<ExtensionHost>>,
    pool: ServerPool,
    ready: Mutex<BTreeMap<String, Arc<Mutex<Option<Prepared>>>>>,
}

/// A distribution that was made ready, and what it was made of then.
struct Prepared {
    distribution: ReadyDistribution,
    stamps: [Option<FileStamp>; 2],
}

/// What to run.
#[derive(Debug)]
pub struct OperatorRequest {
    pub namespace: String,
    /// Name of the function, or the operator's key.
    pub operator: String,
    pub parameters: Map<String, Value>,
    pub inputs: Vec<InputValue>,
    /// Outputs that somebody wants to have.
    pub wanted: Vec<String>,
    /// Codecs of those of them that are tables, by their names.
    pub codecs: BTreeMap<String, String>,
    pub seed: Option<i64>,
}

impl OperatorHost {
    pub fn new(host: ExtensionHost) -> Self {
        let server = &host.settings.server;
        let settings = PoolSettings { most_servers: server.most_servers.value, keep_objects: server.handle_ttl.value };
        Self { pool: ServerPool::new(settings), host: RwLock::new(Arc::new(host)), ready: Mutex::default() }
    }

    /// The extensions as they were scanned last.
    pub fn host(&self) -> Arc<ExtensionHost> {
        Arc::clone(&self.host.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes over extensions that were scanned again. Calls that run go on with the former ones.
    pub fn set_host(&self, host: ExtensionHost) {
        *self.host.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(host);
        // Ids may lead to other archives or folders.
        locked(&self.ready).clear();
    }

    pub fn servers(&self) -> &ServerPool {
        &self.pool
    }

    /// The operator that an id, `NAMESPACE:FUNCTION`, stands for.
    pub fn find(&self, namespace: &str, operator: &str) -> Result<Operator, Box<dyn Fault>> {
        let host = self.host();
        let operators = &host.extension(namespace)?.descriptor.operators;
        let found = operators.iter().find(|known| known.implementation == operator || known.key == operator);
        let unknown = || OperatorError::NoOperator {
            namespace: namespace.to_owned(),
            operator: operator.to_owned(),
            known: operators.iter().map(|known| known.implementation.clone()).collect(),
        };
        Ok(found.cloned().ok_or_else(unknown)?)
    }

    /// Runs an operator. Parameters and ports are checked before anything is installed or started.
    pub fn run(
        &self,
        work: &Work,
        engine: &dyn EnvironmentEngine,
        request: OperatorRequest,
        on_event: &mut dyn FnMut(RunEvent),
    ) -> Result<Vec<OutputValue>, Box<dyn Fault>> {
        let operator = self.find(&request.namespace, &request.operator)?;
        if let Some(parameter) = operator.unsupported() {
            let (operator, parameter) = (operator.implementation.clone(), parameter.clone());
            return Err(
                OperatorError::Unsupported { operator, parameter: parameter.name, kind: parameter.type_name }.into()
            );
        }
        let parameters = check_parameters(&operator, &request.parameters)?;
        check_ports(&operator, &request)?;
        let host = self.host();
        let mut server = self.loaded(&host, &request.namespace, work, engine, on_event)?;
        let call = Call {
            extension: request.namespace,
            function: operator.implementation.clone(),
            parameters,
            inputs: request.inputs,
            outputs: output_names(&operator),
            codecs: request.codecs,
            seed: request.seed,
            limit: host.settings.server.run_timeout.value,
        };
        let outcome = server.run(work, call, on_event);
        if matches!(outcome, Err(RunError::Crashed { .. })) {
            server.crashed();
        }
        match outcome {
            // Objects end with their server; what runs on that runtime now is another one.
            Err(RunError::ForeignHandle { port, owner }) if !self.pool.is_running(owner) => {
                Err(RunError::LostWithServer { port }.into())
            }
            outcome => Ok(outcome?),
        }
    }

    /// Starts the server of an extension and imports its module, so that the first call does not wait for that. Gives the
    /// server's process number.
    pub fn warm(
        &self,
        work: &Work,
        engine: &dyn EnvironmentEngine,
        namespace: &str,
        on_event: &mut dyn FnMut(RunEvent),
    ) -> Result<u32, Box<dyn Fault>> {
        let host = self.host();
        host.extension(namespace)?;
        Ok(self.loaded(&host, namespace, work, engine, on_event)?.welcome().pid)
    }

    /// Makes a distribution ready, by an extension's namespace or its id, even if it was before.
    pub fn prepare(
        &self,
        asked: &str,
        work: &Work,
        engine: &dyn EnvironmentEngine,
    ) -> Result<ReadyDistribution, Box<dyn Fault>> {
        let host = self.host();
        let asked = host.find(asked)?;
        self.ready_distribution(&host, &asked, work, engine, false)
    }

    /// A server on the extension's distribution that has imported its module.
    fn loaded(
        &self,
        host: &ExtensionHost,
        namespace: &str,
        work: &Work,
        engine: &dyn EnvironmentEngine,
        on_event: &mut dyn FnMut(RunEvent),
    ) -> Result<ServerLease<'_>, Box<dyn Fault>> {
        let asked = host.find(namespace)?;
        let ready = self.ready_distribution(host, &asked, work, engine, true)?;
        let cache = host.settings.server.cache.value.clone().ok_or(OperatorError::NoCache)?;
        let extension = host.extension(namespace)?;
        let load =
            LoadRequest { version: extension.version().to_owned(), folders: import_folders(host, extension, &cache)? };
        let settings = server_settings(&host.settings, &ready, &cache);
        let key = key_of(&ready);
        let lend = || self.pool.lend(work, &key, &settings, || mark_used(&ready.folder));
        let mut server = lend()?;
        if server.outlook(&load) == ImportOutlook::Outdated {
            server.end();
            server = lend()?;
        }
        match server.outlook(&load) {
            ImportOutlook::Done => return Ok(server),
            ImportOutlook::Possible | ImportOutlook::Outdated => {}
            ImportOutlook::Clash { module, other } => {
                return Err(OperatorError::ModuleClash { module, one: other, other: namespace.to_owned() }.into());
            }
        }
        match server.load(work, &load, on_event) {
            Ok(()) => Ok(server),
            Err(error) => {
                if matches!(error, RunError::Crashed { .. }) {
                    server.crashed();
                }
                Err(error.into())
            }
        }
    }

    /// Made ready once, and again when its archive or its Python was replaced: the server on the former one ends with its
    /// calls, and the next one starts on the new.
    pub(crate) fn ready_distribution(
        &self,
        host: &ExtensionHost,
        asked: &AskedDistribution,
        work: &Work,
        engine: &dyn EnvironmentEngine,
        may_be_known: bool,
    ) -> Result<ReadyDistribution, Box<dyn Fault>> {
        let slot = Arc::clone(locked(&self.ready).entry(asked.id.to_string()).or_default());
        let mut prepared = loop {
            match slot.try_lock() {
                Ok(prepared) => break prepared,
                Err(TryLockError::Poisoned(prepared)) => break prepared.into_inner(),
                Err(TryLockError::WouldBlock) if work.is_cancelled() => return Err(ServerError::Cancelled.into()),
                Err(TryLockError::WouldBlock) => std::thread::sleep(GLANCE),
            }
        };
        if may_be_known
            && let Some(known) = &*prepared
            && known.stamps == stamps_of(&known.distribution)
        {
            return Ok(known.distribution.clone());
        }
        let resolved = host.resolve(asked, engine)?;
        let distribution = host.prepare(asked, &resolved, engine, work)?;
        let stamps = stamps_of(&distribution);
        let former = prepared.replace(Prepared { distribution: distribution.clone(), stamps });
        if let Some(former) = former.map(|former| key_of(&former.distribution))
            && former != key_of(&distribution)
        {
            self.pool.retire(&former);
        }
        Ok(distribution)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn key_of(ready: &ReadyDistribution) -> ServerKey {
    ServerKey { folder: ready.folder.clone(), digest: ready.build.clone() }
}

fn stamps_of(ready: &ReadyDistribution) -> [Option<FileStamp>; 2] {
    [&ready.source, &ready.python].map(|path| fs::metadata(path).ok().map(|metadata| FileStamp::of(&metadata)))
}

/// Folders to import from: the extension's own, then those of what it depends on, each once.
fn import_folders(
    host: &ExtensionHost,
    extension: &Extension,
    cache: &Path,
) -> Result<Vec<ImportFolder>, Box<dyn Fault>> {
    let mut wanted = vec![extension];
    let mut at = 0;
    while let Some(next) = wanted.get(at).copied() {
        at += 1;
        for dependency in &next.descriptor.extension.dependencies {
            let known = host.set.active.get(&dependency.name).map(|active| &active.extension);
            if let Some(other) = known.filter(|other| wanted.iter().all(|one| one.namespace() != other.namespace())) {
                wanted.push(other);
            }
        }
    }
    for (number, one) in wanted.iter().enumerate() {
        let module = &one.descriptor.extension.module;
        if let Some(other) = wanted[..number].iter().find(|other| other.descriptor.extension.module == *module) {
            let (one, other) = (one.namespace().to_owned(), other.namespace().to_owned());
            return Err(OperatorError::ModuleClash { module: module.clone(), one: other, other: one }.into());
        }
    }
    let folder = |one: &Extension| {
        let (extension, module) = (one.namespace().to_owned(), one.descriptor.extension.module.clone());
        Ok(ImportFolder { extension, module, path: unpack(&host.settings, one, cache)? })
    };
    wanted.into_iter().map(folder).collect()
}

/// By the digest of the zip, so that another version has another folder.
fn unpack(settings: &LoaderSettings, extension: &Extension, cache: &Path) -> Result<PathBuf, Box<dyn Fault>> {
    let read = |source| OperatorError::Read { path: extension.path.clone(), source };
    let (digest, _) = Digest::of_reader(File::open(&extension.path).map_err(read)?).map_err(read)?;
    let folder = cache.join(UNPACKED).join(digest.to_string());
    if folder.is_dir() {
        return Ok(folder);
    }
    let limits = ExtractLimits { bytes: settings.max_extract_bytes.value, ..ExtractLimits::default() };
    let options =
        ExtractOptions { names: NameRules::Windows, expected: Some(digest), limits, ..ExtractOptions::default() };
    match archive::extract(&extension.path, &folder, &options) {
        // Another process was as fast.
        Err(_) if folder.is_dir() => Ok(folder),
        extracted => extracted.map(|_| folder).map_err(Into::into),
    }
}

fn server_settings(settings: &LoaderSettings, ready: &ReadyDistribution, cache: &Path) -> ServerSettings {
    let programs: &[&str] = match cfg!(windows) {
        true => &["", "Library/mingw-w64/bin", "Library/usr/bin", "Library/bin", "Scripts", "bin"],
        false => &["bin"],
    };
    let scratch = cache.join(RUNS);
    ServerSettings {
        program_folders: programs.iter().map(|name| ready.folder.join(name)).collect(),
        ports: settings.ports,
        idle: settings.idle_shutdown.value,
        start_limit: settings.server.start_timeout.value,
        codec: match settings.server.table_codec.value {
            TableForm::Auto => TableCodec::Auto,
            TableForm::Arrow => TableCodec::Arrow,
            TableForm::Json => TableCodec::Json,
        },
        log_level: if settings.debug_mode.value == extension::DebugMode::All { 10 } else { 20 },
        pass_variables: settings.server.pass_variables.value.clone(),
        allow_outside_files: settings.server.allow_outside_files.value,
        largest_body: settings.server.max_body.value,
        keep_runs: settings.debug_mode.value == extension::DebugMode::All,
        ..ServerSettings::new(&ready.python, cache, scratch)
    }
}

/// As the function returns them; an operator without outputs may still return something, which is dropped.
fn output_names(operator: &Operator) -> Vec<String> {
    operator.outputs.iter().map(|port| port.name.clone()).collect()
}

fn check_ports(operator: &Operator, request: &OperatorRequest) -> Result<(), OperatorError> {
    let mut faults = Vec::new();
    let is_input = |name: &str| {
        let connection =
            |parameter: &extension::Parameter| parameter.kind == Some(extension::ParameterType::Connection);
        operator.inputs.iter().any(|port| port.name == name)
            || operator.parameters.iter().any(|parameter| connection(parameter) && parameter.name == name)
    };
    for input in request.inputs.iter().filter(|input| !is_input(&input.port)) {
        faults.push(format!("it has no input `{}`", input.port));
    }
    for port in operator.inputs.iter().filter(|port| !port.optional) {
        if request.inputs.iter().all(|input| input.port != port.name) {
            faults.push(format!("its input `{}` is missing", port.name));
        }
    }
    for name in &request.wanted {
        if operator.outputs.iter().all(|port| port.name != *name) {
            faults.push(format!("it has no output `{name}`"));
        }
    }
    if faults.is_empty() {
        return Ok(());
    }
    let names = |ports: &[extension::Port]| ports.iter().map(|port| port.name.clone()).collect();
    let (inputs, outputs) = (names(&operator.inputs), names(&operator.outputs));
    Err(OperatorError::Ports { operator: operator.implementation.clone(), faults, inputs, outputs })
}
