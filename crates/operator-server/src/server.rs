//! One server: started, greeted, asked, ended.

use std::collections::BTreeMap;
use std::io::{BufReader, Read as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use process::{ProgramEnd, ServedProgram};
use ring::rand::{SecureRandom as _, SystemRandom};
use serde_json::{Value, json};
use vocab::{Digest, Work};

use crate::call::{Call, Content, InputForm, OutputValue, RunEvent, secrets_of};
use crate::frame::{FrameError, LARGEST_CHUNK, read_frame, write_frame};
use crate::heard::{END_OF_RUN, Heard, LineGate, Teller, listen};
use crate::imports::{ImportOutlook, Imports, LoadRequest};
use crate::launch::{PROGRAM, ServerSettings, TableCodec, invocation, placed_program};
use crate::message::{OutputHeader, ServerMessage, Welcome};
use crate::outputs::{form_of, handles_in};
use crate::redact::Redaction;
use crate::server_error::{RunError, ServerError};

/// Of PDL1.
const PROTOCOL: u64 = 1;
/// The exit code with which a server says that no port is free.
const NO_PORT: &str = "PYDIST-SERVER-ERROR PORTS";
/// A call that was asked to stop is asked again after that long.
const AGAIN: Duration = Duration::from_secs(3);
/// How often a silent server is looked at.
const GLANCE: Duration = Duration::from_millis(50);

/// How long the end of something is waited for.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// After a call was asked to stop, until its server is killed.
    pub cancel: Duration,
    /// After a server was asked to end, until it is killed.
    pub shutdown: Duration,
}

impl Default for Patience {
    /// Ten seconds and five.
    fn default() -> Self {
        Self { cancel: Duration::from_secs(10), shutdown: Duration::from_secs(5) }
    }
}

/// A running server. Dropped, it ends.
pub struct OperatorServer {
    program: Option<ServedProgram>,
    stream: TcpStream,
    heard: Receiver<Heard>,
    gate: Arc<LineGate>,
    port: u16,
    welcome: Welcome,
    largest_body: u64,
    bodies: u64,
    runs: u64,
    /// Objects that calls left in the server, and when.
    handles: BTreeMap<String, Instant>,
    imports: Imports,
    pub patience: Patience,
}

