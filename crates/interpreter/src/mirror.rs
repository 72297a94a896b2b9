//! Where the files of python-build-standalone's releases are: upstream, or a mirror with the same layout.

use std::path::PathBuf;

use url::Url;

pub(super) const UPSTREAM: &str = "https://github.com/astral-sh/python-build-standalone/releases/download";

/// The place of `<tag>/<asset>` files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mirror {
    Folder(PathBuf),
    /// Without a slash at the end.
    Web(String),
}

impl Mirror {
    /// Takes `http:` and `https:` as the web and everything else as a folder, by `file:` URL or path.
    pub(super) fn new(text: Option<&str>) -> Self {
        let Some(text) = text else { return Self::Web(UPSTREAM.to_owned()) };
        match Url::parse(text) {
            Ok(url) if matches!(url.scheme(), "http" | "https") => Self::Web(text.trim_end_matches('/').to_owned()),
            Ok(url) if url.scheme() == "file" => Self::Folder(url.to_file_path().unwrap_or_else(|()| text.into())),
            _ => Self::Folder(text.into()),
        }
    }

    pub(super) fn describe(&self) -> String {
        match self {
            Self::Folder(folder) => format!("the mirror `{}`", folder.display()),
            Self::Web(base) if base == UPSTREAM => "its GitHub releases".to_owned(),
            Self::Web(base) => format!("the mirror {base}"),
        }
    }

    /// The URL of a file; `path` is `<tag>/<asset>` with a literal `+`. `None` when a folder does not have it.
    /// A folder may spell the `+` as it is in file names or as it is in URLs (`%2B`), as copying tools differ.
    pub(super) fn url_of(&self, path: &str) -> Option<String> {
        match self {
            Self::Web(base) => Some(format!("{base}/{}", path.replace('+', "%2B"))),
            Self::Folder(folder) => [path.to_owned(), path.replace('+', "%2B"), path.replace('+', "%2b")]
                .into_iter()
                .map(|spelling| folder.join(spelling))
                .find(|place| place.is_file())
                .and_then(|place| std::path::absolute(place).ok())
                .and_then(|place| Url::from_file_path(place).ok())
                .map(Url::into),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirror_is_a_web_address_a_file_url_or_a_folder() {
        assert_eq!(Mirror::new(Some("http://127.0.0.1:1/m/")), Mirror::Web("http://127.0.0.1:1/m".into()));
        assert_eq!(Mirror::new(Some("mirror")), Mirror::Folder("mirror".into()));
        #[cfg(unix)]
        assert_eq!(Mirror::new(Some("file:///a%20b")), Mirror::Folder("/a b".into()));
        assert_eq!(Mirror::new(Some("C:\\mirror")), Mirror::Folder("C:\\mirror".into()));
    }

    #[test]
    fn the_plus_sign_is_escaped_in_urls_and_found_in_both_spellings_in_folders() {
        let web = Mirror::new(Some("https://example.org/pbs"));
        assert_eq!(web.url_of("1/a+1.tar.gz").as_deref(), Some("https://example.org/pbs/1/a%2B1.tar.gz"));
        for spelling in ["a+1.tar.gz", "a%2B1.tar.gz"] {
            let folder = tempfile::tempdir().unwrap();
            std::fs::create_dir(folder.path().join("1")).unwrap();
            std::fs::write(folder.path().join("1").join(spelling), "").unwrap();
            let url = Mirror::Folder(folder.path().to_owned()).url_of("1/a+1.tar.gz").unwrap();
            assert!(Url::parse(&url).unwrap().to_file_path().unwrap().is_file(), "for {spelling}");
        }
        assert_eq!(Mirror::Folder("nowhere".into()).url_of("1/a+1.tar.gz"), None);
    }
}
