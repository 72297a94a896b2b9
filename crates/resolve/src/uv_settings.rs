//! What uv gets of the user's own settings: how to reach indexes, and nothing that changes its answer.
//!
//! A developer's environment or settings file must not decide what a lock says, nor what a source is built with. So uv
//! starts with only the variables in `variables`, and reads generated settings instead of the user's and the system's.
//! Only settings about connecting are copied from those two.
//!
//! uv runs build back ends, which inherit its environment: credentials are in the settings alone, and those are gone
//! before uv starts anything (`handover`).

mod back_end;
mod handover;
mod variables;

use toml::{Table, Value};
use url::Url;

use crate::registries::{is_flat, local};
use store::Context;
use store::download::{HostCredentials, system_has_authorities, uv_indexes};
use vocab::Environment;

pub use back_end::{COMPILER_VARIABLES, passed_variables, passes_to_back_ends};
pub use handover::SettingsHandover;
pub use variables::{environment, whole_environment};

/// Further indexes: their content would get into a lock although the configuration does not name them.
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

/// The name of an additional index, by its position in the configuration.
fn index_name(position: usize) -> String {
    format!("registry-{position}")
}

/// What uv is told of an additional index: its name by its position in the configuration, its credentials, and whether
/// it is only a folder of files.
pub(crate) fn additional_index(context: &Context, position: usize, url: &str, is_flat: bool) -> Table {
    let mut index = Table::new();
    index.extend(authenticate(context, url).map(|word| ("authenticate".to_owned(), word.into())));
    index.insert("name".to_owned(), index_name(position).into());
    index.insert("url".to_owned(), with_credentials(context, url).into());
    index.insert("format".to_owned(), if is_flat { "flat" } else { "simple" }.into());
    // An index that refuses an answer is asked again for what is missing in the end.
    index.insert("ignore-error-codes".to_owned(), vec![401, 403].into());
    index
}

/// The additional indexes, each with whether it is only a folder of files, and before them the default one, which has
/// precedence. uv asks its default index last, so the default one is given as an ordinary index. Empty if there is
/// nothing to add to uv's own.
pub(crate) fn indexes_in_order(context: &Context, default: Option<&str>, additional: &[(String, bool)]) -> Table {
    let (Some(default), false) = (default, additional.is_empty()) else { return Table::new() };
    let own = settings(context).remove("index").and_then(|own| own.as_array()?.first()?.as_table().cloned());
    let mut first = own.unwrap_or_default();
    first.remove("default");
    first.insert("url".to_owned(), default.into());
    let others = additional
        .iter()
        .enumerate()
        .map(|(position, (url, is_flat))| additional_index(context, position, url, *is_flat));
    let mut all: Vec<Table> = std::iter::once(first).chain(others).collect();
    if let Some(last) = all.last_mut() {
        last.insert("default".to_owned(), true.into());
    }
    let settings: [(&str, Value); 2] = [("index-strategy", "unsafe-first-match".into()), ("index", all.into())];
    settings.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// The URL of an index with the user and password that the user's variables and settings have for it, if any.
pub fn with_credentials(context: &Context, place: &str) -> String {
    let found = || {
        let mut url = Url::parse(place).ok()?;
        let credentials = &HostCredentials::nearest(&context.downloader.settings().credentials, &url)?.credentials;
        let password = Some(credentials.password.reveal()).filter(|password| !password.is_empty());
        url.set_username(credentials.user.reveal()).ok()?;
        url.set_password(password).ok()?;
        Some(url.into())
    };
    found().unwrap_or_else(|| place.to_owned())
}

/// What the user's settings say of an index that the configuration names: when credentials are looked for.
pub fn authenticate(context: &Context, place: &str) -> Option<&'static str> {
    let indexes = &context.downloader.settings().indexes;
    let mut own = indexes.iter().filter(|index| same_place(index.url.as_str(), place));
    own.find_map(|index| index.authenticate.word())
}

/// Settings copied from the environment, then the user's file, then the system's. The default index of the
/// configuration takes the place of theirs.
pub fn settings(context: &Context) -> Table {
    let mut settings = Table::new();
    // The first value found wins.
    for own in uv_indexes::settings(&context.environment) {
        for (key, value) in how_to_connect(&own) {
            settings.entry(key).or_insert(value);
        }
    }
    take_default_index(&mut settings, context);
    settings.extend(secret_proxies(&context.environment));
    trust_the_system(&mut settings, &context.environment);
    settings
}

