//! Everything of this crate as JSON: reading, with the format number first, and the only way of writing.

use std::ops::RangeInclusive;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use vocab::Fault;
use vocab::typed_json::{self, TypedJsonError};

use crate::{
    ArtifactEntry, CATALOGUE_FORMAT, Catalogue, EDITION_FORMAT, ENTRY_FORMAT, Edition, IndexSettings, NOTICE_FORMAT,
    Promotion, Restoration, Retraction, SETTINGS_FORMAT, SignedCatalogue,
};

/// Canonical: fields in the order of the type, two spaces for each level, one newline at the end.
pub(crate) fn to_text(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("all keys are strings, and nothing here can fail");
    text.push('\n');
    text
}

/// Another format number is refused before anything else is read, since nothing else can be relied on then.
fn read<T: DeserializeOwned>(what: &'static str, known: RangeInclusive<u32>, bytes: &[u8]) -> Result<T, ReadError> {
    #[derive(Deserialize)]
    struct NumberedText {
        format: u64,
    }
    let shape = |source| ReadError::Shape { what, source };
    let document = typed_json::parse(bytes).map_err(shape)?;
    let numbered: NumberedText = document.read().map_err(shape)?;
    check(what, numbered.format, known)?;
    document.read().map_err(shape)
}

fn check(what: &'static str, found: u64, known: RangeInclusive<u32>) -> Result<(), ReadError> {
    if (u64::from(*known.start())..=u64::from(*known.end())).contains(&found) {
        return Ok(());
    }
    Err(ReadError::Format { what, found, known })
}

macro_rules! as_text {
    ($($type:ty, $what:literal, $format:expr;)*) => {$(
        impl $type {
            /// Refuses another format number, unknown fields, and anything that breaks the rules of a field.
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
    ArtifactEntry, "entry", 1..=ENTRY_FORMAT;
    Retraction, "retraction", NOTICE_FORMAT..=NOTICE_FORMAT;
    Restoration, "restoration", NOTICE_FORMAT..=NOTICE_FORMAT;
    Promotion, "promotion", NOTICE_FORMAT..=NOTICE_FORMAT;
    Catalogue, "catalogue", 1..=CATALOGUE_FORMAT;
    IndexSettings, "settings file", SETTINGS_FORMAT..=SETTINGS_FORMAT;
    SignedCatalogue, "signed catalogue", EDITION_FORMAT..=EDITION_FORMAT;
}

impl Edition {
    /// The catalogue inside has a number of its own.
    pub fn read(bytes: &[u8]) -> Result<Self, ReadError> {
        let edition: Self = read("edition", EDITION_FORMAT..=EDITION_FORMAT, bytes)?;
        check("catalogue", u64::from(edition.catalogue.format), 1..=CATALOGUE_FORMAT)?;
        Ok(edition)
    }

    /// Canonical: equal values give equal bytes.
    pub fn to_text(&self) -> String {
        to_text(self)
    }
}

/// The bytes are not a document that this version understands.
#[derive(Debug, thiserror::Error, Fault)]
#[fault(Trust)]
pub enum ReadError {
    #[error("the {what} has format {found}, this program reads {}", formats(known))]
    #[fault("E_CATALOGUE_FORMAT", hint_with = Self::hint_of_format)]
    Format { what: &'static str, found: u64, known: RangeInclusive<u32> },
    #[error("the {what} is malformed: {source}")]
    #[fault("E_CATALOGUE_MALFORMED", hint("restore it from where it was published, or publish again"))]
    Shape { what: &'static str, source: TypedJsonError },
}

fn formats(known: &RangeInclusive<u32>) -> String {
    let (oldest, newest) = (known.start(), known.end());
    if oldest == newest { format!("format {newest}") } else { format!("formats {oldest} to {newest}") }
}

impl ReadError {
    fn hint_of_format(&self) -> Option<String> {
        let Self::Format { found, known, .. } = self else { return None };
        let hint = match *found > u64::from(*known.end()) {
            true => "it was written by a newer version; update this program",
            false => "publish again with this version",
        };
        Some(hint.to_owned())
    }
}
