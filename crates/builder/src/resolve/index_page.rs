//! A distribution's page of an index (PEP 503): which Pythons its files are for.

use std::collections::BTreeMap;
use std::str::FromStr;

use pep440_rs::Version;
use vocab::PythonVersion;

use super::file_metadata::excludes;

/// File name → `data-requires-python`, where the index tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IndexPage(BTreeMap<String, Option<String>>);

impl IndexPage {
    /// What is not a link to a file is passed over.
    pub fn parse(html: &str) -> Self {
        let mut files = BTreeMap::new();
        for part in html.split("<a").skip(1).filter(|part| part.starts_with(char::is_whitespace)) {
            let tag = tag(part);
            let Some(file) = attribute(tag, "href").and_then(|url| file_name(&url)) else { continue };
            files.insert(file, attribute(tag, "data-requires-python"));
        }
        Self(files)
    }

    /// `None` where the page does not list the file.
    pub fn requires_python(&self, file: &str) -> Option<Option<String>> {
        self.0.get(file).cloned()
    }

    /// Versions none of whose files is for `python`.
    pub fn versions_not_for(&self, python: PythonVersion) -> Vec<Version> {
        let mut fits: BTreeMap<Version, bool> = BTreeMap::new();
        for (file, requires) in &self.0 {
            let Some(version) = version_of(file) else { continue };
            *fits.entry(version).or_default() |= !requires.as_deref().is_some_and(|text| excludes(text, python));
        }
        fits.into_iter().filter(|(_, fits)| !fits).map(|(version, _)| version).collect()
    }
}

/// Up to the `>` that ends it: some indexes do not escape one in a value.
fn tag(text: &str) -> &str {
    let mut open = None;
    for (at, c) in text.char_indices() {
        match open {
            None if c == '>' => return &text[..at],
            None if matches!(c, '"' | '\'') => open = Some(c),
            Some(quote) if c == quote => open = None,
            _ => {}
        }
    }
    text
}

/// The value of `name="…"`, unescaped.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let after = tag.split(name).skip(1).find_map(|rest| rest.trim_start().strip_prefix('='))?.trim_start();
    let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let value = after[1..].split(quote).next()?;
    let plain = value.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'");
    Some(plain.replace("&amp;", "&"))
}

fn file_name(url: &str) -> Option<String> {
    let last = url.split(['?', '#']).next()?.rsplit('/').next()?;
    let decoded = url::form_urlencoded::parse(last.replace('+', "%2B").as_bytes()).next()?.0.into_owned();
    Some(decoded)
}

/// Of a wheel (PEP 427) or an sdist (PEP 625, and before it).
fn version_of(file: &str) -> Option<Version> {
    let text = match file.strip_suffix(".whl") {
        Some(stem) => stem.split('-').nth(1)?,
        None => {
            [".tar.gz", ".zip", ".tar.bz2", ".tgz"].iter().find_map(|end| file.strip_suffix(end))?.rsplit_once('-')?.1
        }
    };
    Version::from_str(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HTML: &str = "<!DOCTYPE html><html><body><abbr>x</abbr>
        <a href='../f/demo-1.0-py3-none-any.whl#sha256=00' >demo-1.0-py3-none-any.whl</a>
        <a href=\"../f/demo-2.0-py3-none-any.whl#sha256=00\" data-requires-python=\"&gt;=3.8,&lt;3.12\">demo-2.0</a>
        <a data-requires-python=\"&lt;3.12\" href=\"../f/demo-2.1%2Bcpu-cp311-cp311-win_amd64.whl\">x</a>
        <a data-requires-python=\"&gt;=3.12\" href=\"../f/demo-2.1%2Bcpu.tar.gz\">x</a>
        <a href=\"../f/demo-3.0.tar.gz\" data-requires-python='>=3.6,<3.9'>x</a>
        <a>nothing</a></body></html>";

    #[test]
    fn a_page_tells_which_versions_are_for_another_python() {
        let page = IndexPage::parse(HTML);
        assert_eq!(page.requires_python("demo-1.0-py3-none-any.whl"), Some(None));
        assert_eq!(page.requires_python("demo-2.0-py3-none-any.whl"), Some(Some(">=3.8,<3.12".to_owned())));
        assert_eq!(page.requires_python("other.whl"), None);
        let versions: Vec<String> =
            page.versions_not_for("3.12.10".parse().unwrap()).iter().map(ToString::to_string).collect();
        assert_eq!(versions, ["2.0", "3.0"], "2.1+cpu has one file that fits");
    }

    #[test]
    fn no_text_makes_the_reader_fail() {
        for text in ["", "<a", "<a ", "<a href", "<a href=", "<a href='", "<a href=é", "<a href=\"\">", "<a href='x'"]
        {
            IndexPage::parse(text);
        }
    }
}