impl OperatorServer {
    /// Starts the interpreter and waits until it takes calls.
    pub fn start(work: &Work, settings: &ServerSettings) -> Result<Self, ServerError> {
        let program = placed_program(&settings.cache)?;
        std::fs::create_dir_all(&settings.scratch)
            .map_err(|source| ServerError::Write { path: settings.scratch.clone(), source })?;
        let token = token();
        let first_line = first_line(settings, &token);
        let (sender, heard) = mpsc::sync_channel(8);
        let lines = sender.clone();
        let gate = Arc::new(LineGate::default());
        gate.open();
        let passing = Arc::clone(&gate);
        let served =
            process::serve(work, &invocation(work, settings, &program, &first_line), move |is_error, line| {
                if passing.lets_through(line) {
                    // Nobody listens once the server is dropped.
                    let _ = lines.send(Heard::Line { is_error, line: line.to_owned() });
                }
            })?;
        let (served, port) = await_port(work, settings, served, &heard)?;
        let protocol = |reason: String| ServerError::Protocol { expected: PROTOCOL, reason };
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let connect = || -> Result<(TcpStream, Welcome, BufReader<TcpStream>), FrameError> {
            let mut stream = TcpStream::connect_timeout(&address, settings.start_limit)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(settings.start_limit))?;
            write_frame(&mut stream, &json!({ "t": "HELLO", "token": token, "protocol": PROTOCOL }), &[])?;
            let mut reader = BufReader::with_capacity(1 << 16, stream.try_clone()?);
            let frame = read_frame(&mut reader)?.ok_or(FrameError::Cut)?;
            stream.set_read_timeout(None)?;
            match frame.message()? {
                ServerMessage::Welcome(welcome) => Ok((stream, welcome, reader)),
                other => Err(FrameError::Header { reason: format!("WELCOME was expected, not {other:?}") }),
            }
        };
        let (stream, welcome, reader) = connect().map_err(|error| protocol(with_cause(&error)))?;
        if welcome.protocol != PROTOCOL {
            return Err(protocol(format!("it speaks {}", welcome.protocol)));
        }
        thread::spawn(move || listen(reader, &sender));
        gate.close();
        Ok(Self {
            program: Some(served),
            stream,
            heard,
            gate,
            port,
            welcome,
            largest_body: settings.largest_body,
            bodies: 0,
            runs: 0,
            handles: BTreeMap::new(),
            imports: Imports::default(),
            patience: Patience::default(),
        })
    }

    /// What it said of itself.
    pub fn welcome(&self) -> &Welcome {
        &self.welcome
    }

    /// On which it listens, at 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether objects of former calls are in it.
    pub fn holds_objects(&self) -> bool {
        !self.handles.is_empty()
    }

    /// Number of objects of former calls in it.
    pub fn objects(&self) -> usize {
        self.handles.len()
    }

    /// What importing these modules would do here.
    pub fn outlook(&self, request: &LoadRequest) -> ImportOutlook {
        self.imports.outlook(request)
    }

    /// Whether it still runs. One that was idle for long ends by itself.
    pub fn is_alive(&mut self) -> bool {
        self.program.as_mut().is_some_and(|program| matches!(program.ended(), Ok(None)))
    }

    /// Imports an extension's module. `on_event` hears what it prints.
    pub fn load(
        &mut self,
        work: &Work,
        request: &LoadRequest,
        on_event: &mut dyn FnMut(RunEvent),
    ) -> Result<(), RunError> {
        let Some(own) = request.folders.first() else { return Ok(()) };
        let run = self.next_run();
        let paths: Vec<String> = request.folders.iter().map(|folder| folder.path.display().to_string()).collect();
        let header = json!({
            "t": "LOAD", "run": run, "ext": own.extension, "version": request.version, "module": own.module,
            "paths": paths,
        });
        self.imports.begin(request);
        self.ask(work, (run, &header), None, &Redaction::default(), on_event)?;
        self.imports.done(request);
        Ok(())
    }

    /// Runs an operator to its end. When the work is cancelled or the call's limit is over, the operator is asked to
    /// stop; if it does not, the server is killed with everything that the operator started.
    pub fn run(
        &mut self,
        work: &Work,
        call: Call,
        on_event: &mut dyn FnMut(RunEvent),
    ) -> Result<Vec<OutputValue>, RunError> {
        let run = self.next_run();
        let redaction = Redaction::of(secrets_of(&call));
        let mut inputs = Vec::new();
        for input in call.inputs {
            inputs.push(self.send_input(&input.port, input.form)?);
        }
        let header = json!({
            "t": "RUN", "run": run, "ext": call.extension, "function": call.function, "params": call.parameters,
            "inputs": inputs, "outputs": call.outputs, "codecs": call.codecs, "seed": call.seed,
        });
        let (outputs, mut bodies) = self.ask(work, (run, &header), call.limit, &redaction, on_event)?;
        let server = self.welcome.pid;
        let outputs = outputs
            .into_iter()
            .map(|header| Ok(OutputValue { port: header.port.clone(), form: form_of(header, &mut bodies, server)? }))
            .collect::<Result<Vec<_>, RunError>>()?;
        let now = Instant::now();
        self.handles.extend(outputs.iter().flat_map(|output| handles_in(&output.form)).map(|handle| (handle, now)));
        Ok(outputs)
    }

    /// Lets the server forget objects.
    pub fn release(&mut self, handles: &[String]) -> Result<(), RunError> {
        self.handles.retain(|handle, _| !handles.contains(handle));
        self.send(&json!({ "t": "RELEASE", "handles": handles }), &[])
    }

    /// Lets it forget the objects that are older.
    pub fn release_older(&mut self, than: Duration) -> Result<(), RunError> {
        let old = self.handles.iter().filter(|(_, since)| since.elapsed() >= than);
        let old: Vec<String> = old.map(|(handle, _)| handle.clone()).collect();
        if old.is_empty() { Ok(()) } else { self.release(&old) }
    }

    /// Ends it: first by asking, then by force.
    pub fn stop(mut self) -> ProgramEnd {
        self.shut_down(self.patience.shutdown)
    }

    fn shut_down(&mut self, grace: Duration) -> ProgramEnd {
        let Some(program) = self.program.take() else { return ProgramEnd { code: None, signal: None } };
        // It may be gone.
        let _ = write_frame(&mut self.stream, &json!({ "t": "SHUTDOWN", "grace": grace.as_secs_f64() }), &[]);
        program.end(grace)
    }

    fn next_run(&mut self) -> u64 {
        self.runs += 1;
        self.runs
    }

    fn send(&mut self, header: &Value, body: &[u8]) -> Result<(), RunError> {
        match write_frame(&mut self.stream, header, body) {
            Ok(()) => Ok(()),
            Err(FrameError::Io(_)) => Err(self.crash()),
            Err(error) => Err(RunError::Protocol(error)),
        }
    }

    /// Sends the content of an input first, and gives what stands for it in the call.
    fn send_input(&mut self, port: &str, form: InputForm) -> Result<Value, RunError> {
        Ok(match form {
            InputForm::None => json!({ "port": port, "form": "none" }),
            InputForm::Table { codec, content } => {
                json!({ "port": port, "form": "table", "codec": codec, "body": self.send_body(port, content)? })
            }
            InputForm::Path(path) => json!({ "port": port, "form": "file", "path": path.display().to_string() }),
            InputForm::File { name, content } => {
                json!({ "port": port, "form": "file", "name": name, "body": self.send_body(port, content)? })
            }
            InputForm::Bytes(content) => {
                json!({ "port": port, "form": "bytes", "body": self.send_body(port, content)? })
            }
            InputForm::Object { class, content } => {
                json!({ "port": port, "form": "object", "type": class, "body": self.send_body(port, content)? })
            }
            InputForm::Handle { server: owner, .. } if owner != self.welcome.pid => {
                return Err(RunError::ForeignHandle { port: port.to_owned(), owner });
            }
            InputForm::Handle { handle, .. } => json!({ "port": port, "form": "handle", "handle": handle }),
            InputForm::List(items) => {
                let items: Result<Vec<Value>, RunError> =
                    items.into_iter().map(|item| self.send_input(port, item)).collect();
                json!({ "port": port, "form": "list", "items": items? })
            }
            InputForm::Connection { values, secrets } => {
                json!({ "port": port, "form": "connection", "values": values, "secrets": secrets })
            }
        })
    }

    fn send_body(&mut self, port: &str, mut content: Content) -> Result<u64, RunError> {
        if content.length() > self.largest_body {
            return Err(RunError::TooLarge { port: port.to_owned(), largest: self.largest_body });
        }
        let disk = |source| RunError::Disk { what: "read the content of", path: PathBuf::from(port), source };
        content.rewind().map_err(disk)?;
        self.bodies += 1;
        let id = self.bodies;
        let mut chunk = vec![0; (content.length() as usize).clamp(1, LARGEST_CHUNK as usize)];
        // A file may have another length by now; what is read counts.
        let mut left = content.length();
        for part in 0_u64.. {
            let mut length = 0;
            while length < chunk.len() {
                match content.read(&mut chunk[length..]).map_err(disk)? {
                    0 => break,
                    read => length += read,
                }
            }
            left = left.saturating_sub(length as u64);
            let last = left == 0 || length < chunk.len();
            let mut header = json!({ "t": "BODY", "id": id, "part": part, "last": last });
            if part == 0 {
                header["size"] = content.length().into();
            }
            self.send(&header, &chunk[..length])?;
            if last {
                break;
            }
        }
        Ok(id)
    }

    /// Sends a message and hears the server until it answers this run.
    fn ask(
        &mut self,
        work: &Work,
        (run, header): (u64, &Value),
        limit: Option<Duration>,
        redaction: &Redaction,
        on_event: &mut dyn FnMut(RunEvent),
    ) -> Result<(Vec<OutputHeader>, BTreeMap<u64, Content>), RunError> {
        // Before it is sent: a quick operator has printed by the time that sending returns.
        self.gate.open();
        let sent = self.send(header, &[]);
        let answer = sent.and_then(|()| self.attend(work, run, limit, redaction, on_event));
        self.gate.close();
        // A line that was on its way would keep the server waiting.
        while self.heard.try_recv().is_ok() {}
        answer
    }

    fn attend(
        &mut self,
        work: &Work,
        run: u64,
        limit: Option<Duration>,
        redaction: &Redaction,
        on_event: &mut dyn FnMut(RunEvent),
    ) -> Result<(Vec<OutputHeader>, BTreeMap<u64, Content>), RunError> {
        let mut teller = Teller::new(redaction, on_event);
        let mut bodies = BTreeMap::<u64, (u64, Content)>::new();
        let began = Instant::now();
        let mut asked_to_stop = None;
        let mut repeats = 0;
        loop {
            let message = match self.heard.recv_timeout(GLANCE) {
                Ok(Heard::Line { is_error, line }) => {
                    teller.printed(is_error, line);
                    continue;
                }
                Ok(Heard::Frame(frame)) => {
                    let message = frame.message().map_err(RunError::Protocol)?;
                    if let ServerMessage::Body { id, part, last: _ } = message {
                        self.take_body(&mut bodies, id, part, &frame.body)?;
                        continue;
                    }
                    message
                }
                Ok(Heard::Broken(FrameError::Io(_) | FrameError::Cut) | Heard::End)
                | Err(RecvTimeoutError::Disconnected) => {
                    return Err(self.crash_or(asked_to_stop, limit));
                }
                Ok(Heard::Broken(error)) => {
                    self.kill();
                    return Err(RunError::Protocol(error));
                }
                Err(RecvTimeoutError::Timeout) if !self.is_alive() => {
                    return Err(self.crash_or(asked_to_stop, limit));
                }
                Err(RecvTimeoutError::Timeout) => {
                    let over = limit.is_some_and(|limit| began.elapsed() >= limit);
                    match asked_to_stop {
                        None if over || work.is_cancelled() => {
                            self.send(&json!({ "t": "CANCEL", "run": run }), &[])?;
                            asked_to_stop = Some((Instant::now(), over));
                        }
                        // Python drops an exception in a finalizer, so one interrupt may be lost.
                        Some((since, _))
                            if since.elapsed() >= AGAIN * (repeats + 1) && since.elapsed() < self.patience.cancel =>
                        {
                            repeats += 1;
                            self.send(&json!({ "t": "CANCEL", "run": run }), &[])?;
                        }
                        Some((since, _)) if since.elapsed() >= self.patience.cancel => {
                            self.kill();
                            return Err(self.crash_or(asked_to_stop, limit));
                        }
                        _ => {}
                    }
                    continue;
                }
            };
            match message {
                ServerMessage::Log { level, logger, text } => {
                    teller.tell(|redaction| RunEvent::Log { level, logger, text: redaction.apply(text) });
                }
                ServerMessage::Progress { fraction, text } => {
                    let text = redaction.apply(text);
                    (teller.on_event)(RunEvent::Progress { fraction: fraction.clamp(0.0, 1.0), text });
                }
                ServerMessage::Loaded { run: answered, marks, .. } if answered == run => {
                    teller.drain(&self.heard, marks);
                    return Ok((Vec::new(), BTreeMap::new()));
                }
                ServerMessage::Result { run: answered, outputs, marks } if answered == run => {
                    teller.drain(&self.heard, marks);
                    return Ok((outputs, bodies.into_iter().map(|(id, (_, content))| (id, content)).collect()));
                }
                ServerMessage::Error { run: answered, marks, swept, mut failure }
                    if answered.is_none_or(|answered| answered == run) =>
                {
                    teller.drain(&self.heard, marks);
                    // What the call started ends with the server; objects that are in it are worth more.
                    if swept == Some(false) && !self.holds_objects() {
                        self.kill();
                    }
                    failure.message = redaction.apply(failure.message);
                    failure.notes = failure.notes.into_iter().map(|note| redaction.apply(note)).collect();
                    for line in &mut failure.traceback {
                        line.text = redaction.apply(std::mem::take(&mut line.text));
                    }
                    return Err(match (RunError::of_failure(failure), asked_to_stop, limit) {
                        (RunError::Cancelled, Some((_, true)), Some(limit)) => RunError::TimedOut { limit },
                        (error, ..) => error,
                    });
                }
                ServerMessage::Bye { .. } => return Err(self.crash_or(asked_to_stop, limit)),
                // Answers to calls that were given up.
                _ => {}
            }
        }
    }

    fn take_body(
        &mut self,
        bodies: &mut BTreeMap<u64, (u64, Content)>,
        id: u64,
        part: u64,
        bytes: &[u8],
    ) -> Result<(), RunError> {
        let (next, content) = bodies.entry(id).or_insert_with(|| (0, Content::empty()));
        if *next != part {
            return Err(RunError::Message { reason: format!("part {part} of a body came instead of {next}") });
        }
        *next += 1;
        if content.length() + bytes.len() as u64 > self.largest_body {
            self.kill();
            return Err(RunError::TooLarge { port: format!("body {id}"), largest: self.largest_body });
        }
        let path = std::env::temp_dir();
        content.append(bytes).map_err(|source| RunError::Disk { what: "keep an output in", path, source })
    }

    fn crash_or(&mut self, asked_to_stop: Option<(Instant, bool)>, limit: Option<Duration>) -> RunError {
        match (self.crash(), asked_to_stop, limit) {
            (_, Some((_, true)), Some(limit)) => RunError::TimedOut { limit },
            (_, Some(_), _) => RunError::Cancelled,
            (crash, ..) => crash,
        }
    }

    /// How the server ended, when its connection did.
    fn crash(&mut self) -> RunError {
        const MOMENT: Duration = Duration::from_secs(2);
        let Some(program) = self.program.take() else {
            return RunError::Crashed { end: ProgramEnd { code: None, signal: None }, last_lines: Vec::new() };
        };
        self.gate.close();
        while self.heard.try_recv().is_ok() {}
        let mut program = program;
        let _ = program.wait(MOMENT);
        // Its last words come after its end.
        let lines = program.lines();
        let end = program.end(Duration::ZERO);
        let own = |line: &String| !line.starts_with(END_OF_RUN);
        RunError::Crashed { end, last_lines: lines.last_lines().into_iter().filter(own).collect() }
    }

    fn kill(&mut self) {
        if let Some(program) = self.program.take() {
            program.end(Duration::ZERO);
        }
    }
}

