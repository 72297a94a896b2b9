//! Settings as they are used: each with its value and where that was found, read once, all faults in words.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use vocab::Fault;

use crate::default_paths::{DefaultPaths, Profile, default_paths};
use crate::setting_keys::{self as keys, SettingKey};
use crate::setting_sources::{SettingOrigin, SettingSources};

/// A value and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Setting<T> {
    pub value: T,
    pub origin: SettingOrigin,
}

/// How closely an installed distribution is compared with what was installed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum VerifyDepth {
    /// Size and digest of every file.
    #[default]
    Full,
    /// Presence, size and time.
    Fast,
    /// Not at all.
    None,
}

/// How much operators log. The words are the vendor's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum DebugMode {
    #[default]
    None,
    Operator,
    All,
}

/// Everything that can be set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LoaderSettings {
    pub air_gapped: Setting<bool>,
    /// Absent unless it was set.
    pub miniforge_dir: Setting<Option<PathBuf>>,
    pub disable_miniforge: Setting<bool>,
    pub disable_env_validation: Setting<bool>,
    pub skip_registration: Setting<bool>,
    pub synchronous: Setting<bool>,
    pub distributions: Setting<PathBuf>,
    pub resources: Setting<PathBuf>,
    /// One folder if it was set, else all that the profile has.
    pub extensions: Setting<Vec<PathBuf>>,
    pub debug_mode: Setting<DebugMode>,
    /// The lowest and the highest port of servers. Absent: the system chooses.
    pub ports: Option<(u16, u16)>,
    /// How long an idle server stays. Absent: for ever.
    pub idle_shutdown: Setting<Option<Duration>>,
    /// Namespaces, each with one version or all of them. Absent: every extension is allowed.
    pub allow_list: Option<Vec<AllowedExtension>>,
    pub enforce_signing: Setting<bool>,
    pub verify: Setting<VerifyDepth>,
    pub strict: Setting<bool>,
    pub lock_timeout: Setting<Duration>,
    pub max_extract_bytes: Setting<u64>,
    /// Of the product that extensions run in, as it calls itself.
    pub host_version: Setting<Option<String>>,
    /// Files with minisign public keys, or the keys themselves.
    pub trusted_keys: Setting<Vec<String>>,
    pub server: ServerSetting,
    /// What was read, key by key, for showing it.
    pub rows: Vec<SettingRow>,
}

/// How servers are started and what may go in and out of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ServerSetting {
    /// Holds unpacked extensions, byte code and the server's program. Absent: neither a setting nor the user's folders say.
    pub cache: Setting<Option<PathBuf>>,
    pub start_timeout: Setting<Duration>,
    /// Absent: no limit.
    pub run_timeout: Setting<Option<Duration>>,
    pub table_codec: Setting<TableForm>,
    /// Of one table, file or blob, in bytes.
    pub max_body: Setting<u64>,
    /// Variables that servers get besides the usual ones.
    pub pass_variables: Setting<Vec<String>>,
    pub allow_outside_files: Setting<bool>,
    /// Servers at the same time.
    pub most_servers: Setting<usize>,
    /// How long objects of calls stay in their server. Absent: until they are released.
    pub handle_ttl: Setting<Option<Duration>>,
}

/// How tables go to operators.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TableForm {
    /// Arrow where the distribution has pyarrow, else JSON.
    #[default]
    Auto,
    Arrow,
    Json,
}

/// A setting in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SettingRow {
    pub key: &'static str,
    pub variable: &'static str,
    /// Empty where nothing was set and the default is nothing.
    pub value: String,
    pub origin: SettingOrigin,
}

/// One entry of the allow-list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AllowedExtension {
    pub namespace: String,
    /// Absent: all versions.
    pub version: Option<String>,
}

/// A setting's value cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Fault)]
#[error("the setting `{key}` is `{value}` ({origin}): {expected}")]
#[fault("E_SETTING", Usage, hint("correct it, or remove it for its default"))]
pub struct SettingError {
    pub key: &'static str,
    pub value: String,
    pub origin: SettingOrigin,
    /// A sentence.
    pub expected: String,
}

