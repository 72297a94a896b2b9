//! Runtimes with the SDK, pickled classes, running servers and requests to them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Those that there are servers for.
pub const PYTHONS: [&str; 6] = ["3.9", "3.10", "3.11", "3.12", "3.13", "3.14"];
pub const FRAMEWORKS: [&str; 3] = ["fastapi", "flask", "threaded"];
/// For a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(120);

/// Upper case and the arguments; `boom` fails, and the path of a file is told apart.
pub const UPPER: &str = "
class Upper(Base):
    def transform(self, data, path, etl_args):
        if isinstance(data, str):
            return ('path ' + data).encode()
        if data == b'boom':
            raise ValueError('boom!')
        return data.upper() + etl_args.encode()
";

/// The interpreter of a virtual environment with the SDK that docs/etl.md names for this Python, made once for all runs of
/// the tests. `None` where the tests were told to do without this Python.
pub fn sdk(minor: &str) -> Option<PathBuf> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    if testkit::is_left_out(&format!("python-{minor}")) {
        return None;
    }
    let version = sdk_version(minor);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("sdk-{minor}-{version}"));
    let python = folder.join("bin/python3");
    if folder.join("complete").exists() {
        return Some(python);
    }
    let _ = fs::remove_dir_all(&folder);
    let wanted = of_pyenv(minor).map_or_else(|| minor.to_owned(), |path| path.display().to_string());
    uv(&["venv", "--quiet", "--python", &wanted, folder.to_str().unwrap()]);
    let requirement = format!("aistore[etl]=={version}");
    uv(&["pip", "install", "--quiet", "--python", python.to_str().unwrap(), &requirement]);
    // Writes the byte code of what servers import, a third of what was installed.
    let servers = "from aistore.sdk.etl.webserver import fastapi_server, flask_server, http_multi_threaded_server";
    let mut command = Command::new(&python);
    assert!(command.args(["-c", servers]).env_remove("PYTHONDONTWRITEBYTECODE").status().unwrap().success());
    File::create(folder.join("complete")).unwrap();
    Some(python)
}

/// What the page's table says that a runtime of this Python carries.
pub fn sdk_version(minor: &str) -> String {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/etl.md")).unwrap();
    let row = page.lines().find_map(|line| line.strip_prefix(&format!("| {minor} | "))).expect(minor);
    row.trim_end_matches(" |").to_owned()
}

#[track_caller]
pub fn uv(arguments: &[&str]) {
    let output = Command::new("uv").args(arguments).env("UV_PYTHON_DOWNLOADS", "never").output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
}

/// pyenv's programs on PATH answer for the versions that it has switched on only.
fn of_pyenv(minor: &str) -> Option<PathBuf> {
    let root = std::env::var_os("PYENV_ROOT").map(PathBuf::from);
    let root = root.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".pyenv")))?;
    let versions = fs::read_dir(root.join("versions")).ok()?.flatten();
    let of_minor = |name: &str| name.strip_prefix(minor).is_some_and(|rest| rest.starts_with('.'));
    let mut found = versions.filter(|entry| entry.file_name().to_str().is_some_and(of_minor));
    Some(found.next()?.path().join("bin/python3"))
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What a script prints; it has to succeed.
#[track_caller]
pub fn printed(python: &Path, script: &str, variables: &[(&str, &str)]) -> String {
    let Output { status, stdout, stderr } = script_output(python, script, variables);
    assert!(status.success(), "{}", text(&stderr));
    text(&stdout)
}

pub fn script_output(python: &Path, script: &str, variables: &[(&str, &str)]) -> Output {
    let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("python");
    let mut command = Command::new(python);
    command.args(["-c", script]).env("PYTHONPATH", module).env("PYTHONDONTWRITEBYTECODE", "1");
    command.envs(variables.iter().copied()).output().unwrap()
}

/// The last class of `source`, whose base is that of the framework, as ETL_CLASS_PAYLOAD. Made once for all tests that ask for it:
/// importing the SDK takes longer than most of them.
#[track_caller]
pub fn pickled(python: &Path, framework: &str, source: &str) -> String {
    static PAYLOADS: Mutex<BTreeMap<[String; 3], String>> = Mutex::new(BTreeMap::new());
    let mut payloads = PAYLOADS.lock().unwrap_or_else(PoisonError::into_inner);
    let key = [python.display().to_string(), framework.to_owned(), source.to_owned()];
    payloads.entry(key).or_insert_with(|| newly_pickled(python, framework, source)).clone()
}

fn newly_pickled(python: &Path, framework: &str, source: &str) -> String {
    let base = match framework {
        "fastapi" => "fastapi_server import FastAPIServer",
        "flask" => "flask_server import FlaskServer",
        _ => "http_multi_threaded_server import HTTPMultiThreadedServer",
    };
    let script = format!(
        "from aistore.sdk.etl.webserver.{base} as Base\n{source}\n\
         from aistore.sdk.etl import serialize_class\n\
         kinds = [kind for kind in list(globals().values()) if isinstance(kind, type) and kind.__module__ == '__main__']\n\
         print(serialize_class(kinds[-1]), end='')"
    );
    printed(python, &script, &[])
}

/// Waits until it holds; a failure after two minutes.
#[track_caller]
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "waited in vain for: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// The program to be started, in a folder of its own.
pub struct Pod {
    pub folder: tempfile::TempDir,
    pub port: u16,
    variables: BTreeMap<String, String>,
    /// Starts the program, with these words before it.
    wrapper: Vec<&'static str>,
}

