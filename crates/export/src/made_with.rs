//! What of the configuration and the environment decides which objects a build takes, beside its lock.

use std::collections::BTreeMap;

use config_merger::{Config, PythonSettings};
use resolve::uv_settings::COMPILER_VARIABLES;
use store::export::MadeWith;
use vocab::{Digest, Environment, PlatformKey};

/// Where something is built from a source, with what that takes, for a machine of the platform `host`.
pub(crate) fn made_with(
    config: &Config,
    platform: PlatformKey,
    host: PlatformKey,
    environment: &Environment,
    builds: bool,
) -> MadeWith {
    let python = &config.python;
    let sources: Vec<&str> = python.sources.iter().map(|source| source.as_str()).collect();
    let mut settings = BTreeMap::from([
        ("python.sources".to_owned(), sources.join(", ")),
        ("pydist's format of interpreters".to_owned(), interpreter::BASE_FORMAT.to_string()),
    ]);
    settings.extend(python.tag.clone().map(|tag| ("python.tag".to_owned(), tag)));
    settings.extend(python.flavor.clone().map(|flavor| ("python.flavor".to_owned(), flavor)));
    settings.extend(python.downloads.as_ref().map(|list| ("python.downloads".to_owned(), shown(&list.sha256))));
    settings.extend(pins(config, python, platform));
    MadeWith { settings, building: builds.then(|| building(config, host, environment)) }
}

/// What is pinned for one platform.
fn pins(config: &Config, python: &PythonSettings, platform: PlatformKey) -> impl Iterator<Item = (String, String)> {
    let version = config.version.python();
    let archive = python.archives.get(&platform).map(|it| (format!("python.archives.{platform}"), shown(&it.sha256)));
    let release = python.releases.get(&version).and_then(|platforms| platforms.get(&platform));
    let release = release.map(|it| (format!("python.releases.{version}.{platform}"), shown(&it.sha256)));
    archive.into_iter().chain(release)
}

fn building(config: &Config, host: PlatformKey, environment: &Environment) -> BTreeMap<String, String> {
    let variable = |name: &str| environment.text(name).map(str::to_owned);
    let compilers = COMPILER_VARIABLES.iter().filter_map(|name| Some(((*name).to_owned(), variable(name)?)));
    // They may be secrets.
    let passed = config.build.pass_environment.iter();
    let passed = passed.filter_map(|name| Some((name.clone(), shown(&Digest::of(variable(name)?)))));
    let format = source_build::BUILT_WHEEL_FORMAT.to_string();
    let mut building = BTreeMap::from([("pydist's format of built wheels".to_owned(), format)]);
    building.extend(compilers);
    building.extend(passed);
    // The interpreter that works there.
    building.extend(pins(config, &config.python, host));
    building
}

fn shown(digest: &Digest) -> String {
    format!("SHA-256 {digest}")
}
