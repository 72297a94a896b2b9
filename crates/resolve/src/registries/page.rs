//! One distribution's page in a package index (PEP 503): which files it has, and what the index says of each.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use html5gum::{Token, Tokenizer};
use pep440_rs::{Version, VersionSpecifiers};
use url::Url;
use vocab::{Digest, DistributionName, PythonVersion};

use crate::requires_python::excludes;

/// The files that an index has of one distribution, in the order of its page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IndexPage {
    pub files: Vec<PageFile>,
}

/// One file with a name that belongs to the distribution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageFile {
    pub file_name: String,
    pub version: Version,
    /// Absolute, without fragment.
    pub url: String,
    pub sha256: Option<Digest>,
    /// As written, which need not be a valid specifier.
    pub requires_python: Option<String>,
    /// Other attributes that a resolver reads, as written: whether it is yanked, where its metadata is.
    attributes: Vec<(String, String)>,
}

impl PageFile {
    /// Whether `Requires-Python` allows `python`; true if there is none or it cannot be read.
    pub fn is_for(&self, python: PythonVersion) -> bool {
        !self.requires_python.as_deref().is_some_and(|text| excludes(text, python))
    }

    /// Whether it has to be built: anything but a wheel.
    pub fn is_sdist(&self) -> bool {
        !self.file_name.ends_with(".whl")
    }
}

impl IndexPage {
    /// `base` is the URL of the page.
    pub fn parse(html: &[u8], base: &Url) -> Self {
        let mut base = base.clone();
        let mut files = Vec::new();
        for Ok(token) in Tokenizer::new(html) {
            let Token::StartTag(tag) = token else { continue };
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let attributes: Vec<(String, String)> =
                tag.attributes.iter().map(|(name, value)| (text(name), text(&value.value))).collect();
            let href = attributes.iter().find(|(name, _)| name == "href").map(|(_, value)| value.trim());
            match (&tag.name[..], href) {
                (b"base", Some(href)) => base = base.join(href).unwrap_or(base),
                (b"a", Some(href)) => files.extend(base.join(href).ok().and_then(|url| file(url, &attributes))),
                _ => {}
            }
        }
        Self { files }
    }

    /// The distribution's files in a folder of wheels and sources without any index, as `pip download` leaves it.
    pub fn of_folder(folder: &Path, name: &DistributionName) -> io::Result<Self> {
        let mut files = Vec::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let file_name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if parts(file_name).is_none_or(|(own, _)| own != *name) || !path.is_file() {
                continue;
            }
            let Ok(url) = Url::from_file_path(&path) else { continue };
            let (digest, _) = Digest::of_reader(fs::File::open(&path)?)?;
            files.extend(file(url, &[]).map(|file| PageFile { sha256: Some(digest), ..file }));
        }
        files.sort_by(|one, other| one.file_name.cmp(&other.file_name));
        Ok(Self { files })
    }

    /// Versions none of whose files is for `python`.
    pub fn versions_not_for(&self, python: PythonVersion) -> Vec<Version> {
        let mut fits: BTreeMap<&Version, bool> = BTreeMap::new();
        for file in &self.files {
            *fits.entry(&file.version).or_default() |= file.is_for(python);
        }
        fits.into_iter().filter(|(_, fits)| !fits).map(|(version, _)| version.clone()).collect()
    }

    /// The page with every URL absolute, so that it means the same in any place.
    pub fn to_html(&self) -> String {
        let mut html = "<!DOCTYPE html>\n<html><body>\n".to_owned();
        for file in &self.files {
            let digest = file.sha256.map(|digest| format!("#sha256={digest}")).unwrap_or_default();
            let mut attributes = vec![("href".to_owned(), format!("{}{digest}", file.url))];
            // The resolver would ignore a file for which it cannot read this.
            let is_read = |text: &String| text.parse::<VersionSpecifiers>().is_ok_and(|python| !python.is_empty());
            let python = file.requires_python.clone().filter(is_read);
            attributes.extend(python.map(|text| ("data-requires-python".to_owned(), text)));
            attributes.extend(file.attributes.iter().cloned());
            let attributes = attributes.iter().fold(String::new(), |mut text, (name, value)| {
                let _ = write!(text, " {name}=\"{}\"", escaped(value));
                text
            });
            let _ = writeln!(html, "<a{attributes}>{}</a><br>", escaped(&file.file_name));
        }
        html + "</body></html>\n"
    }
}

/// The folder that a `file:` URL means.
pub(crate) fn local(url: &str) -> Option<std::path::PathBuf> {
    Url::parse(url).ok().filter(|url| url.scheme() == "file")?.to_file_path().ok()
}

/// Whether a folder holds wheels or sources directly.
pub(crate) fn is_flat(folder: &Path) -> bool {
    let names =
        fs::read_dir(folder).into_iter().flatten().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names = names.peekable();
    names.peek().is_some() && names.any(|name| parts(&name).is_some())
}

fn file(mut url: Url, attributes: &[(String, String)]) -> Option<PageFile> {
    let fragment = url.fragment().unwrap_or_default().to_owned();
    url.set_fragment(None);
    let last = url.path_segments()?.next_back()?.replace('+', "%2B");
    let file_name = url::form_urlencoded::parse(last.as_bytes()).next()?.0.into_owned();
    let value = |name: &str| attributes.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str());
    let kept = ["data-yanked", "data-core-metadata", "data-dist-info-metadata", "data-gpg-sig"];
    Some(PageFile {
        version: parts(&file_name)?.1,
        file_name,
        url: url.into(),
        sha256: fragment.split('&').find_map(|part| part.strip_prefix("sha256=")?.parse().ok()),
        requires_python: value("data-requires-python").map(str::to_owned),
        attributes: attributes.iter().filter(|(name, _)| kept.contains(&name.as_str())).cloned().collect(),
    })
}

