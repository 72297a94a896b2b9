//! What a pod's environment asks for, read once into types.

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use config_merger::Requirement;
use vocab::{Digest, Environment, Fault};

use crate::os_packages::{self, OsPackage};
use crate::package_list;

/// Where ETL servers listen; targets ask here.
pub const PORT: u16 = 8000;
/// How many processes serve if NUM_WORKERS is unset.
pub const WORKERS: u16 = 4;
/// More than any pod has processors; beyond it the number is a typing error.
const MOST_WORKERS: u16 = 1024;
/// How long a class may take to load and to be made.
const LOAD_LIMIT: Duration = Duration::from_secs(30);

/// A pod's settings. Those of the SDK itself, such as ETL_DIRECT_FQN, are left to it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// PACKAGES.
    pub packages: Vec<Requirement>,
    /// OS_PACKAGES.
    pub os_packages: Vec<OsPackage>,
    /// NUM_WORKERS.
    pub workers: u16,
    /// ETL_PORT.
    pub port: u16,
    /// ETL_PYTHON_VERSION: the minor version that the class was pickled with.
    pub python_version: Option<String>,
    /// ETL_DELTA: where the packages were baked to.
    pub delta: Option<String>,
    /// ETL_DELTA_SHA256: which of them, by the digest of its record; without it, the last that was baked for PACKAGES.
    pub delta_sha256: Option<Digest>,
    /// ETL_FQN_ROOTS: the folders objects may be read from; `None`: the volumes that are mounted here.
    pub fqn_roots: Option<Vec<PathBuf>>,
    /// ETL_LOAD_TIMEOUT, in seconds.
    pub load_limit: Duration,
    /// ETL_PRELOAD: one process loads the class and forks the workers, instead of each worker loading it.
    pub preload: bool,
}

