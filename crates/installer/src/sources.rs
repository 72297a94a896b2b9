//! Where this user gets runtimes from, and which keys must have signed what comes from there.
//!
//! The one idea: a public key belongs to a source. Whoever names a source that is remembered with keys, by whatever way,
//! needs one of these keys; no option has to be repeated for that, and leaving one out weakens nothing. What would take
//! keys away needs an option of its own. Users and passwords are never remembered.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use disk::FileBeside;
use fetch::{remembered, without_secrets};
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use vocab::{Fault, typed_json};

use crate::{PublicKey, TrustError};

/// The number in `format`; any other is refused, since keys might be overlooked.
pub const SOURCES_FORMAT: u32 = 1;

/// A larger file was not written by this program.
const LARGEST: u64 = 1 << 20;

/// The sources that a user has remembered: `sources.json` in the user's settings folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sources {
    pub format: u32,
    /// `from` of the source that is used if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    pub sources: Vec<KnownSource>,
}

/// A source that a user has remembered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KnownSource {
    /// A URL without user and password, or an absolute path; without `/` at the end.
    pub from: String,
    /// Minisign public keys in their one-line form. With any, whatever none of them signed is refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub public_keys: Vec<String>,
}

/// Who named a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedBy {
    /// `--from`
    Option,
    /// `PYDIST_FROM`
    Variable,
    /// The default of [`Sources`].
    Remembered,
}

impl NamedBy {
    /// As messages call it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Option => "--from",
            Self::Variable => "PYDIST_FROM",
            Self::Remembered => "settings",
        }
    }
}

/// What a command line and the environment say about the source.
#[derive(Debug, Default)]
pub struct GivenSource<'a> {
    pub option: Option<&'a str>,
    pub variable: Option<&'a str>,
    pub public_keys: Vec<PublicKey>,
}

/// The source to use.
#[derive(Debug)]
pub struct ChosenSource {
    /// As it was given: a user and password in it are used.
    pub place: String,
    pub public_keys: Vec<PublicKey>,
    pub named_by: NamedBy,
}

/// No source can be used, or the remembered ones cannot be changed as asked.
#[derive(Debug, thiserror::Error, Fault)]
#[fault(Usage)]
pub enum SourceError {
    #[error("no source is named, and none is remembered")]
    #[fault(
        "E_SOURCE_NONE",
        hint("pass --from URL, set PYDIST_FROM, or run `pydist source set URL --public-key KEY` once")
    )]
    None,
    #[error("cannot determine a folder for settings")]
    #[fault("E_SOURCE_HOME", hint("set HOME, or on Windows APPDATA; or pass --from to every command"))]
    Home,
    #[error("the remembered sources in `{}` cannot be used: {reason}", path.display())]
    #[fault(
        "E_SOURCE_FILE",
        hint(
            "nothing is fetched before that is settled, because the keys of sources are in it: correct it, or remove it \
             and run `pydist source set URL --public-key KEY` again"
        )
    )]
    File { path: PathBuf, reason: String },
    #[error("cannot write `{}`: {source}", path.display())]
    #[fault("E_SOURCE_WRITE", Build, hint("make the folder writable, or pass --from to every command"))]
    Write { path: PathBuf, source: io::Error },
    #[error("`{from}` is remembered with other public keys than the one that was given: {given}")]
    #[fault(
        "E_SOURCE_KEY",
        Trust,
        hint(
            "leave out --public-key to use the remembered ones; if the publisher has a new key, run `pydist source set \
             {from} --public-key KEY` with it"
        )
    )]
    Key { from: String, given: String },
    #[error("`{from}` would be used without any public key, and {before} is remembered with one")]
    #[fault("E_SOURCE_UNSIGNED", Trust, hint("pass its --public-key, or --unsigned to rely on the server alone"))]
    Unsigned { from: String, before: String },
    #[error("no source `{from}` is remembered")]
    #[fault("E_SOURCE_UNKNOWN", hint("run `pydist source` for those that are"))]
    Unknown { from: String },
}

impl Default for Sources {
    fn default() -> Self {
        Self { format: SOURCES_FORMAT, default: None, sources: Vec::new() }
    }
}

