//! How long a pod waits for servers: a target loses patience with a pod that does not serve, so an index or a place out of
//! reach is an error within 15 seconds. uv's variables say otherwise, for our own downloads, too.

use std::ffi::OsString;
use std::time::Duration;

use store::download::DownloadSettings;
use vocab::Environment;

/// Seconds until a connection is there, of silence afterwards, and further attempts, each with the variables of uv that
/// say otherwise. Twice the longer one and the pauses between are below 15 seconds.
const CONNECT: (u32, &[&str]) = (4, &["UV_HTTP_CONNECT_TIMEOUT"]);
const SILENCE: (u32, &[&str]) = (5, &["UV_HTTP_TIMEOUT", "UV_REQUEST_TIMEOUT", "HTTP_TIMEOUT"]);
const RETRIES: (u32, &[&str]) = (1, &["UV_HTTP_RETRIES"]);

/// For connections to an AIStore cluster, which are tried five times with pauses of 7.5 seconds in all.
const CLUSTER: (u32, &[&str]) = (1, &["AIS_CONNECT_TIMEOUT"]);

/// The environment with limits for uv, and for pip, which sets uv up; those that are set stay.
pub fn in_a_hurry(environment: &Environment) -> Environment {
    let mut added: Vec<(OsString, OsString)> = Vec::new();
    let pip = (SILENCE.0, &["PIP_DEFAULT_TIMEOUT", "PIP_TIMEOUT"][..]);
    for (default, names) in [CONNECT, SILENCE, RETRIES, CLUSTER, pip] {
        if names.iter().all(|name| environment.text(name).is_none()) {
            added.push((names[0].into(), default.to_string().into()));
        }
    }
    Environment::new(environment.iter().map(|(name, value)| (name.clone(), value.clone())).chain(added))
}

/// The same limits for our own downloads.
pub fn downloads(environment: &Environment) -> DownloadSettings {
    let number = |(default, names): (u32, &[&str])| {
        let given = names.iter().find_map(|name| environment.text(name));
        given.and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let seconds = |limit| Duration::from_secs(u64::from(number(limit)).max(1));
    DownloadSettings {
        connect_limit: seconds(CONNECT),
        stall_limit: seconds(SILENCE),
        attempts: number(RETRIES).saturating_add(1),
        ..DownloadSettings::of(environment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        Environment::new(variables.iter().map(|(name, value)| (name.into(), value.into())))
    }

    #[test]
    fn a_pod_is_in_a_hurry_unless_uvs_variables_say_otherwise() {
        let hurried = in_a_hurry(&environment(&[("UV_REQUEST_TIMEOUT", "40"), ("HOME", "/h")]));
        let value = |name: &str| hurried.text(name).map(str::to_owned);
        assert_eq!(value("UV_HTTP_CONNECT_TIMEOUT").as_deref(), Some("4"));
        assert_eq!((value("UV_HTTP_TIMEOUT"), value("UV_HTTP_RETRIES").as_deref()), (None, Some("1")));
        assert_eq!((value("PIP_DEFAULT_TIMEOUT").as_deref(), value("HOME").as_deref()), (Some("5"), Some("/h")));

        let limits = downloads(&hurried);
        assert_eq!(limits.connect_limit, Duration::from_secs(4));
        assert_eq!((limits.stall_limit, limits.attempts), (Duration::from_secs(40), 2));
        let limits = downloads(&environment(&[("UV_HTTP_TIMEOUT", "0"), ("UV_HTTP_RETRIES", "4294967295")]));
        assert_eq!((limits.stall_limit, limits.attempts), (Duration::from_secs(1), u32::MAX));
        let limits = downloads(&environment(&[]));
        let longest = limits.connect_limit.max(limits.stall_limit) * limits.attempts + limits.first_pause;
        assert!(longest < Duration::from_secs(15), "{longest:?}");
    }
}
