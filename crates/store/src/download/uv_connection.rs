//! How to reach servers, as the user has told uv, for our own downloads and for pip: proxies, and servers that are
//! believed without a look at their certificate.

use std::ffi::OsString;
use std::path::Path;

use toml::Value;
use vocab::Environment;
use web::{Proxies, Secret, UnverifiedHost};

use super::uv_indexes::settings;

/// Variables that name files and folders for uv and pip, which are started in other folders than the builder.
const PATHS: [&str; 6] =
    ["NETRC", "SSL_CERT_FILE", "SSL_CLIENT_CERT", "UV_CACHE_DIR", "UV_CONFIG_FILE", "UV_CREDENTIALS_DIR"];

/// The same environment with paths that also hold elsewhere; relative ones are meant from `folder`.
#[must_use]
pub fn with_absolute_paths(environment: &Environment, folder: &Path) -> Environment {
    let from_folder = |name: &OsString, value: &OsString| {
        let is_path = !value.is_empty() && name.to_str().is_some_and(|name| PATHS.contains(&name));
        if is_path { folder.join(value).into_os_string() } else { value.clone() }
    };
    let is_list = |name: &OsString, value: &OsString| name == "SSL_CERT_DIR" && !value.is_empty();
    let absolute = |(name, value): (&OsString, &OsString)| {
        let joined = is_list(name, value)
            .then(|| std::env::join_paths(std::env::split_paths(value).map(|place| folder.join(place))).ok())
            .flatten();
        (name.clone(), joined.unwrap_or_else(|| from_folder(name, value)))
    };
    Environment::new(environment.iter().map(absolute))
}

/// Those of the variables, and for what they do not say those of uv's settings files.
pub(super) fn proxies(environment: &Environment) -> Proxies {
    let of_variables = Proxies::of(&|name| environment.text(name).map(str::to_owned));
    let text = |key: &str| setting(environment, key)?.as_str().map(Secret::new);
    let except = || {
        let hosts = setting(environment, "no-proxy")?;
        let hosts: Vec<&str> = hosts.as_array()?.iter().filter_map(Value::as_str).collect();
        Some(hosts.join(","))
    };
    let Proxies { http, https, except: given } = of_variables;
    Proxies {
        http: http.or_else(|| text("http-proxy")),
        https: https.or_else(|| text("https-proxy")),
        except: Some(given).filter(|given| !given.is_empty()).or_else(except).unwrap_or_default(),
    }
}

/// `UV_INSECURE_HOST`, with blanks between several, or else `allow-insecure-host`.
pub fn unverified(environment: &Environment) -> Vec<UnverifiedHost> {
    if let Some(text) = environment.text("UV_INSECURE_HOST") {
        return text.split_whitespace().map(UnverifiedHost::new).collect();
    }
    let hosts = setting(environment, "allow-insecure-host");
    let hosts = hosts.as_ref().and_then(Value::as_array).into_iter().flatten();
    hosts.filter_map(Value::as_str).map(UnverifiedHost::new).collect()
}

fn setting(environment: &Environment, key: &str) -> Option<Value> {
    settings(environment).into_iter().find_map(|mut settings| {
        let of_pip = settings.get("pip").and_then(|pip| pip.get(key)).cloned();
        of_pip.or_else(|| settings.remove(key))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(file: &Path, variables: &[(&str, &str)]) -> Environment {
        let all = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        Environment::new(all.chain([("UV_CONFIG_FILE".into(), file.as_os_str().to_owned())]))
    }

    #[test]
    fn what_uvs_settings_say_of_the_way_to_servers_holds_for_our_downloads_and_variables_come_first() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("uv.toml");
        let text = "
            http-proxy = 'http://u:secret@one:1'
            https-proxy = 'two:2'
            no-proxy = ['a.example', 'b.example']
            allow-insecure-host = ['h.example:8443', 'i.example']
        ";
        std::fs::write(&file, text).unwrap();
        let of = |variables: &[(&str, &str)]| {
            let environment = environment(&file, variables);
            let found = proxies(&environment);
            let shown = |proxy: &Option<Secret>| proxy.as_ref().map(|it| it.reveal().to_owned()).unwrap_or_default();
            let hosts: Vec<String> = unverified(&environment).iter().map(|host| host.text().to_owned()).collect();
            format!("{} {} {} {}", shown(&found.http), shown(&found.https), found.except, hosts.join("+"))
        };
        assert_eq!(of(&[]), "http://u:secret@one:1 two:2 a.example,b.example h.example:8443+i.example");
        let variables = [("HTTPS_PROXY", "x:1"), ("NO_PROXY", "c.example"), ("UV_INSECURE_HOST", "j.example *")];
        assert_eq!(of(&variables), "http://u:secret@one:1 x:1 c.example j.example+*");
    }

    #[test]
    fn relative_paths_are_meant_from_the_folder_of_the_builder() {
        let folder = std::env::temp_dir();
        let list = std::env::join_paths([Path::new("one"), &folder]).unwrap();
        let variables = [
            ("SSL_CLIENT_CERT".into(), "me.pem".into()),
            ("NETRC".into(), folder.join("netrc").into_os_string()),
            ("UV_CACHE_DIR".into(), OsString::new()),
            ("SSL_CERT_DIR".into(), list),
            ("CFLAGS".into(), "me".into()),
        ];
        let found = with_absolute_paths(&Environment::new(variables), &folder);
        let value =
            |name: &str| found.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone()).unwrap();
        assert_eq!(value("SSL_CLIENT_CERT"), folder.join("me.pem"));
        assert_eq!(value("NETRC"), folder.join("netrc"));
        assert_eq!(value("UV_CACHE_DIR"), "");
        assert_eq!(value("SSL_CERT_DIR"), std::env::join_paths([&folder.join("one"), &folder]).unwrap());
        assert_eq!(value("CFLAGS"), "me");
    }
}
