//! Names of an artifact's parts, and their order.

use crate::Part;

/// What a part holds. The order of the kinds is that of the parts in an artifact: what changes least comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PartKind {
    /// The interpreter.
    Base,
    /// A wheel, or a source that is shipped as it is. Its part has the name of the file.
    Distribution,
    /// What `copyFiles` names.
    CopiedFiles,
    /// The manifest inside.
    Metadata,
}

impl PartKind {
    /// Name of the interpreter's part.
    pub const BASE: &str = "base";
    /// Name of the copied files' part.
    pub const COPIED_FILES: &str = "copied-files";
    /// Name of the inner manifest's part.
    pub const METADATA: &str = "metadata";

    /// By the name of a part, [`Part::content`] in a manifest.
    pub fn of(name: &str) -> Self {
        match name {
            Self::BASE => Self::Base,
            Self::COPIED_FILES => Self::CopiedFiles,
            Self::METADATA => Self::Metadata,
            _ => Self::Distribution,
        }
    }
}

impl Part {
    /// What it holds, by its name.
    pub fn kind(&self) -> PartKind {
        PartKind::of(&self.content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interpreter_comes_first_and_the_manifest_last() {
        let names = ["base", "demo-1.0-py3-none-any.whl", "demo-1.0.tar.gz", "copied-files", "metadata"];
        assert!(names.is_sorted_by_key(|name| PartKind::of(name)));
        assert_eq!(PartKind::of("base.whl"), PartKind::Distribution);
    }
}
