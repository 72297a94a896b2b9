//! What creates environments, behind its interface: when it is asked, for what, and what becomes of its errors.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use extension::{DistributionId, DistributionMode, LoaderSettings, Machine, SettingSources, UserFolders};
use loader::distribution::{DistributionError, EnvironmentEngine, ReadyDistribution};
use vocab::{Environment, Fault, PlatformKey, Work};

use crate::site::{PYTHON, Site};

/// Has an environment, or creates it, or cannot.
struct Engine {
    existing: Option<PathBuf>,
    created: Option<PathBuf>,
    /// For each creation, whether it had to do without a network.
    asked: RefCell<Vec<bool>>,
}

#[derive(Debug, thiserror::Error, Fault)]
#[error("no answer from the channel `{channel}`")]
#[fault("E_TEST_CHANNEL", Build, hint("ask again"))]
struct Unreachable {
    channel: &'static str,
}

impl EnvironmentEngine for Engine {
    fn existing(&self, _: &DistributionId) -> Option<PathBuf> {
        self.existing.clone()
    }

    fn create(&self, _: &DistributionId, _: &Path, offline: bool) -> Result<PathBuf, Box<dyn Fault>> {
        self.asked.borrow_mut().push(offline);
        let unreachable = Unreachable { channel: "https://channel.invalid" };
        self.existing.clone().or_else(|| self.created.clone()).ok_or_else(|| unreachable.into())
    }
}

fn prepared(site: &Site, engine: &Engine, more: &[(&str, &str)]) -> Result<ReadyDistribution, DistributionError> {
    let folders = [("pysdk.pel.distLoc", "dists"), ("pysdk.pel.resourceLoc", "res"), ("pysdk.pel.extLoc", "ext")];
    let folders = folders.map(|(key, below)| (key.to_owned(), site.path(below).display().to_string()));
    let more = more.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let sources = SettingSources {
        settings: folders.into_iter().chain(more).collect(),
        properties: Default::default(),
        environment: Environment::default(),
    };
    let host = loader::ExtensionHost::open(loader::HostRequest {
        settings: LoaderSettings::read(&sources, UserFolders::default()).unwrap(),
        machine: Machine::of(PlatformKey::LinuxX64),
        more_folders: Vec::new(),
        runtimes: None,
        keys: Vec::new(),
    });
    let asked = host.find("a").unwrap();
    let resolved = host.resolve(&asked, engine).unwrap();
    host.prepare(&asked, &resolved, engine, &Work::quiet())
}

fn site() -> Site {
    let site = Site::new();
    site.extension("a.zip", "a", "k:1", &[("env.yml", b"dependencies: [python]\n")]);
    site
}

fn environment(site: &Site) -> PathBuf {
    let python = site.write("environments/k-1/bin/python3", PYTHON);
    std::fs::set_permissions(python, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    site.path("environments/k-1")
}

/// PEL 13
#[test]
fn pel_13_air_gapped_an_environment_that_is_there_is_used_and_nothing_is_asked_for() {
    let site = site();
    let there = Engine { existing: Some(environment(&site)), created: None, asked: RefCell::default() };
    let ready = prepared(&site, &there, &[("pysdk.pel.airGapped", "true")]).unwrap();
    assert_eq!((ready.mode, &ready.folder), (DistributionMode::CondaOffline, &site.path("environments/k-1")));
    assert_eq!((ready.installed, there.asked.take()), (false, vec![true]), "never with a network");

    // Without one nothing may be asked at all.
    let nothing = Engine { existing: None, created: Some(environment(&site)), asked: RefCell::default() };
    let error = prepared(&site, &nothing, &[("pysdk.pel.airGapped", "true")]).unwrap_err();
    assert_eq!((error.code(), nothing.asked.take()), ("E_DIST_AIRGAP", Vec::new()));
    let ready = prepared(&site, &nothing, &[]).unwrap();
    assert_eq!((ready.mode, ready.installed), (DistributionMode::CondaOnline, true));
    assert_eq!(nothing.asked.take(), [false]);
}

/// PEL 15, without its second half: what failed is not tried in another way.
#[test]
fn pel_15_an_environment_that_cannot_be_created_is_an_error_that_names_the_archive_that_is_there() {
    let site = site();
    let unreachable = Engine { existing: None, created: None, asked: RefCell::default() };
    let error = prepared(&site, &unreachable, &[]).unwrap_err();
    assert_eq!((error.code(), error.hint().as_deref()), ("E_TEST_CHANNEL", Some("ask again")));
    assert_eq!(error.kind.to_string(), "no answer from the channel `https://channel.invalid`");
    let archive = site.tar("res/pydist-k-1-linux.tar.gz", &[("bin/python3", PYTHON.as_bytes())]);
    let error = prepared(&site, &unreachable, &[]).unwrap_err();
    assert_eq!(
        error.kind.to_string(),
        format!("no answer from the channel `https://channel.invalid`; there, and not tried: `{}`", archive.display())
    );
    assert!(!site.path("dists").exists(), "nothing was installed");
}