/// Folders of the user, from which defaults follow.
#[derive(Clone, Copy, Debug, Default)]
pub struct UserFolders<'a> {
    pub home: Option<&'a Path>,
    /// The folder for this program's data.
    pub data: Option<&'a Path>,
}

impl LoaderSettings {
    /// Reads every setting. The first that cannot be used is the error.
    pub fn read(sources: &SettingSources, user: UserFolders<'_>) -> Result<Self, SettingError> {
        let mut reader = SettingReader { sources, home: user.home, rows: Vec::new() };
        let profile =
            reader.read(keys::PROFILE, Profile::default(), "pydist", |text| text.parse().map_err(str::to_owned))?;
        let defaults = default_paths(&profile.value, user.home, user.data);
        let DefaultPaths { extensions, resources, distributions } = match defaults {
            Some(paths) => paths,
            // Every folder can be set, so that a machine without a home needs none.
            None => DefaultPaths { extensions: Vec::new(), resources: PathBuf::new(), distributions: PathBuf::new() },
        };
        let set = reader.path(keys::EXT_LOC)?;
        let shown = extensions.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(", ");
        let extensions = match set.value {
            Some(folder) => Setting { value: vec![folder], origin: set.origin },
            None => {
                reader.show_default(keys::EXT_LOC, &shown);
                Setting { value: extensions, origin: SettingOrigin::Default }
            }
        };
        let ports = reader.ports()?;
        Ok(Self {
            air_gapped: reader.flag(keys::AIR_GAPPED)?,
            miniforge_dir: reader.path(keys::MINIFORGE_DIR)?,
            disable_miniforge: reader.flag(keys::DISABLE_MINIFORGE)?,
            disable_env_validation: reader.flag(keys::DISABLE_ENV_VALIDATION)?,
            skip_registration: reader.flag(keys::SKIP_REGISTRATION)?,
            synchronous: reader.flag(keys::SYNCHRONOUS)?,
            distributions: reader.folder(keys::DIST_LOC, distributions)?,
            resources: reader.folder(keys::RESOURCE_LOC, resources)?,
            extensions,
            debug_mode: reader.read(keys::DEBUG_MODE, DebugMode::None, "NONE", debug_mode)?,
            ports,
            idle_shutdown: reader.read(keys::IDLE_SHUTDOWN, Some(Duration::from_secs(600)), "600", idle_shutdown)?,
            allow_list: reader.read(keys::ALLOW_LIST, None, "", |text| allow_list(text).map(Some))?.value,
            enforce_signing: reader.flag(keys::ENFORCE_SIGNING)?,
            verify: reader.read(keys::VERIFY, VerifyDepth::Full, "full", verify_depth)?,
            strict: reader.flag(keys::STRICT)?,
            lock_timeout: reader.read(keys::LOCK_TIMEOUT, Duration::from_secs(600), "600", |text| {
                whole(text, 0, 604_800).map(Duration::from_secs)
            })?,
            max_extract_bytes: reader
                .read(keys::MAX_EXTRACT_BYTES, 20 << 30, "21474836480", |text| whole(text, 1, u64::MAX))?,
            host_version: reader.read(keys::HOST_VERSION, None, "", |text| {
                text.parse::<pep440_rs::Version>().map_err(|_| "a version such as 2026.0.1 is expected".to_owned())?;
                Ok(Some(text.to_owned()))
            })?,
            trusted_keys: reader.read(keys::TRUSTED_KEYS, Vec::new(), "", |text| {
                Ok(text.split(',').map(str::trim).filter(|key| !key.is_empty()).map(str::to_owned).collect())
            })?,
            server: reader.server(user.data)?,
            rows: reader.rows,
        })
    }

    /// The folder for distributions and that for archives. `None` where neither a setting nor the user's folders say.
    pub fn folders(&self) -> Option<(&Path, &Path)> {
        let known = |path: &'_ PathBuf| !path.as_os_str().is_empty();
        (known(&self.distributions.value) && known(&self.resources.value))
            .then_some((&*self.distributions.value, &*self.resources.value))
    }
}

