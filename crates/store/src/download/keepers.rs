//! Programs that keep credentials: uv with what `uv auth login` stored, and `keyring`.
//!
//! Each is asked once for an index or a server, and only when a server wants credentials or a user has no password:
//! programs are slow, and most servers want nothing. What they say is used as uv itself would use it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use process::Invocation;
use serde_json::{Value, json};
use url::Url;
use vocab::{Environment, Work};
use web::{Credentials, Secret};

use super::uv_indexes::UserIndex;

/// A keyring may have to ask the user to unlock it.
const PATIENCE: Duration = Duration::from_secs(40);

/// Place that was asked for, and for which user if one was known.
type Question = (Url, Option<String>);

#[derive(Default)]
pub(super) struct Keepers {
    /// That of the programs. Empty: there are none.
    environment: Environment,
    /// Whether uv's settings want the program `keyring` asked.
    keyring: bool,
    /// The pinned uv, once it is known; until then the one on PATH.
    uv: Mutex<Option<PathBuf>>,
    answers: Mutex<HashMap<Question, Option<Credentials>>>,
}

impl Keepers {
    pub(super) fn new(environment: Environment, keyring: bool) -> Self {
        Self { environment, keyring, ..Self::default() }
    }

    /// Questions that the uv on PATH had no answer to are put to this one again.
    pub(super) fn learn_uv(&self, program: PathBuf) {
        let mut known = self.uv.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = known.as_ref() != Some(&program);
        *known = Some(program);
        // Not held with the answers, or two threads could wait for each other.
        drop(known);
        if is_new {
            self.answers().retain(|_, answer| answer.is_some());
        }
    }

    /// What an earlier question for no particular user has brought for the index, or for the server of the URL.
    pub(super) fn remembered(&self, url: &Url, index: Option<&UserIndex>) -> Option<Credentials> {
        self.answers().get(&(place_of(url, index), None)).cloned().flatten()
    }

    /// Asks for the index, or else for the server of the URL.
    pub(super) fn ask(&self, url: &Url, index: Option<&UserIndex>, user: Option<&str>) -> Option<Credentials> {
        self.environment.iter().next()?;
        let question = (place_of(url, index), user.map(str::to_owned));
        // Held while a program runs: the others wait for its answer.
        let mut answers = self.answers();
        if let Some(known) = answers.get(&question) {
            return known.clone();
        }
        let found = self
            .ask_uv(index.map_or(url, |index| &index.url), user)
            .or_else(|| self.ask_keyring(&question.0, index, user));
        answers.insert(question, found.clone());
        found
    }

    fn answers(&self) -> MutexGuard<'_, HashMap<Question, Option<Credentials>>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `uv auth helper`, since `uv auth token` does not say for which user its answer is.
    fn ask_uv(&self, url: &Url, user: Option<&str>) -> Option<Credentials> {
        let mut place = url.clone();
        place.set_password(None).ok()?;
        place.set_username(user.unwrap_or_default()).ok()?;
        let program = self.uv.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let words =
            ["auth", "helper", "--protocol", "bazel", "--preview-features", "auth-helper", "--no-config", "get"];
        let mut invocation = self.invocation(program.unwrap_or_else(|| "uv".into())).args(words);
        invocation.stdin = json!({ "uri": place.as_str() }).to_string().into_bytes();
        let answer: Value = serde_json::from_slice(&self.run(&invocation)?).ok()?;
        let header = answer.pointer("/headers/Authorization/0").and_then(Value::as_str)?;
        Credentials::of_basic(header).filter(|found| user.is_none_or(|user| user == found.user.reveal()))
    }

    /// First for the whole URL, then for the host. Without a user only for an index with `authenticate = "always"`.
    fn ask_keyring(&self, place: &Url, index: Option<&UserIndex>, user: Option<&str>) -> Option<Credentials> {
        if !self.keyring || (user.is_none() && !index.is_some_and(|index| index.always)) {
            return None;
        }
        let host = match place.port() {
            Some(port) => format!("{}:{port}", place.host_str()?),
            None => place.host_str()?.to_owned(),
        };
        let unencrypted = (place.scheme() == "http").then(|| format!("http://{host}"));
        [Some(place.to_string()), Some(host), unencrypted].into_iter().flatten().find_map(|service| {
            let invocation = self.invocation("keyring".into()).args(["get", service.as_str()]);
            let invocation = match user {
                Some(user) => invocation.arg(user),
                None => invocation.args(["--mode", "creds"]),
            };
            let output = String::from_utf8(self.run(&invocation)?).ok()?;
            let (user, password) = match user {
                Some(user) => (user, output.trim_end()),
                None => {
                    let mut lines = output.lines();
                    (lines.next()?, lines.next()?)
                }
            };
            let found = Credentials { user: Secret::new(user), password: Secret::new(password) };
            (!password.is_empty()).then_some(found)
        })
    }

    fn invocation(&self, program: PathBuf) -> Invocation {
        Invocation::new(program, ".").timeout(Some(PATIENCE))
    }

    /// What a program says that has an answer. It is not shown to anybody.
    fn run(&self, invocation: &Invocation) -> Option<Vec<u8>> {
        let work = Work { environment: self.environment.clone(), ..Work::quiet() };
        let finished = process::run(&work, invocation).ok()?;
        finished.succeeded().then_some(finished.stdout)
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
