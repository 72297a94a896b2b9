//! JSON Schemas of the formats, generated from the types, and the shapes of words that other crates own.

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use crate::{
    ArtifactEntry, CATALOGUE_FORMAT, Catalogue, EDITION_FORMAT, ENTRY_FORMAT, Edition, IndexSettings, NOTICE_FORMAT,
    Promotion, Restoration, Retraction, SETTINGS_FORMAT, SignedCatalogue,
};

/// The kinds of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaKind {
    Entry,
    Retraction,
    Restoration,
    Promotion,
    Catalogue,
    Settings,
    Edition,
    SignedCatalogue,
}

impl SchemaKind {
    /// In the order of the enum.
    pub const ALL: [Self; 8] = [
        Self::Entry,
        Self::Retraction,
        Self::Restoration,
        Self::Promotion,
        Self::Catalogue,
        Self::Settings,
        Self::Edition,
        Self::SignedCatalogue,
    ];

    /// Name of the file in `schemas/`, without `.schema.json`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Entry => "entry",
            Self::Retraction => "retraction",
            Self::Restoration => "restoration",
            Self::Promotion => "promotion",
            Self::Catalogue => "catalogue",
            Self::Settings => "settings",
            Self::Edition => "edition",
            Self::SignedCatalogue => "signed-catalogue",
        }
    }

    /// The number that is written. All from 1 on can be read.
    pub fn format(self) -> u32 {
        match self {
            Self::Entry => ENTRY_FORMAT,
            Self::Retraction | Self::Restoration | Self::Promotion => NOTICE_FORMAT,
            Self::Catalogue => CATALOGUE_FORMAT,
            Self::Settings => SETTINGS_FORMAT,
            Self::Edition | Self::SignedCatalogue => EDITION_FORMAT,
        }
    }
}

/// The text as the repository stores it: indented, with a line break at the end.
pub fn schema(kind: SchemaKind) -> String {
    let one_line = RecursiveTransform(|schema: &mut Schema| {
        if let Some(Value::String(text)) = schema.get_mut("description") {
            *text = text.replace('\n', " ");
        }
        // Sizes are JSON integers; the number of bits that a program uses is of no use to a reader.
        schema.remove("format");
    });
    let generator = SchemaSettings::draft2020_12().with_transform(one_line).into_generator();
    let mut schema = match kind {
        SchemaKind::Entry => generator.into_root_schema_for::<ArtifactEntry>(),
        SchemaKind::Retraction => generator.into_root_schema_for::<Retraction>(),
        SchemaKind::Restoration => generator.into_root_schema_for::<Restoration>(),
        SchemaKind::Promotion => generator.into_root_schema_for::<Promotion>(),
        SchemaKind::Catalogue => generator.into_root_schema_for::<Catalogue>(),
        SchemaKind::Settings => generator.into_root_schema_for::<IndexSettings>(),
        SchemaKind::Edition => generator.into_root_schema_for::<Edition>(),
        SchemaKind::SignedCatalogue => generator.into_root_schema_for::<SignedCatalogue>(),
    }
    .to_value();
    let newest = kind.format();
    let numbers: Vec<u32> = (1..=newest).collect();
    schema["properties"]["format"] = if newest == 1 { json!({ "const": 1 }) } else { json!({ "enum": numbers }) };
    schema["title"] = json!(format!("pydist {}, format {newest}", kind.name()));
    format!("{schema:#}\n")
}

/// A string whose rules another crate has; here with what a schema can say about it.
macro_rules! words {
    ($($(#[doc = $doc:literal])* $name:ident = $shape:tt;)*) => {$(
        $(#[doc = $doc])*
        pub(crate) struct $name;

        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($shape)
            }
        }
    )*};
}

const PYTHON: &str = r"^[0-9]+\.[0-9]+\.[0-9]+$";
const VERSION: &str = r"^[0-9]+\.[0-9]+\.[0-9]+(-[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?$";
const NAME: &str = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$";
const PLATFORMS: [&str; 5] = ["linux-x64", "linux-aarch64", "macosx-x64", "macosx-aarch64", "windows-x64"];

words! {
    Python = { "type": "string", "pattern": PYTHON };
    Version = { "type": "string", "pattern": VERSION };
    Platform = { "enum": PLATFORMS };
    Name = { "type": "string", "pattern": NAME };
    Format = { "enum": ["tar.zst", "tar.gz", "tar", "zip"] };
    Sha256 = { "type": "string", "pattern": "^[0-9a-f]{64}$" };
    Rfc3339 = { "type": "string", "pattern": "^[0-9-]{10}T[0-9:]{8}Z$" };
    Id = { "type": "string", "pattern": "^[^/]+/[^/]+/[0-9a-f]{64}-(tar.zst|tar.gz|tar|zip)$" };
    Rule = {
        "type": "object",
        "additionalProperties": false,
        "required": ["name", "outcome", "reason"],
        "properties": {
            "name": { "type": "string", "pattern": NAME },
            "outcome": { "type": "string", "pattern": "^[a-z]+(-[a-z]+)*$" },
            "reason": { "type": "string" },
        },
    };
    OriginShape = {
        "description": "Where a wheel came from: downloaded, compiled from an sdist or a repository, from the configuration's repository, or with the base interpreter.",
        "type": "object",
        "required": ["kind"],
        "properties": { "kind": { "enum": ["wheel", "sdist", "git", "path", "base"] } },
    };
}
