//! What uv gets of the user's own settings: how to reach indexes, and nothing that changes its answer.
//!
//! What a developer has in the environment or in a file of his own must not decide what a lock says, nor with what a
//! source is built. So uv starts without its variables but for those named here, and reads a settings file of ours
//! in place of the user's and the system's. From those two only what says how to connect is taken over.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::Context;
use crate::context::Environment;
use crate::download::HostCredentials;
use crate::resolve::without_credentials;

/// The default index, caches, credentials, certificates, and how patient to be.
const VARIABLES: [&str; 17] = [
    "UV_CACHE_DIR",
    "UV_CONCURRENT_BUILDS",
    "UV_CONCURRENT_DOWNLOADS",
    "UV_CONCURRENT_INSTALLS",
    "UV_CREDENTIALS_DIR",
    "UV_DEFAULT_INDEX",
    "UV_HTTP_CONNECT_TIMEOUT",
    "UV_HTTP_RETRIES",
    "UV_HTTP_TIMEOUT",
    "UV_INDEX_URL",
    "UV_INSECURE_HOST",
    "UV_KEYRING_PROVIDER",
    "UV_LOCK_TIMEOUT",
    "UV_NATIVE_TLS",
    "UV_NO_CACHE",
    "UV_REQUEST_TIMEOUT",
    "UV_SYSTEM_CERTS",
];

/// Further indexes: what they have would get into a lock without the configuration saying so.
const FOREIGN_INDEXES: [&str; 3] = ["UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS"];

/// Keys of a settings file that are taken over, from its top or from its table `pip`.
const KEYS: [&str; 9] = [
    "allow-insecure-host",
    "cache-dir",
    "http-proxy",
    "https-proxy",
    "index-url",
    "keyring-provider",
    "native-tls",
    "no-proxy",
    "system-certs",
];

/// Keys of the default index in a list of indexes.
const INDEX_KEYS: [&str; 5] = ["authenticate", "default", "ignore-error-codes", "name", "url"];

/// The environment that uv starts with, in place of the whole one. The programs that it starts inherit it.
pub fn environment(context: &Context) -> Vec<(OsString, OsString)> {
    let passes = |name: &OsStr| name.to_str().is_some_and(passes);
    let kept = context.environment.iter().filter(|(name, _)| passes(name));
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// What uv and the programs that it starts need beside its own variables and what build back ends get: who and where
/// the user is, for credentials in files, keyrings and agents.
const NEEDED: [&str; 16] = [
    "APPDATA",
    "DBUS_SESSION_BUS_ADDRESS",
    "HOME",
    "HOMEDRIVE",
    "HOMEPATH",
    "LOCALAPPDATA",
    "LOGNAME",
    "NETRC",
    "PROGRAMDATA",
    "TEMP",
    "TMP",
    "TMPDIR",
    "USER",
    "USERNAME",
    "USERPROFILE",
    "WINDIR",
];

const NEEDED_BEGINNINGS: [&str; 5] = ["GIT_", "LC_", "PYTHON_KEYRING_", "SSH_", "XDG_"];

/// Names are compared without regard to case, as Windows does; on other systems nobody has `uv_resolution`. A source
/// that is asked what it requires sees all of this, so nothing passes that uv has no use for.
fn passes(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let of_an_index = name.starts_with("UV_INDEX_") && (name.ends_with("_USERNAME") || name.ends_with("_PASSWORD"));
    of_an_index
        || VARIABLES.contains(&name.as_str())
        || NEEDED.contains(&name.as_str())
        || NEEDED_BEGINNINGS.iter().any(|beginning| name.starts_with(beginning))
        || crate::source_build::passes_to_back_ends(&name)
}

/// The name of an additional index, by its position in the configuration.
pub fn index_name(position: usize) -> String {
    format!("registry-{position}")
}

/// The additional indexes as options of uv, under these names, and the default one before them: what it has comes from
/// it. uv believes its default index last, so it is told of another one as such. With a password in its URL it stays
/// alone, since anybody on this machine reads the arguments of programs.
pub fn index_arguments(default: Option<&str>, additional: &[String]) -> Vec<OsString> {
    let default = default.filter(|url| without_credentials(url) == **url);
    let (Some(default), Some((last, others))) = (default, additional.split_last()) else { return Vec::new() };
    let mut arguments: Vec<OsString> =
        vec!["--index-strategy".into(), "unsafe-first-match".into(), "--index".into(), default.into()];
    for (position, url) in others.iter().enumerate() {
        arguments.extend(["--index".into(), format!("{}={url}", index_name(position)).into()]);
    }
    let last = format!("{}={last}", index_name(others.len()));
    arguments.extend(["--default-index".into(), last.into()]);
    arguments
}

/// Variables with the user and password of those additional indexes for whose host a URL in the environment has some.
pub fn credentials(context: &Context, additional: &[String]) -> Vec<(OsString, OsString)> {
    let known = &context.downloader.settings().credentials;
    let of_url = |url: &String| {
        let url = url::Url::parse(url).ok()?;
        let is_its = |entry: &&HostCredentials| {
            url.host_str().is_some_and(|host| host.eq_ignore_ascii_case(&entry.host))
                && url.port_or_known_default() == Some(entry.port)
        };
        known.iter().find(is_its).map(|entry| &entry.credentials)
    };
    let mut variables = Vec::new();
    for (position, credentials) in additional.iter().enumerate().filter_map(|(at, url)| Some((at, of_url(url)?))) {
        let name = index_name(position).to_uppercase().replace('-', "_");
        variables.push((format!("UV_INDEX_{name}_USERNAME").into(), credentials.user.reveal().into()));
        variables.push((format!("UV_INDEX_{name}_PASSWORD").into(), credentials.password.reveal().into()));
    }
    variables
}

/// The content of the settings file: what is taken over of the user's and the system's.
pub fn settings(context: &Context) -> Table {
    let mut settings = Table::new();
    // What is read first holds.
    for path in files(&context.environment) {
        // One that is absent or cannot be understood counts as empty.
        let Some(own) = fs::read_to_string(path).ok().and_then(|text| text.parse::<Table>().ok()) else { continue };
        for (key, value) in how_to_connect(&own) {
            settings.entry(key).or_insert(value);
        }
    }
    settings
}

fn how_to_connect(own: &Table) -> Table {
    let pip = own.get("pip").and_then(Value::as_table);
    let found = |key: &str| pip.and_then(|pip| pip.get(key)).or_else(|| own.get(key)).cloned();
    let mut kept: Table = KEYS.iter().filter_map(|key| Some(((*key).to_owned(), found(key)?))).collect();
    let is_default = |index: &&Table| index.get("default").and_then(Value::as_bool) == Some(true);
    let indexes = own.get("index").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_table);
    let default: Vec<Value> = indexes
        .filter(is_default)
        .map(|index| index.iter().filter(|(key, _)| INDEX_KEYS.contains(&key.as_str())))
        .map(|entries| Value::Table(entries.map(|(key, value)| (key.clone(), value.clone())).collect()))
        .collect();
    if !default.is_empty() {
        kept.insert("index".to_owned(), Value::Array(default));
    }
    kept
}