/// Everything that the user's and the system's files say, the user's first. What variables say uv reads itself.
pub fn all_settings(context: &Context) -> Table {
    let mut settings = Table::new();
    for (key, value) in uv_indexes::settings(&context.environment).into_iter().flatten() {
        settings.entry(key).or_insert(value);
    }
    trust_the_system(&mut settings, &context.environment);
    settings
}

/// The default index of the configuration takes precedence over that of the variables, and that over the one of a file.
fn take_default_index(settings: &mut Table, context: &Context) {
    let environment = &context.environment;
    let in_variables = || environment.text("UV_DEFAULT_INDEX").or_else(|| environment.text("UV_INDEX_URL"));
    if let Some(text) = context.default_index.as_deref().or_else(in_variables) {
        let (name, url) = uv_indexes::named(text);
        let mut index = Table::new();
        index.extend(name.map(|name| ("name".to_owned(), name.into())));
        index.insert("url".to_owned(), url.into());
        index.insert("default".to_owned(), true.into());
        index.extend(authenticate(context, url).map(|word| ("authenticate".to_owned(), word.into())));
        if local(url).is_some_and(|folder| is_flat(&folder)) {
            index.insert("format".to_owned(), "flat".into());
        }
        settings.remove("index-url");
        settings.insert("index".to_owned(), vec![index].into());
    }
    for index in settings.get_mut("index").and_then(Value::as_array_mut).into_iter().flatten() {
        let Some(index) = index.as_table_mut() else { continue };
        if let Some(url) = index.get("url").and_then(Value::as_str).map(|url| with_credentials(context, url)) {
            index.insert("url".to_owned(), url.into());
        }
    }
}

/// uv alone brings its own list of authorities, in which a company's is missing; pip and our downloads believe whom
/// the system believes. So does uv here, unless the user decides otherwise or the system has no list.
fn trust_the_system(settings: &mut Table, environment: &Environment) {
    let variables = ["UV_SYSTEM_CERTS", "UV_NATIVE_TLS", "SSL_CERT_FILE", "SSL_CERT_DIR"];
    let is_decided = ["system-certs", "native-tls"].iter().any(|key| settings.contains_key(*key))
        || variables.iter().any(|name| environment.path(name).is_some());
    if !is_decided && system_has_authorities() {
        settings.insert("system-certs".to_owned(), true.into());
    }
}

/// Proxies that ask for a password. uv takes those of its settings without regard to `NO_PROXY`, so that goes along.
fn secret_proxies(environment: &Environment) -> Table {
    let is_secret = |name: &str, value: &str| !back_end::passes_to_back_ends(name, value);
    let first = |names: &[&str]| names.iter().find_map(|name| Some((name.to_string(), environment.text(name)?)));
    let mut proxies = Table::new();
    for (key, names) in [
        ("http-proxy", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]),
        ("https-proxy", ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]),
    ] {
        if let Some((_, value)) = first(&names).filter(|(name, value)| is_secret(name, value)) {
            proxies.insert(key.to_owned(), value.into());
        }
    }
    if let (Some((_, except)), false) = (first(&["no_proxy", "NO_PROXY"]), proxies.is_empty()) {
        let hosts: Vec<&str> = except.split(',').map(str::trim).filter(|host| !host.is_empty()).collect();
        proxies.insert("no-proxy".to_owned(), hosts.into());
    }
    proxies
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

/// Warns of settings that hold for uv alone: our downloads and pip believe the system's authorities whatever they say.
pub fn warn_of_foreign_authorities(context: &Context) {
    let environment = &context.environment;
    let variable = ["UV_SYSTEM_CERTS", "UV_NATIVE_TLS"].into_iter().find(|name| environment.text(name).is_some());
    let is_off = match variable {
        Some(name) => environment.text(name).and_then(vocab::yes_or_no) == Some(false),
        None => {
            let settings = settings(context);
            ["system-certs", "native-tls"].iter().any(|key| settings.get(*key).and_then(Value::as_bool) == Some(false))
        }
    };
    if is_off {
        let name = variable.unwrap_or("system-certs");
        context.warn(
            "W_UV_SETTING",
            format!(
                "`{name}` is off for uv alone: pip and the builder's own downloads believe the system's authorities"
            ),
            None,
            Some("name the authorities in SSL_CERT_FILE, which holds for all of them".to_owned()),
        );
    }
}

