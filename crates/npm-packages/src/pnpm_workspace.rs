//! `pnpm-workspace.yaml`: the members it lists, and adding a line to it.

use std::path::Path;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_saphyr::{Error, Location, Spanned};
use vocab::{SourceFile, TextPlace};

use crate::fault::{PackageFault, PackageFaultKind, PackageFaults};
use crate::package::read_source;
use crate::package_reader::PlacedValue;
use crate::workspace_list::WorkspaceList;

/// The file's name, at the root of the repository.
pub const PNPM_WORKSPACE: &str = "pnpm-workspace.yaml";

/// pnpm's other settings are ignored.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PnpmSettings {
    packages: Option<Vec<Spanned<String>>>,
    link_workspace_packages: Option<WorkspaceLinking>,
}

/// `true`, `false` or `deep`; pnpm reports anything else.
#[derive(Deserialize)]
#[serde(untagged)]
enum WorkspaceLinking {
    Switch(bool),
    Word(String),
    Other(IgnoredAny),
}

/// The file, and what it says about members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PnpmWorkspace {
    pub source: SourceFile,
    /// Empty without `packages`.
    pub list: WorkspaceList,
    /// Whether `linkWorkspacePackages` is set: members are linked for any range that fits.
    pub links_members: bool,
}

/// `None` if there is no such file.
pub fn read_pnpm_workspace(root: &Path) -> Result<Option<PnpmWorkspace>, PackageFaults> {
    read_source(root, PNPM_WORKSPACE)?.map(|source| parse(&source)).transpose()
}

fn parse(source: &SourceFile) -> Result<PnpmWorkspace, PackageFaults> {
    let read: Option<PnpmSettings> = serde_saphyr::from_str(&source.text).map_err(|error| {
        let place = error.location().map_or_else(|| TextPlace::of_file(&source.name), |at| place(source, at));
        let hint = "list the folders in `packages`, each on a line with `- ` before it";
        PackageFault::new(PackageFaultKind::File, place, what_is_wrong(error.without_snippet()), hint)
    })?;
    let PnpmSettings { packages, link_workspace_packages } = read.unwrap_or_default();
    let links_members = match link_workspace_packages {
        Some(WorkspaceLinking::Switch(is_on)) => is_on,
        Some(WorkspaceLinking::Word(word)) => word == "deep",
        Some(WorkspaceLinking::Other(_)) | None => false,
    };
    let patterns = packages.unwrap_or_default();
    let patterns = patterns.into_iter().enumerate().map(|(index, item)| {
        let pointer = format!("/packages/{index}");
        PlacedValue { value: item.value, place: TextPlace { pointer, ..place(source, item.defined) } }
    });
    let start = source.text.lines().position(|line| line.starts_with("packages:")).map_or(0, |line| line + 1);
    let whole = TextPlace { line: start, column: start.min(1), ..TextPlace::of_file(&source.name) };
    WorkspaceList::new("packages", whole, patterns.collect())
        .map(|list| PnpmWorkspace { source: source.clone(), list, links_members })
        .map_err(|faults| PackageFaults::unless_none(faults, ()).err().unwrap_or_else(|| unreadable(source).into()))
}

/// The library speaks of its own types and tokens.
fn what_is_wrong(error: &Error) -> &'static str {
    match error {
        Error::Eof { .. } => "the file ends too early",
        Error::MultipleDocuments { .. } => "a second document begins here, after `---`",
        Error::DuplicateMappingKey { .. } => "this key stands twice",
        Error::UnknownAnchor { .. } => "this alias names no anchor",
        Error::Unexpected { .. }
        | Error::SerdeInvalidType { .. }
        | Error::SerdeInvalidValue { .. }
        | Error::TaggedScalarCannotDeserializeIntoString { .. }
        | Error::NullIntoString { .. }
        | Error::UnexpectedSequenceEnd { .. }
        | Error::UnexpectedMappingEnd { .. } => "`packages` must be a list of texts, and here is something else",
        Error::IndentationError { .. } => "the indentation is wrong",
        _ => "not YAML: it cannot be read from here on",
    }
}

fn place(source: &SourceFile, at: Location) -> TextPlace {
    let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let span = at.span();
    TextPlace {
        line: number(at.line()),
        column: number(at.column()),
        span: (number(span.byte_offset().unwrap_or(0)), number(span.byte_len().unwrap_or(0))),
        ..TextPlace::of_file(&source.name)
    }
}

/// The text with `folder` as one more member, written like the others. If the list has it already, the text is returned
/// unchanged.
pub fn add_to_pnpm_workspace(source: &SourceFile, folder: &str) -> Result<String, PackageFaults> {
    let list = parse(source)?.list;
    if list.holds(folder) {
        return Ok(source.text.to_string());
    }
    let text = &*source.text;
    let added = match list.patterns.iter().rfind(|it| it.value.starts_with("python-")).or(list.patterns.last()) {
        Some(neighbour) => beside(text, &neighbour.place, folder),
        None => into_nothing(text, folder),
    };
    // The edit is used only if it parses to what it should say.
    match parse(&SourceFile::new(&source.name, &added)) {
        Ok(parsed) if parsed.list.holds(folder) => Ok(added),
        _ => Err(unreadable(source).into()),
    }
}

fn unreadable(source: &SourceFile) -> PackageFault {
    let text = "the list `packages` is written in a way that is not understood well enough to add to it";
    let hint = "add the folder by hand";
    PackageFault::new(
        PackageFaultKind::File,
        TextPlace { line: 1, column: 1, ..TextPlace::of_file(&source.name) },
        text,
        hint,
    )
}

