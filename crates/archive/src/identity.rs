//! The identity of a part: one digest for its entries and all of their content.
//!
//! It is computed from digests of files, not from packed bytes. So it is the same in every container and at every
//! level, and an installed tree shows without packing which parts of an artifact it already has.

use std::fmt::Write as _;

use vocab::{Digest, TreePath};

/// What one entry contributes to its part's identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryIdentity<'a> {
    Directory,
    /// `sha256` of the content, uncompressed.
    File {
        sha256: Digest,
        executable: bool,
    },
    /// `target` as it is packed.
    Symlink {
        target: &'a str,
    },
}

/// The SHA-256 of `pydist entries\n` and one line for each entry, in any order given:
///
/// ```text
/// directory TAB path
/// file TAB sha256 TAB 0 or 1 for executable TAB path
/// link TAB target TAB path
/// ```
/// Paths and targets contain no control characters, so no two lists give the same text.
pub fn identity_of<'a>(entries: impl IntoIterator<Item = (&'a TreePath, EntryIdentity<'a>)>) -> Digest {
    let mut entries: Vec<_> = entries.into_iter().collect();
    entries.sort_by(|one, other| one.0.cmp(other.0));
    let mut text = String::from("pydist entries\n");
    for (path, entry) in entries {
        let written = match entry {
            EntryIdentity::Directory => writeln!(text, "directory\t{path}"),
            EntryIdentity::File { sha256, executable } => {
                writeln!(text, "file\t{sha256}\t{}\t{path}", u8::from(executable))
            }
            EntryIdentity::Symlink { target } => writeln!(text, "link\t{target}\t{path}"),
        };
        written.expect("writing to a string cannot fail");
    }
    Digest::of(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identity_is_of_the_entries_and_not_of_their_order() {
        let (a, b): (TreePath, TreePath) = ("a".parse().unwrap(), "b".parse().unwrap());
        let file = |text: &str, executable| EntryIdentity::File { sha256: Digest::of(text), executable };
        let identity = identity_of([(&a, file("1", false)), (&b, EntryIdentity::Symlink { target: "a" })]);
        assert_eq!(identity, identity_of([(&b, EntryIdentity::Symlink { target: "a" }), (&a, file("1", false))]));
        let text = format!("pydist entries\nfile\t{}\t0\ta\nlink\ta\tb\n", Digest::of("1"));
        assert_eq!(identity, Digest::of(text));
        let others = [
            [(&a, file("2", false)), (&b, EntryIdentity::Symlink { target: "a" })],
            [(&a, file("1", true)), (&b, EntryIdentity::Symlink { target: "a" })],
            [(&a, file("1", false)), (&b, EntryIdentity::Symlink { target: "b" })],
            [(&a, file("1", false)), (&b, EntryIdentity::Directory)],
        ];
        for other in others {
            assert_ne!(identity_of(other.clone()), identity, "{other:?}");
        }
    }
}