/// Name and version of a wheel's (PEP 427) or a source's (PEP 625) file name.
fn parts(file_name: &str) -> Option<(DistributionName, Version)> {
    let (name, version) = match file_name.strip_suffix(".whl") {
        Some(stem) => {
            let mut parts = stem.split('-');
            (parts.next()?, parts.next()?)
        }
        None => [".tar.gz", ".zip", ".tar.bz2", ".tgz"]
            .into_iter()
            .find_map(|end| file_name.strip_suffix(end))?
            .rsplit_once('-')?,
    };
    Some((name.parse().ok()?, version.parse().ok()?))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_as_browsers_read_it_and_written_with_absolute_urls() {
        let digest = Digest::of("demo");
        let html = format!(
            "<!doctype html><BASE href=/pool/><h1>Links</h1><a href='../files/Demo-1.0%2Bcu1-py3-none-any.whl#sha256={digest}' \
             data-requires-python='&gt;=3.9' data-yanked>x</a><A HREF=demo-2.tar.gz>y<a>no link</a><a href=/about>z</a>"
        );
        let base = Url::parse("https://index.example.org/simple/demo/").unwrap();
        let page = IndexPage::parse(html.as_bytes(), &base);
        let [wheel, sdist] = &page.files[..] else { panic!("{page:?}") };
        assert_eq!(wheel.file_name, "Demo-1.0+cu1-py3-none-any.whl");
        assert_eq!(wheel.url, "https://index.example.org/files/Demo-1.0%2Bcu1-py3-none-any.whl");
        assert_eq!((wheel.sha256, wheel.is_sdist()), (Some(digest), false));
        assert!(page.to_html().contains("data-yanked"));
        assert_eq!(wheel.requires_python.as_deref(), Some(">=3.9"));
        assert_eq!((sdist.url.as_str(), sdist.is_sdist()), ("https://index.example.org/pool/demo-2.tar.gz", true));
        let elsewhere = Url::parse("file:///tmp/demo/").unwrap();
        assert_eq!(IndexPage::parse(page.to_html().as_bytes(), &elsewhere), page);
        assert_eq!(IndexPage::parse(b"\xff<a href", &base), IndexPage::default());
    }

    #[test]
    fn a_page_tells_which_versions_are_for_another_python() {
        let html = "<!DOCTYPE html><html><body><abbr>x</abbr>
            <a href='../f/demo-1.0-py3-none-any.whl#sha256=00' >demo-1.0-py3-none-any.whl</a>
            <a href=\"../f/demo-2.0-py3-none-any.whl#sha256=00\" data-requires-python=\"&gt;=3.8,&lt;3.12\">demo-2.0</a>
            <a data-requires-python=\"&lt;3.12\" href=\"../f/demo-2.1%2Bcpu-cp311-cp311-win_amd64.whl\">x</a>
            <a data-requires-python=\"&gt;=3.12\" href=\"../f/demo-2.1%2Bcpu.tar.gz\">x</a>
            <a href=\"../f/demo-3.0.tar.gz\" data-requires-python='>=3.6,<3.9'>x</a>
            <a href=\"../f/demo-4.0.tar.gz\" data-requires-python='anything'>x</a>
            <a>nothing</a></body></html>";
        let page = IndexPage::parse(html.as_bytes(), &Url::parse("https://index.example.org/simple/demo/").unwrap());
        let requires = |name: &str| page.files.iter().find(|file| file.file_name == name).map(|it| &it.requires_python);
        assert_eq!(requires("demo-1.0-py3-none-any.whl"), Some(&None));
        assert_eq!(requires("demo-2.0-py3-none-any.whl"), Some(&Some(">=3.8,<3.12".to_owned())));
        assert_eq!(requires("other.whl"), None);
        let versions = page.versions_not_for("3.12.10".parse().unwrap());
        let versions: Vec<String> = versions.iter().map(ToString::to_string).collect();
        assert_eq!(versions, ["2.0", "3.0"], "2.1+cpu has one file that fits");
        assert!(!page.to_html().contains("anything"));
    }

    #[test]
    fn no_text_makes_the_reader_fail() {
        let base = Url::parse("https://index.example.org/simple/demo/").unwrap();
        for text in ["", "<a", "<a ", "<a href", "<a href=", "<a href='", "<a href=é", "<a href=\"\">", "<a href='x'"]
        {
            assert_eq!(IndexPage::parse(text.as_bytes(), &base), IndexPage::default(), "for {text:?}");
        }
    }

    #[test]
    fn a_folder_of_wheels_has_a_page_for_each_distribution() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["hflat-1.0-py3-none-any.whl", "h_flat-1.0.tar.gz", "other-1.0-py3-none-any.whl", "notes.txt"] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        let page = IndexPage::of_folder(folder.path(), &"hflat".parse().unwrap()).unwrap();
        assert_eq!(page.files.len(), 1);
        assert_eq!(page.files[0].sha256, Some(Digest::of("hflat-1.0-py3-none-any.whl")));
        assert!(is_flat(folder.path()) && !is_flat(&folder.path().join("nowhere")));
    }
}
