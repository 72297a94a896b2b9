//! Where a setting may be made, and which of several counts: settings, then properties, then the environment. An empty text
//! is none.

use std::collections::BTreeMap;

use serde::Serialize;
use vocab::{Environment, Fault, SourceFaultKind, SourceFile};

use crate::setting_keys::{SETTING_KEYS, SettingKey};

/// Beginnings of all keys.
const FAMILIES: [&str; 3] = ["pysdk.", "python_sdk.", "loader."];

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SettingOrigin {
    /// `--set KEY=VALUE`, or the settings file.
    Settings,
    /// `-D KEY=VALUE`, the counterpart of a Java system property.
    Property,
    Environment,
    Default,
}

impl std::fmt::Display for SettingOrigin {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Settings => "settings",
            Self::Property => "property",
            Self::Environment => "environment",
            Self::Default => "default",
        })
    }
}

/// What was set, unread.
#[derive(Clone, Debug, Default)]
pub struct SettingSources {
    pub settings: BTreeMap<String, String>,
    pub properties: BTreeMap<String, String>,
    pub environment: Environment,
}

/// Something about settings that does not keep them from being used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingWarning {
    pub code: &'static str,
    pub text: String,
    /// The key or variable.
    pub place: String,
    pub hint: Option<String>,
}

impl SettingSources {
    /// The text of a setting and where it was found.
    pub(crate) fn find(&self, key: SettingKey) -> Option<(&str, SettingOrigin)> {
        if let Some(text) = self.settings.get(key.key).filter(|text| !text.is_empty()) {
            return Some((text, SettingOrigin::Settings));
        }
        if let Some(text) = self.properties.get(key.key).filter(|text| !text.is_empty()) {
            return Some((text, SettingOrigin::Property));
        }
        let variable = self.environment.text(key.variable).or_else(|| self.environment.text(key.also?));
        variable.map(|text| (text, SettingOrigin::Environment))
    }

    /// Keys and variables that look like settings and are none, and spellings that the vendor's products do not read.
    pub fn warnings(&self) -> Vec<SettingWarning> {
        let mut warnings = Vec::new();
        let keys: Vec<&str> = SETTING_KEYS.iter().map(|setting| setting.key).collect();
        for key in self.settings.keys().chain(self.properties.keys()) {
            if FAMILIES.iter().any(|family| key.starts_with(family)) && !keys.contains(&&**key) {
                warnings.push(unknown(key, &keys));
            }
        }
        let variables: Vec<&str> = SETTING_KEYS.iter().map(|setting| setting.variable).collect();
        for (name, _) in self.environment.iter() {
            let Some(name) = name.to_str() else { continue };
            if let Some(setting) = SETTING_KEYS.iter().find(|setting| setting.also == Some(name)) {
                warnings.push(SettingWarning {
                    code: "W_SETTING_SPELLING",
                    text: format!("the vendor's products read `{}` instead", setting.variable),
                    place: name.to_owned(),
                    hint: Some(format!("rename it to {}", setting.variable)),
                });
            } else if ["PYSDK_", "PYDIST_LOADER_"].iter().any(|family| name.starts_with(family))
                && !variables.contains(&name)
            {
                warnings.push(unknown(name, &variables));
            }
        }
        warnings
    }

    /// Reads `[settings]` of a file in TOML: keys as they are, in quotes.
    pub fn read_file(path: &std::path::Path) -> Result<BTreeMap<String, String>, SettingsFileError> {
        let name = path.display().to_string();
        let wrong = |reason: String| SettingsFileError::Malformed { file: name.clone(), reason };
        let source = SourceFile::read(path, &name).map_err(|fault| match fault.kind {
            SourceFaultKind::Unreadable(error) => {
                SettingsFileError::Read { file: name.clone(), reason: error.to_string() }
            }
            other => wrong(other.to_string()),
        })?;
        let source = source
            .ok_or_else(|| SettingsFileError::Read { file: name.clone(), reason: "there is no such file".into() })?;
        let document: toml::Table =
            source.text.parse().map_err(|error: toml::de::Error| wrong(error.message().to_owned()))?;
        let mut settings = BTreeMap::new();
        // What stands elsewhere would have no effect, unnoticed.
        let is_ours = |name: &&String| FAMILIES.iter().any(|family| format!("{name}.").starts_with(family));
        if let Some(key) = document.keys().find(is_ours) {
            return Err(wrong(format!("`{key}` stands outside of `[settings]`")));
        }
        let table = match document.get("settings") {
            Some(toml::Value::Table(table)) => Some(table),
            Some(_) => return Err(wrong("`settings` is not a table".to_owned())),
            None if document.is_empty() => None,
            None => return Err(wrong("it has no table `[settings]`".to_owned())),
        };
        for (key, value) in table.into_iter().flatten() {
            let text = match value {
                toml::Value::String(text) => text.clone(),
                toml::Value::Integer(number) => number.to_string(),
                toml::Value::Boolean(flag) => flag.to_string(),
                toml::Value::Table(_) => {
                    return Err(wrong(format!("`{key}` is a table: put keys with dots in quotes")));
                }
                _ => return Err(wrong(format!("`{key}` is neither a text nor a number nor true or false"))),
            };
            settings.insert(key.clone(), text);
        }
        Ok(settings)
    }
}

fn unknown(name: &str, known: &[&str]) -> SettingWarning {
    let distance = |other: &str| strsim::levenshtein(&name.to_lowercase(), &other.to_lowercase());
    let nearest = known.iter().min_by_key(|other| distance(other)).filter(|other| distance(other) <= 6);
    SettingWarning {
        code: "W_SETTING_UNKNOWN",
        text: "it is not a setting of the extension loader, and nothing reads it".to_owned(),
        place: name.to_owned(),
        hint: nearest.map(|nearest| format!("did you mean {nearest}?")),
    }
}

/// A settings file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Fault)]
#[fault("E_SETTING", Usage)]
pub enum SettingsFileError {
    #[error("cannot read the settings file `{file}`: {reason}")]
    Read { file: String, reason: String },
    #[error("the settings file `{file}` cannot be used: {reason}")]
    #[fault(hint("write `\"pysdk.pel.airGapped\" = true` below `[settings]`"))]
    Malformed { file: String, reason: String },
}
