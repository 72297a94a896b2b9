//! Operators of extensions, run: the distribution is made ready, the extension unpacked, its server started, the call
//! checked and made.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};

use archive::{ExtractLimits, ExtractOptions, NameRules};
use extension::{Extension, Operator, TableForm, check_parameters};
use operator_server::{
    Call, InputValue, LoadRequest, OutputValue, PoolSettings, RunError, RunEvent, ServerKey, ServerPool,
    ServerSettings, TableCodec,
};
use serde_json::{Map, Value};
use vocab::{Digest, Fault, Work};

use crate::distribution::{EnvironmentEngine, ReadyDistribution};
use crate::extension_host::{AskedDistribution, ExtensionHost};
use crate::operator_error::OperatorError;

/// Servers at the same time.
const MOST_SERVERS: usize = 8;

/// Runs operators of the extensions of a host. Servers stay for further calls until this is dropped.
pub struct OperatorHost {
    pub host: ExtensionHost,
    pool: ServerPool,
    ready: BTreeMap<String, ReadyDistribution>,
    /// Namespaces that a server has imported, by its process.
    loaded: BTreeSet<(u32, String)>,
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
        Self { host, pool: ServerPool::default(), ready: BTreeMap::new(), loaded: BTreeSet::new() }
    }

    /// The operator that an id, `NAMESPACE:FUNCTION`, stands for.
    pub fn find(&self, namespace: &str, operator: &str) -> Result<(&Extension, &Operator), OperatorError> {
        let Some(active) = self.host.set.active.get(namespace) else {
            let is_it = |error: &&extension::ExtensionError| {
                error.path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&format!("{namespace}-")))
            };
            let reason = self.host.set.unavailable.iter().find(is_it).map(|error| error.kind.to_string());
            return Err(OperatorError::NoExtension { namespace: namespace.to_owned(), reason });
        };
        let operators = &active.extension.descriptor.operators;
        let found = operators.iter().find(|known| known.implementation == operator || known.key == operator);
        let unknown = || OperatorError::NoOperator {
            namespace: namespace.to_owned(),
            operator: operator.to_owned(),
            known: operators.iter().map(|known| known.implementation.clone()).collect(),
        };
        Ok((&active.extension, found.ok_or_else(unknown)?))
    }

    /// Runs an operator. Parameters and ports are checked before anything is installed or started.
    pub fn run(
        &mut self,
        work: &Work,
        engine: &dyn EnvironmentEngine,
        request: OperatorRequest,
        on_event: &mut dyn FnMut(RunEvent),
    ) -> Result<Vec<OutputValue>, Box<dyn Fault>> {
        let (extension, operator) = self.find(&request.namespace, &request.operator)?;
        let (extension, operator) = (extension.clone(), operator.clone());
        if let Some(parameter) = operator.unsupported() {
            let (operator, parameter) = (operator.implementation.clone(), parameter.clone());
            return Err(
                OperatorError::Unsupported { operator, parameter: parameter.name, kind: parameter.type_name }.into()
            );
        }
        let parameters = check_parameters(&operator, &request.parameters)?;
        check_ports(&operator, &request)?;
        let ready = self.prepared(&request.namespace, work, engine)?;
        let cache = self.host.settings.server.cache.value.clone().ok_or(OperatorError::NoCache)?;
        let paths = self.unpacked(&extension, &cache)?;
        let settings = self.server_settings(&ready, &cache);
        let key = ServerKey { folder: ready.folder.clone(), digest: ready.build.clone() };
        let server = self.pool.server(work, &key, PoolSettings { most_servers: MOST_SERVERS }, &settings)?;
        let of_server = (server.welcome().pid, request.namespace.clone());
        let outcome = (|| {
            if !self.loaded.contains(&of_server) {
                let load = LoadRequest {
                    extension: request.namespace.clone(),
                    version: extension.version().to_owned(),
                    module: extension.descriptor.extension.module.clone(),
                    paths,
                };
                server.load(work, &load, on_event)?;
                self.loaded.insert(of_server.clone());
            }
            let call = Call {
                extension: request.namespace,
                function: operator.implementation.clone(),
                parameters,
                inputs: request.inputs,
                outputs: output_names(&operator),
                codecs: request.codecs,
                seed: request.seed,
                limit: self.host.settings.server.run_timeout.value,
            };
            server.run(work, call, on_event)
        })();
        if matches!(outcome, Err(RunError::Crashed { .. })) {
            self.pool.crashed(&key);
        }
        Ok(outcome?)
    }

    /// Once for each distribution.
    fn prepared(
        &mut self,
        namespace: &str,
        work: &Work,
        engine: &dyn EnvironmentEngine,
    ) -> Result<ReadyDistribution, Box<dyn Fault>> {
        let asked: AskedDistribution = self.host.find(namespace)?;
        let id = asked.id.to_string();
        if let Some(ready) = self.ready.get(&id) {
            return Ok(ready.clone());
        }
        let resolved = self.host.resolve(&asked, engine)?;
        let ready = self.host.prepare(&asked, &resolved, engine, work)?;
        self.ready.insert(id, ready.clone());
        Ok(ready)
    }

    /// Folders to import from: the extension's own, then those of what it depends on, each once.
    fn unpacked(&self, extension: &Extension, cache: &Path) -> Result<Vec<PathBuf>, Box<dyn Fault>> {
        let mut wanted = vec![extension];
        let mut at = 0;
        while let Some(next) = wanted.get(at).copied() {
            at += 1;
            for dependency in &next.descriptor.extension.dependencies {
                let known = self.host.set.active.get(&dependency.name).map(|active| &active.extension);
                if let Some(other) = known.filter(|other| wanted.iter().all(|one| one.namespace() != other.namespace()))
                {
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
        wanted.into_iter().map(|one| self.unpack(one, cache)).collect()
    }

    /// By the digest of the zip, so that another version has another folder.
    fn unpack(&self, extension: &Extension, cache: &Path) -> Result<PathBuf, Box<dyn Fault>> {
        let read = |source| OperatorError::Read { path: extension.path.clone(), source };
        let (digest, _) = Digest::of_reader(File::open(&extension.path).map_err(read)?).map_err(read)?;
        let folder = cache.join("ext").join(digest.to_string());
        if folder.is_dir() {
            return Ok(folder);
        }
        let limits = ExtractLimits { bytes: self.host.settings.max_extract_bytes.value, ..ExtractLimits::default() };
        let options =
            ExtractOptions { names: NameRules::Windows, expected: Some(digest), limits, ..ExtractOptions::default() };
        match archive::extract(&extension.path, &folder, &options) {
            // Another process was as fast.
            Err(_) if folder.is_dir() => Ok(folder),
            extracted => extracted.map(|_| folder).map_err(Into::into),
        }
    }

    fn server_settings(&self, ready: &ReadyDistribution, cache: &Path) -> ServerSettings {
        let settings = &self.host.settings;
        let programs: &[&str] = match cfg!(windows) {
            true => &["", "Library/mingw-w64/bin", "Library/usr/bin", "Library/bin", "Scripts", "bin"],
            false => &["bin"],
        };
        let scratch = cache.join("runs");
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
