//! Everything of this crate as JSON: reading, with the format number first, and the one way of writing.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use vocab::{Exit, Fault};

use crate::{
    CATALOGUE_FORMAT, Catalogue, EDITION_FORMAT, ENTRY_FORMAT, Edition, Entry, IndexSettings, NOTICE_FORMAT, Promotion,
    Restoration, Retraction, SETTINGS_FORMAT, SignedCatalogue,
};

/// Canonical: fields in the order of the type, two spaces for each level, one newline at the end.
pub(crate) fn to_text(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("all keys are strings, and nothing here can fail");
    text.push('\n');
    text
}

/// Another format number is refused before anything else is looked at, since nothing else can be relied on then.
fn read<T: DeserializeOwned>(what: &'static str, known: u32, bytes: &[u8]) -> Result<T, ReadError> {
    #[derive(Deserialize)]
    struct Numbered {
        format: u64,
    }
    let shape = |source| ReadError::Shape { what, source };
    let numbered: Numbered = serde_json::from_slice(bytes).map_err(shape)?;
    if numbered.format != u64::from(known) {
        return Err(ReadError::Format { what, found: numbered.format, known });
    }
    serde_json::from_slice(bytes).map_err(shape)
}

macro_rules! as_text {
    ($($type:ty, $what:literal, $format:expr;)*) => {$(
        impl $type {
            pub fn read(bytes: &[u8]) -> Result<Self, ReadError> {
                read($what, $format, bytes)
            }

            /// Canonical: equal values give equal bytes.
            pub fn to_text(&self) -> String {
                to_text(self)
            }
        }
    )*};
}

as_text! {
    Entry, "entry", ENTRY_FORMAT;
    Retraction, "retraction", NOTICE_FORMAT;
    Restoration, "restoration", NOTICE_FORMAT;
    Promotion, "promotion", NOTICE_FORMAT;
    Catalogue, "catalogue", CATALOGUE_FORMAT;
    IndexSettings, "settings file", SETTINGS_FORMAT;
    SignedCatalogue, "signed catalogue", EDITION_FORMAT;
}

impl Edition {
    /// The catalogue inside has a number of its own.
    pub fn read(bytes: &[u8]) -> Result<Self, ReadError> {
        let edition: Self = read("edition", EDITION_FORMAT, bytes)?;
        match u64::from(edition.catalogue.format) {
            found if found != u64::from(CATALOGUE_FORMAT) => {
                Err(ReadError::Format { what: "catalogue", found, known: CATALOGUE_FORMAT })
            }
            _ => Ok(edition),
        }
    }

    /// Canonical: equal values give equal bytes.
    pub fn to_text(&self) -> String {
        to_text(self)
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("the {what} has format {found}, this program reads format {known}")]
    Format { what: &'static str, found: u64, known: u32 },
    /// The message holds line and column.
    #[error("the {what} is malformed: {source}")]
    Shape { what: &'static str, source: serde_json::Error },
}

impl Fault for ReadError {
    fn code(&self) -> &'static str {
        match self {
            Self::Format { .. } => "E_CATALOGUE_FORMAT",
            Self::Shape { .. } => "E_CATALOGUE_MALFORMED",
        }
    }

    fn exit(&self) -> Exit {
        Exit::Trust
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Format { found, known, .. } if *found > u64::from(*known) => {
                Some("it was written by a newer version; update this program".to_owned())
            }
            Self::Format { .. } => Some("publish again with this version".to_owned()),
            Self::Shape { .. } => None,
        }
    }
}