/// Warns of indexes in the environment that are not asked, the default one among them where the configuration names
/// another. Those that the configuration also names are not foreign:
/// the variables only add their credentials.
pub fn warn_of_foreign_indexes(context: &Context, additional: &[String]) {
    if let Some(default) = &context.default_index {
        for name in ["UV_DEFAULT_INDEX", "UV_INDEX_URL"] {
            let given = context.environment.text(name).map(|text| uv_indexes::named(text).1);
            if given.is_some_and(|given| !same_place(given, default)) {
                context.warn(
                    "W_FOREIGN_INDEX",
                    format!("`{name}` is ignored: the configuration names another default index"),
                    None,
                    Some("change `registries.default`, or unset the variable".to_owned()),
                );
            }
        }
    }
    for name in FOREIGN_INDEXES {
        let entries = context.environment.text(name).into_iter().flat_map(str::split_whitespace);
        let is_foreign = |entry: &&str| {
            let url = uv_indexes::named(entry).1;
            !additional.iter().chain(&context.default_index).any(|known| same_place(known, url))
        };
        if entries.filter(is_foreign).count() > 0 {
            context.warn(
                "W_FOREIGN_INDEX",
                format!("`{name}` is ignored: a lock must not depend on who writes it"),
                None,
                Some("list the index in `registries.additional`; its credentials may stay in the variable".to_owned()),
            );
        }
    }
}

