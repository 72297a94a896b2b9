//! One host's session: requests are heard one after another and done side by side.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

use loader::distribution::NoEngine;
use loader::{ExtensionHost, ExtensionState, OperatorHost, OperatorRequest};
use operator_server::InputValue;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use vocab::typed_json::{self, TypedDocument};
use vocab::{Fault, Work};

use super::host_error::HostError;
use super::line_reader::{HostLine, LONGEST_LINE, next_line};
use super::message::{
    CancelRequest, HelloRequest, InspectRequest, NameRequest, PROTOCOL, ReleaseRequest, RequestHead, RunRequest,
    StopRequest, answer, refusal, run_event, state, state_event, work_event,
};
use super::values;
use crate::extension_json;
use crate::operator_files::codec_of;

/// Requests that are worked on at the same time.
const MOST_REQUESTS: usize = 64;
/// How often it is seen whether somebody interrupts this program.
const GLANCE: Duration = Duration::from_millis(100);
/// How often old objects are looked for.
const UPKEEP: Duration = Duration::from_secs(1);
const METHODS: [&str; 14] = [
    "hello", "list", "rescan", "load", "inspect", "resolve", "prepare", "warm", "run", "cancel", "release", "servers",
    "stop", "close",
];

/// What a session is made of.
pub struct ServeRequest<'a> {
    pub host: ExtensionHost,
    pub work: Work,
    /// Scans extensions again.
    pub rescan: &'a (dyn Fn() -> Result<ExtensionHost, Box<dyn Fault>> + Sync),
    /// Writes a line to the host.
    pub say: &'a (dyn Fn(&Value) + Sync),
}

struct Session<'a> {
    operators: OperatorHost,
    work: Work,
    rescan: &'a (dyn Fn() -> Result<ExtensionHost, Box<dyn Fault>> + Sync),
    say: &'a (dyn Fn(&Value) + Sync),
    /// Requests without an answer, and the flag that cancels each.
    running: Mutex<BTreeMap<String, Arc<AtomicBool>>>,
}

/// Serves until the input ends or the host says `close`; then every server has ended. At the end of the input what still
/// runs is cancelled: the host is gone.
pub fn serve(request: ServeRequest<'_>, input: impl BufRead + Send + 'static) {
    let ServeRequest { host, work, rescan, say } = request;
    let session = Session { operators: OperatorHost::new(host), work, rescan, say, running: Mutex::default() };
    let lines = lines_of(input);
    session.load_if_synchronous();
    let closing = thread::scope(|scope| {
        let closing = session.hear_all(scope, &lines);
        if closing.is_none() {
            session.cancel_all();
        }
        closing
    });
    session.operators.servers().stop(|_| true);
    if let Some(id) = closing {
        session.say(&answer(&id, &json!({})));
    }
}

