//! A package index (PEP 503) with a few fixture files, as a folder or over HTTP; real clients resolve against it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use vocab::DistributionName;

use crate::{FixtureFile, HttpServer};

/// An index that is being put together.
#[derive(Clone, Debug, Default)]
pub struct FixtureIndex {
    /// File name → file; so a name and version has each file once.
    files: BTreeMap<String, FixtureEntry>,
}

#[derive(Clone, Debug)]
struct FixtureEntry {
    file: FixtureFile,
    yanked: Option<String>,
}

impl FixtureIndex {
    /// An empty index.
    pub fn new() -> Self {
        Self::default()
    }

    /// A wheel or an sdist; its file name says which distribution it belongs to.
    pub fn add(&mut self, file: FixtureFile) -> &mut Self {
        self.files.insert(file.file_name.clone(), FixtureEntry { file, yanked: None });
        self
    }

    /// Adds a file that its author has yanked (PEP 592).
    pub fn add_yanked(&mut self, file: FixtureFile, reason: &str) -> &mut Self {
        self.files.insert(file.file_name.clone(), FixtureEntry { file, yanked: Some(reason.to_owned()) });
        self
    }

    /// Writes `simple/<name>/index.html` and `files/` below `folder`.
    pub fn write_to(&self, folder: &Path) {
        for entry in self.files.values() {
            entry.file.write_to(&folder.join("files"));
        }
        for (path, html) in self.pages() {
            FixtureFile::new("index.html", html).write_to(&folder.join(path));
        }
    }

    /// Starts a server for the present content.
    pub fn serve(&self) -> ServedIndex {
        let server = HttpServer::start();
        for entry in self.files.values() {
            server.put(&ServedIndex::file_path(&entry.file.file_name), entry.file.bytes.clone());
        }
        for (path, html) in self.pages() {
            server.put(&format!("/{path}/"), html);
        }
        ServedIndex { server }
    }

    /// Folder → its page: the list of names, and the list of files of each name.
    fn pages(&self) -> BTreeMap<String, String> {
        let mut bodies: BTreeMap<DistributionName, String> = BTreeMap::new();
        for entry in self.files.values() {
            let body = bodies.entry(distribution_of(&entry.file.file_name)).or_default();
            let _ = writeln!(body, "{}<br>", anchor(entry));
        }
        let names: BTreeSet<&DistributionName> = bodies.keys().collect();
        let list = names.iter().fold(String::new(), |mut list, name| {
            let _ = writeln!(list, "<a href=\"{name}/\">{name}</a><br>");
            list
        });
        let mut pages: BTreeMap<String, String> =
            bodies.iter().map(|(name, body)| (format!("simple/{name}"), page(body))).collect();
        pages.insert("simple".to_owned(), page(&list));
        pages
    }
}

/// An index that is being served until this is dropped.
pub struct ServedIndex {
    pub server: HttpServer,
}

impl ServedIndex {
    /// The index URL for clients.
    pub fn simple_url(&self) -> String {
        self.server.url("/simple/")
    }

    /// A file's path on the server, for mishaps and for counting requests.
    pub fn file_path(file_name: &str) -> String {
        format!("/files/{file_name}")
    }

    /// The URL of a file, without a digest.
    pub fn file_url(&self, file_name: &str) -> String {
        self.server.url(&Self::file_path(file_name))
    }
}

/// The part before the version, in wheel names (PEP 427) and sdist names (PEP 625) alike.
fn distribution_of(file_name: &str) -> DistributionName {
    let name = file_name.split('-').next().unwrap_or_default();
    name.parse().unwrap_or_else(|_| panic!("`{file_name}` is neither a wheel's nor an sdist's name"))
}

fn anchor(entry: &FixtureEntry) -> String {
    let FixtureFile { file_name, requires_python, .. } = &entry.file;
    let mut attributes = format!("href=\"../../files/{file_name}#sha256={}\"", entry.file.sha256());
    if let Some(specifier) = requires_python {
        let _ = write!(attributes, " data-requires-python=\"{}\"", escaped(specifier));
    }
    if let Some(reason) = &entry.yanked {
        let _ = write!(attributes, " data-yanked=\"{}\"", escaped(reason));
    }
    format!("<a {attributes}>{file_name}</a>")
}

fn page(body: &str) -> String {
    format!("<!DOCTYPE html>\n<html><body>\n{body}</body></html>\n")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::WheelBuilder;

    #[test]
    fn a_page_lists_each_file_with_what_the_index_must_say() {
        let mut index = FixtureIndex::new();
        let wheel = WheelBuilder::new("Demo.Pkg", "1.0").requires_python(">=3.9").build();
        index.add(wheel.clone()).add_yanked(WheelBuilder::new("demo-pkg", "2.0").build(), "broken <2>");
        let folder = tempfile::tempdir().unwrap();
        index.write_to(folder.path());
        let page = std::fs::read_to_string(folder.path().join("simple/demo-pkg/index.html")).unwrap();
        let expected = format!(
            "<a href=\"../../files/demo_pkg-1.0-py3-none-any.whl#sha256={}\" data-requires-python=\"&gt;=3.9\">",
            wheel.sha256()
        );
        assert!(page.contains(&expected), "{page}");
        assert!(page.contains("data-yanked=\"broken &lt;2&gt;\""), "{page}");
        assert_eq!(std::fs::read(folder.path().join("files").join(&wheel.file_name)).unwrap(), wheel.bytes);
    }
}
