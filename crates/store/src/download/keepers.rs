//! Programs that keep credentials: uv with what `uv auth login` stored, and `keyring`.
//!
//! Each is asked once for an index or a server, and only when a server wants credentials or a user has no password:
//! programs are slow, and most servers want nothing. What they say is used as uv itself would use it. While one is
//! asked, only those wait that want the same answer.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use process::{Invocation, ProcessErrorKind};
use serde_json::{Value, json};
use url::Url;
use vocab::{Environment, Work};
use web::{Credentials, Secret};

use super::credentials_error::CredentialsError;
use super::uv_indexes::{Authenticate, UserIndex};

/// Place that was asked for, and for which user if one was known.
type Question = (Url, Option<String>);

type Answer = Result<Option<Credentials>, CredentialsError>;

#[derive(Default)]
pub(super) struct Keepers {
    /// That of the programs. Empty: there are none.
    environment: Environment,
    /// Whether uv's settings want the program `keyring` asked.
    keyring: bool,
    /// The pinned uv, once it is known; until then the one on PATH.
    uv: Mutex<Option<PathBuf>>,
    answers: Mutex<HashMap<Question, Arc<OnceLock<Answer>>>>,
    /// How long one of them may take.
    patience: Duration,
    /// Set when the user asks to stop: a program that is being asked is ended.
    cancelled: Arc<AtomicBool>,
}

impl Keepers {
    pub(super) fn new(environment: Environment, keyring: bool, patience: Duration, cancelled: Arc<AtomicBool>) -> Self {
        Self { environment, keyring, patience, cancelled, ..Self::default() }
    }

    /// Questions that the uv on PATH had no answer to are put to this one again.
    pub(super) fn learn_uv(&self, program: PathBuf) {
        let mut known = self.uv.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = known.as_ref() != Some(&program);
        *known = Some(program);
        // Not held with the answers, or two threads could wait for each other.
        drop(known);
        if is_new {
            self.answers().retain(|_, answer| matches!(answer.get(), Some(Ok(Some(_)))));
        }
    }

    /// What an earlier question for no particular user has brought for the index, or for the server of the URL.
    pub(super) fn remembered(&self, url: &Url, index: Option<&UserIndex>) -> Option<Credentials> {
        self.answers().get(&(place_of(url, index), None))?.get()?.clone().ok().flatten()
    }

    /// Asks for the index, or else for the server of the URL.
    ///
    /// # Errors
    /// A program does not answer in time, now or when it was first asked.
    pub(super) fn ask(&self, url: &Url, index: Option<&UserIndex>, user: Option<&str>) -> Answer {
        if self.environment.iter().next().is_none() {
            return Ok(None);
        }
        let question = (place_of(url, index), user.map(str::to_owned));
        let answer = Arc::clone(self.answers().entry(question.clone()).or_default());
        answer.get_or_init(|| match self.ask_uv(index.map_or(url, |index| &index.url), user)? {
            Some(found) => Ok(Some(found)),
            None => self.ask_keyring(&question.0, index, user),
        });
        answer.get().cloned().unwrap_or(Ok(None))
    }

    fn answers(&self) -> MutexGuard<'_, HashMap<Question, Arc<OnceLock<Answer>>>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `uv auth helper`, since `uv auth token` does not say for which user its answer is.
    fn ask_uv(&self, url: &Url, user: Option<&str>) -> Answer {
        let mut place = url.clone();
        if place.set_password(None).is_err() || place.set_username(user.unwrap_or_default()).is_err() {
            return Ok(None);
        }
        let program = self.uv.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let words =
            ["auth", "helper", "--protocol", "bazel", "--preview-features", "auth-helper", "--no-config", "get"];
        let mut invocation = self.invocation(program.unwrap_or_else(|| "uv".into())).args(words);
        invocation.stdin = json!({ "uri": place.as_str() }).to_string().into_bytes();
        let output = self.run("uv auth helper", &invocation)?;
        let found = output.and_then(|output| {
            let answer: Value = serde_json::from_slice(&output).ok()?;
            Credentials::of_basic(answer.pointer("/headers/Authorization/0").and_then(Value::as_str)?)
        });
        Ok(found.filter(|found| user.is_none_or(|user| user == found.user.reveal())))
    }

    /// First for the whole URL, then for the host. Without a user only for an index with `authenticate = "always"`.
    fn ask_keyring(&self, place: &Url, index: Option<&UserIndex>, user: Option<&str>) -> Answer {
        let always = index.is_some_and(|index| index.authenticate == Authenticate::Always);
        let (Some(host), true) = (place.host_str(), self.keyring && (user.is_some() || always)) else {
            return Ok(None);
        };
        let host = place.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let unencrypted = (place.scheme() == "http").then(|| format!("http://{host}"));
        for service in [Some(place.to_string()), Some(host), unencrypted].into_iter().flatten() {
            let invocation = self.invocation("keyring".into()).args(["get", service.as_str()]);
            let invocation = match user {
                Some(user) => invocation.arg(user),
                None => invocation.args(["--mode", "creds"]),
            };
            let Some(output) = self.run("keyring", &invocation)? else { continue };
            let Ok(output) = String::from_utf8(output) else { continue };
            let mut lines = output.lines();
            let (user, password) = match user {
                Some(user) => (Some(user), Some(output.trim_end())),
                None => (lines.next(), lines.next()),
            };
            let password = password.filter(|password| !password.is_empty());
            if let (Some(user), Some(password)) = (user, password) {
                return Ok(Some(Credentials { user: Secret::new(user), password: Secret::new(password) }));
            }
        }
        Ok(None)
    }

    fn invocation(&self, program: PathBuf) -> Invocation {
        Invocation::new(program, ".").timeout(Some(self.patience))
    }

    /// What a program says that has an answer. It is not shown to anybody.
    fn run(&self, name: &'static str, invocation: &Invocation) -> Result<Option<Vec<u8>>, CredentialsError> {
        let cancelled = Arc::clone(&self.cancelled);
        let work = Work { environment: self.environment.clone(), cancelled, ..Work::quiet() };
        match process::run(&work, invocation) {
            Ok(finished) if finished.succeeded() => Ok(Some(finished.stdout)),
            Err(error) if matches!(error.kind, ProcessErrorKind::TimedOut { .. }) => {
                Err(CredentialsError::Silent { program: name, limit: self.patience })
            }
            _ => Ok(None),
        }
    }
}

/// What is asked for: the index, or the root of the server.
fn place_of(url: &Url, index: Option<&UserIndex>) -> Url {
    match index {
        Some(index) => index.url.clone(),
        None => {
            let mut server = url.clone();
            server.set_path("/");
            server.set_query(None);
            server.set_fragment(None);
            // Neither can fail for a URL that has a host.
            let _ = server.set_username("");
            let _ = server.set_password(None);
            server
        }
    }
}
