//! Which variables uv starts with. The build back ends that it runs inherit them, so none of them is secret.

use std::ffi::{OsStr, OsString};

use store::Context;

/// Caches, places of credentials and certificates, and how patient to be. Indexes and credentials are settings.
const VARIABLES: [&str; 16] = [
    "SSL_CLIENT_CERT",
    "UV_CACHE_DIR",
    "UV_CONCURRENT_BUILDS",
    "UV_CONCURRENT_DOWNLOADS",
    "UV_CONCURRENT_INSTALLS",
    "UV_CREDENTIALS_DIR",
    "UV_HTTP_CONNECT_TIMEOUT",
    "UV_HTTP_RETRIES",
    "UV_HTTP_TIMEOUT",
    "UV_INSECURE_HOST",
    "UV_KEYRING_PROVIDER",
    "UV_LOCK_TIMEOUT",
    "UV_NATIVE_TLS",
    "UV_NO_CACHE",
    "UV_REQUEST_TIMEOUT",
    "UV_SYSTEM_CERTS",
];

/// What uv and the programs that it starts need beside its own variables and what build back ends get: the user's name
/// and folders, for credentials in files and keyrings.
const NEEDED: [&str; 17] = [
    "APPDATA",
    "DBUS_SESSION_BUS_ADDRESS",
    "HOME",
    "HOMEDRIVE",
    "HOMEPATH",
    "LOCALAPPDATA",
    "LOGNAME",
    "NETRC",
    "PROGRAMDATA",
    "PYTHON_KEYRING_BACKEND",
    "TEMP",
    "TMP",
    "TMPDIR",
    "USER",
    "USERNAME",
    "USERPROFILE",
    "WINDIR",
];

const NEEDED_BEGINNINGS: [&str; 2] = ["LC_", "XDG_"];

/// The way to repositories. `GIT_CONFIG_KEY_<n>` and `GIT_CONFIG_VALUE_<n>` may hold tokens, so these pass only where
/// something comes from a repository.
const OF_GIT: [&str; 13] = [
    "GIT_ALLOW_PROTOCOL",
    "GIT_ASKPASS",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_NOSYSTEM",
    "GIT_CONFIG_SYSTEM",
    "GIT_EXEC_PATH",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_SSH_VARIANT",
    "SSH_ASKPASS",
    "SSH_ASKPASS_REQUIRE",
    "SSH_AUTH_SOCK",
];

const OF_GIT_BEGINNINGS: [&str; 4] = ["GIT_CONFIG_KEY_", "GIT_CONFIG_VALUE_", "GIT_PROXY_SSL_", "GIT_SSL_"];

/// The environment that uv starts with, in place of the whole one, to fetch these requirements and what they require.
pub fn environment<'a>(
    context: &Context,
    mut requirements: impl Iterator<Item = &'a String>,
) -> Vec<(OsString, OsString)> {
    let with_git = requirements.any(|requirement| requirement.contains("git+"));
    let passes = |name: &OsStr, value: &OsStr| {
        let Some(name) = name.to_str() else { return false };
        passes(name, &value.to_string_lossy()) || with_git && is_of_git(name)
    };
    let kept = context.environment.iter().filter(|(name, value)| passes(name, value));
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The whole environment but for what says where settings are: those are given to uv otherwise.
pub fn whole_environment(context: &Context) -> Vec<(OsString, OsString)> {
    let is_kept = |name: &OsString| !["UV_CONFIG_FILE", "UV_NO_CONFIG"].iter().any(|other| name == other);
    let kept = context.environment.iter().filter(|(name, _)| is_kept(name));
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Names are compared without regard to case, as Windows does; on other systems `uv_resolution` is not in use.
fn passes(name: &str, value: &str) -> bool {
    let name = name.to_ascii_uppercase();
    VARIABLES.contains(&name.as_str())
        || NEEDED.contains(&name.as_str())
        || NEEDED_BEGINNINGS.iter().any(|beginning| name.starts_with(beginning))
        || super::back_end::passes_to_back_ends(&name, value)
}

fn is_of_git(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    OF_GIT.contains(&name.as_str()) || OF_GIT_BEGINNINGS.iter().any(|beginning| name.starts_with(beginning))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_field_resolver_settings_leak_only_variables_about_the_way_to_an_index_pass() {
        let cases = [
            // (variable, passes)
            ("PATH", true),
            ("SSL_CERT_FILE", true),
            ("SSL_CLIENT_CERT", true),
            ("HTTPS_PROXY", true),
            ("NETRC", true),
            ("UV_DEFAULT_INDEX", false),
            ("UV_CACHE_DIR", true),
            ("UV_KEYRING_PROVIDER", true),
            ("UV_INDEX_CORP_PASSWORD", false),
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
            ("SSH_AUTH_SOCK", false),
            ("CFLAGS", true),
            ("https_proxy", true),
            ("PYDIST_SIGNING_KEY", false),
            ("AWS_SECRET_ACCESS_KEY", false),
            ("GITHUB_TOKEN", false),
            ("PYTHONPATH", false),
        ];
        for (name, expected) in cases {
            assert_eq!(passes(name, "value"), expected, "for {name}");
        }
    }

    #[test]
    fn attack_12_a_proxy_with_a_password_passes_to_no_back_end() {
        let cases = [
            // (variable, value, passes)
            ("HTTPS_PROXY", "http://proxy.example:3128", true),
            ("HTTPS_PROXY", "http://user:word@proxy.example:3128", false),
            ("all_proxy", "user:word@proxy.example:3128", false),
            ("CFLAGS", "-DX=@", true),
        ];
        for (name, value, expected) in cases {
            assert_eq!(passes(name, value), expected, "for {name}={value}");
        }
    }

    #[test]
    fn attack_12_the_way_to_repositories_passes_where_something_comes_from_one() {
        let folder = tempfile::tempdir().unwrap();
        let names = ["GIT_CONFIG_VALUE_0", "GIT_ASKPASS", "SSH_AUTH_SOCK", "GIT_TOKEN", "SSH_PRIVATE_KEY"];
        let variables = names.map(|name| (OsString::from(name), OsString::from("value")));
        let context = Context::quiet(folder.path().join("store")).in_environment(vocab::Environment::new(variables));
        let passed = |requirement: &str| -> Vec<OsString> {
            let requirements = [requirement.to_owned()];
            environment(&context, requirements.iter()).into_iter().map(|(name, _)| name).collect()
        };
        assert_eq!(passed("demo==1.0"), [""; 0]);
        assert_eq!(passed("demo @ git+ssh://host/demo"), ["GIT_ASKPASS", "GIT_CONFIG_VALUE_0", "SSH_AUTH_SOCK"]);
    }
}