/// Read by a thread of its own, which ends with the input.
fn lines_of(mut input: impl BufRead + Send + 'static) -> Receiver<HostLine> {
    let (sender, lines) = mpsc::sync_channel(1);
    thread::spawn(move || {
        while let Ok(Some(line)) = next_line(&mut input, LONGEST_LINE) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// A request that was understood so far.
struct Heard {
    id: Value,
    method: String,
    document: TypedDocument,
}

impl Heard {
    fn members<T: DeserializeOwned>(&self) -> Result<T, HostError> {
        self.document.read().map_err(|error| HostError::Members { method: self.method.clone(), error })
    }

    fn wrong(&self, reason: &str) -> HostError {
        HostError::Request { method: self.method.clone(), reason: reason.to_owned() }
    }
}

type Answered = Result<Value, Box<dyn Fault>>;

impl Session<'_> {
    /// Returns the id of the request that closed the session; `None` at the end of the input or when interrupted.
    fn hear_all<'scope, 'env: 'scope>(
        &'env self,
        scope: &'scope Scope<'scope, 'env>,
        lines: &Receiver<HostLine>,
    ) -> Option<Value> {
        let mut kept_up = Instant::now();
        loop {
            match lines.recv_timeout(GLANCE) {
                Ok(line) => {
                    let Some(heard) = self.understood(line) else { continue };
                    match &*heard.method {
                        "close" => return Some(heard.id),
                        // Answered at once, however many others wait.
                        "hello" | "cancel" => {
                            let answered = if heard.method == "hello" { hello(&heard) } else { self.cancel(&heard) };
                            self.finish(&heard.id, answered);
                        }
                        _ => self.begin(scope, heard),
                    }
                }
                Err(RecvTimeoutError::Timeout) if self.work.is_cancelled() => return None,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return None,
            }
            if kept_up.elapsed() >= UPKEEP {
                self.operators.servers().forget_old_objects();
                kept_up = Instant::now();
            }
        }
    }

    /// Answers what is not a request.
    fn understood(&self, line: HostLine) -> Option<Heard> {
        let refused = |id: &Value, error: HostError| {
            self.say(&refusal(id, &error));
            None
        };
        let HostLine::Whole(bytes) = line else { return refused(&Value::Null, HostError::TooLong) };
        let read = typed_json::parse(&bytes).and_then(|document| Ok((document.read::<RequestHead>()?, document)));
        let (RequestHead { id, method }, document) = match read {
            Ok(read) => read,
            Err(error) => return refused(&Value::Null, HostError::Syntax(error)),
        };
        if !(id.is_string() || id.is_number()) {
            return refused(&Value::Null, HostError::NoId);
        }
        if !METHODS.contains(&&*method) {
            return refused(&id, HostError::Method { method, known: METHODS.join(", ") });
        }
        Some(Heard { id, method, document })
    }

    fn begin<'scope, 'env: 'scope>(&'env self, scope: &'scope Scope<'scope, 'env>, heard: Heard) {
        let cancelled = Arc::new(AtomicBool::new(false));
        let key = heard.id.to_string();
        let refused = {
            let mut running = self.running();
            if running.contains_key(&key) {
                Some(HostError::IdInUse)
            } else if running.len() >= MOST_REQUESTS {
                Some(HostError::Busy { most: MOST_REQUESTS })
            } else {
                running.insert(key.clone(), Arc::clone(&cancelled));
                None
            }
        };
        if let Some(error) = refused {
            return self.say(&refusal(&heard.id, &error));
        }
        scope.spawn(move || {
            let answered = self.answered(&heard, cancelled);
            self.running().remove(&key);
            self.finish(&heard.id, answered);
        });
    }

    fn answered(&self, heard: &Heard, cancelled: Arc<AtomicBool>) -> Answered {
        match &*heard.method {
            "list" => Ok(self.list()),
            "rescan" => {
                self.operators.set_host((self.rescan)()?);
                self.load_if_synchronous();
                Ok(self.list())
            }
            "inspect" => self.inspect(heard),
            "resolve" => {
                let NameRequest { name } = heard.members()?;
                let host = self.operators.host();
                let asked = host.find(&name)?;
                let (probe, decision) = host.resolve(&asked, &NoEngine)?;
                Ok(extension_json::resolved(&asked, &probe, decision))
            }
            "release" => self.release(heard, cancelled),
            "servers" => Ok(json!({ "servers": self.operators.servers().running() })),
            "stop" => {
                let StopRequest { pid } = heard.members()?;
                let servers = self.operators.servers();
                let of_pid = servers.running().into_iter().find(|server| pid.is_some() && server.pid == pid);
                let wanted = |key: &_| pid.is_none() || of_pid.as_ref().is_some_and(|server| server.key == *key);
                Ok(json!({ "stopped": servers.stop(wanted) }))
            }
            _ => self.worked_on(heard, cancelled),
        }
    }

    /// What may take long, and speaks meanwhile.
    fn worked_on(&self, heard: &Heard, cancelled: Arc<AtomicBool>) -> Answered {
        let id = &heard.id;
        let (sender, events) = mpsc::channel();
        let listener = Arc::new(move |event| drop(sender.send(event)));
        let work = Work { cancelled, listener, ..self.work.clone() };
        thread::scope(|scope| {
            scope.spawn(move || {
                for event in events {
                    work_event(id, &event).iter().for_each(|event| self.say(event));
                }
            });
            // Dropped at the end, which ends the thread.
            let work = work;
            let mut on_event = |event| self.say(&run_event(id, &event));
            match &*heard.method {
                "prepare" => {
                    let NameRequest { name } = heard.members()?;
                    Ok(json!(self.operators.prepare(&name, &work, &NoEngine)?))
                }
                "load" => {
                    let tell = |of: &ExtensionState| self.say(&state_event(id, of));
                    let states = self.operators.load(&work, &NoEngine, &tell)?;
                    Ok(json!({ "extensions": states.iter().map(state).collect::<Vec<_>>() }))
                }
                "warm" => {
                    let NameRequest { name } = heard.members()?;
                    Ok(json!({ "pid": self.operators.warm(&work, &NoEngine, &name, &mut on_event)? }))
                }
                _ => self.run(heard, &work, &mut on_event),
            }
        })
    }

    fn run(&self, heard: &Heard, work: &Work, on_event: &mut dyn FnMut(operator_server::RunEvent)) -> Answered {
        let RunRequest { operator, parameters, inputs, outputs, seed } = heard.members()?;
        let (namespace, name) =
            operator.split_once(':').ok_or_else(|| heard.wrong("`operator` is NAMESPACE:FUNCTION"))?;
        let known = self.operators.find(namespace, name)?;
        let targets: BTreeMap<String, PathBuf> =
            outputs.into_iter().map(|(port, output)| (port, output.path)).collect();
        let input = |(port, value): (String, Value)| -> Result<InputValue, Box<dyn Fault>> {
            let form = values::input(&known, &port, &value)?;
            Ok(InputValue { port, form })
        };
        let codec = |(port, path): (&String, &PathBuf)| Some((port.clone(), codec_of(path)?.to_owned()));
        let request = OperatorRequest {
            namespace: namespace.to_owned(),
            operator: name.to_owned(),
            parameters,
            inputs: inputs.into_iter().map(input).collect::<Result<_, _>>()?,
            codecs: targets.iter().filter_map(codec).collect(),
            wanted: targets.keys().cloned().collect(),
            seed,
        };
        let mut said = serde_json::Map::new();
        for output in self.operators.run(work, &NoEngine, request, on_event)? {
            let target = targets.get(&output.port).map(PathBuf::as_path);
            let value = values::output(&output.port, output.form, target)?;
            said.insert(output.port, value);
        }
        Ok(json!({ "outputs": said }))
    }

    /// With `pysdk.pel.forceSynchronousLoading` nothing is answered before every extension is ready or unavailable.
    fn load_if_synchronous(&self) {
        if self.operators.host().settings.synchronous.value {
            // Which are unavailable is seen when they are used, or by the method `load`.
            let _ = self.operators.load(&self.work, &NoEngine, &|_| {});
        }
    }

    fn list(&self) -> Value {
        extension_json::listed(&self.operators.host())
    }

    fn inspect(&self, heard: &Heard) -> Answered {
        match heard.members()? {
            InspectRequest { extension: Some(namespace), zip: None } => {
                Ok(json!(self.operators.host().extension(&namespace)?))
            }
            InspectRequest { extension: None, zip: Some(zip) } => Ok(json!(extension_json::inspected(&zip)?)),
            _ => Err(heard.wrong("`extension` or `zip` is expected").into()),
        }
    }

    /// Waits for the servers that have the objects. What is gone is released.
    fn release(&self, heard: &Heard, cancelled: Arc<AtomicBool>) -> Answered {
        let ReleaseRequest { handles } = heard.members()?;
        let mut by_server: BTreeMap<u32, Vec<String>> = BTreeMap::new();
        for handle in &handles {
            let (server, name) =
                values::split_handle(handle).ok_or_else(|| heard.wrong("a handle is given as it was answered"))?;
            by_server.entry(server).or_default().push(name.to_owned());
        }
        let work = Work { cancelled, ..self.work.clone() };
        for (server, names) in by_server {
            if let Some(mut lease) = self.operators.servers().lend_running(&work, server)? {
                // A server that has just ended has released them.
                let _ = lease.release(&names);
            }
        }
        Ok(json!({}))
    }

    fn cancel(&self, heard: &Heard) -> Answered {
        let CancelRequest { request } = heard.members()?;
        let running = self.running();
        let flag = running.get(&request.to_string());
        if let Some(flag) = flag {
            flag.store(true, Ordering::Relaxed);
        }
        Ok(json!({ "was_running": flag.is_some() }))
    }

    fn cancel_all(&self) {
        for flag in self.running().values() {
            flag.store(true, Ordering::Relaxed);
        }
    }

    fn finish(&self, id: &Value, answered: Answered) {
        match answered {
            Ok(result) => self.say(&answer(id, &result)),
            Err(fault) => self.say(&refusal(id, &*fault)),
        }
    }

    fn say(&self, value: &Value) {
        (self.say)(value);
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<String, Arc<AtomicBool>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hello(heard: &Heard) -> Answered {
    let HelloRequest { protocol } = heard.members()?;
    match protocol {
        Some(asked) if asked != PROTOCOL => Err(HostError::Protocol { asked }.into()),
        _ => Ok(json!({
            "protocol": PROTOCOL, "program": "pydist", "version": env!("CARGO_PKG_VERSION"),
            "methods": METHODS, "longest_line": LONGEST_LINE, "most_requests": MOST_REQUESTS,
        })),
    }
}
