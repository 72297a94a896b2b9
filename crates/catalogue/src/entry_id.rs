//! What identifies an entry, and so determines its key at a destination.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use vocab::{ArtifactFormat, Digest, PlatformKey, VersionString};

/// `3.12.10-atls/linux-x64/<build key>-tar.zst`: a runtime published twice from equal inputs has one entry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EntryId {
    pub runtime: VersionString,
    pub platform: PlatformKey,
    /// All 64 digits in the text.
    pub build_key: Digest,
    pub format: ArtifactFormat,
}

impl fmt::Display for EntryId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { runtime, platform, build_key, format } = self;
        formatter.pad(&format!("{runtime}/{platform}/{build_key}-{}", format.extension()))
    }
}

/// The text is not an id in its one spelling.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an entry's id: expected VERSION/PLATFORM/BUILD-KEY-FORMAT")]
pub struct EntryIdError {
    pub text: String,
}

impl FromStr for EntryId {
    type Err = EntryIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).ok_or_else(|| EntryIdError { text: text.to_owned() })
    }
}

fn parse(text: &str) -> Option<EntryId> {
    let mut segments = text.split('/');
    let (runtime, platform, last) = (segments.next()?, segments.next()?, segments.next()?);
    if segments.next().is_some() {
        return None;
    }
    let (build_key, extension) = last.split_once('-')?;
    let id = EntryId {
        runtime: runtime.parse().ok()?,
        platform: platform.parse().ok()?,
        build_key: build_key.parse().ok()?,
        format: ArtifactFormat::ALL.into_iter().find(|format| format.extension() == extension)?,
    };
    // One id, one text: elsewhere a digest may be written in capitals.
    (id.to_string() == text).then_some(id)
}

impl TryFrom<String> for EntryId {
    type Error = EntryIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<EntryId> for String {
    fn from(id: EntryId) -> Self {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_display_and_parse_and_nothing_else_is_one() {
        let key = Digest::of("x");
        for format in ArtifactFormat::ALL {
            let text = format!("3.12.10-torch-cuda.1/linux-x64/{key}-{}", format.extension());
            assert_eq!(text.parse::<EntryId>().unwrap().to_string(), text);
        }
        let capitals = key.to_string().to_uppercase();
        for text in [
            String::new(),
            format!("3.12.10/linux-x64/{key}"),
            format!("3.12.10/linux-x64/{key}-tar.xz"),
            format!("3.12.10/linux-x64/{capitals}-zip"),
            format!("3.12.10/linux-arm64/{key}-zip"),
            format!("../linux-x64/{key}-zip"),
            format!("3.12.10/linux-x64/{key}-zip/more"),
        ] {
            assert!(text.parse::<EntryId>().is_err(), "for {text:?}");
        }
    }
}