/// Where uv would look: the file that a variable names, or else the user's and the system's.
fn files(environment: &Environment) -> Vec<PathBuf> {
    if environment.text("UV_NO_CONFIG").is_some() {
        return Vec::new();
    }
    if let Some(file) = environment.path("UV_CONFIG_FILE") {
        return vec![file.to_owned()];
    }
    let below = |folder: &Path| folder.join("uv").join("uv.toml");
    if cfg!(windows) {
        let system =
            environment.path("SYSTEMDRIVE").map(|drive| PathBuf::from(format!(r"{}\ProgramData", drive.display())));
        return environment
            .path("APPDATA")
            .map(Path::to_owned)
            .into_iter()
            .chain(system)
            .map(|it| below(&it))
            .collect();
    }
    let home = || environment.path("HOME").map(|home| home.join(".config"));
    let user = environment.path("XDG_CONFIG_HOME").map(Path::to_owned).or_else(home);
    let system = environment.text("XDG_CONFIG_DIRS").unwrap_or("/etc/xdg").split(':').map(PathBuf::from);
    user.into_iter().chain(system).chain([PathBuf::from("/etc")]).map(|folder| below(&folder)).collect()
}

/// Warns of indexes in the environment that are not asked. Those that the configuration names, too, are not foreign:
/// what the variables have of them is the credentials.
pub fn warn_of_foreign_indexes(context: &Context, additional: &[String]) {
    for name in FOREIGN_INDEXES {
        let entries = context.environment.text(name).into_iter().flat_map(str::split_whitespace);
        let is_foreign = |entry: &&str| {
            let url = entry.split_once('=').filter(|(name, _)| !name.contains(':')).map_or(*entry, |(_, url)| url);
            !additional.iter().any(|known| same_place(known, url))
        };
        if entries.filter(is_foreign).count() > 0 {
            context.warn(
                "W_FOREIGN_INDEX",
                format!("`{name}` is not taken into account: a lock must not depend on who writes it"),
                None,
                Some("list the index in `registries.additional`; its credentials may stay in the variable".to_owned()),
            );
        }
    }
}

