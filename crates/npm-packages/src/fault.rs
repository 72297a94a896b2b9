//! What is wrong with a package, where, and what to write instead.

use std::fmt;

use vocab::json::{JsonFault, JsonFaultKind};
use vocab::{Exit, Fault, SourceFault, SourceFaultKind, TextPlace};

/// One fault. Its text form is `file:line:column pointer: text`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {text}")]
pub struct PackageFault {
    pub kind: PackageFaultKind,
    pub place: TextPlace,
    /// What is wrong, in lower case.
    pub text: String,
    /// What to write instead.
    pub hint: Option<String>,
}

/// What a fault is about; decides code and exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PackageFaultKind {
    /// The file could not be read.
    Unreadable,
    /// A single file is wrong.
    File,
    /// Two files contradict each other.
    Disagreement,
}

impl PackageFault {
    /// A fault with a hint. `text` starts in lower case, `hint` is one sentence without a full stop.
    pub fn new(kind: PackageFaultKind, place: TextPlace, text: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { kind, place, text: text.into(), hint: Some(hint.into()) }
    }
}

impl Fault for PackageFault {
    fn code(&self) -> &'static str {
        match self.kind {
            PackageFaultKind::Unreadable | PackageFaultKind::File => "E_DESCRIPTOR",
            PackageFaultKind::Disagreement => "E_CATALOGUE",
        }
    }

    fn exit(&self) -> Exit {
        match self.kind {
            PackageFaultKind::Unreadable => Exit::Build,
            PackageFaultKind::File | PackageFaultKind::Disagreement => Exit::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        self.hint.clone()
    }
}

impl From<JsonFault> for PackageFault {
    fn from(fault: JsonFault) -> Self {
        let hint = match fault.kind {
            JsonFaultKind::Empty => Some("remove the file, or write a package into it: `{ \"name\": \"…\" }`"),
            _ => fault.kind.hint(),
        };
        Self {
            kind: PackageFaultKind::File,
            place: fault.place,
            text: fault.kind.to_string(),
            hint: hint.map(str::to_owned),
        }
    }
}

impl From<SourceFault> for PackageFault {
    fn from(fault: SourceFault) -> Self {
        let (kind, hint) = match fault.kind {
            SourceFaultKind::Unreadable(_) => (PackageFaultKind::Unreadable, None),
            SourceFaultKind::NotUtf8 => (PackageFaultKind::File, Some("save it as UTF-8".to_owned())),
            SourceFaultKind::TooLarge | SourceFaultKind::NotRegular => (PackageFaultKind::File, None),
        };
        Self { kind, text: fault.kind.to_string(), hint, place: fault.place }
    }
}

/// Everything that is wrong with one file; never empty. In its text form each fault has a line of its own, followed by
/// its hint; the last hint is left to [`Fault::hint`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageFaults(Vec<PackageFault>);

impl PackageFaults {
    /// `done`, unless there are faults.
    pub(crate) fn unless_none<T>(faults: Vec<PackageFault>, done: T) -> Result<T, Self> {
        if faults.is_empty() { Ok(done) } else { Err(Self(faults)) }
    }

    /// `faults` is not empty.
    pub(crate) fn of(faults: Vec<PackageFault>) -> Self {
        debug_assert!(!faults.is_empty());
        Self(faults)
    }

    /// In the order of the file; at least one.
    pub fn iter(&self) -> impl Iterator<Item = &PackageFault> {
        self.0.iter()
    }

    /// In the order of the file; never empty.
    pub fn into_vec(self) -> Vec<PackageFault> {
        self.0
    }
}

impl From<PackageFault> for PackageFaults {
    fn from(fault: PackageFault) -> Self {
        Self(vec![fault])
    }
}

impl fmt::Display for PackageFaults {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            if let Some(former) = index.checked_sub(1).and_then(|former| self.0.get(former)) {
                if let Some(hint) = &former.hint {
                    write!(formatter, "\n  hint: {hint}")?;
                }
                writeln!(formatter)?;
            }
            write!(formatter, "{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for PackageFaults {}

impl Fault for PackageFaults {
    fn code(&self) -> &'static str {
        self.0.first().map_or("E_DESCRIPTOR", Fault::code)
    }

    fn exit(&self) -> Exit {
        self.0.first().map_or(Exit::Usage, Fault::exit)
    }

    fn hint(&self) -> Option<String> {
        self.0.last()?.hint.clone()
    }
}