impl Sources {
    /// None are remembered if there is no file; a file that cannot be understood is an error.
    pub fn read(path: &Path) -> Result<Self, SourceError> {
        let refuse = |reason: String| SourceError::File { path: path.to_owned(), reason };
        let text = match vocab::open_regular(path) {
            Ok(file) => {
                let mut text = String::new();
                let read = io::Read::read_to_string(&mut io::Read::take(file, LARGEST + 1), &mut text);
                read.map_err(|error| refuse(error.to_string()))?;
                text
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(refuse(error.to_string())),
        };
        if text.len() as u64 > LARGEST {
            return Err(refuse(format!("it has more than {LARGEST} bytes")));
        }
        Self::of_text(&text).map_err(refuse)
    }

    fn of_text(text: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Numbered {
            format: u32,
        }
        let document = typed_json::parse(text.as_bytes()).map_err(|error| error.to_string())?;
        let numbered: Numbered = document.read().map_err(|error| error.to_string())?;
        if numbered.format != SOURCES_FORMAT {
            return Err(format!("its format is {}, this program reads {SOURCES_FORMAT}", numbered.format));
        }
        let sources: Self = document.read().map_err(|error| error.to_string())?;
        for (index, source) in sources.sources.iter().enumerate() {
            if source.from.is_empty() || remembered(&source.from) != source.from {
                return Err(format!("`{}` is not how a source is remembered", without_secrets(&source.from)));
            }
            if sources.sources[..index].iter().any(|other| other.from == source.from) {
                return Err(format!("`{}` is in it twice", source.from));
            }
            for key in &source.public_keys {
                PublicKey::of_text(key).map_err(|error| format!("a key of `{}` is {error}", source.from))?;
            }
        }
        match &sources.default {
            Some(default) if sources.known(default).is_none() => {
                Err(format!("its default `{}` is not one of its sources", without_secrets(default)))
            }
            _ => Ok(sources),
        }
    }

    /// Replaces the file in one step.
    pub fn save(&self, path: &Path) -> Result<(), SourceError> {
        let write = || -> io::Result<()> {
            let mut beside = FileBeside::beside(path, ".sources-")?;
            beside.write_all(serde_json::to_string_pretty(self)?.as_bytes())?;
            beside.write_all(b"\n")?;
            beside.replace(path)
        };
        write().map_err(|source| SourceError::Write { path: path.to_owned(), source })
    }

    /// By its `from`, however it is written.
    pub fn known(&self, place: &str) -> Option<&KnownSource> {
        let place = remembered(place);
        self.sources.iter().find(|source| source.from == place)
    }

    /// The source to use, with the keys that are remembered for it.
    pub fn choose(&self, given: GivenSource<'_>) -> Result<ChosenSource, SourceError> {
        let named = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
        let option = named(given.option).map(|place| (place, NamedBy::Option));
        let variable = || named(given.variable).map(|place| (place, NamedBy::Variable));
        let default = || self.default.clone().map(|place| (place, NamedBy::Remembered));
        let (place, named_by) = option.or_else(variable).or_else(default).ok_or(SourceError::None)?;
        let known = self.known(&place).map(|source| source.public_keys.as_slice()).unwrap_or_default();
        if known.is_empty() {
            return Ok(ChosenSource { place, public_keys: given.public_keys, named_by });
        }
        if let Some(other) = given.public_keys.iter().find(|key| !known.iter().any(|line| line == key.line())) {
            return Err(SourceError::Key { from: remembered(&place), given: other.line().to_owned() });
        }
        let public_keys = match given.public_keys.is_empty() {
            true => keys_of(known)?,
            false => given.public_keys,
        };
        Ok(ChosenSource { place, public_keys, named_by })
    }

    /// Remembers a source as the default. Keys that are known of it stay unless others are given or `unsigned` says that
    /// none are wanted.
    pub fn set(&mut self, place: &str, public_keys: &[PublicKey], unsigned: bool) -> Result<&KnownSource, SourceError> {
        let from = remembered(place);
        let mut keys: Vec<String> = public_keys.iter().map(|key| key.line().to_owned()).collect();
        keys.dedup();
        let former = self.known(&from).map(|source| source.public_keys.clone()).unwrap_or_default();
        if keys.is_empty() && !unsigned {
            let default = self.default.as_deref().and_then(|default| self.known(default));
            match default.filter(|default| former.is_empty() && !default.public_keys.is_empty()) {
                Some(default) => {
                    return Err(SourceError::Unsigned { from, before: format!("`{}`", default.from) });
                }
                None => keys = former,
            }
        }
        self.sources.retain(|source| source.from != from);
        self.sources.push(KnownSource { from: from.clone(), public_keys: keys });
        self.sources.sort_by(|left, right| left.from.cmp(&right.from));
        self.default = Some(from.clone());
        self.known(&from).ok_or(SourceError::Unknown { from })
    }

    /// Forgets a source and its keys.
    pub fn remove(&mut self, place: &str) -> Result<(), SourceError> {
        let from = remembered(place);
        if self.known(&from).is_none() {
            return Err(SourceError::Unknown { from });
        }
        self.sources.retain(|source| source.from != from);
        self.default = self.default.take().filter(|default| *default != from);
        Ok(())
    }
}

/// The `given` place if it is `from` with a user and password, which are never recorded.
pub(crate) fn with_access(given: Option<&str>, from: String) -> String {
    match given {
        Some(given) if remembered(given) == remembered(&from) => given.to_owned(),
        _ => from,
    }
}

/// The JSON Schema of [`Sources`], as the repository stores it.
pub fn sources_schema() -> String {
    let one_line = RecursiveTransform(|schema: &mut Schema| {
        if let Some(Value::String(text)) = schema.get_mut("description") {
            *text = text.replace('\n', " ");
        }
        schema.remove("format");
    });
    let generator = SchemaSettings::draft2020_12().with_transform(one_line).into_generator();
    let mut schema = generator.into_root_schema_for::<Sources>().to_value();
    schema["properties"]["format"] = json!({ "const": SOURCES_FORMAT });
    schema["title"] = json!(format!("pydist sources, format {SOURCES_FORMAT}"));
    format!("{schema:#}\n")
}

/// Lines that were checked when they were read.
fn keys_of(lines: &[String]) -> Result<Vec<PublicKey>, SourceError> {
    let parsed: Result<Vec<_>, TrustError> = lines.iter().map(|line| PublicKey::of_text(line)).collect();
    parsed.map_err(|error| SourceError::File { path: PathBuf::new(), reason: error.to_string() })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use minisign::KeyPair;

    use super::*;

    const URL: &str = "https://runtimes.example.com/python";

    fn key() -> PublicKey {
        PublicKey::of_text(&KeyPair::generate_unencrypted_keypair().unwrap().pk.to_base64()).unwrap()
    }

    fn again(key: &PublicKey) -> PublicKey {
        PublicKey::of_text(key.line()).unwrap()
    }

    fn lines(chosen: &ChosenSource) -> Vec<&str> {
        chosen.public_keys.iter().map(PublicKey::line).collect()
    }

    #[test]
    fn a_source_that_is_remembered_with_keys_is_never_used_without_them() {
        let (mine, other) = (key(), key());
        let mut sources = Sources::default();
        sources.set(&format!("{URL}/"), &[again(&mine)], false).unwrap();
        let ways = [
            // (--from, PYDIST_FROM, who named it)
            (None, None, NamedBy::Remembered),
            (Some(URL), None, NamedBy::Option),
            (Some("https://RUNTIMES.example.com:443/python/"), None, NamedBy::Option),
            (Some("https://ada:secret@runtimes.example.com/python?token=1"), None, NamedBy::Option),
            (Some(""), Some("https://ada:secret@runtimes.example.com/python"), NamedBy::Variable),
        ];
        for (option, variable, named_by) in ways {
            let given = || GivenSource { option, variable, public_keys: Vec::new() };
            let chosen = sources.choose(given()).unwrap();
            assert_eq!(
                (lines(&chosen), chosen.named_by),
                (vec![mine.line()], named_by),
                "for {option:?}, {variable:?}"
            );
            let same = sources.choose(GivenSource { public_keys: vec![again(&mine)], ..given() }).unwrap();
            assert_eq!(lines(&same), [mine.line()]);
            let error = sources.choose(GivenSource { public_keys: vec![again(&other)], ..given() }).unwrap_err();
            assert_eq!(error.code(), "E_SOURCE_KEY");
        }
        // Another source has keys of its own, or none.
        let elsewhere = GivenSource { option: Some("https://elsewhere.example"), ..GivenSource::default() };
        assert_eq!(lines(&sources.choose(elsewhere).unwrap()), [""; 0]);
    }

    #[test]
    fn keys_are_lost_only_on_demand() {
        let (mine, newer) = (key(), key());
        let mut sources = Sources::default();
        assert!(sources.set(URL, &[], false).unwrap().public_keys.is_empty(), "nothing was known before");
        sources.set(URL, &[again(&mine)], false).unwrap();
        assert_eq!(sources.set(URL, &[], false).unwrap().public_keys, [mine.line()], "they stay");
        let other = "https://elsewhere.example";
        assert_eq!(sources.set(other, &[], false).unwrap_err().code(), "E_SOURCE_UNSIGNED");
        assert_eq!(sources.default.as_deref(), Some(URL));
        sources.set(other, &[], true).unwrap();
        assert_eq!(sources.default.as_deref(), Some(other));
        assert_eq!(sources.known(URL).unwrap().public_keys, [mine.line()], "and are known for the former source");
        assert_eq!(sources.set(URL, &[again(&newer)], false).unwrap().public_keys, [newer.line()], "a new key");
        assert!(sources.set(URL, &[], true).unwrap().public_keys.is_empty());
        sources.remove(URL).unwrap();
        assert_eq!((sources.remove(URL).unwrap_err().code(), &sources.default), ("E_SOURCE_UNKNOWN", &None));
        assert_eq!(sources.choose(GivenSource::default()).unwrap_err().code(), "E_SOURCE_NONE");
    }

    #[test]
    fn nothing_secret_is_remembered() {
        let mut sources = Sources::default();
        sources.set("https://ada:correct-horse@h.example/p?token=t0ken#x", &[], false).unwrap();
        let text = serde_json::to_string(&sources).unwrap();
        assert!(!text.contains("horse") && !text.contains("ada") && !text.contains("t0ken"), "{text}");
        assert_eq!(sources.default.as_deref(), Some("https://h.example/p"));
        let settings = "s3://bucket/p?endpoint=http://127.0.0.1:9000";
        assert_eq!(sources.set(settings, &[], false).unwrap().from, settings, "no secrets can be in these");
    }

    #[test]
    fn what_is_written_is_read_and_anything_else_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/sources.json");
        assert_eq!(Sources::read(&path).unwrap(), Sources::default());
        let mut sources = Sources::default();
        sources.set(URL, &[key(), key()], false).unwrap();
        sources.save(&path).unwrap();
        assert_eq!(Sources::read(&path).unwrap(), sources);
        let twice = format!(r#"{{"format": 1, "sources": [{{"from": "{URL}"}}, {{"from": "{URL}"}}]}}"#);
        let cases = [
            ("", "line 1"),
            ("{", "line 1"),
            ("[]", "line 1"),
            (r#"{"format": 2, "sources": [], "later": 1}"#, "its format is 2, this program reads 1"),
            (r#"{"format": 1}"#, "sources"),
            (r#"{"format": 1, "sources": [], "publicKeys": []}"#, "publicKeys"),
            (r#"{"format": 1, "sources": [{"from": "https://h.example/p", "public_key": "R"}]}"#, "public_key"),
            (r#"{"format": 1, "sources": [{"from": "https://a:b@h.example/p"}]}"#, "not how a source is remembered"),
            (r#"{"format": 1, "sources": [{"from": "relative"}]}"#, "not how a source is remembered"),
            (r#"{"format": 1, "sources": [{"from": "https://h.example/p", "public_keys": ["RW"]}]}"#, "not a minisign"),
            (r#"{"format": 1, "default": "https://h.example/p", "sources": []}"#, "is not one of its sources"),
            (&twice, "is in it twice"),
        ];
        for (text, reason) in cases {
            fs::write(&path, text).unwrap();
            let error = Sources::read(&path).unwrap_err();
            assert!(error.to_string().contains(reason), "for {text:?}: {error}");
            assert_eq!(error.code(), "E_SOURCE_FILE");
        }
        let below_a_file = path.join("sources.json");
        let error = sources.save(&below_a_file).unwrap_err();
        assert!(error.to_string().starts_with(&format!("cannot write `{}`: ", below_a_file.display())), "{error}");
        let hint = "make the folder writable, or pass --from to every command";
        assert_eq!((error.code(), error.hint().as_deref()), ("E_SOURCE_WRITE", Some(hint)));
        fs::write(&path, [0xff, 0xfe]).unwrap();
        assert_eq!(Sources::read(&path).unwrap_err().code(), "E_SOURCE_FILE");
        fs::write(&path, vec![b' '; 1 << 21]).unwrap();
        assert!(Sources::read(&path).unwrap_err().to_string().contains("more than"));
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert_eq!(Sources::read(&path).unwrap_err().code(), "E_SOURCE_FILE", "it is there and cannot be read");
    }
}