/// Credentials and a slash at the end aside.
fn same_place(one: &str, other: &str) -> bool {
    let plain = |url: &str| store::download::without_credentials(url).trim_end_matches('/').to_ascii_lowercase();
    plain(one) == plain(other)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::fs;
    use std::path::Path;

    use super::*;

    /// What `trust_the_system` adds depends on this machine.
    fn settings(context: &Context) -> Table {
        let mut settings = super::settings(context);
        settings.remove("system-certs");
        settings
    }

    fn context_of(folder: &Path, variables: Vec<(OsString, OsString)>) -> Context {
        Context::quiet(folder.join("store")).in_environment(Environment::new(variables))
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
            for settings in [super::settings, all_settings] {
                let both = settings(&context_of(folder.path(), variables.clone()));
                assert_eq!(both.to_string(), "native-tls = true\nno-proxy = [\"x\"]\n");
            }
        }
        variables.push(("UV_NO_CONFIG".into(), "1".into()));
        assert!(settings(&context_of(folder.path(), variables)).is_empty());
    }

    #[test]
    fn build_requirements_are_asked_of_indexes_as_the_runtime_is_with_credentials_and_format() {
        let folder = tempfile::tempdir().unwrap();
        let variables = vec![("UV_EXTRA_INDEX_URL".into(), "https://ada:p%40w@corp.example/simple".into())];
        let context = context_of(folder.path(), variables);
        let additional =
            [("https://one.example/".to_owned(), true), ("https://corp.example/simple/".to_owned(), false)];
        let found = indexes_in_order(&context, Some("https://me:pw@default.example/simple"), &additional);
        let expected: Table = "
            index-strategy = 'unsafe-first-match'
            [[index]]
            url = 'https://me:pw@default.example/simple'
            [[index]]
            name = 'registry-0'
            url = 'https://one.example/'
            format = 'flat'
            ignore-error-codes = [401, 403]
            [[index]]
            name = 'registry-1'
            url = 'https://ada:p%40w@corp.example/simple/'
            format = 'simple'
            ignore-error-codes = [401, 403]
            default = true
        "
        .parse()
        .unwrap();
        assert_eq!(found, expected);
        assert!(indexes_in_order(&context, Some("https://default.example/simple"), &[]).is_empty());
    }

    #[test]
    fn the_configured_default_index_replaces_the_users_and_keeps_its_credentials() {
        let folder = tempfile::tempdir().unwrap();
        let of = |variables: &[(&str, &str)]| {
            let variables = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
            let context = context_of(folder.path(), variables.chain([("UV_NO_CONFIG".into(), "1".into())]).collect());
            let context = context.with_default_index(Some("https://corp.example/pypi/simple"));
            let in_settings = settings(&context)["index"].as_array().unwrap().clone();
            (in_settings[0]["url"].as_str().unwrap().to_owned(), in_settings.len())
        };
        let cases: [(&[(&str, &str)], &str); 4] = [
            (&[], "https://corp.example/pypi/simple"),
            (&[("UV_DEFAULT_INDEX", "https://a:b@other.example/simple")], "https://corp.example/pypi/simple"),
            (&[("UV_DEFAULT_INDEX", "https://a:b@corp.example/pypi/simple/")], "https://a:b@corp.example/pypi/simple"),
            (
                &[
                    ("UV_INDEX", "corp=https://corp.example/pypi/simple"),
                    ("UV_INDEX_CORP_USERNAME", "ada"),
                    ("UV_INDEX_CORP_PASSWORD", "x"),
                ],
                "https://ada:x@corp.example/pypi/simple",
            ),
        ];
        for (variables, expected) in cases {
            assert_eq!(of(variables), (expected.to_owned(), 1), "for {variables:?}");
        }
    }

    #[test]
    fn uv_believes_whom_the_system_believes_unless_the_user_decides() {
        let folder = tempfile::tempdir().unwrap();
        let of = |name: &str, value: &str| {
            let variables = vec![(name.into(), value.into()), ("UV_NO_CONFIG".into(), "1".into())];
            super::settings(&context_of(folder.path(), variables)).get("system-certs").and_then(Value::as_bool)
        };
        let default = system_has_authorities().then_some(true);
        assert_eq!(of("LANG", "C"), default);
        for name in ["UV_SYSTEM_CERTS", "UV_NATIVE_TLS", "SSL_CERT_FILE", "SSL_CERT_DIR"] {
            assert_eq!(of(name, "x"), None, "for {name}");
            assert_eq!(of(name, ""), default, "for an empty {name}");
        }
    }

    #[test]
    fn authorities_that_hold_for_uv_alone_are_warned_of() {
        let folder = tempfile::tempdir().unwrap();
        let warned = |variables: &[(&str, &str)]| {
            let variables = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
            let heard = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
            let listener = std::sync::Arc::clone(&heard);
            let context = context_of(folder.path(), variables.chain([("UV_NO_CONFIG".into(), "1".into())]).collect())
                .with_listener(std::sync::Arc::new(move |event| listener.lock().unwrap().push(event)));
            warn_of_foreign_authorities(&context);
            let heard = heard.lock().unwrap();
            format!("{heard:?}")
        };
        assert!(warned(&[("UV_SYSTEM_CERTS", "0")]).contains("`UV_SYSTEM_CERTS` is off for uv alone"));
        assert!(warned(&[("UV_NATIVE_TLS", "false")]).contains("W_UV_SETTING"));
        for variables in [&[][..], &[("UV_SYSTEM_CERTS", "1")], &[("UV_NATIVE_TLS", "true")]] {
            assert_eq!(warned(variables), "[]");
        }
    }

    #[test]
    fn attack_12_what_is_secret_in_the_environment_becomes_a_setting() {
        let folder = tempfile::tempdir().unwrap();
        let of = |variables: &[(&str, &str)]| {
            let variables = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
            settings(&context_of(folder.path(), variables.chain([("UV_NO_CONFIG".into(), "1".into())]).collect()))
        };
        let cases: [(&[(&str, &str)], &str); 5] = [
            // (variables, settings)
            (
                &[("UV_INDEX_URL", "https://a:pw@x.example/?q=1")],
                "index = [{ url = 'https://a:pw@x.example/?q=1', default = true }]",
            ),
            (
                &[
                    ("UV_DEFAULT_INDEX", "my-corp.x=https://x.example/simple"),
                    ("UV_INDEX_URL", "https://other.example"),
                    ("UV_INDEX_MY_CORP_X_USERNAME", "ada"),
                    ("UV_INDEX_MY_CORP_X_PASSWORD", "a/b"),
                ],
                "index = [{ name = 'my-corp.x', url = 'https://ada:a%2Fb@x.example/simple', default = true }]",
            ),
            (
                &[("HTTPS_PROXY", "http://u:pw@proxy.example:3128"), ("NO_PROXY", "a.example, .b.example")],
                "https-proxy = 'http://u:pw@proxy.example:3128'\nno-proxy = ['a.example', '.b.example']",
            ),
            (&[("https_proxy", "http://proxy.example:3128"), ("NO_PROXY", "a.example")], ""),
            (&[("all_proxy", "u:pw@proxy:1")], "http-proxy = 'u:pw@proxy:1'\nhttps-proxy = 'u:pw@proxy:1'"),
        ];
        for (variables, expected) in cases {
            assert_eq!(of(variables), expected.parse::<Table>().unwrap(), "for {variables:?}");
        }
    }
}