impl Drop for OperatorServer {
    fn drop(&mut self) {
        self.shut_down(self.patience.shutdown);
    }
}

/// 32 random bytes in hexadecimal digits.
fn token() -> String {
    let mut bytes = [0_u8; 32];
    SystemRandom::new().fill(&mut bytes).expect("the system gives random bytes");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn first_line(settings: &ServerSettings, token: &str) -> String {
    let codec = match settings.codec {
        TableCodec::Auto => "auto",
        TableCodec::Arrow => "arrow",
        TableCodec::Json => "json",
    };
    json!({
        "protocol": PROTOCOL, "token": token, "ports": settings.ports.map(|(low, high)| [low, high]),
        "idle": settings.idle.map(|idle| idle.as_secs_f64()), "log_level": settings.log_level, "codec": codec,
        "scratch": settings.scratch.display().to_string(), "max_body": settings.largest_body,
        "allow_outside_files": settings.allow_outside_files, "keep_runs": settings.keep_runs,
        "shim": Digest::of(PROGRAM.as_bytes()).to_string(),
    })
    .to_string()
}

/// Waits for the line with the port.
fn await_port(
    work: &Work,
    settings: &ServerSettings,
    mut program: ServedProgram,
    heard: &Receiver<Heard>,
) -> Result<(ServedProgram, u16), ServerError> {
    let began = Instant::now();
    let python = settings.python.clone();
    loop {
        match heard.recv_timeout(GLANCE) {
            Ok(Heard::Line { is_error: false, line }) => {
                let words: Vec<&str> = line.split(' ').collect();
                if line == NO_PORT {
                    let (low, high) = settings.ports.unwrap_or((0, 0));
                    return Err(ServerError::Ports { low, high });
                }
                if let ["PYDIST-SERVER", "1", port, _] = words[..]
                    && let Ok(port) = port.parse()
                {
                    return Ok((program, port));
                }
            }
            Ok(_) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => thread::sleep(GLANCE),
        }
        if let Ok(Some(_)) = program.ended() {
            let lines = program.lines();
            let end = program.end(Duration::ZERO);
            return Err(ServerError::Ended { python, end, last_lines: lines.last_lines() });
        }
        if work.is_cancelled() {
            return Err(ServerError::Cancelled);
        }
        if began.elapsed() >= settings.start_limit {
            let last_lines = program.lines().last_lines();
            return Err(ServerError::Slow { python, limit: settings.start_limit, last_lines });
        }
    }
}

fn with_cause(error: &FrameError) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