/// Credentials and a slash at the end aside.
fn same_place(one: &str, other: &str) -> bool {
    let plain = |url: &str| crate::resolve::without_credentials(url).trim_end_matches('/').to_ascii_lowercase();
    plain(one) == plain(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::context_of;

    #[test]
    fn case_field_resolver_settings_leak_only_variables_about_the_way_to_an_index_pass() {
        let cases = [
            // (variable, passes)
            ("PATH", true),
            ("SSL_CERT_FILE", true),
            ("HTTPS_PROXY", true),
            ("NETRC", true),
            ("UV_DEFAULT_INDEX", true),
            ("UV_CACHE_DIR", true),
            ("UV_KEYRING_PROVIDER", true),
            ("UV_INDEX_CORP_PASSWORD", true),
            ("UV_INDEX", false),
            ("UV_EXTRA_INDEX_URL", false),
            ("UV_FIND_LINKS", false),
            ("UV_INDEX_STRATEGY", false),
            ("UV_RESOLUTION", false),
            ("uv_resolution", false),
            ("UV_PRERELEASE", false),
            ("UV_CONSTRAINT", false),
            ("UV_OVERRIDE", false),
            ("UV_EXCLUDE_NEWER", false),
            ("UV_CONFIG_FILE", false),
            ("UV_NO_BINARY", false),
            ("UV_TORCH_BACKEND", false),
            // Attack 12: a source that is asked what it requires sees what uv sees.
            ("HOME", true),
            ("LC_ALL", true),
            ("SSH_AUTH_SOCK", true),
            ("CFLAGS", true),
            ("https_proxy", true),
            ("PYDIST_SIGNING_KEY", false),
            ("AWS_SECRET_ACCESS_KEY", false),
            ("GITHUB_TOKEN", false),
            ("PYTHONPATH", false),
        ];
        for (name, expected) in cases {
            assert_eq!(passes(name), expected, "for {name}");
        }
    }

    #[test]
    fn of_a_settings_file_only_how_to_connect_is_taken() {
        let own: Table = "
            resolution = 'lowest'
            exclude-newer = '2020-01-01'
            keyring-provider = 'subprocess'
            find-links = ['/x']
            [pip]
            resolution = 'lowest'
            index-url = 'https://mirror.example/simple'
            [[index]]
            url = 'https://corp.example/simple'
            default = true
            exclude-newer = '2020-01-01'
            [[index]]
            url = 'https://other.example/simple'
        "
        .parse()
        .unwrap();
        let expected: Table = "
            keyring-provider = 'subprocess'
            index-url = 'https://mirror.example/simple'
            [[index]]
            url = 'https://corp.example/simple'
            default = true
        "
        .parse()
        .unwrap();
        assert_eq!(how_to_connect(&own), expected);
    }

    #[test]
    fn the_users_file_comes_before_the_systems() {
        let folder = tempfile::tempdir().unwrap();
        for (place, text) in [("user", "native-tls = true"), ("system", "native-tls = false\nno-proxy = ['x']")] {
            let uv = folder.path().join(place).join("uv");
            fs::create_dir_all(&uv).unwrap();
            fs::write(uv.join("uv.toml"), text).unwrap();
        }
        let path = |name: &str| folder.path().join(name).into_os_string();
        let user = if cfg!(windows) { "APPDATA" } else { "XDG_CONFIG_HOME" };
        let mut variables = vec![(OsString::from(user), path("user"))];
        if !cfg!(windows) {
            variables.push(("XDG_CONFIG_DIRS".into(), path("system")));
            let both = settings(&context_of(folder.path(), variables.clone()));
            assert_eq!(both.to_string(), "native-tls = true\nno-proxy = [\"x\"]\n");
        }
        variables.push(("UV_NO_CONFIG".into(), "1".into()));
        assert!(settings(&context_of(folder.path(), variables)).is_empty());
    }

    #[test]
    fn credentials_of_a_variable_reach_the_index_that_the_configuration_names() {
        let folder = tempfile::tempdir().unwrap();
        let variables = vec![("UV_EXTRA_INDEX_URL".into(), "https://ada:pw@corp.example/simple".into())];
        let context = context_of(folder.path(), variables);
        let additional = ["https://one.example/".to_owned(), "https://corp.example/simple/".to_owned()];
        let found = credentials(&context, &additional);
        let expected = [("UV_INDEX_REGISTRY_1_USERNAME", "ada"), ("UV_INDEX_REGISTRY_1_PASSWORD", "pw")];
        assert_eq!(found, expected.map(|(name, value)| (OsString::from(name), OsString::from(value))));
    }
}
