//! Requirements files, as pip reads them: requirements, constraints, indexes and further files. Pure.

use std::collections::BTreeSet;

use crate::job_folder::inside;

/// What requirements files ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RequirementLines {
    pub requirements: Vec<PlacedLine>,
    pub constraints: Vec<PlacedLine>,
    pub index: Option<String>,
    pub extra_indexes: Vec<String>,
    /// The files that were read, relative with `/`.
    pub files: BTreeSet<String>,
    /// Lines that cannot be followed, and why.
    pub refused: Vec<(PlacedLine, String)>,
}

/// A line and the file that it stands in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlacedLine {
    pub text: String,
    pub file: String,
    /// Counted from 1. 0: the words of a command.
    pub line: usize,
}

/// Options that change nothing here; some have a value behind them.
const IGNORED: [&str; 4] = ["--trusted-host", "--prefer-binary", "--no-cache-dir", "--use-feature"];
/// Further files inside of files.
const MOST_FILES: usize = 100;

/// Reads a file with all that it names. `text_of` gives the text of a file by its path, relative with `/`.
pub(crate) fn read(text_of: &dyn Fn(&str) -> Option<String>, file: &str) -> RequirementLines {
    let mut reader = Reader { text_of, lines: RequirementLines::default(), seen: BTreeSet::new() };
    reader.file(file, false, &PlacedLine { text: format!("-r {file}"), file: file.to_owned(), line: 0 });
    reader.lines
}

struct Reader<'a> {
    text_of: &'a dyn Fn(&str) -> Option<String>,
    lines: RequirementLines,
    seen: BTreeSet<(String, bool)>,
}

impl Reader<'_> {
    fn file(&mut self, path: &str, constrains: bool, asked: &PlacedLine) {
        let refuse = |reason: &str| (asked.clone(), reason.to_owned());
        let Some(path) = inside(path) else {
            self.lines.refused.push(refuse("the file lies outside of the source archive"));
            return;
        };
        if !self.seen.insert((path.clone(), constrains)) {
            return;
        }
        let text = (self.text_of)(&path).filter(|_| self.seen.len() <= MOST_FILES);
        let Some(text) = text else {
            self.lines.refused.push(refuse("the file cannot be read"));
            return;
        };
        self.lines.files.insert(path.clone());
        for (line, text) in logical(&text) {
            self.line(&PlacedLine { text, file: path.clone(), line }, constrains);
        }
    }

    fn line(&mut self, placed: &PlacedLine, constrains: bool) {
        let text = placed.text.as_str();
        if !text.starts_with('-') {
            // Digests: what is installed is locked with its own.
            let text = text.split(" --hash").next().unwrap_or(text).trim().to_owned();
            let placed = PlacedLine { text, ..placed.clone() };
            let list = if constrains { &mut self.lines.constraints } else { &mut self.lines.requirements };
            list.push(placed);
            return;
        }
        let (option, value) = match text.split_once(['=', ' ']) {
            Some((option, value)) => (option, value.trim()),
            None if !text.starts_with("--") && text.len() > 2 => text.split_at(2),
            None => (text, ""),
        };
        // Files are named from the file that names them.
        let near = || match placed.file.rsplit_once('/') {
            Some((folder, _)) => format!("{folder}/{value}"),
            None => value.to_owned(),
        };
        match option {
            "-r" | "--requirement" => self.file(&near(), constrains, placed),
            "-c" | "--constraint" => self.file(&near(), true, placed),
            "-i" | "--index-url" => self.lines.index = Some(value.to_owned()),
            "--extra-index-url" => self.lines.extra_indexes.push(value.to_owned()),
            _ if IGNORED.contains(&option) => {}
            _ => self.lines.refused.push((placed.clone(), format!("the option `{option}` is not understood"))),
        }
    }
}

/// Lines without comments, joined where one ends with a backslash, each with the number of its first.
pub(crate) fn logical(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let comment = if line.trim_start().starts_with('#') { Some(0) } else { line.find(" #") };
        let line = &line[..comment.unwrap_or(line.len())];
        let (number, before) = open.take().unwrap_or((index + 1, String::new()));
        match line.strip_suffix('\\') {
            Some(part) => open = Some((number, format!("{before}{part}"))),
            None => lines.push((number, format!("{before}{line}").trim().to_owned())),
        }
    }
    lines.extend(open.map(|(number, text)| (number, text.trim().to_owned())));
    lines.retain(|(_, text)| !text.is_empty());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn klio_19_files_are_read_as_pip_reads_them() {
        let files = [
            (
                "a.txt",
                "\u{feff}# comment\ntinydep==1.0  # why\nother \\\n  >=2 --hash=sha256:00\n-r sub/b.txt\n-c c.txt\n",
            ),
            (
                "sub/b.txt",
                "third[x]; python_version < '4'\n--extra-index-url https://x.example/simple\n-rd.txt\n-e .\n",
            ),
            ("sub/d.txt", "-r b.txt\n-r ../../e.txt\n--index-url=https://y.example\n--no-such\n"),
            ("c.txt", "tinydep<2\n"),
        ];
        let text_of = |path: &str| files.iter().find(|(name, _)| *name == path).map(|(_, text)| (*text).to_owned());
        let lines = read(&text_of, "a.txt");
        let told = |lines: &[PlacedLine]| -> Vec<String> {
            lines.iter().map(|it| format!("{}:{} {}", it.file, it.line, it.text)).collect()
        };
        let expected = ["a.txt:2 tinydep==1.0", "a.txt:3 other   >=2", "sub/b.txt:1 third[x]; python_version < '4'"];
        assert_eq!(told(&lines.requirements), expected);
        assert_eq!(told(&lines.constraints), ["c.txt:1 tinydep<2"]);
        assert_eq!(lines.index.as_deref(), Some("https://y.example"));
        assert_eq!(lines.extra_indexes, ["https://x.example/simple"]);
        let refused: Vec<_> = lines.refused.iter().map(|(it, why)| format!("{}: {why}", it.text)).collect();
        let expected = [
            "-r ../../e.txt: the file lies outside of the source archive",
            "--no-such: the option `--no-such` is not understood",
            "-e .: the option `-e` is not understood",
        ];
        assert_eq!(refused, expected);
        assert_eq!(read(&text_of, "none.txt").refused.len(), 1);
    }
}