impl Pod {
    /// Serves `payload` with two workers; objects may be read from its folder `mp1`.
    pub fn new(python: &Path, payload: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("mp1")).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let bin = python.parent().unwrap().display().to_string();
        let path = format!("{bin}:{}", std::env::var("PATH").unwrap_or_default());
        let variables = [
            ("PATH", path),
            ("HOME", std::env::var("HOME").unwrap_or_default()),
            ("ETL_PYTHON", python.display().to_string()),
            ("ETL_WORK", folder.path().join("work").display().to_string()),
            ("ETL_FQN_ROOTS", folder.path().join("mp1").display().to_string()),
            ("ETL_CLASS_PAYLOAD", payload.to_owned()),
            ("ETL_PORT", port.to_string()),
            ("AIS_TARGET_URL", "http://127.0.0.1:1/v1/etl/_object/my-etl/secret".to_owned()),
            ("AIS_DIRECT_PUT_RETRIES", "0".to_owned()),
            ("NUM_WORKERS", "2".to_owned()),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value)).into();
        Self { folder, port, variables, wrapper: Vec::new() }
    }

    /// If an administrator runs the tests: still one, but files that are closed to their owner are closed to it.
    #[must_use]
    pub fn without_an_administrators_rights(mut self) -> Self {
        if text(&Command::new("id").arg("-u").output().unwrap().stdout).trim() == "0" {
            self.wrapper = vec!["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--"];
        }
        self
    }

    #[must_use]
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    pub fn mount(&self) -> PathBuf {
        self.folder.path().join("mp1")
    }

    fn command(&self) -> Command {
        let words = self.wrapper.iter().copied().chain([env!("CARGO_BIN_EXE_etl-runtime")]).collect::<Vec<_>>();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]);
        command.current_dir(self.folder.path()).env_clear().envs(&self.variables).stdin(Stdio::null());
        command
    }

    /// Runs it to its end, which has to come by itself.
    pub fn ended(&self) -> (Option<i32>, String) {
        let output = self.command().output().unwrap();
        (output.status.code(), text(&output.stdout) + &text(&output.stderr))
    }

    /// Starts it and waits for `/health`.
    #[track_caller]
    pub fn serve(self) -> Serving {
        let serving = self.start();
        let mut serving = serving;
        until("an answer of /health", || {
            let ended = serving.child.try_wait().unwrap();
            assert!(ended.is_none(), "{ended:?}: {}", serving.log());
            serving.try_send("GET", "/health", &[], b"").is_some_and(|answer| answer.status == 200)
        });
        serving
    }

    pub fn start(self) -> Serving {
        let log = File::create(self.folder.path().join("log")).unwrap();
        let child = self.command().stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        Serving { pod: self, child }
    }
}

/// A running server; ends when dropped.
pub struct Serving {
    pub pod: Pod,
    child: Child,
}

/// An answer to one request.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> String {
        text(&self.body)
    }

    pub fn is(&self, status: u16, body: &str) -> bool {
        self.status == status && self.body == body.as_bytes()
    }
}

impl Serving {
    pub fn log(&self) -> String {
        fs::read(self.pod.folder.path().join("log")).map(|bytes| text(&bytes)).unwrap_or_default()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A request with its `Content-Length`, answered in whole.
    #[track_caller]
    pub fn send(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        self.try_send(method, target, headers, body).unwrap_or_else(|| panic!("no answer: {}", self.log()))
    }

    pub fn try_send(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Option<Answer> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.pod.port)).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        let mut head = format!(
            "{method} {target} HTTP/1.1\r\nHost: pod\r\nUser-Agent: Go-http-client/1.1\r\nConnection: close\r\n"
        );
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("Transfer-Encoding")) {
            head += &format!("Content-Length: {}\r\n", body.len());
        }
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        stream.write_all((head + "\r\n").as_bytes()).ok()?;
        // A server may answer before it has read everything.
        let _ = stream.write_all(body);
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = text(&bytes[..end]);
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let fields = head.lines().skip(1).filter_map(|line| line.split_once(':'));
        let headers = fields.map(|(name, value)| (name.to_lowercase(), value.trim().to_owned())).collect();
        Some(Answer { status, headers, body: bytes[end + 4..].to_vec() })
    }

    pub fn signal(&self, name: &str) {
        kill(name, self.pid());
    }

    /// SIGTERM, and how it ended.
    pub fn stop(mut self) -> (ExitStatus, String) {
        self.signal("TERM");
        let status = self.child.wait().unwrap();
        (status, self.log())
    }

    /// Waits for its own end.
    pub fn wait(mut self) -> (ExitStatus, String) {
        let status = self.child.wait().unwrap();
        (status, self.log())
    }

    /// The processes that serve: children of the process that loaded the class.
    pub fn workers(&self) -> Vec<u32> {
        children(self.pid()).into_iter().flat_map(children).collect()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            // The group at once: workers that end one by one are replaced.
            for group in children(self.pid()) {
                let _ = Command::new("kill").args(["-s", "KILL", "--", &format!("-{group}")]).status();
            }
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

pub fn kill(name: &str, pid: u32) {
    let _ = Command::new("kill").args(["-s", name, &pid.to_string()]).status();
}

pub fn children(pid: u32) -> Vec<u32> {
    let listed = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    listed.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

/// A path as a target writes it into `etl_fqn`: encoded twice, blanks and all.
pub fn encoded_twice(path: &str) -> String {
    fn encoded(text: &str) -> String {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
        text.bytes()
            .map(|byte| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
            .collect()
    }
    encoded(&encoded(path))
}