struct SettingReader<'a> {
    sources: &'a SettingSources,
    home: Option<&'a Path>,
    rows: Vec<SettingRow>,
}

impl SettingReader<'_> {
    fn read<T>(
        &mut self,
        key: SettingKey,
        default: T,
        shown: &str,
        value: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Setting<T>, SettingError> {
        let Some((text, origin)) = self.sources.find(key) else {
            self.show_default(key, shown);
            return Ok(Setting { value: default, origin: SettingOrigin::Default });
        };
        let text = text.trim();
        let wrong = |expected| SettingError { key: key.key, value: text.to_owned(), origin, expected };
        let value = value(text).map_err(wrong)?;
        self.rows.push(SettingRow { key: key.key, variable: key.variable, value: text.to_owned(), origin });
        Ok(Setting { value, origin })
    }

    fn show_default(&mut self, key: SettingKey, shown: &str) {
        // A folder's row follows the attempt to read it.
        self.rows.retain(|row| row.key != key.key);
        let row = SettingRow {
            key: key.key,
            variable: key.variable,
            value: shown.to_owned(),
            origin: SettingOrigin::Default,
        };
        self.rows.push(row);
    }

    fn flag(&mut self, key: SettingKey) -> Result<Setting<bool>, SettingError> {
        self.read(key, false, "false", |text| match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" => Ok(true),
            "false" | "0" | "no" => Ok(false),
            _ => Err("true, false, 1, 0, yes or no is expected".to_owned()),
        })
    }

    fn path(&mut self, key: SettingKey) -> Result<Setting<Option<PathBuf>>, SettingError> {
        let home = self.home;
        self.read(key, None, "", |text| absolute(text, home).map(Some))
    }

    fn folder(&mut self, key: SettingKey, default: PathBuf) -> Result<Setting<PathBuf>, SettingError> {
        let Setting { value, origin } = self.path(key)?;
        if value.is_none() {
            self.show_default(key, &default.display().to_string());
        }
        Ok(Setting { value: value.unwrap_or(default), origin })
    }

    fn server(&mut self, data: Option<&Path>) -> Result<ServerSetting, SettingError> {
        let seconds = |text: &str| whole(text, 1, 604_800).map(Duration::from_secs);
        let default = data.map(|data| data.join("cache"));
        let mut cache = self.path(keys::CACHE_DIR)?;
        if cache.value.is_none()
            && let Some(default) = default
        {
            self.show_default(keys::CACHE_DIR, &default.display().to_string());
            cache.value = Some(default);
        }
        Ok(ServerSetting {
            cache,
            start_timeout: self.read(keys::START_TIMEOUT, Duration::from_secs(60), "60", seconds)?,
            run_timeout: self.read(keys::RUN_TIMEOUT, None, "0", idle_shutdown)?,
            table_codec: self.read(keys::TABLE_CODEC, TableForm::Auto, "auto", |text| match text {
                "auto" => Ok(TableForm::Auto),
                "arrow" => Ok(TableForm::Arrow),
                "json" => Ok(TableForm::Json),
                _ => Err("auto, arrow or json is expected".to_owned()),
            })?,
            max_body: self.read(keys::MAX_BODY, 8 << 30, "8589934592", |text| whole(text, 1, u64::MAX))?,
            pass_variables: self.read(keys::PASS_ENV_VARS, Vec::new(), "", |text| {
                Ok(text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect())
            })?,
            allow_outside_files: self.flag(keys::ALLOW_OUTSIDE_FILES)?,
            most_servers: self.read(keys::MAX_SERVERS, 8, "8", |text| {
                whole(text, 1, 1000).map(|most| usize::try_from(most).unwrap_or(usize::MAX))
            })?,
            handle_ttl: self.read(keys::HANDLE_TTL, Some(Duration::from_secs(3600)), "3600", idle_shutdown)?,
        })
    }

    fn ports(&mut self) -> Result<Option<(u16, u16)>, SettingError> {
        let port = |text: &str| whole(text, 1, 65_535).map(|port| u16::try_from(port).ok());
        let lowest = self.read(keys::MIN_PORT, None, "", port)?;
        let highest = self.read(keys::MAX_PORT, None, "", port)?;
        match (lowest.value, highest.value) {
            (None, None) => Ok(None),
            (Some(lowest), None) => Ok(Some((lowest, 65_535))),
            (None, Some(highest)) if highest < 1024 => Err(SettingError {
                key: keys::MAX_PORT.key,
                value: highest.to_string(),
                origin: self.origin(keys::MAX_PORT),
                expected: format!("without {} the lowest port is 1024", keys::MIN_PORT.key),
            }),
            (None, Some(highest)) => Ok(Some((1024, highest))),
            (Some(lowest), Some(highest)) if lowest <= highest => Ok(Some((lowest, highest))),
            (Some(lowest), Some(highest)) => Err(SettingError {
                key: keys::MIN_PORT.key,
                value: lowest.to_string(),
                origin: self.origin(keys::MIN_PORT),
                expected: format!("it is above {} ({highest})", keys::MAX_PORT.key),
            }),
        }
    }

    fn origin(&self, key: SettingKey) -> SettingOrigin {
        self.sources.find(key).map_or(SettingOrigin::Default, |(_, origin)| origin)
    }
}