/// The text as it was, where the neighbour is not at its place.
fn beside(text: &str, neighbour: &TextPlace, folder: &str) -> String {
    let (start, length) = neighbour.span;
    let (Some((before, rest)), Some((through, behind))) =
        (text.split_at_checked(start), text.split_at_checked(start.saturating_add(length)))
    else {
        return text.to_owned();
    };
    let quote = rest.chars().next().filter(|c| matches!(c, '\'' | '"')).map(String::from).unwrap_or_default();
    let item = format!("{quote}{folder}{quote}");
    let indent = &before[before.rfind('\n').map_or(0, |newline| newline + 1)..];
    if indent.trim() != "-" {
        // `packages: ['a', 'b']`
        return format!("{through}, {item}{behind}");
    }
    let line_end = rest.find('\n').map_or(text.len(), |newline| start + newline);
    // A `\r` before the line break stays with the line that it ends.
    let (line, carriage) = match text[..line_end].strip_suffix('\r') {
        Some(line) => (line, "\r"),
        None => (&text[..line_end], ""),
    };
    format!("{line}{carriage}\n{indent}{item}{}", &text[line.len()..])
}

fn into_nothing(text: &str, folder: &str) -> String {
    let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let item = format!("  - '{folder}'{newline}");
    let Some(start) = text.lines().position(|line| line.starts_with("packages:")) else {
        let gap = if text.is_empty() || text.ends_with('\n') { "" } else { newline };
        return format!("{text}{gap}packages:{newline}{item}");
    };
    let mut written = String::new();
    for (index, line) in text.split_inclusive('\n').enumerate() {
        if index != start {
            written.push_str(line);
        } else if line.contains("[]") {
            written.push_str(&line.replacen("[]", &format!("['{folder}']"), 1));
        } else {
            let gap = if line.ends_with('\n') { "" } else { newline };
            written.push_str(&format!("{line}{gap}{item}"));
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(text: &str) -> String {
        add_to_pnpm_workspace(&SourceFile::new(PNPM_WORKSPACE, text), "python-3.13.0-custom").unwrap()
    }

    #[test]
    fn a_member_is_added_as_the_others_are_written_and_comments_stay() {
        let cases = [
            (
                "packages:\n  - 'python-3.12.10' # ours\n  - 'catalogue'\n",
                "packages:\n  - 'python-3.12.10' # ours\n  - 'python-3.13.0-custom'\n  - 'catalogue'\n",
            ),
            (
                "# all\npackages:\n- \"a\"\n\nlinkWorkspacePackages: true\n",
                "# all\npackages:\n- \"a\"\n- \"python-3.13.0-custom\"\n\nlinkWorkspacePackages: true\n",
            ),
            (
                "packages:\r\n    - python-3.9.1\r\n",
                "packages:\r\n    - python-3.9.1\r\n    - python-3.13.0-custom\r\n",
            ),
            ("packages:\n  - a", "packages:\n  - a\n  - python-3.13.0-custom"),
            (
                "packages: ['python-3.9.1', \"b\"] # short\n",
                "packages: ['python-3.9.1', 'python-3.13.0-custom', \"b\"] # short\n",
            ),
            ("", "packages:\n  - 'python-3.13.0-custom'\n"),
            ("# nothing yet\n", "# nothing yet\npackages:\n  - 'python-3.13.0-custom'\n"),
            ("packages: []\nx: 1\n", "packages: ['python-3.13.0-custom']\nx: 1\n"),
            ("packages:\nx: 1\n", "packages:\n  - 'python-3.13.0-custom'\nx: 1\n"),
            ("packages:\n  - python-*\n", "packages:\n  - python-*\n"),
            ("packages:\n  - 'é' # ü\n  - 'ö'\n", "packages:\n  - 'é' # ü\n  - 'ö'\n  - 'python-3.13.0-custom'\n"),
        ];
        for (before, after) in cases {
            assert_eq!(added(before), after, "for {before:?}");
            assert_eq!(added(after), after, "a second time");
        }
    }

    #[test]
    fn a_fault_has_its_line_and_column() {
        let cases = [
            ("packages:\n  - a\n  - [b]\n", "pnpm-workspace.yaml:3:5"),
            ("packages: python\n", "pnpm-workspace.yaml:1:11"),
            ("packages:\n\t- a\n", "pnpm-workspace.yaml:2:2"),
            ("packages:\n  - 'a[b'\n", "pnpm-workspace.yaml:2:5 /packages/0"),
            ("packages: [a]\npackages: [b]\n", "pnpm-workspace.yaml:2:1"),
        ];
        for (text, place) in cases {
            let faults = parse(&SourceFile::new(PNPM_WORKSPACE, text)).unwrap_err();
            assert_eq!(faults.iter().next().unwrap().place.to_string(), place, "for {text:?}: {faults}");
        }
    }

    #[test]
    fn faults_are_told_without_the_words_of_the_library() {
        let list = "`packages` must be a list of texts, and here is something else";
        let cases = [
            ("packages:\n  - a\n  - [b]\n", list),
            ("packages: python\n", list),
            ("packages:\n  a: b\n", list),
            ("packages: [a]\npackages: [b]\n", "this key stands twice"),
            ("packages:\n\t- a\n", "not YAML: it cannot be read from here on"),
            ("packages: [a\n", "not YAML: it cannot be read from here on"),
        ];
        for (text, said) in cases {
            let faults = parse(&SourceFile::new(PNPM_WORKSPACE, text)).unwrap_err();
            assert_eq!(faults.iter().next().unwrap().text, said, "for {text:?}");
        }
    }
}
