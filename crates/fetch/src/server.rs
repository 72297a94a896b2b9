//! An artifact on a web server: how long to wait for it, and what a missing answer means.

use std::ffi::OsString;
use std::time::Duration;

use aistore_client::Variables;
use vocab::Environment;
use web::{
    Credentials, Deadline, FailureKind, HeaderName, Method, Pace, Proxies, Retries, RetryChance, WebAnswer, WebClient,
    WebFailure, WebLimits, WebRequest,
};

use super::FetchErrorKind;
use url::Url;

/// How long to wait for a server, and how often to try. Plain data.
#[derive(Clone, Debug)]
pub struct FetchSettings {
    pub proxies: Proxies,
    /// For `ais://`: the endpoint where an address names none, the token, TLS.
    pub cluster: Variables,
    /// For `s3://`: AWS's variables, and where profiles are.
    pub buckets: Environment,
    /// Limit for finding the host, connecting and the TLS handshake.
    pub connect_limit: Duration,
    /// The longest silence in the middle of an answer.
    pub stall_limit: Duration,
    /// A server that sends less than this is given up.
    pub pace: Pace,
    /// Limit for everything that is fetched with these settings.
    pub deadline: Option<Deadline>,
    /// For each range, at least 1.
    pub attempts: u32,
    /// Pause before the second attempt; doubles with each further one.
    pub first_pause: Duration,
    /// How many ranges are fetched at once, at least 1.
    pub at_once: usize,
}

/// What reading from a bucket asks the environment for, proxies aside.
const BUCKET_VARIABLES: [&str; 11] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "HOME",
    "USERPROFILE",
];

impl Default for FetchSettings {
    fn default() -> Self {
        let retries = Retries::default();
        Self {
            proxies: Proxies::default(),
            cluster: Variables::default(),
            buckets: Environment::default(),
            connect_limit: Duration::from_secs(10),
            stall_limit: Duration::from_secs(30),
            pace: Pace::default(),
            deadline: None,
            attempts: retries.attempts,
            first_pause: retries.first_pause,
            at_once: 4,
        }
    }
}

impl FetchSettings {
    /// The default, with the proxies and the variables of AIStore and AWS that `variable` gives the values of.
    pub fn of(variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let of_buckets =
            BUCKET_VARIABLES.iter().filter_map(|name| Some((OsString::from(name), variable(name)?.into())));
        Self {
            proxies: Proxies::of(variable),
            cluster: Variables::of(variable),
            buckets: Environment::new(of_buckets),
            ..Self::default()
        }
    }
}

/// Why there was no answer, or no complete one.
#[derive(Debug)]
pub(super) enum ServerSetback {
    /// Another attempt may succeed.
    Passing {
        reason: String,
        /// The pause that the server asked for.
        pause: Option<Duration>,
    },
    Final(FetchErrorKind),
}

impl ServerSetback {
    pub(super) fn passing(reason: String) -> Self {
        Self::Passing { reason, pause: None }
    }
}

impl web::Setback for ServerSetback {
    fn chance(&self) -> Option<RetryChance> {
        match self {
            Self::Final(_) => None,
            Self::Passing { reason, pause } => Some(RetryChance { reason: reason.clone(), pause: *pause }),
        }
    }
}

impl From<FetchErrorKind> for ServerSetback {
    fn from(kind: FetchErrorKind) -> Self {
        Self::Final(kind)
    }
}

impl From<WebFailure> for ServerSetback {
    fn from(WebFailure { reason, kind }: WebFailure) -> Self {
        match kind {
            FailureKind::Passing => Self::passing(reason),
            FailureKind::Lasting => Self::Final(FetchErrorKind::Refused { reason }),
            FailureKind::TooSlow => Self::Final(FetchErrorKind::TooSlow { reason }),
            FailureKind::Late => Self::Final(FetchErrorKind::TimedOut { reason }),
        }
    }
}

pub(super) struct WebOrigin {
    url: Url,
    client: WebClient,
}

impl WebOrigin {
    pub(super) fn new(url: Url, settings: &FetchSettings) -> Self {
        let FetchSettings { connect_limit: connect, stall_limit: stall, pace, deadline, .. } = *settings;
        let limits = WebLimits { connect, stall, pace, deadline };
        Self { url, client: WebClient::new(settings.proxies.clone(), limits) }
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    pub(super) fn get(&self, url: &Url, headers: &[(HeaderName, String)]) -> Result<WebAnswer, ServerSetback> {
        let ask = WebRequest { headers: headers.to_vec(), ..WebRequest::new(Method::GET, url.clone()) };
        Ok(self.client.send::<WebFailure>(ask, &|url| Ok(Credentials::of_url(url)))?)
    }
}
