//! What a client needs to know: where the cluster is, the token, how long to wait.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use web::{ClientIdentity, Pace, Proxies, Retries, Secret, Tls, TlsTrust, WebLimits};

use crate::Error;
use crate::names::invalid;

/// Make it with [`Settings::new`] and change what should be otherwise.
#[derive(Clone, Debug)]
pub struct Settings {
    /// URL of any proxy of the cluster, or of what stands before it: `http://host:port`, and a path where the API is not at
    /// the root.
    pub endpoint: String,
    /// Sent as `Authorization: Bearer` with every request, also with those that a redirect leads to.
    pub token: Option<Secret>,
    pub tls: Tls,
    /// HTTP proxies on the way to the cluster.
    pub proxies: Proxies,
    pub limits: WebLimits,
    /// For answers that may be others the next time (429, 502, 503, 504), and for broken connections where asking twice
    /// does the same as asking once.
    pub retries: Retries,
    /// How long to ask again while the cluster is busy with something that does not allow it, such as a rebalance.
    pub busy_limit: Duration,
    /// How long content of 256 KiB and more waits for a redirect before it is sent to the first server. A server
    /// that redirects reads none of it, and what is a stream can be sent once only.
    pub redirect_wait: Duration,
    pub reads: Reads,
}

/// How objects are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reads {
    /// From the target that a proxy redirects to.
    #[default]
    Redirected,
    /// From the target that should have it by the cluster map: one request instead of two. Where that fails, the map is
    /// fetched anew and the proxy asked. For clusters that neither check tokens nor sign requests.
    Direct,
}

/// "None", as a limit.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 3600);

impl Settings {
    /// Waits 3 s for a connection and 20 s for each sign of life.
    pub fn new(endpoint: impl Into<String>) -> Self {
        let (connect, stall) = (Duration::from_secs(3), Duration::from_secs(20));
        Self {
            endpoint: endpoint.into(),
            token: None,
            tls: Tls::default(),
            proxies: Proxies::default(),
            limits: WebLimits { connect, stall, pace: Pace::default(), deadline: None },
            retries: Retries::default(),
            busy_limit: Duration::from_secs(30),
            redirect_wait: Duration::from_secs(1),
            reads: Reads::default(),
        }
    }

    /// As [`Settings::new`], changed by the variables that AIStore's Python SDK has, of which `variable` gives the
    /// values: `AIS_AUTHN_TOKEN`, `AIS_CLIENT_CA`, `AIS_CRT`, `AIS_CRT_KEY`, `AIS_SKIP_VERIFY_CRT`, `AIS_CONNECT_TIMEOUT`
    /// and `AIS_READ_TIMEOUT` (in seconds; 0 is no limit). Without `endpoint` also `AIS_ENDPOINT`. And by those that name
    /// HTTP proxies.
    ///
    /// # Errors
    /// There is no endpoint, a value is not understood, or a file that a variable names cannot be read.
    pub fn of(endpoint: Option<&str>, variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let endpoint = endpoint.map(str::to_owned).or_else(|| variable("AIS_ENDPOINT"));
        let endpoint = endpoint.ok_or(Error::NoEndpoint)?;
        let mut settings = Self::new(endpoint);
        settings.proxies = Proxies::of(&variable);
        settings.token = variable("AIS_AUTHN_TOKEN").map(Secret::new);
        if let Some(limit) = seconds("AIS_CONNECT_TIMEOUT", &variable)? {
            settings.limits.connect = limit;
        }
        if let Some(limit) = seconds("AIS_READ_TIMEOUT", &variable)? {
            settings.limits.stall = limit;
        }
        let file = |name: &'static str| variable(name).map(read).transpose();
        if let Some(authorities) = file("AIS_CLIENT_CA")? {
            settings.tls.trust = TlsTrust::Authorities(authorities);
        }
        settings.tls.identity = match (file("AIS_CRT")?, file("AIS_CRT_KEY")?) {
            (Some(certificates), Some(key)) => {
                let key = String::from_utf8(key).map_err(|_| invalid("private key", "AIS_CRT_KEY", "it is not PEM"))?;
                Some(ClientIdentity { certificates, key: Secret::new(key) })
            }
            (None, None) => None,
            (Some(_), None) => return Err(invalid("client certificate", "AIS_CRT", "AIS_CRT_KEY is not set")),
            (None, Some(_)) => return Err(invalid("client certificate", "AIS_CRT_KEY", "AIS_CRT is not set")),
        };
        if let Some(value) = variable("AIS_SKIP_VERIFY_CRT") {
            match value.to_ascii_lowercase().as_str() {
                "1" | "t" | "true" | "y" | "yes" | "on" => settings.tls.trust = TlsTrust::Anyone,
                "0" | "f" | "false" | "n" | "no" | "off" => {}
                _ => return Err(invalid("value of AIS_SKIP_VERIFY_CRT", &value, "write true or false")),
            }
        }
        Ok(settings)
    }
}