/// A variable that cannot be followed; the message names it.
#[derive(Debug, thiserror::Error, Fault)]
pub enum SettingError {
    #[error("{name} is not set")]
    #[fault("E_ETL_SETTING_MISSING", Build, hint("AIStore sets it in the pod; `init_class` puts the class into it"))]
    Missing { name: &'static str },
    #[error("ETL_CLASS_PAYLOAD cannot be deserialized: it is not base64")]
    #[fault(
        "E_ETL_PAYLOAD",
        Build,
        hint("it is base64 of the pickled class, as `serialize_class` of the SDK returns it")
    )]
    Payload,
    #[error("{name} is `{value}`, which is not {expected}")]
    #[fault("E_ETL_SETTING", Usage, hint("correct it, or unset it for its default"))]
    Value { name: &'static str, value: String, expected: String },
    #[error(transparent)]
    #[fault(transparent)]
    Flag(#[from] vocab::FlagError),
    #[error(transparent)]
    #[fault(transparent)]
    Packages(#[from] package_list::PackageError),
    #[error(transparent)]
    #[fault(transparent)]
    OsPackages(#[from] os_packages::OsPackageNameError),
}

impl Settings {
    /// Reads all variables; the first that is wrong is reported.
    pub fn read(environment: &Environment) -> Result<Self, SettingError> {
        let required = |name| environment.text(name).ok_or(SettingError::Missing { name });
        let payload = required("ETL_CLASS_PAYLOAD")?;
        if STANDARD.decode(payload).is_err() {
            return Err(SettingError::Payload);
        }
        let workers = number(environment, "NUM_WORKERS", WORKERS, MOST_WORKERS)?;
        let port = number(environment, "ETL_PORT", PORT, u16::MAX)?;
        let seconds = number(environment, "ETL_LOAD_TIMEOUT", 30, u16::MAX)?;
        let preload = match environment.text("ETL_PRELOAD") {
            Some(_) => environment.flag("ETL_PRELOAD")?,
            None => true,
        };
        let settings = Self {
            packages: package_list::parse(environment.text("PACKAGES").unwrap_or_default())?,
            os_packages: os_packages::parse(environment.text("OS_PACKAGES").unwrap_or_default())?,
            workers,
            port,
            python_version: python_version(environment)?,
            delta: environment.text("ETL_DELTA").map(str::to_owned),
            delta_sha256: delta_sha256(environment)?,
            fqn_roots: fqn_roots(environment)?,
            load_limit: if seconds == 30 { LOAD_LIMIT } else { Duration::from_secs(seconds.into()) },
            preload,
        };
        required("AIS_TARGET_URL")?;
        Ok(settings)
    }
}

/// From 1 to `most`. Set but empty is wrong, too: it says that somebody meant to give a number.
fn number(environment: &Environment, name: &'static str, default: u16, most: u16) -> Result<u16, SettingError> {
    let Some((_, value)) = environment.iter().find(|(key, _)| *key == name) else { return Ok(default) };
    let value = value.to_string_lossy();
    let is_plain = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    let number = value.parse::<u16>().ok().filter(|number| is_plain && (1..=most).contains(number));
    let expected = || format!("a number from 1 to {most}");
    number.ok_or_else(|| SettingError::Value { name, value: value.clone().into_owned(), expected: expected() })
}

/// `3.12`; a patch release is accepted and dropped.
fn python_version(environment: &Environment) -> Result<Option<String>, SettingError> {
    let name = "ETL_PYTHON_VERSION";
    let Some(value) = environment.text(name) else { return Ok(None) };
    let parts: Vec<&str> = value.split('.').collect();
    let is_number = |part: &&str| !part.is_empty() && part.len() <= 3 && part.bytes().all(|byte| byte.is_ascii_digit());
    if !(2..=3).contains(&parts.len()) || !parts.iter().all(is_number) {
        let expected = "a version of Python such as 3.12".to_owned();
        return Err(SettingError::Value { name, value: value.to_owned(), expected });
    }
    Ok(Some(format!("{}.{}", parts[0], parts[1])))
}

fn delta_sha256(environment: &Environment) -> Result<Option<Digest>, SettingError> {
    let name = "ETL_DELTA_SHA256";
    let Some(value) = environment.text(name) else { return Ok(None) };
    let expected = || "a SHA-256 in 64 hexadecimal digits".to_owned();
    let refused = |_| SettingError::Value { name, value: value.to_owned(), expected: expected() };
    value.parse().map(Some).map_err(refused)
}

/// Absolute folders between colons.
fn fqn_roots(environment: &Environment) -> Result<Option<Vec<PathBuf>>, SettingError> {
    let name = "ETL_FQN_ROOTS";
    let Some(value) = environment.text(name) else { return Ok(None) };
    let roots: Vec<PathBuf> = value.split(':').filter(|item| !item.is_empty()).map(PathBuf::from).collect();
    if roots.iter().all(|root| root.has_root()) {
        return Ok(Some(roots));
    }
    Err(SettingError::Value {
        name,
        value: value.to_owned(),
        expected: "a list of absolute folders between colons".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use vocab::Exit;

    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, SettingError> {
        let given = [("ETL_CLASS_PAYLOAD", "aGVsbG8="), ("AIS_TARGET_URL", "http://target.example.com")];
        let all = given.iter().chain(variables).filter(|(_, value)| *value != "unset");
        Settings::read(&Environment::new(all.map(|(name, value)| (name.into(), value.into()))))
    }

    fn refused(variables: &[(&str, &str)]) -> (String, Exit) {
        let error = read(variables).expect_err("it is wrong");
        (error.to_string(), error.exit())
    }

    // cases 47, 48 and 49
    #[test]
    fn what_is_missing_or_not_base64_is_named() {
        let missing = |name: &str| (format!("{name} is not set"), Exit::Build);
        assert_eq!(refused(&[("ETL_CLASS_PAYLOAD", "")]), missing("ETL_CLASS_PAYLOAD"));
        assert_eq!(refused(&[("AIS_TARGET_URL", "")]), missing("AIS_TARGET_URL"));
        let text = "ETL_CLASS_PAYLOAD cannot be deserialized: it is not base64";
        assert_eq!(refused(&[("ETL_CLASS_PAYLOAD", "!!!")]), (text.to_owned(), Exit::Build));
    }

    // case 50
    #[test]
    fn a_number_of_workers_that_is_none_is_refused() {
        for value in ["abc", "0", "-1", "", "1.5", "+1", " 2", "1025", "99999999999"] {
            let text = format!("NUM_WORKERS is `{value}`, which is not a number from 1 to 1024");
            assert_eq!(refused(&[("NUM_WORKERS", value)]), (text, Exit::Usage));
        }
        assert_eq!(read(&[("NUM_WORKERS", "8")]).unwrap().workers, 8);
    }

    // case 51
    #[test]
    fn four_workers_serve_by_default_on_port_8000_preloaded() {
        let settings = read(&[]).unwrap();
        assert_eq!((settings.workers, settings.port, settings.preload), (4, 8000, true));
        assert_eq!(settings.load_limit, Duration::from_secs(30));
    }

    #[test]
    fn other_values_that_cannot_be_followed_are_named() {
        for (name, value) in [
            ("ETL_PORT", "0"),
            ("ETL_PORT", "65536"),
            ("ETL_PYTHON_VERSION", "three"),
            ("ETL_PYTHON_VERSION", "3"),
            ("ETL_FQN_ROOTS", "/ais:data"),
            ("ETL_PRELOAD", "maybe"),
            ("ETL_LOAD_TIMEOUT", "soon"),
            ("ETL_DELTA_SHA256", "abc"),
        ] {
            let (text, exit) = refused(&[(name, value)]);
            assert!(text.starts_with(&format!("{name} is `{value}`")), "{text}");
            assert_eq!(exit, Exit::Usage, "{name}");
        }
        let settings = read(&[("ETL_PYTHON_VERSION", "3.12.10"), ("ETL_PRELOAD", "no")]).unwrap();
        assert_eq!((settings.python_version.as_deref(), settings.preload), (Some("3.12"), false));
    }
}
