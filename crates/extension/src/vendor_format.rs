//! Every guess about the vendor's zip in one place: no page shows these names, and no zip of the vendor's was read. A real
//! one settles them here and nowhere else. `docs/formats/extension.md` says of each member whether it is public.

use serde::Serialize;

/// The descriptor's name in zips that we write. Without it the only JSON file at the root that has `extension` and
/// `operators` is taken.
pub const DESCRIPTOR: &str = "extension.json";

/// Public: the two objects of a descriptor.
pub(crate) const EXTENSION: &str = "extension";
pub(crate) const OPERATORS: &str = "operators";

/// Guesses: where ports and data objects are described, the first that is there.
pub(crate) const INPUTS: [&str; 2] = ["inputs", "input_ports"];
pub(crate) const OUTPUTS: [&str; 2] = ["outputs", "output_ports"];
pub(crate) const OBJECTS: [&str; 2] = ["objects", "data_objects"];

/// Public, both spellings. The first counts.
pub const ENV_FILES: [&str; 2] = ["env.yml", "env.yaml"];

/// Ours: what follows a zip's name in the name of its signature.
pub const SIGNATURE_SUFFIX: &str = ".minisig";

/// Ours: the folder of conda packages in a zip.
pub(crate) const OFFLINE: &str = "offline/channel/";

/// The newest major version of the vendor's kit that descriptors were seen described of.
pub(crate) const NEWEST_SDK: u64 = 2;

/// What a parameter takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ParameterType {
    Integer,
    Real,
    String,
    Boolean,
    Category,
    /// The name of a column of an input table.
    Column,
    Columns,
    List,
    Tuple,
    Mapping,
    Connection,
}

/// Words for types. The first five are public; the others are guesses, with what a zip may say instead.
const TYPES: [(&str, ParameterType); 17] = [
    ("integer", ParameterType::Integer),
    ("real", ParameterType::Real),
    ("string", ParameterType::String),
    ("boolean", ParameterType::Boolean),
    ("category", ParameterType::Category),
    ("column", ParameterType::Column),
    ("columns", ParameterType::Columns),
    ("attribute", ParameterType::Column),
    ("attributes", ParameterType::Columns),
    ("list", ParameterType::List),
    ("enumeration", ParameterType::List),
    ("tuple", ParameterType::Tuple),
    ("dict", ParameterType::Mapping),
    ("mapping", ParameterType::Mapping),
    ("list_of_pairs", ParameterType::Mapping),
    ("connection", ParameterType::Connection),
    ("number", ParameterType::Real),
];

/// `None` for a word that is not known: the operator is listed and cannot run.
pub(crate) fn parameter_type(word: &str) -> Option<ParameterType> {
    TYPES.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, kind)| *kind)
}