/// The values of AIStore's variables as plain data, for [`Settings::of`]. Not shown by `Debug`: one is a token.
#[derive(Clone, Debug, Default)]
pub struct Variables(BTreeMap<&'static str, Secret>);

impl Variables {
    /// Those that are set.
    pub fn of(variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let value = |name: &'static str| Some((name, Secret::new(variable(name).filter(|value| !value.is_empty())?)));
        Self(VARIABLES.into_iter().filter_map(value).collect())
    }

    /// The value of one of them.
    pub fn get(&self, name: &str) -> Option<String> {
        self.0.get(name).map(|value| value.reveal().to_owned())
    }
}

/// What [`Settings::of`] asks for, proxies aside.
pub const VARIABLES: [&str; 8] = [
    "AIS_ENDPOINT",
    "AIS_AUTHN_TOKEN",
    "AIS_CLIENT_CA",
    "AIS_CRT",
    "AIS_CRT_KEY",
    "AIS_SKIP_VERIFY_CRT",
    "AIS_CONNECT_TIMEOUT",
    "AIS_READ_TIMEOUT",
];

fn read(path: String) -> Result<Vec<u8>, Error> {
    let path = PathBuf::from(path);
    std::fs::read(&path).map_err(|source| Error::File { path, source })
}

fn seconds(name: &'static str, variable: &dyn Fn(&str) -> Option<String>) -> Result<Option<Duration>, Error> {
    let Some(value) = variable(name) else { return Ok(None) };
    let limit = value.trim().parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    match limit {
        Some(limit) => Ok(Some(if limit.is_zero() { FOREVER } else { limit.min(FOREVER) })),
        None => Err(invalid("number of seconds", &value, format!("{name} holds it"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Result<Settings, String> {
        let variable =
            |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Settings::of(None, &variable).map_err(|error| error.to_string())
    }

    #[test]
    fn the_variables_of_the_sdk_are_understood() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, name).unwrap();
            path.display().to_string()
        };
        let (authority, certificate, key) = (file("ca"), file("crt"), file("key"));
        let settings = of(&[
            ("AIS_ENDPOINT", "http://h:1"),
            ("AIS_AUTHN_TOKEN", "secret"),
            ("AIS_CLIENT_CA", &authority),
            ("AIS_CRT", &certificate),
            ("AIS_CRT_KEY", &key),
            ("AIS_READ_TIMEOUT", "0"),
            ("AIS_CONNECT_TIMEOUT", "1.5"),
        ])
        .unwrap();
        assert_eq!(settings.endpoint, "http://h:1");
        assert_eq!(settings.tls.trust, TlsTrust::Authorities(b"ca".to_vec()));
        assert_eq!(settings.tls.identity.as_ref().unwrap().certificates, b"crt");
        assert_eq!(settings.tls.identity.as_ref().unwrap().key.reveal(), "key");
        assert_eq!((settings.limits.stall, settings.limits.connect), (FOREVER, Duration::from_millis(1500)));
        let shown = format!("{settings:?}");
        assert!(!shown.contains("secret"), "{shown}");
        assert_eq!(of(&[("AIS_ENDPOINT", "x"), ("AIS_SKIP_VERIFY_CRT", "True")]).unwrap().tls.trust, TlsTrust::Anyone);
    }

    #[test]
    fn no_value_of_a_variable_is_shown() {
        let variable = |name: &str| (name == "AIS_AUTHN_TOKEN").then(|| "a-token".to_owned());
        let variables = Variables::of(&variable);
        let settings = Settings::of(Some("http://h:1"), &|name| variables.get(name)).unwrap();
        assert_eq!(settings.token.as_ref().map(Secret::reveal), Some("a-token"));
        let shown = format!("{variables:?} {settings:?} {:?}", crate::Client::new(settings.clone()).unwrap());
        assert!(!shown.contains("a-token"), "{shown}");
    }

    #[test]
    fn what_is_not_understood_is_named() {
        let endpoint = ("AIS_ENDPOINT", "http://h:1");
        let cases = [
            (vec![], "no endpoint: add `?endpoint=http://host:port`, or set AIS_ENDPOINT"),
            (vec![endpoint, ("AIS_READ_TIMEOUT", "-1")], "AIS_READ_TIMEOUT"),
            (vec![endpoint, ("AIS_READ_TIMEOUT", "soon")], "AIS_READ_TIMEOUT"),
            (vec![endpoint, ("AIS_SKIP_VERIFY_CRT", "maybe")], "AIS_SKIP_VERIFY_CRT"),
            (vec![endpoint, ("AIS_CLIENT_CA", "/nowhere/at/all")], "cannot read `/nowhere/at/all`"),
        ];
        for (variables, expected) in cases {
            let error = of(&variables).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
