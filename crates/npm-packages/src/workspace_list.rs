//! A list of workspace members: folders, or patterns of folders.

use globset::{GlobBuilder, GlobMatcher};
use vocab::TextPlace;
use vocab::quoted::shown;

use crate::fault::{PackageFault, PackageFaultKind};
use crate::package_reader::PlacedValue;

/// The members of a workspace, and which folders match.
#[derive(Clone, Debug)]
pub struct WorkspaceList {
    /// The list's key in its file.
    pub key: &'static str,
    /// The list itself.
    pub place: TextPlace,
    /// As written.
    pub patterns: Vec<PlacedValue<String>>,
    matchers: Vec<(bool, GlobMatcher)>,
}

impl PartialEq for WorkspaceList {
    fn eq(&self, other: &Self) -> bool {
        (self.key, &self.place, &self.patterns) == (other.key, &other.place, &other.patterns)
    }
}

impl Eq for WorkspaceList {}

impl WorkspaceList {
    pub(crate) fn new(
        key: &'static str,
        place: TextPlace,
        patterns: Vec<PlacedValue<String>>,
    ) -> Result<Self, Vec<PackageFault>> {
        let (mut matchers, mut faults) = (Vec::new(), Vec::new());
        for pattern in &patterns {
            let excludes = pattern.value.starts_with('!');
            match GlobBuilder::new(folder_of(&pattern.value)).literal_separator(true).build() {
                Ok(glob) => matchers.push((excludes, glob.compile_matcher())),
                Err(error) => {
                    let text = format!("{} is not a pattern of folders: {}", shown(&pattern.value), error.kind());
                    let place = pattern.place.clone();
                    faults.push(PackageFault::new(PackageFaultKind::File, place, text, "write the folder's name"));
                }
            }
        }
        if faults.is_empty() { Ok(Self { key, place, patterns, matchers }) } else { Err(faults) }
    }

    /// Whether the folder, relative to the repository, is a member.
    pub fn holds(&self, folder: &str) -> bool {
        let hit =
            |wanted: bool| self.matchers.iter().any(|(excludes, glob)| *excludes == wanted && glob.is_match(folder));
        hit(false) && !hit(true)
    }

    /// The members that are named literally, not by a pattern.
    pub fn folders(&self) -> impl Iterator<Item = (&str, &TextPlace)> {
        let named = |text: &str| !text.starts_with('!') && !text.contains(['*', '?', '[', '{']);
        let patterns = self.patterns.iter().filter(move |pattern| named(&pattern.value));
        patterns.map(|pattern| (folder_of(&pattern.value), &pattern.place))
    }
}

fn folder_of(pattern: &str) -> &str {
    let pattern = pattern.trim_start_matches('!');
    pattern.strip_prefix("./").unwrap_or(pattern).trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_named_or_matched_and_may_be_left_out() {
        let patterns = ["./catalogue/", "python-3.1?.*", "!python-*-old", "tools/*"];
        let placed = |text: &str| PlacedValue { value: text.to_owned(), place: TextPlace::default() };
        let list = WorkspaceList::new("packages", TextPlace::default(), patterns.map(placed).into()).unwrap();
        for (folder, is_member) in [
            ("catalogue", true),
            ("python-3.12.10", true),
            ("python-3.9.10", false),
            ("python-3.12.10-old", false),
            ("tools/a", true),
            ("tools/a/b", false),
        ] {
            assert_eq!(list.holds(folder), is_member, "{folder}");
        }
        assert_eq!(list.folders().map(|(folder, _)| folder).collect::<Vec<_>>(), ["catalogue"]);
        let refused = WorkspaceList::new("packages", TextPlace::default(), vec![placed("python-[3")]);
        assert_eq!(refused.unwrap_err().len(), 1);
    }
}
