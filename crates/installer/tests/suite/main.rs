//! Getting, updating and repairing runtimes from a published folder and a server: what is installed, what is believed, what is
//! refused. How the program `pydist` asks for it and shows it is tested in `loader`.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod getting;
mod repair;
mod trust;
mod updates;

use std::error::Error;
use std::fmt::Write as _;
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use catalogue::{Channel, Moment};
use fetch::{FetchSettings, FetchWatch, ReuseMode};
use installer::{
    GetRequest, Home, InstallOutcome, InstalledRuntime, OfferRequest, PublicKey, Sources, UpdatePlan, UpdateRequest,
    get, plan_update, update,
};
use testkit::Published;
use vocab::{Event, Fault};

/// What was published, and where it is installed.
struct Place {
    published: Published,
    sources: Sources,
    /// A warning with this code ends the work, as the user would.
    stop_at: &'static str,
    /// The time of the requests.
    now: Moment,
}

impl Deref for Place {
    type Target = Published;

    fn deref(&self) -> &Published {
        &self.published
    }
}

impl DerefMut for Place {
    fn deref_mut(&mut self) -> &mut Published {
        &mut self.published
    }
}

/// What a request says besides the version, the platform and the place.
#[derive(Clone, Copy)]
struct Asked<'a> {
    keys: &'a [&'a str],
    channel: Channel,
    offline: bool,
    verify: bool,
    reinstall: bool,
    allow_older: bool,
}

/// How it ended, with all that was said before.
struct Answer<T> {
    result: Result<T, Box<dyn Fault>>,
    said: String,
}

impl Place {
    fn new() -> Self {
        Self { published: Published::new(), sources: Sources::default(), stop_at: "", now: now() }
    }

    fn home_of(&self) -> Home {
        Home::new(self.home())
    }

    fn get_from(&self, from: &str, asked: Asked<'_>) -> Answer<InstalledRuntime> {
        let Asked { keys, channel, offline, verify, reinstall, allow_older } = asked;
        let offer = OfferRequest {
            platform: "linux-x64".parse().unwrap(),
            channel,
            from: from.to_owned(),
            home: self.home_of(),
            public_keys: keys.iter().map(|key| PublicKey::of_text(key).unwrap()).collect(),
            offline,
            now: self.now,
        };
        let request = GetRequest {
            verify,
            reinstall,
            allow_older,
            reuse: ReuseMode::Shared,
            ..GetRequest::new(self.runtime.parse().unwrap(), offer)
        };
        self.watched(|settings, watch| get(&request, settings, watch))
    }

    fn get(&self, asked: Asked<'_>) -> Answer<InstalledRuntime> {
        self.get_from(self.root().to_str().unwrap(), asked)
    }

    fn update_request(&self, reuse: ReuseMode) -> UpdateRequest {
        UpdateRequest { home: self.home_of(), sources: self.sources.clone(), given: None, reuse, now: self.now }
    }

    fn update(&self, reuse: ReuseMode) -> Answer<InstalledRuntime> {
        let request = self.update_request(reuse);
        let version = self.runtime.parse().unwrap();
        self.watched(|settings, watch| update(&request, &version, settings, watch))
    }

    fn plan_update(&self) -> Answer<UpdatePlan> {
        let request = self.update_request(ReuseMode::Shared);
        let version = self.runtime.parse().unwrap();
        self.watched(|settings, watch| plan_update(&request, &version, settings, watch))
    }

    fn watched<T, E: Fault>(&self, run: impl FnOnce(&FetchSettings, FetchWatch<'_>) -> Result<T, E>) -> Answer<T> {
        let (said, cancelled) = (Mutex::new(String::new()), AtomicBool::new(false));
        let tell = |event: Event| match event {
            Event::Warning { code, text, hint, .. } => {
                cancelled.store(self.stop_at == code, Ordering::Relaxed);
                let mut said = said.lock().unwrap();
                let _ = writeln!(said, "{code}: {text}");
                hint.into_iter().for_each(|hint| writeln!(said, "hint: {hint}").unwrap());
            }
            Event::Note { text } => {
                let _ = writeln!(said.lock().unwrap(), "{text}");
            }
            _ => {}
        };
        let settings = FetchSettings::of(&|_| None);
        let result = run(&settings, FetchWatch { tell: &tell, cancelled: &cancelled });
        Answer { result: result.map_err(Into::into), said: said.into_inner().unwrap() }
    }
}

fn now() -> Moment {
    "2026-11-20T08:00:00Z".parse().unwrap()
}

/// Requests with these public keys.
fn keys<'a>(keys: &'a [&'a str]) -> Asked<'a> {
    Asked { keys, ..plainly() }
}

/// A request in which nothing is said.
fn plainly() -> Asked<'static> {
    Asked { keys: &[], channel: Channel::Stable, offline: false, verify: false, reinstall: false, allow_older: false }
}

impl<T> Answer<T> {
    fn unwrap(self) -> T {
        let said = self.said;
        self.result.unwrap_or_else(|error| panic!("{}\n{said}", text_of(&*error)))
    }

    /// The exit code is `code`, and every word stands in the error or its hint.
    fn refused(self, code: u8, words: &[&str]) {
        let Err(error) = self.result else { panic!("nothing was refused, and this was said: {}", self.said) };
        let text = text_of(&*error);
        assert_eq!(error.exit().code(), code, "{text}");
        for word in words {
            assert!(text.contains(word), "no {word:?} in: {text}");
        }
    }
}

impl Answer<InstalledRuntime> {
    fn folder(self) -> PathBuf {
        self.unwrap().folder
    }

    /// Bytes that were fetched, of how many; an error if nothing was installed.
    fn fetched(self) -> (u64, u64) {
        match self.unwrap().installed {
            InstallOutcome::Now { fetched, size, .. } => (fetched, size),
            InstallOutcome::Before => panic!("it was installed before"),
        }
    }

    fn assert_unchanged(self) {
        assert_eq!(self.unwrap().installed, InstallOutcome::Before);
    }
}

/// The code, all causes and the hint.
fn text_of(error: &dyn Fault) -> String {
    let mut text = format!("{}: {error}", error.code());
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, "\ncause: {error}");
        cause = Error::source(error);
    }
    text + "\nhint: " + &error.hint().unwrap_or_default()
}

fn content(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("bin/thing")).unwrap()
}

fn other_key() -> String {
    minisign::KeyPair::generate_unencrypted_keypair().unwrap().pk.to_base64()
}
