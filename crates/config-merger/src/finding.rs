//! What is wrong with a configuration, where, and what to do about it.

use std::fmt;
use std::sync::Arc;

use vocab::json::{JsonFault, JsonFaultKind};
use vocab::{Exit, Fault, SourceFault, SourceFaultKind, TextPlace};

/// The kinds of finding; each has a stable code to search for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FindingCode {
    /// A file is absent, unreadable or too large.
    File,
    /// Not JSON, or a key twice.
    Syntax,
    /// A string where a list belongs.
    Type,
    /// The right type, but not an accepted value.
    Value,
    /// No such key exists here.
    UnknownKey,
    /// Not a platform key.
    Platform,
    /// Not a requirement that can be used.
    Requirement,
    /// Two entries that cannot both hold.
    Conflict,
    /// An entry of `overrides` that is invalid or changes nothing.
    Override,
    /// An operation of `patch` that is invalid or fails.
    Patch,
}

impl FindingCode {
    /// The code that messages show, `E_CONFIG_…`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::File => "E_CONFIG_FILE",
            Self::Syntax => "E_CONFIG_SYNTAX",
            Self::Type => "E_CONFIG_TYPE",
            Self::Value => "E_CONFIG_VALUE",
            Self::UnknownKey => "E_CONFIG_UNKNOWN_KEY",
            Self::Platform => "E_CONFIG_PLATFORM",
            Self::Requirement => "E_CONFIG_REQUIREMENT",
            Self::Conflict => "E_CONFIG_CONFLICT",
            Self::Override => "E_CONFIG_OVERRIDE",
            Self::Patch => "E_CONFIG_PATCH",
        }
    }
}

/// One fault or one warning. Its text form is `file:line:column pointer: text`, and the hint on a line of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFinding {
    pub code: FindingCode,
    /// `None` only where no file is at fault.
    pub place: Option<TextPlace>,
    /// What is wrong, one sentence in lower case.
    pub text: String,
    /// What to do about it, if that can be said.
    pub hint: Option<String>,
}

/// Does not prevent the configuration from being used; with `strict` it is a fault.
pub type ConfigWarning = ConfigFinding;

impl ConfigFinding {
    /// `file:line:column pointer: text`.
    pub fn headline(&self) -> String {
        match &self.place {
            Some(place) => format!("{place}: {}", self.text),
            None => self.text.clone(),
        }
    }
}

impl From<JsonFault> for ConfigFinding {
    fn from(fault: JsonFault) -> Self {
        let hint = match fault.kind {
            JsonFaultKind::Empty => Some("a configuration without settings is `{}`"),
            JsonFaultKind::TooDeep => Some("no setting needs more than seven levels"),
            JsonFaultKind::Comment => Some("JSON has no comments; rules have a `reason` for that"),
            _ => fault.kind.hint(),
        };
        Self {
            code: FindingCode::Syntax,
            place: Some(fault.place),
            text: fault.kind.to_string(),
            hint: hint.map(str::to_owned),
        }
    }
}

impl From<SourceFault> for ConfigFinding {
    fn from(fault: SourceFault) -> Self {
        let (code, hint) = match &fault.kind {
            SourceFaultKind::TooLarge => (
                FindingCode::File,
                Some("is it a configuration? Data belongs into a file of its own, brought in by `copyFiles`"),
            ),
            SourceFaultKind::NotUtf8 => (FindingCode::Syntax, Some("save it as UTF-8")),
            SourceFaultKind::NotRegular | SourceFaultKind::Unreadable(_) => (FindingCode::File, None),
        };
        Self { code, text: fault.kind.to_string(), hint: hint.map(str::to_owned), place: Some(fault.place) }
    }
}

impl fmt::Display for ConfigFinding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.headline())?;
        if let Some(hint) = &self.hint {
            write!(formatter, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

/// Everything that is wrong with the files of one runtime; at least one finding, in the order of file and line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFaults {
    /// In the order of file and line; the first of very many.
    pub findings: Vec<ConfigFinding>,
    /// Number of faults beyond those listed; 0 unless a file is wrong throughout.
    pub unlisted: usize,
    /// Warnings found besides, often the cause of a fault. Not part of the text form.
    pub warnings: Vec<ConfigWarning>,
    /// File name and content, for showing the places.
    pub(crate) sources: Vec<(Arc<str>, Arc<str>)>,
}

impl fmt::Display for ConfigFaults {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, finding) in self.findings.iter().enumerate() {
            if index > 0 {
                writeln!(formatter)?;
            }
            write!(formatter, "{finding}")?;
        }
        if self.unlisted > 0 {
            write!(formatter, "\nand {} more", self.unlisted)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigFaults {}

impl Fault for ConfigFaults {
    fn code(&self) -> &'static str {
        self.findings.first().map_or("E_CONFIG_VALUE", |first| first.code.as_str())
    }

    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn in_full(&self) -> Option<String> {
        Some(self.pictured())
    }
}