fn whole(text: &str, lowest: u64, highest: u64) -> Result<u64, String> {
    let number = text.parse().ok().filter(|number| (lowest..=highest).contains(number));
    number.ok_or_else(|| format!("a whole number from {lowest} to {highest} is expected"))
}

/// `~` at the beginning is the user's folder; nothing else is expanded.
fn absolute(text: &str, home: Option<&Path>) -> Result<PathBuf, String> {
    let expanded = match text.strip_prefix('~') {
        Some(rest) if rest.is_empty() || rest.starts_with(['/', '\\']) => {
            let home = home.ok_or("`~` is not known here: no home folder is set")?;
            let rest = rest.trim_start_matches(['/', '\\']);
            if rest.is_empty() { home.to_owned() } else { home.join(rest) }
        }
        _ => PathBuf::from(text),
    };
    std::path::absolute(expanded).map_err(|error| format!("it is not a path: {error}"))
}

fn debug_mode(text: &str) -> Result<DebugMode, String> {
    match text.to_ascii_uppercase().as_str() {
        "NONE" => Ok(DebugMode::None),
        "OPERATOR" => Ok(DebugMode::Operator),
        "ALL" => Ok(DebugMode::All),
        _ => Err("NONE, OPERATOR or ALL is expected".to_owned()),
    }
}

fn verify_depth(text: &str) -> Result<VerifyDepth, String> {
    match text {
        "full" => Ok(VerifyDepth::Full),
        "fast" => Ok(VerifyDepth::Fast),
        "none" => Ok(VerifyDepth::None),
        _ => Err("full, fast or none is expected".to_owned()),
    }
}

fn idle_shutdown(text: &str) -> Result<Option<Duration>, String> {
    let seconds = whole(text, 0, 604_800)?;
    Ok((seconds > 0).then(|| Duration::from_secs(seconds)))
}

/// `py_a[1.0],b`; the vendor's samples write namespaces with `py_` in front.
fn allow_list(text: &str) -> Result<Vec<AllowedExtension>, String> {
    let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    let entry = |entry: &str| {
        let (name, version) = match entry.split_once('[') {
            Some((name, rest)) => {
                (name, Some(rest.strip_suffix(']').filter(|version| !version.is_empty())?.to_owned()))
            }
            None => (entry, None),
        };
        let namespace = name.strip_prefix("py_").unwrap_or(name).to_owned();
        (!namespace.is_empty() && !namespace.contains(']')).then_some(AllowedExtension { namespace, version })
    };
    let read: Option<Vec<_>> = entries.map(entry).collect();
    read.ok_or_else(|| "namespaces between commas are expected, each with at most one version: a[1.0],b".to_owned())
}
